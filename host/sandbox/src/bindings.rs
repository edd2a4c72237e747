//! Generated from `plugins/wit`, the same files that plugins are built from.

#![allow(
    missing_docs,
    unreachable_pub,
    unused_qualifications,
    clippy::all,
    clippy::needless_pass_by_value,
    clippy::semicolon_if_nothing_returned,
    clippy::uninlined_format_args
)]

pub(crate) mod strategy {
    wasmtime::component::bindgen!({
        path: "../../plugins/wit",
        world: "strategy",
        // Every import may end the call: a look ahead, one log line too many.
        imports: { default: trappable },
        // What the plugin may handle and what ends the call are told apart by
        // the type that an import returns.
        trappable_error_type: {
            "alchemiser:plugin/types.error" => crate::imports::Unanswered,
        },
    });
}

pub(crate) mod portfolio {
    wasmtime::component::bindgen!({
        path: "../../plugins/wit",
        world: "portfolio",
        imports: { default: trappable },
        with: {
            "alchemiser:plugin/types": crate::bindings::strategy::alchemiser::plugin::types,
            "alchemiser:plugin/log": crate::bindings::strategy::alchemiser::plugin::log,
        },
    });
}
