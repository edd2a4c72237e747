//! Leaves a plugin's last words with the host.

/// From here on a panic is logged through the plugin's own world before it ends
/// the call; the host makes the message part of its error. Nothing happens
/// when a plugin is tested natively.
macro_rules! report_panics {
    ($world:ident) => {
        #[cfg(target_arch = "wasm32")]
        std::panic::set_hook(Box::new(|panic| {
            use crate::bindings::$world::alchemiser::plugin::log;
            log::write(log::Level::Error, &panic.to_string());
        }));
    };
}
pub(crate) use report_panics;
