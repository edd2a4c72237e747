//! What the environment asks for.

#![allow(
    clippy::expect_used,
    clippy::panic,
    reason = "built for tests only: whatever is asked for wrongly must show"
)]

use crate::{Point, RECORD, VARIABLE};
use std::collections::HashMap;
use std::fs::File;
use std::io::Write as _;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Passes a point. Whether it is to fail.
pub fn pass(point: Point) -> bool {
    static PLAN: LazyLock<Plan> = LazyLock::new(Plan::of_environment);
    PLAN.pass(point)
}

/// Passes a point that cannot fail.
pub fn pass_through(point: Point) {
    assert!(!pass(point), "{VARIABLE}: `{}` cannot fail", point.name());
}

#[derive(Debug)]
struct Plan {
    seed: u64,
    entries: HashMap<Point, Entry>,
    record: Option<File>,
}

#[derive(Debug)]
struct Entry {
    action: Action,
    when: When,
    passes: AtomicU64,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Action {
    Kill,
    Fail,
    Wait(Duration),
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum When {
    Always,
    At(u64),
    Percent(u64),
}

impl Plan {
    fn of_environment() -> Self {
        let text = std::env::var(VARIABLE).unwrap_or_default();
        let record = std::env::var_os(RECORD).map(|path| {
            let file = File::options().create(true).append(true).open(path);
            file.expect("the record of fail points can be written")
        });
        let plan = Self::parse(&text).unwrap_or_else(|wrong| panic!("{VARIABLE}: {wrong}"));
        Self { record, ..plan }
    }

    fn parse(text: &str) -> Result<Self, String> {
        let mut plan = Self {
            seed: 0,
            entries: HashMap::new(),
            record: None,
        };
        for entry in text.split(';').filter(|entry| !entry.is_empty()) {
            let wrong = || format!("`{entry}` is not understood");
            let (name, what) = entry.split_once('=').ok_or_else(wrong)?;
            if name == "seed" {
                plan.seed = what.parse().map_err(|_| wrong())?;
                continue;
            }
            let mut points = Point::ALL.iter();
            let point = points
                .find(|point| point.name() == name)
                .ok_or_else(|| format!("there is no point `{name}`"))?;
            let entry = Entry::parse(what).ok_or_else(wrong)?;
            if plan.entries.insert(*point, entry).is_some() {
                return Err(format!("`{name}` is there twice"));
            }
        }
        Ok(plan)
    }

    fn pass(&self, point: Point) -> bool {
        if let Some(mut record) = self.record.as_ref() {
            // One write, so that the lines of several threads stay whole.
            let line = format!("{}\n", point.name());
            let written = record.write_all(line.as_bytes());
            written.expect("the record of fail points can be written");
        }
        let Some(entry) = self.entries.get(&point) else {
            return false;
        };
        let pass = entry.passes.fetch_add(1, Ordering::SeqCst) + 1;
        if !entry.when.holds(pass, self.seed ^ point as u64) {
            return false;
        }
        match entry.action {
            Action::Kill => die(),
            Action::Fail => true,
            Action::Wait(time) => {
                std::thread::sleep(time);
                false
            }
        }
    }
}

impl Entry {
    fn parse(text: &str) -> Option<Self> {
        let (action, when) = match (text.split_once('@'), text.split_once('%')) {
            (Some((action, pass)), _) => (action, When::At(pass.parse().ok()?)),
            (_, Some((action, share))) => (action, When::Percent(share.parse().ok()?)),
            (None, None) => (text, When::Always),
        };
        let action = match action {
            "kill" => Action::Kill,
            "fail" => Action::Fail,
            wait => {
                let time = wait.strip_prefix("wait:")?.parse().ok()?;
                Action::Wait(Duration::from_millis(time))
            }
        };
        Some(Self {
            action,
            when,
            passes: AtomicU64::new(0),
        })
    }
}

impl When {
    fn holds(self, pass: u64, seed: u64) -> bool {
        match self {
            Self::Always => true,
            Self::At(number) => pass == number,
            Self::Percent(share) => mixed(seed.wrapping_add(pass << 8)) % 100 < share,
        }
    }
}

/// SplitMix64: numbers in a row become numbers at random.
/// <https://prng.di.unimi.it/splitmix64.c>
fn mixed(number: u64) -> u64 {
    let mut z = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Dies as by an `OutOfMemory` killer: nothing is unwound, flushed or dropped.
fn die() -> ! {
    #[cfg(unix)]
    let _ = nix::sys::signal::kill(nix::unistd::Pid::this(), nix::sys::signal::Signal::SIGKILL);
    std::process::abort()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_plan_is_read_and_kept_to() {
        let plan = Plan::parse("seed=7;order-taken=fail@2;order-sent=fail%30;after-claim=wait:1");
        let plan = plan.unwrap();
        let taken: Vec<bool> = (0..4).map(|_| plan.pass(Point::OrderTaken)).collect();
        assert_eq!(taken, [false, true, false, false]);
        let sent = (0..1_000).filter(|_| plan.pass(Point::OrderSent)).count();
        assert!((250..350).contains(&sent), "{sent}");
        assert!(!plan.pass(Point::AfterClaim));
        assert!(!plan.pass(Point::BeforeClaim));
    }

    #[test]
    fn mistakes_are_told() {
        for (text, told) in [
            ("order-taken", "is not understood"),
            ("order-token=kill", "there is no point"),
            ("order-taken=die", "is not understood"),
            ("order-taken=kill@x", "is not understood"),
            ("order-taken=kill;order-taken=fail", "twice"),
            ("seed=x", "is not understood"),
        ] {
            let wrong = Plan::parse(text).unwrap_err();
            assert!(wrong.contains(told), "{wrong}");
        }
    }
}
