//! `alchemiser plugin build`: from crates to components.

use super::{cells, component_json, table};
use crate::arguments::Arguments;
use crate::failure::{CommandFailure, CommandResult};
use crate::project::Project;
use crate::settings::SandboxSettings;
use alchemiser_builder::{BuildError, Builder};
use alchemiser_sandbox::{Inspection, Limits, Origin, check_size, componentize, inspect};
use serde_json::Value;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::rc::Rc;

/// Builds the plugins named, or all those of the project.
pub(super) fn build(names: &[String], arguments: &Arguments) -> CommandResult {
    let mut table = table("file");
    for Job {
        builder,
        name,
        file,
        limits,
    } in jobs(names, arguments)?
    {
        let Built {
            inspection,
            changed,
        } = build_into(&builder, &name, &file, &limits)?;
        if arguments.json {
            let mut line = component_json(&file, &inspection);
            line.insert("plugin".to_owned(), name.into());
            line.insert("changed".to_owned(), changed.into());
            println!("{}", Value::Object(line));
        } else {
            let unchanged = if changed { "" } else { " (unchanged)" };
            let last = format!("{}{unchanged}", file.display());
            table.row(cells(&name, &inspection, last));
        }
    }
    if !arguments.json {
        table.print();
    }
    Ok(())
}

/// A plugin to build.
struct Job {
    builder: Rc<Builder>,
    name: String,
    /// Where its component is to lie.
    file: PathBuf,
    limits: Limits,
}

/// What the command line asks for. All of it is known before the first is built.
fn jobs(names: &[String], arguments: &Arguments) -> CommandResult<Vec<Job>> {
    let project = Project::find(arguments)?;
    if names.is_empty() {
        return match crate_here() {
            Some(folder) => Ok(vec![of_folder(&folder, project.as_ref())?]),
            None => of_project(&Project::open(arguments)?, &[]),
        };
    }
    let (folders, names): (Vec<&String>, Vec<&String>) =
        names.iter().partition(|name| is_folder(name));
    let mut jobs = Vec::new();
    if !names.is_empty() {
        jobs.extend(of_project(&Project::open(arguments)?, &names)?);
    }
    for folder in folders {
        jobs.push(of_folder(Path::new(folder), project.as_ref())?);
    }
    Ok(jobs)
}

/// Some plugins of the project, or all of them.
fn of_project(project: &Project, names: &[&String]) -> CommandResult<Vec<Job>> {
    let builder = Rc::new(Builder::open(project.root()).map_err(failure)?);
    for name in names {
        builder.check(name).map_err(failure)?;
    }
    let names: Vec<&str> = if names.is_empty() {
        builder.plugins().collect()
    } else {
        names.iter().map(|name| name.as_str()).collect()
    };
    let job = |name: &str| Job {
        builder: Rc::clone(&builder),
        name: name.to_owned(),
        file: project.plugin(name),
        limits: project.settings.sandbox.limits_of(name),
    };
    Ok(names.into_iter().map(job).collect())
}

/// The plugin whose crate lies in a folder, for a project or for none.
fn of_folder(folder: &Path, project: Option<&Project>) -> CommandResult<Job> {
    let builder = Builder::open(folder).map_err(failure)?;
    let name = builder.plugin_in(folder).map_err(failure)?.to_owned();
    Ok(Job {
        file: match project {
            Some(project) => project.plugin(&name),
            None => folder.join(format!("target/plugins/{name}.wasm")),
        },
        limits: match project {
            Some(project) => project.settings.sandbox.limits_of(&name),
            None => SandboxSettings::default().limits_of(&name),
        },
        name,
        builder: Rc::new(builder),
    })
}

/// Names have no separators.
fn is_folder(name: &str) -> bool {
    name.contains(std::path::is_separator) || name == "." || name == ".."
}

/// The plugin crate of its own, in no project's workspace, that this folder is in.
pub(super) fn crate_here() -> Option<PathBuf> {
    let here = std::env::current_dir().ok()?;
    for folder in here.ancestors() {
        if folder.join(Project::MARK).is_file() {
            return None;
        }
        let manifest = std::fs::read_to_string(folder.join("Cargo.toml")).ok();
        let manifest: Option<toml::Table> = manifest.and_then(|it| toml::from_str(&it).ok());
        if let Some(manifest) = manifest.filter(|it| it.contains_key("workspace")) {
            let dependencies = manifest.get("dependencies");
            let sdk = dependencies.and_then(|it| it.get("alchemiser-sdk"));
            return sdk.map(|_| folder.to_owned());
        }
    }
    None
}

