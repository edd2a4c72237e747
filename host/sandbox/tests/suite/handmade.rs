//! Components that no compiler would make.

use crate::harness::{evaluate, settings, text};
use alchemiser_sandbox::{Plugin, Sandbox, componentize};
use std::time::{Duration, Instant};
use wit_component::{StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

/// A list of 10,240 elements of 16 bytes, each a string and a number. All the
/// strings are the same 1 MiB, so that 160 KiB of list would become 10 GiB on
/// the host.
///
/// `requirements` and `evaluate` answer with the list or with an empty one;
/// `evaluate` may first hand it to `explain.selection`.
fn aliased(requirements: u32, evaluate: u32, selection: bool) -> String {
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
            (import "[export]alchemiser:plugin/evaluator@1.0.0" "[resource-new]strategy"
                (func $new (param i32) (result i32)))
            (import "alchemiser:plugin/explain@1.0.0" "selection"
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
            (func (export "alchemiser:plugin/evaluator@1.0.0#load")
                (param i32 i32 i32 i32) (result i32)
                (i32.store (i32.const 0x180004) (call $new (i32.const 7)))
                (i32.const 0x180000))
            (func (export "alchemiser:plugin/evaluator@1.0.0#[method]strategy.requirements")
                (param i32) (result i32)
                (call $answer_list (i32.const {requirements}))
                (i32.const 0x180004))
            (func (export "alchemiser:plugin/evaluator@1.0.0#[method]strategy.evaluate")
                (param i32 i32) (result i32)
                (call $answer_list (i32.const {evaluate}))
                {explain}
                (i32.const 0x180000))
            (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
                (i32.const 0x190000)))"#
    )
}

/// A strategy component of a hand-made core module.
fn component(text: &str) -> Vec<u8> {
    let mut module = wat::parse_str(text).unwrap();
    let mut resolve = Resolve::default();
    let (package, _) = resolve
        .push_dir(test_support::workspace().join("plugins/wit"))
        .unwrap();
    let world = resolve.select_world(&[package], Some("strategy")).unwrap();
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).unwrap();
    componentize(&module).unwrap()
}

fn load(text: &str) -> Plugin {
    let sandbox = Sandbox::new(settings()).unwrap();
    sandbox.load("handmade", &component(text)).unwrap()
}

#[test]
fn the_component_works_while_it_is_modest() {
    let evaluation = evaluate(&load(&aliased(0, 0, false)), "{}").unwrap();
    assert!(evaluation.weights.is_empty());
}

#[test]
fn aliased_strings_are_refused_before_they_are_copied() {
    for module in [
        aliased(0, 10_240, false),
        aliased(10_240, 0, false),
        aliased(0, 0, true),
    ] {
        let plugin = load(&module);
        let begin = Instant::now();
        let error = evaluate(&plugin, "{}").unwrap_err();
        assert_eq!(error.class(), "OutputLimit", "{error}");
        // Copying 10 GiB takes longer.
        assert!(begin.elapsed() < Duration::from_secs(2));
    }
    let error = evaluate(&load(&aliased(0, 10_240, false)), "{}").unwrap_err();
    insta::assert_snapshot!(text(&error));
}

/// More memory than the limit from the start.
#[test]
fn memory_is_limited_from_the_start() {
    // 300 pages are 18.75 MiB; the limit is 16 MiB, and that of `dsl` 256 MiB.
    let plugin = load(&aliased(0, 0, false).replace(r#""memory") 32"#, r#""memory") 300"#));
    let error = evaluate(&plugin, "{}").unwrap_err();
    insta::assert_snapshot!(text(&error));
}

/// More memory than any plugin may have is refused when it is loaded.
#[test]
fn too_much_memory_cannot_be_loaded() {
    let module = aliased(0, 0, false).replace(r#""memory") 32"#, r#""memory") 5000"#);
    let sandbox = Sandbox::new(settings()).unwrap();
    let error = sandbox.load("handmade", &component(&module)).unwrap_err();
    insta::assert_snapshot!(error);
}

#[test]
fn text_must_be_text() {
    // The first byte of the only weight's symbol is no UTF-8.
    let module = aliased(0, 1, false).replace(
        "(call $answer_list (i32.const 1))",
        "(call $answer_list (i32.const 1))
         (i32.store8 (i32.const 0) (i32.const 255))
         (i32.store (i32.const 0x100004) (i32.const 1))",
    );
    let error = evaluate(&load(&module), "{}").unwrap_err();
    insta::assert_snapshot!(text(&error));
}

#[test]
fn a_module_without_the_sdk_is_no_component() {
    let module = wat::parse_str(r#"(module (import "env" "f" (func)))"#).unwrap();
    let error = componentize(&module).unwrap_err();
    insta::assert_snapshot!(error);
}
