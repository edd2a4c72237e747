//! `alchemiser dev` at work.

use crate::program::Alchemiser;
use crate::state::State;
use serde_json::Value;
use std::fs::{self, File};
use std::io::{Read as _, Seek as _, SeekFrom};
use std::process::{Child, Command, ExitStatus};
use std::thread;
use std::time::{Duration, Instant};
use tempfile::NamedTempFile;

/// Longer than anything takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// How often to look.
const LOOK: Duration = Duration::from_millis(1);

/// `dev` at work. It is killed with this value.
#[derive(Debug)]
pub struct Dev {
    child: Child,
    told: NamedTempFile,
}

impl Dev {
    /// Starts it with more arguments.
    #[must_use]
    pub fn start(alchemiser: &Alchemiser, state: &State, more: &[&str]) -> Self {
        let told = NamedTempFile::new().expect("a temporary file can be made");
        let arguments = ["dev", "--json"].iter().chain(more).copied();
        let stdout = File::options()
            .append(true)
            .open(told.path())
            .expect("it was just made");
        let child = alchemiser.start_into(state.arguments(arguments), stdout);
        Self { child, told }
    }

    /// Its number among the processes.
    #[must_use]
    pub fn process(&self) -> u32 {
        self.child.id()
    }

    /// Whether it goes on.
    pub fn is_at_work(&mut self) -> bool {
        let ended = self.child.try_wait().expect("a child can be asked");
        ended.is_none()
    }

    /// What it has told so far.
    #[must_use]
    pub fn lines(&self) -> Vec<Value> {
        let text = fs::read_to_string(self.told.path()).expect("what it tells is text");
        // The last line may be under way.
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        whole
            .lines()
            .map(|line| serde_json::from_str(line).expect("each line is an object"))
            .collect()
    }

    /// What it tells from now on.
    #[must_use]
    pub fn news(&self) -> News {
        let mut told = File::open(self.told.path()).expect("it was made at the start");
        told.seek(SeekFrom::End(0)).expect("it is a file");
        News {
            told,
            begun: Vec::new(),
        }
    }

    /// The first time that it told this.
    #[must_use]
    pub fn told(&self, happened: &str) -> Option<Value> {
        let mut lines = self.lines().into_iter();
        lines.find(|line| line["happened"] == happened)
    }

    /// Waits until it tells this.
    #[track_caller]
    pub fn wait_for(&mut self, happened: &str) -> Value {
        self.wait_after(0, happened)
    }

    /// Waits until it tells this, after so many lines.
    #[track_caller]
    pub fn wait_after(&mut self, lines: usize, happened: &str) -> Value {
        self.wait_until(lines, happened, |line| line["happened"] == happened)
    }

    /// Waits for a line after so many lines; `what` is it.
    #[track_caller]
    pub fn wait_until(
        &mut self,
        lines: usize,
        what: &str,
        is_it: impl Fn(&Value) -> bool,
    ) -> Value {
        let begin = Instant::now();
        loop {
            let is_at_work = self.is_at_work();
            let told = self.lines();
            if let Some(line) = told.iter().skip(lines).find(|line| is_it(line)) {
                return line.clone();
            }
            assert!(
                is_at_work && begin.elapsed() < PATIENCE,
                "`{what}` was not told, at work: {is_at_work} {told:#?}",
            );
            thread::sleep(LOOK);
        }
    }

    /// Asks it to stop, and waits until it has.
    #[track_caller]
    pub fn stop(mut self) -> Vec<Value> {
        let _ = self.wait_for("ready");
        self.signal("TERM");
        let status = self.wait();
        assert_eq!(status.code(), Some(0), "{:#?}", self.lines());
        let lines = self.lines();
        assert_eq!(
            lines.last().map(|line| line["happened"].clone()),
            Some("stopped".into())
        );
        lines
    }

    /// Sends a signal.
    pub fn signal(&self, name: &str) {
        let kill = format!("kill -{name} {}", self.child.id());
        let status = Command::new("sh").args(["-c", &kill]).status();
        assert!(status.expect("a shell is there").success());
    }

    /// Waits until it has ended.
    #[track_caller]
    pub fn wait(&mut self) -> ExitStatus {
        let begin = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().expect("a child can be waited for") {
                return status;
            }
            assert!(begin.elapsed() < PATIENCE, "{:#?}", self.lines());
            thread::sleep(LOOK);
        }
    }
}

/// What is told, without reading again what was read before.
#[derive(Debug)]
pub struct News {
    told: File,
    /// A line that is under way.
    begun: Vec<u8>,
}

impl News {
    /// The lines since the last call.
    #[must_use]
    pub fn lines(&mut self) -> Vec<Value> {
        let read = self.told.read_to_end(&mut self.begun);
        read.expect("what it tells can be read");
        let end = self.begun.iter().rposition(|byte| *byte == b'\n');
        let whole: Vec<u8> = self.begun.drain(..end.map_or(0, |end| end + 1)).collect();
        let lines = whole.split(|byte| *byte == b'\n');
        lines
            .filter(|line| !line.is_empty())
            .map(|line| serde_json::from_slice(line).expect("each line is an object"))
            .collect()
    }
}

impl Drop for Dev {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