/// A plugin that was built.
pub struct Built {
    /// What it is.
    pub inspection: Inspection,
    /// Whether another one lay there before.
    pub changed: bool,
}

/// Builds a plugin, and puts its component in its place.
pub fn build_into(
    builder: &Builder,
    name: &str,
    file: &Path,
    limits: &Limits,
) -> CommandResult<Built> {
    let Component { bytes, inspection } = component(builder, name, limits)?;
    let changed = store(file, &bytes).map_err(|error| {
        CommandFailure::failed(
            "BuildError",
            format!("cannot write {}: {error}", file.display()),
        )
    })?;
    Ok(Built {
        inspection,
        changed,
    })
}

/// A plugin that this host can run.
struct Component {
    bytes: Vec<u8>,
    inspection: Inspection,
}

/// Compiles a plugin and makes sure that the sandbox will take it, so that a
/// component that it refuses is never put where plugins lie.
fn component(builder: &Builder, name: &str, limits: &Limits) -> CommandResult<Component> {
    let refused = |reason: String| {
        CommandFailure::failed(
            "BuildError",
            format!("plugin `{name}` was built, and {reason}"),
        )
    };
    let module = builder.compile(name).map_err(failure)?;
    let mut bytes = componentize(&module).map_err(|error| refused(error.to_string()))?;
    let sources = builder.sources(name).map_err(failure)?;
    let origin = Origin {
        plugin: name.to_owned(),
        sources: sources.digest,
        files: sources.files,
        compiler: sources.compiler,
    };
    origin.write_into(&mut bytes);
    check_size(&bytes, limits).map_err(|reason| refused(reason.to_string()))?;
    let inspection = inspect(&bytes).map_err(|reason| refused(reason.to_string()))?;
    match &inspection.contract {
        Ok(_) => Ok(Component { bytes, inspection }),
        Err(reason) => Err(refused(reason.to_string())),
    }
}

/// Puts a file in its place at once, so that nobody ever reads half of it; says
/// whether it was another before. An equal file is left alone: whoever watches
/// the folder would load it again for nothing.
fn store(file: &Path, bytes: &[u8]) -> io::Result<bool> {
    if std::fs::read(file).is_ok_and(|there| there == bytes) {
        return Ok(false);
    }
    let folder = file.parent().unwrap_or(Path::new(""));
    std::fs::create_dir_all(folder)?;
    let mut options = tempfile::Builder::new();
    // Unlike other temporary files, it is for everyone to read.
    #[cfg(unix)]
    let options = {
        use std::os::unix::fs::PermissionsExt;
        options.permissions(std::fs::Permissions::from_mode(0o666))
    };
    let mut temporary = options.prefix(".plugin-").tempfile_in(folder)?;
    temporary.write_all(bytes)?;
    temporary.persist(file)?;
    Ok(true)
}

/// What the user asked for in vain is wrong usage; what did not work is a failure.
pub fn failure(error: BuildError) -> CommandFailure {
    match error {
        BuildError::UnknownPlugin { .. } | BuildError::NoPlugin { .. } => {
            CommandFailure::usage("UnknownPlugin", error)
        }
        BuildError::Project { .. } => CommandFailure::usage("BuildError", error),
        BuildError::NoToolchain => CommandFailure::failed("NoToolchain", error),
        BuildError::Io { .. } | BuildError::Compile { .. } | BuildError::NoModule { .. } => {
            CommandFailure::failed("BuildError", error)
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_file_is_replaced_whole_and_only_by_another() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("plugins/momentum.wasm");

        assert!(store(&file, b"one").unwrap());
        let written = std::fs::metadata(&file).unwrap().modified().unwrap();
        assert!(!store(&file, b"one").unwrap());
        let kept = std::fs::metadata(&file).unwrap().modified().unwrap();
        assert_eq!(kept, written);

        assert!(store(&file, b"two").unwrap());
        assert_eq!(std::fs::read(&file).unwrap(), b"two");
        let left: Vec<_> = std::fs::read_dir(file.parent().unwrap()).unwrap().collect();
        assert_eq!(left.len(), 1, "no temporary file stays behind");
    }

    #[cfg(unix)]
    #[test]
    fn others_may_read_it() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let plain = folder.path().join("plain");
        std::fs::write(&plain, "").unwrap();
        let file = folder.path().join("momentum.wasm");
        store(&file, b"one").unwrap();
        let mode = |file: &Path| std::fs::metadata(file).unwrap().permissions().mode();
        assert_eq!(mode(&file), mode(&plain));
    }
}
