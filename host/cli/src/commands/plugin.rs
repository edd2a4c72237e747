//! `alchemiser plugin`: build plugins and look at them.

mod build;
mod inspect;
mod list;

use crate::arguments::{self, Arguments};
use crate::failure::CommandResult;
use alchemiser_sandbox::Inspection;
use comfy_table::presets::NOTHING;
use comfy_table::{CellAlignment, Table};
use serde_json::{Map, Value, json};
use std::path::Path;

/// Runs one of the commands.
pub fn plugin(command: &arguments::Plugin, arguments: &Arguments) -> CommandResult {
    match command {
        arguments::Plugin::Build { names } => build::build(names, arguments),
        arguments::Plugin::Inspect { file } => inspect::inspect(file, arguments),
        arguments::Plugin::List => list::list(arguments),
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

/// A table of plugins to read: `plugin kind interface size sha256` and one
/// column more. The size is on the right, where numbers can be compared.
fn table(last: &str) -> Table {
    const SIZE: usize = 3;
    let mut table = Table::new();
    table
        .load_style(NOTHING)
        .set_header(["plugin", "kind", "interface", "size", "sha256", last]);
    if let Some(size) = table.column_mut(SIZE) {
        size.set_cell_alignment(CellAlignment::Right);
    }
    for column in table.column_iter_mut() {
        // Two spaces between columns, none at the left edge.
        column.set_padding((0, 2));
    }
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
