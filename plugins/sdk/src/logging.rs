//! Lines for the worker's log.

use log::{LevelFilter, Log, Metadata, Record};

/// Lets `log::info!` and the like write through the log of a world, and a panic
/// leave its last words there; the host makes them part of its error. Nothing
/// happens when a plugin is tested natively, see
/// [`testing::logged`](crate::testing::logged).
macro_rules! log_through {
    ($world:ident) => {
        #[cfg(target_arch = "wasm32")]
        {
            use crate::bindings::$world::alchemiser::plugin::log as world;
            crate::logging::begin(&crate::logging::Writer(|level, message| {
                let level = match level {
                    log::Level::Error => world::Level::Error,
                    log::Level::Warn => world::Level::Warn,
                    log::Level::Info => world::Level::Info,
                    log::Level::Debug | log::Level::Trace => world::Level::Debug,
                };
                world::write(level, message);
            }));
        }
    };
}
pub(crate) use log_through;

/// Writes a line.
pub(crate) struct Writer(pub(crate) fn(log::Level, &str));

/// From here on a writer gets all lines, and the words of a panic.
#[cfg_attr(
    not(target_arch = "wasm32"),
    expect(dead_code, reason = "natively nothing is written")
)]
pub(crate) fn begin(writer: &'static Writer) {
    // Called at the begin of each load, of which only the first has an effect.
    if log::set_logger(writer).is_ok() {
        // The host has no finer level, and drops what is below its own.
        log::set_max_level(LevelFilter::Debug);
        std::panic::set_hook(Box::new(|panic| {
            (writer.0)(log::Level::Error, &panic.to_string());
        }));
    }
}

impl Log for Writer {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        let arguments = record.args();
        match arguments.as_str() {
            Some(text) => (self.0)(record.level(), text),
            None => (self.0)(record.level(), &arguments.to_string()),
        }
    }

    fn flush(&self) {}
}
