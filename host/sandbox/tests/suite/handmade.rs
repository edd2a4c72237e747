//! Components that no compiler would make.

use crate::harness::{evaluate, settings, text};
use alchemiser_sandbox::{Plugin, Sandbox, componentize};
use std::time::{Duration, Instant};
use test_support::handmade::{aliased_strings as aliased, strategy_component as component};

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
