//! `alchemiser plugin inspect`: what a component is.

use super::build::crate_here;
use super::component_json;
use crate::arguments::Arguments;
use crate::failure::{CommandFailure, CommandResult};
use crate::machine::not_there;
use crate::output::grouped;
use crate::project::Project;
use alchemiser_builder::Builder;
use alchemiser_sandbox::{Inspection, Limits, Origin};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// Shows what a component is, without running any of it. A component that is no
/// plugin for this host is shown with the reason; a file that is no component is
/// wrong usage.
pub(super) fn inspect(plugin: &Path, arguments: &Arguments) -> CommandResult {
    let project = Project::find(arguments)?;
    let file = &component(plugin, project.as_ref())?;
    let refused = |reason: &dyn std::fmt::Display| {
        CommandFailure::usage("NotAComponent", format!("{}: {reason}", file.display()))
    };
    let bytes = std::fs::read(file).map_err(|error| refused(&error))?;
    let inspection = alchemiser_sandbox::inspect(&bytes).map_err(|reason| refused(&reason))?;
    let surroundings = Surroundings {
        limits: project.as_ref().and_then(|it| limits(file, it)),
        sources: inspection
            .origin
            .as_ref()
            .map(|origin| SourceState::find(origin, file, project.as_ref())),
    };
    if arguments.json {
        println!("{}", json_of(file, &inspection, &surroundings));
    } else {
        print!("{}", text(file, &inspection, &surroundings));
    }
    Ok(())
}

/// The file that is meant: a name may be that of a plugin of the project.
fn component(plugin: &Path, project: Option<&Project>) -> CommandResult<PathBuf> {
    let name = plugin
        .to_str()
        .filter(|name| !name.contains(['/', '\\', '.']));
    match (project, name) {
        (Some(project), Some(name)) if !plugin.exists() => {
            let file = project.plugin(name);
            let there = file.is_file().then_some(file);
            there.ok_or_else(|| not_there(project, name))
        }
        _ => Ok(plugin.to_owned()),
    }
}

/// What is not in the component.
struct Surroundings {
    /// What a call of it may use in this project.
    limits: Option<Limits>,
    /// What has become of its sources, if it says what they were.
    sources: Option<SourceState>,
}

/// Limits go by the plugin's name, which is that of its file.
fn limits(file: &Path, project: &Project) -> Option<Limits> {
    let name = file.file_stem()?.to_str()?;
    Some(project.settings.sandbox.limits_of(name))
}

/// What has become of the sources that a component was built from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum SourceState {
    Unchanged,
    Changed,
    NotHere,
}

impl SourceState {
    /// Looks for the crate in the project, in the crate that this folder is in,
    /// and in that whose `target/plugins` the component lies in.
    fn find(origin: &Origin, file: &Path, project: Option<&Project>) -> Self {
        let of_project = project.map(|it| it.root().to_owned());
        let above = file.parent().map(|folder| folder.join("../.."));
        let folders = [of_project, crate_here(), above].into_iter().flatten();
        for folder in folders.filter(|folder| folder.join("Cargo.toml").is_file()) {
            let folder = folder.canonicalize().unwrap_or(folder);
            if let Ok(builder) = Builder::open(&folder)
                && builder.check(&origin.plugin).is_ok()
            {
                return match is_built_from(origin, &builder) {
                    true => Self::Unchanged,
                    false => Self::Changed,
                };
            }
        }
        Self::NotHere
    }

    fn name(self) -> &'static str {
        match self {
            Self::Unchanged => "unchanged",
            Self::Changed => "changed",
            Self::NotHere => "not here",
        }
    }
}

/// Whether the sources are still those that a component was built from.
pub fn is_built_from(origin: &Origin, builder: &Builder) -> bool {
    // A file that is gone is a change.
    let now = builder.digest(&origin.plugin, &origin.files).ok();
    now.as_ref() == Some(&origin.sources)
}

