//! From what `rustc` builds to a component.

use wit_component::ComponentEncoder;

/// The module cannot be turned into a component.
#[derive(Debug, thiserror::Error)]
#[error(
    "no component can be made of the module: {message}; a plugin depends on `alchemiser-sdk` and ends with `export_strategy!` or `export_portfolio!`"
)]
pub struct ComponentizeError {
    message: String,
}

/// Makes a component of a core module that was built for
/// `wasm32-unknown-unknown` with `alchemiser-sdk`. The same module always makes
/// the same component.
///
/// # Errors
/// The module is not valid, or was not built with the SDK.
pub fn componentize(core_module: &[u8]) -> Result<Vec<u8>, ComponentizeError> {
    ComponentEncoder::default()
        .validate(true)
        .module(core_module)
        .and_then(|mut encoder| encoder.encode())
        .map_err(|error| ComponentizeError {
            message: format!("{error:#}"),
        })
}
