//! What is and what is not a plugin.

use crate::harness::{TORTURE, TORTURE_PORTFOLIO, instance, settings};
use alchemiser_events::Sha256Digest;
use alchemiser_market::Session;
use alchemiser_sandbox::{Explain, INTERFACE_VERSION, Kind, Sandbox, componentize, inspect};

#[test]
fn plugins_import_nothing_but_the_contract() {
    let strategy = inspect(&TORTURE).unwrap();
    let portfolio = inspect(&TORTURE_PORTFOLIO).unwrap();
    for name in strategy.imports.iter().chain(&portfolio.imports) {
        assert!(name.starts_with("alchemiser:plugin/"), "{name}");
    }
    insta::assert_debug_snapshot!((
        &strategy.imports,
        &strategy.exports,
        &portfolio.imports,
        &portfolio.exports
    ));
    assert_eq!(strategy.contract.unwrap().kind, Kind::Strategy);
    assert_eq!(portfolio.contract.unwrap().kind, Kind::Portfolio);
}

/// What is shipped can be loaded, and does not reach for anything else.
#[test]
fn the_shipped_plugins_are_plugins() {
    let sandbox = Sandbox::new(settings()).unwrap();
    for (package, kind) in [
        ("dsl", Kind::Strategy),
        ("momentum", Kind::Strategy),
        ("rebalance", Kind::Portfolio),
    ] {
        let component = componentize(&test_support::core_module(package)).unwrap();
        let plugin = sandbox.load(package, &component).unwrap();
        assert_eq!(plugin.kind(), kind, "{package}");
        for name in &plugin.inspection().imports {
            assert!(name.starts_with("alchemiser:plugin/"), "{package}: {name}");
        }
    }
}

/// A plugin that was built for the first version of the interface, with bindings
/// that know nothing of a later one.
#[test]
fn a_plugin_for_an_older_minor_version_still_runs() {
    let component = componentize(&test_support::core_module("previous-interface")).unwrap();
    let plugin = Sandbox::new(settings())
        .unwrap()
        .load("previous", &component)
        .unwrap();
    assert_eq!(plugin.interface_version().to_string(), "1.0.0");
    assert!(*plugin.interface_version() < INTERFACE_VERSION);

    let mut strategy = instance(&plugin, "\"MSFT\"").unwrap();
    let evaluation = strategy.evaluate(Session(30), Explain::No).unwrap();
    let held: Vec<&str> = evaluation
        .weights
        .keys()
        .map(|symbol| symbol.as_str())
        .collect();
    assert_eq!(held, ["MSFT"]);
    assert_eq!(evaluation.log.len(), 1);

    // What an import answers with crosses over as well.
    let mut strategy = instance(&plugin, "\"GONE\"").unwrap();
    let error = strategy.evaluate(Session(30), Explain::No).unwrap_err();
    assert_eq!(error.class(), "NoData");
}

/// A plugin of a later version of the interface, which uses nothing that was
/// added, and one of another major version.
#[test]
fn a_later_minor_version_runs_and_another_major_version_does_not() {
    let module = test_support::core_module("previous-interface");
    let component = componentize(&module).unwrap();
    let sandbox = Sandbox::new(settings()).unwrap();
    let load = |version: &[u8; 5]| {
        let mut component = component.clone();
        for start in 0..component.len() - version.len() {
            let place = start..start + version.len();
            if component[..start].ends_with(b"@") && component[place.clone()] == *b"1.0.0" {
                component[place].copy_from_slice(version);
            }
        }
        sandbox.load("other", &component)
    };
    let later = load(b"1.9.0").unwrap();
    assert_eq!(later.interface_version().to_string(), "1.9.0");
    let mut strategy = instance(&later, "\"MSFT\"").unwrap();
    strategy.evaluate(Session(30), Explain::No).unwrap();

    let errors = [b"0.9.0", b"2.0.0"].map(|version| load(version).unwrap_err().to_string());
    insta::assert_snapshot!(errors.join("\n"));
}

#[test]
fn a_plugin_of_too_many_modules_is_refused() {
    let mut settings = settings();
    settings.limits.core_modules = 2;
    let sandbox = Sandbox::new(settings).unwrap();
    let error = sandbox.load("torture", &TORTURE).unwrap_err();
    insta::assert_snapshot!(error);
}