fn json_of(file: &Path, inspection: &Inspection, surroundings: &Surroundings) -> Value {
    let mut line = component_json(file, inspection);
    let mut put = |name: &str, value: Value| line.insert(name.to_owned(), value);
    put("code_size", inspection.code.into());
    put("data_size", inspection.data.into());
    put("imports", inspection.imports.clone().into());
    put("exports", inspection.exports.clone().into());
    let limits = surroundings.limits.map(|limits| {
        json!({
            "memory": limits.memory,
            "time_ms": u64::try_from(limits.time.as_millis()).unwrap_or(u64::MAX),
            "output": limits.output,
            "log_lines": limits.log_lines,
            "component": limits.component,
        })
    });
    put("limits", limits.into());
    let origin = inspection.origin.as_ref().map(|origin| {
        json!({
            "plugin": origin.plugin,
            "sources": origin.sources,
            "files": origin.files,
            "compiler": origin.compiler,
            "state": surroundings.sources.map(SourceState::name),
        })
    });
    put("origin", origin.into());
    Value::Object(line)
}

/// One fact a line, or several lines for several names.
fn text(file: &Path, inspection: &Inspection, surroundings: &Surroundings) -> String {
    let mut facts = vec![("file", vec![file.display().to_string()])];
    match &inspection.contract {
        Ok(contract) => {
            facts.push(("kind", vec![contract.kind.to_string()]));
            facts.push(("interface", vec![contract.interface_version.to_string()]));
        }
        Err(reason) => facts.push(("kind", vec![format!("no plugin: {reason}")])),
    }
    let [size, code, data] = [inspection.size, inspection.code, inspection.data].map(grouped);
    facts.push((
        "size",
        vec![format!(
            "{size} bytes, of which {code} are code and {data} data"
        )],
    ));
    facts.push(("sha256", vec![inspection.digest.to_string()]));
    facts.push(("imports", inspection.imports.clone()));
    facts.push(("exports", inspection.exports.clone()));
    if let Some(limits) = &surroundings.limits {
        facts.push(("limits", vec![limits_text(limits)]));
    }
    match &inspection.origin {
        Some(origin) => {
            facts.push(("sources", sources_text(origin, surroundings.sources)));
            facts.push(("compiler", vec![origin.compiler.clone()]));
        }
        None => facts.push((
            "sources",
            vec!["not known; `alchemiser plugin build` writes them down".to_owned()],
        )),
    }

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

fn limits_text(limits: &Limits) -> String {
    const KIB: usize = 1 << 10;
    const MIB: usize = 1 << 20;
    format!(
        "{} MiB of memory; a call may take {} ms, answer with {} KiB and log {} lines; a component \
         may have {} MiB",
        grouped(limits.memory / MIB),
        grouped(limits.time.as_millis()),
        grouped(limits.output.div_ceil(KIB)),
        grouped(limits.log_lines),
        grouped(limits.component / MIB),
    )
}

fn sources_text(origin: &Origin, state: Option<SourceState>) -> Vec<String> {
    let state = match state {
        Some(SourceState::Unchanged) => "built from the sources as they are here".to_owned(),
        Some(SourceState::Changed) => format!(
            "the sources here have changed since; `alchemiser plugin build {}` builds it again",
            origin.plugin
        ),
        Some(SourceState::NotHere) | None => "the sources are not here".to_owned(),
    };
    let files = match origin.files.len() {
        1 => "1 file".to_owned(),
        count => format!("{} files", grouped(count)),
    };
    vec![
        format!("{} ({files} of crate `{}`)", origin.sources, origin.plugin),
        state,
    ]
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
        let unknown = Surroundings {
            limits: None,
            sources: None,
        };
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
            size: 175_871,
            code: 120_000,
            data: 20_480,
            origin: Some(Origin {
                plugin: "momentum".to_owned(),
                sources: "ab".repeat(32),
                files: vec!["/project/plugins/momentum/src/lib.rs".to_owned()],
                compiler: "rustc 1.95.0".to_owned(),
            }),
            ..stranger
        };
        let known = |state| Surroundings {
            limits: Some(Limits::default()),
            sources: Some(state),
        };
        insta::assert_snapshot!(format!(
            "{}\n{}\n{}",
            text(file, &plugin, &known(SourceState::Unchanged)),
            text(file, &plugin, &known(SourceState::Changed)),
            text(file, &stranger, &unknown)
        ));
    }
}
