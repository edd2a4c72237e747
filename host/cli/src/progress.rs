//! A bar on stderr for what takes more than a moment.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::IsTerminal as _;
use std::time::{Duration, Instant};

/// A bar on stderr, if that is a terminal, once there is something to wait for.
pub struct Progress {
    bar: ProgressBar,
    begin: Instant,
    /// Whether lines and bar are on one screen.
    is_among_lines: bool,
}

impl Progress {
    /// What takes less is over before a bar could be read.
    const PATIENCE: Duration = Duration::from_secs(1);

    /// So many steps.
    pub fn of(steps: usize) -> Self {
        let steps = u64::try_from(steps).unwrap_or(u64::MAX);
        Self::new(Some(steps), "{wide_bar} {pos} of {len}, {eta} left")
    }

    /// Steps that nobody has counted.
    pub fn counting() -> Self {
        Self::new(None, "{spinner} {human_pos} so far, {per_sec}")
    }

    fn new(steps: Option<u64>, template: &str) -> Self {
        let style =
            ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
        let hidden = ProgressDrawTarget::hidden();
        Self {
            bar: ProgressBar::with_draw_target(steps, hidden).with_style(style),
            begin: Instant::now(),
            is_among_lines: std::io::stdout().is_terminal(),
        }
    }

    /// One more is done.
    pub fn step(&self) {
        if self.bar.is_hidden() && self.begin.elapsed() > Self::PATIENCE {
            self.bar
                .set_draw_target(ProgressDrawTarget::stderr_with_hz(10));
        }
        self.bar.inc(1);
    }

    /// Prints on stdout; on a terminal above the bar.
    pub fn print(&self, text: &str) {
        if self.is_among_lines {
            self.bar.suspend(|| print!("{text}"));
        } else {
            print!("{text}");
        }
    }

    /// Takes the bar away.
    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }
}