#[test]
fn a_plugin_that_is_too_large_is_refused() {
    let mut settings = settings();
    settings.limits.component = 100 << 10;
    let sandbox = Sandbox::new(settings).unwrap();
    // Before anything of it is looked at.
    let error = sandbox.load("large", &vec![0; 1 << 20]).unwrap_err();
    insta::assert_snapshot!(error);
}

#[test]
fn a_plugin_knows_what_it_is() {
    let plugin = Sandbox::new(settings())
        .unwrap()
        .load("torture", &TORTURE)
        .unwrap();
    assert_eq!(plugin.name(), "torture");
    assert_eq!(plugin.kind(), Kind::Strategy);
    assert_eq!(plugin.digest(), Sha256Digest::of(&TORTURE));
    assert_eq!(plugin.interface_version().to_string(), "1.1.0");
    assert_eq!(plugin.inspection().size, TORTURE.len());
    assert_eq!(plugin.produced_by().version, "1.1.0");
}

#[test]
fn other_files_are_refused() {
    let sandbox = Sandbox::new(settings()).unwrap();
    let re_exports = |import: &str, export: &str| {
        format!(
            r#"(component (import "{import}" (instance $i)) (export "{export}" (instance $i)))"#
        )
    };
    let exports =
        |export: &str| format!(r#"(component (instance $i) (export "{export}" (instance $i)))"#);
    let evaluator = "alchemiser:plugin/evaluator@1.1.0";
    let mut texts: Vec<String> = [
        "(module)".to_owned(),
        "(component)".to_owned(),
        re_exports("wasi:clocks/wall-clock@0.2.6", evaluator),
        re_exports(
            "alchemiser:plugin/market@1.1.0",
            "alchemiser:plugin/planner@1.1.0",
        ),
        re_exports("alchemiser:plugin/news@1.2.0", evaluator),
        exports("alchemiser:plugin/evaluator@2.0.0"),
        // The right name with nothing behind it.
        exports(evaluator),
        re_exports("alchemiser:plugin/market@1.1.0", evaluator),
    ]
    .iter()
    .map(|text| {
        let error = sandbox
            .load("other", &wat::parse_str(text).unwrap())
            .unwrap_err();
        error.to_string()
    })
    .collect();
    for bytes in [&b""[..], b"#!/bin/sh\n", &b"\0asm\x0d\0\x01\0\x0b\x7f"[..]] {
        texts.push(sandbox.load("other", bytes).unwrap_err().to_string());
    }
    let missing = sandbox.load_file("other", "/no/such/file.wasm".as_ref());
    texts.push(missing.unwrap_err().to_string());
    insta::assert_snapshot!(texts.join("\n"));
}

/// What a plugin consists of is checked as well, however well its interface fits.
#[test]
fn code_that_this_host_does_not_run_is_refused() {
    let sandbox = Sandbox::new(settings()).unwrap();
    for (module, reason) in [
        // An instruction whose result depends on the processor.
        (
            "(module (func (param v128 v128) (result v128)
                (i8x16.relaxed_swizzle (local.get 0) (local.get 1))))",
            "relaxed SIMD support is not enabled",
        ),
        // Memory that threads share.
        (
            "(module (memory 1 1 shared))",
            "threads must be enabled for shared memories",
        ),
        // A function that does not answer what it says.
        ("(module (func (result i32)))", "type mismatch"),
    ] {
        let module = wat::parse_str(module).unwrap();
        let length = u8::try_from(module.len()).unwrap();
        assert!(length < 128, "one byte holds the length of the section");
        // A section of the component that is a core module.
        let component = [&TORTURE[..], &[1, length], &module].concat();
        let error = sandbox.load("other", &component).unwrap_err().to_string();
        let beginning = "plugin `other` cannot be loaded: it is not valid, or needs more than the sandbox has: ";
        assert!(
            error.starts_with(beginning) && error.contains(reason),
            "{error}"
        );
    }
}

#[test]
fn a_sandbox_that_cannot_be_set_up_says_so() {
    let mut settings = settings();
    settings.limits.memory = 8 << 30;
    let error = Sandbox::new(settings).unwrap_err();
    insta::assert_snapshot!(error);
}
