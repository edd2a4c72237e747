//! What a strategy wrote to the log.

use log::{Level, LevelFilter, Log, Metadata, Record};
use std::cell::RefCell;

/// A line for the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine {
    /// Its level.
    pub level: Level,
    /// Its text.
    pub text: String,
}

/// What a function answers, and what it wrote to the log meanwhile.
///
/// ```
/// use alchemiser_sdk::{log, testing};
///
/// let (answer, lines) = testing::logged(|| {
///     log::info!("{} symbols", 3);
///     true
/// });
/// assert!(answer);
/// assert_eq!((lines[0].level, lines[0].text.as_str()), (log::Level::Info, "3 symbols"));
/// ```
///
/// # Panics
/// Something else in the program has taken the log.
pub fn logged<R>(function: impl FnOnce() -> R) -> (R, Vec<LogLine>) {
    static INSTALLED: std::sync::OnceLock<bool> = std::sync::OnceLock::new();
    let is_installed = *INSTALLED.get_or_init(|| {
        log::set_max_level(LevelFilter::Debug);
        log::set_logger(&Capture).is_ok()
    });
    assert!(
        is_installed,
        "another logger has been installed; the log cannot be captured"
    );

    let before = LINES.with(|lines| lines.replace(Some(Vec::new())));
    let answer = function();
    let written = LINES.with(|lines| lines.replace(before));
    (answer, written.unwrap_or_default())
}

thread_local! {
    /// Lines of this thread, while anybody captures them.
    static LINES: RefCell<Option<Vec<LogLine>>> = const { RefCell::new(None) };
}

struct Capture;

impl Log for Capture {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        LINES.with(|lines| {
            if let Some(lines) = lines.borrow_mut().as_mut() {
                lines.push(LogLine {
                    level: record.level(),
                    text: record.args().to_string(),
                });
            }
        });
    }

    fn flush(&self) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_those_of_the_function_in_its_thread() {
        let ((), outer) = logged(|| {
            log::warn!("one");
            let ((), inner) = logged(|| log::debug!("two"));
            assert_eq!(inner.len(), 1);
            std::thread::spawn(|| log::error!("elsewhere"))
                .join()
                .unwrap_or_default();
            log::trace!("below what the host knows");
            log::error!("three");
        });
        let texts: Vec<(Level, &str)> = outer
            .iter()
            .map(|line| (line.level, line.text.as_str()))
            .collect();
        assert_eq!(texts, [(Level::Warn, "one"), (Level::Error, "three")]);
        let ((), none) = logged(|| ());
        assert_eq!(none, []);
    }
}
