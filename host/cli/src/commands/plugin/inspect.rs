//! `alchemiser plugin inspect`: what a component is.

use super::component_json;
use crate::arguments::Arguments;
use crate::failure::{CommandFailure, CommandResult};
use alchemiser_sandbox::Inspection;
use serde_json::Value;
use std::path::Path;

/// Shows what a component is, without running any of it. A component that is no
/// plugin for this host is shown with the reason; a file that is no component is
/// wrong usage.
pub(super) fn inspect(file: &Path, arguments: &Arguments) -> CommandResult {
    let refused = |reason: &dyn std::fmt::Display| {
        CommandFailure::usage("NotAComponent", format!("{}: {reason}", file.display()))
    };
    let bytes = std::fs::read(file).map_err(|error| refused(&error))?;
    let inspection = alchemiser_sandbox::inspect(&bytes).map_err(|reason| refused(&reason))?;
    if arguments.json {
        let mut line = component_json(file, &inspection);
        line.insert("imports".to_owned(), inspection.imports.clone().into());
        line.insert("exports".to_owned(), inspection.exports.into());
        println!("{}", Value::Object(line));
    } else {
        print!("{}", text(file, &inspection));
    }
    Ok(())
}

/// One fact a line, or several lines for several names.
fn text(file: &Path, inspection: &Inspection) -> String {
    let mut facts = vec![("file", vec![file.display().to_string()])];
    match &inspection.contract {
        Ok(contract) => {
            facts.push(("kind", vec![contract.kind.to_string()]));
            facts.push(("interface", vec![contract.interface_version.to_string()]));
        }
        Err(reason) => facts.push(("kind", vec![format!("no plugin: {reason}")])),
    }
    facts.push(("size", vec![format!("{} bytes", inspection.size)]));
    facts.push(("sha256", vec![inspection.digest.to_string()]));
    facts.push(("imports", inspection.imports.clone()));
    facts.push(("exports", inspection.exports.clone()));

    let mut text = String::new();
    for (name, mut values) in facts {
        if values.is_empty() {
            values.push("nothing".to_owned());
        }
        for (place, value) in values.iter().enumerate() {
            let name = if place == 0 { name } else { "" };
            text.push_str(&format!("{name:<11}{value}\n"));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use alchemiser_sandbox::{Contract, INTERFACE_VERSION, Kind};

    #[test]
    fn a_plugin_and_a_component_that_is_none() {
        let file = Path::new("target/plugins/momentum.wasm");
        let stranger = alchemiser_sandbox::inspect(b"\0asm\x0d\0\x01\0").unwrap();
        let plugin = Inspection {
            imports: vec![
                "alchemiser:plugin/types@1.0.0".to_owned(),
                "alchemiser:plugin/market@1.0.0".to_owned(),
            ],
            exports: vec!["alchemiser:plugin/evaluator@1.0.0".to_owned()],
            contract: Ok(Contract {
                kind: Kind::Strategy,
                interface_version: INTERFACE_VERSION,
            }),
            ..stranger
        };
        insta::assert_snapshot!(format!(
            "{}\n{}",
            text(file, &plugin),
            text(file, &stranger)
        ));
    }
}
