//! The plugins as they are shipped.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use e2e::Alchemiser;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use wasmparser::{Parser, Payload};

const SHIPPED: [(&str, &str); 3] = [
    ("dsl", "strategy"),
    ("momentum", "strategy"),
    ("rebalance", "portfolio"),
];

fn component(name: &str) -> Vec<u8> {
    std::fs::read(e2e::plugins().join(format!("{name}.wasm"))).unwrap()
}

/// What a component imports, read without the program's help.
fn imports(component: &[u8]) -> Vec<String> {
    let mut imports = Vec::new();
    let mut depth = 0_usize;
    for payload in Parser::new(0).parse_all(component) {
        match payload.unwrap() {
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
            Payload::End(_) => depth = depth.saturating_sub(1),
            Payload::ComponentImportSection(section) if depth == 0 => {
                imports.extend(
                    section
                        .into_iter()
                        .map(|import| import.unwrap().name.name.to_owned()),
                );
            }
            _ => {}
        }
    }
    imports
}

fn inspect(name: &str) -> Value {
    let file = e2e::plugins().join(format!("{name}.wasm"));
    let arguments = ["plugin", "inspect", file.to_str().unwrap(), "--json"];
    Alchemiser::shipped().call(arguments).exits(0).line()
}

/// No clock, no randomness, no files, no network: nothing that is not in the
/// contract.
#[test]
fn plugins_import_nothing_but_the_contract() {
    for (name, _) in SHIPPED {
        let imports = imports(&component(name));
        for import in &imports {
            assert!(
                import.starts_with("alchemiser:plugin/"),
                "{name} imports {import}"
            );
        }
        assert_eq!(inspect(name)["imports"], json!(imports), "{name}");
    }
}

/// Who a plugin is and how large can be read off the component alone.
#[test]
fn inspect_says_what_a_plugin_is() {
    for (name, kind) in SHIPPED {
        let component = component(name);
        let inspected = inspect(name);
        assert_eq!(inspected["kind"], kind);
        assert_eq!(inspected["interface"], "1.1.0");
        assert_eq!(inspected["size"], component.len());
        assert_eq!(
            inspected["sha256"],
            format!("{:x}", Sha256::digest(&component))
        );
        // Small enough to be loaded in no time, and to be copied anywhere.
        assert!(
            component.len() < 1 << 20,
            "{name} has {} bytes",
            component.len()
        );
    }
}

#[test]
fn list_says_who_uses_a_plugin() {
    let lines = Alchemiser::shipped()
        .call(["plugin", "list", "--json"])
        .exits(0)
        .lines();
    let users = |name: &str| {
        let line = lines.iter().find(|line| line["plugin"] == name).unwrap();
        assert_eq!(line["sha256"], inspect(name)["sha256"]);
        line["used_by"].clone()
    };
    assert_eq!(users("dsl"), json!(["trend", "rotation", "balance"]));
    assert_eq!(users("momentum"), json!(["momentum"]));
    assert_eq!(users("rebalance"), json!(["every plan"]));
}

/// What is in an event about a plugin is the plugin that was asked.
#[test]
fn events_name_the_builds_that_made_them() {
    let alchemiser = Alchemiser::shipped();
    let state = e2e::State::new();
    let _ = state.run(&alchemiser, "2022-12-28").exits(0);
    let events = state.events(&alchemiser, "dev-paper-2022-12-28-1600");

    let plan = &events[2];
    assert_eq!(plan["produced_by"]["plugin"], "rebalance");
    assert_eq!(
        plan["produced_by"]["sha256"],
        inspect("rebalance")["sha256"]
    );
    let mut questions = vec![plan["inputs_ref"].clone()];
    for result in events[1]["signals_data"]["strategies"].as_array().unwrap() {
        let plugin = if result["strategy_id"] == "momentum" {
            "momentum"
        } else {
            "dsl"
        };
        assert_eq!(result["produced_by"]["plugin"], plugin);
        assert_eq!(result["produced_by"]["sha256"], inspect(plugin)["sha256"]);
        questions.push(result["inputs_ref"].clone());
    }
    // The exact questions are kept under their digests.
    assert_eq!(questions.len(), 5);
    let kept = files(&state.path().join("blobs"));
    for question in questions {
        let digest = question["sha256"].as_str().unwrap();
        let content = kept
            .iter()
            .map(|path| std::fs::read(path).unwrap())
            .find(|content| format!("{:x}", Sha256::digest(content)) == digest)
            .unwrap_or_else(|| panic!("{digest} is not kept"));
        assert_eq!(question["size"], content.len());
    }
}

fn files(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .flat_map(|path| {
            if path.is_dir() {
                files(&path)
            } else {
                vec![path]
            }
        })
        .collect()
}
