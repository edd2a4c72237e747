//! Components that no compiler would make.

use wit_component::{StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

/// A strategy with a list of 10,240 elements of 16 bytes, each a string and a
/// number. All the strings are the same 1 MiB, so that 160 KiB of list would
/// become 10 GiB on the host.
///
/// `requirements` and `evaluate` answer with the list or with an empty one;
/// `evaluate` may first hand it to `explain.selection`. Either takes the length
/// that it gives the list.
#[must_use]
pub fn aliased_strings(requirements: u32, evaluate: u32, selection: bool) -> String {
    let explain = if selection {
        "(call $selection
            (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0)
            (i32.const 0) (i32.const 0)
            (i32.const 0x100000) (i32.const 10240) (i32.const 0))"
    } else {
        ""
    };
    format!(
        r#"(module
            (import "[export]alchemiser:plugin/evaluator@1.1.0" "[resource-new]strategy"
                (func $new (param i32) (result i32)))
            (import "alchemiser:plugin/explain@1.1.0" "selection"
                (func $selection (param i32 i32 i32 i32 i32 i32 i32 i32 i32)))
            ;; The string is the first 1 MiB, all zero; then the list; then what
            ;; functions answer with.
            (memory (export "memory") 32)
            (func $answer_list (param $length i32)
                (local $at i32)
                (local.set $at (i32.const 0x100000))
                (loop $fill
                    (i32.store (local.get $at) (i32.const 0))
                    (i32.store offset=4 (local.get $at) (i32.const 0x100000))
                    (local.set $at (i32.add (local.get $at) (i32.const 16)))
                    (br_if $fill (i32.lt_u (local.get $at) (i32.const 0x128000))))
                (i32.store (i32.const 0x180000) (i32.const 0))
                (i32.store (i32.const 0x180004) (i32.const 0x100000))
                (i32.store (i32.const 0x180008) (local.get $length)))
            (func (export "alchemiser:plugin/evaluator@1.1.0#load")
                (param i32 i32 i32 i32) (result i32)
                (i32.store (i32.const 0x180004) (call $new (i32.const 7)))
                (i32.const 0x180000))
            (func (export "alchemiser:plugin/evaluator@1.1.0#[method]strategy.requirements")
                (param i32) (result i32)
                (call $answer_list (i32.const {requirements}))
                (i32.const 0x180004))
            (func (export "alchemiser:plugin/evaluator@1.1.0#[method]strategy.evaluate")
                (param i32 i32) (result i32)
                (call $answer_list (i32.const {evaluate}))
                {explain}
                (i32.const 0x180000))
            (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
                (i32.const 0x190000)))"#
    )
}

/// A strategy that may look at the last close of one symbol, and is all in it
/// whatever happens.
///
/// # Panics
/// The symbol has more than 16 characters.
#[must_use]
pub fn all_in(symbol: &str) -> String {
    let length = symbol.len();
    assert!(length <= 16, "there is room for 16 characters");
    format!(
        r#"(module
            (import "[export]alchemiser:plugin/evaluator@1.1.0" "[resource-new]strategy"
                (func $new (param i32) (result i32)))
            (memory (export "memory") 1)
            (data (i32.const 0) "{symbol}")
            ;; A requirement of one session at 16; a weight at 32. Their
            ;; strings begin at 0.
            (func $fill
                (i32.store (i32.const 20) (i32.const {length}))
                (i32.store (i32.const 24) (i32.const 1))
                (i32.store (i32.const 28) (i32.const 1))
                (i32.store (i32.const 36) (i32.const {length}))
                (f64.store (i32.const 40) (f64.const 1)))
            (func (export "alchemiser:plugin/evaluator@1.1.0#load")
                (param i32 i32 i32 i32) (result i32)
                (i32.store (i32.const 68) (call $new (i32.const 7)))
                (i32.const 64))
            (func (export "alchemiser:plugin/evaluator@1.1.0#[method]strategy.requirements")
                (param i32) (result i32)
                (call $fill)
                (i32.store (i32.const 80) (i32.const 16))
                (i32.store (i32.const 84) (i32.const 1))
                (i32.const 80))
            (func (export "alchemiser:plugin/evaluator@1.1.0#[method]strategy.evaluate")
                (param i32 i32) (result i32)
                (call $fill)
                (i32.store (i32.const 100) (i32.const 32))
                (i32.store (i32.const 104) (i32.const 1))
                (i32.const 96))
            (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
                (i32.const 1024)))"#
    )
}

/// A strategy component of a hand-made core module, given as text.
///
/// # Panics
/// The module does not fit the contract.
#[must_use]
pub fn strategy_component(text: &str) -> Vec<u8> {
    let mut module = wat::parse_str(text).expect("the module is well-formed");
    let mut resolve = Resolve::default();
    let (package, _) = resolve
        .push_dir(crate::workspace().join("plugins/wit"))
        .expect("the contract can be read");
    let world = resolve
        .select_world(&[package], Some("strategy"))
        .expect("the contract has a world for strategies");
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8)
        .expect("a module takes a custom section");
    crate::component(&module)
}
