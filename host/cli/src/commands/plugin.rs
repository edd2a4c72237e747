//! `alchemiser plugin`: build plugins and look at them.

mod build;
mod inspect;
mod list;
mod new;
mod test;

pub use build::{build_into, failure as build_failure};
pub use inspect::is_built_from;

use crate::arguments::{self, Arguments};
use crate::failure::CommandResult;
use crate::output::{Align, Table};
use alchemiser_sandbox::Inspection;
use serde_json::{Map, Value, json};
use std::path::Path;

/// Runs one of the commands.
pub fn plugin(command: &arguments::Plugin, arguments: &Arguments) -> CommandResult {
    match command {
        arguments::Plugin::New(command) => new::new(command, arguments),
        arguments::Plugin::Build { names } => build::build(names, arguments),
        arguments::Plugin::Inspect { plugin } => inspect::inspect(plugin, arguments),
        arguments::Plugin::List { state } => list::list(state, arguments),
        arguments::Plugin::Test(command) => test::test(command, arguments),
    }
}

/// What is known of a component, for scripts: `file`, `size`, `sha256`; for a
/// plugin `kind` and `interface`, for anything else the `reason` why it is none.
fn component_json(file: &Path, inspection: &Inspection) -> Map<String, Value> {
    let mut fields = Map::new();
    fields.insert("file".to_owned(), file.display().to_string().into());
    match &inspection.contract {
        Ok(contract) => {
            fields.insert("kind".to_owned(), contract.kind.to_string().into());
            let interface = contract.interface_version.to_string();
            fields.insert("interface".to_owned(), interface.into());
        }
        Err(reason) => {
            fields.insert("kind".to_owned(), Value::Null);
            fields.insert("reason".to_owned(), reason.to_string().into());
        }
    }
    fields.insert("size".to_owned(), inspection.size.into());
    fields.insert("sha256".to_owned(), json!(inspection.digest));
    fields
}

/// A table of plugins, with one column more than is known of each.
fn table(last: &str) -> Table {
    const SIZE: usize = 3;
    let mut aligns = [Align::Left; 6];
    aligns[SIZE] = Align::Right;
    let mut table = Table::new(&aligns);
    table.row(["plugin", "kind", "interface", "size", "sha256", last]);
    table
}

/// The cells of a plugin in [`table`].
fn cells(name: &str, inspection: &Inspection, last: String) -> [String; 6] {
    let (kind, interface) = match &inspection.contract {
        Ok(contract) => (
            contract.kind.to_string(),
            contract.interface_version.to_string(),
        ),
        Err(_) => ("no plugin".to_owned(), String::new()),
    };
    // Enough of the digest to tell builds apart.
    let digest: String = inspection.digest.to_string().chars().take(12).collect();
    [
        name.to_owned(),
        kind,
        interface,
        kib(inspection.size),
        digest,
        last,
    ]
}

/// A size for reading.
fn kib(bytes: usize) -> String {
    format!("{} KiB", bytes.div_ceil(1024))
}
