//! `alchemiser plugin new`: a crate that builds at once.

use crate::arguments::{Arguments, NewPlugin, PluginKind};
use crate::failure::{CommandFailure, CommandResult};
use crate::project::Project;
use serde_json::json;
use std::io;
use std::path::{Path, PathBuf};

/// Makes the crate of a new plugin.
pub(super) fn new(command: &NewPlugin, arguments: &Arguments) -> CommandResult {
    let name = command.name.as_str();
    check_name(name)?;
    let project = Project::find(arguments)?;
    if let Some(project) = &project {
        check_strategies(name, project)?;
    }
    let parent = match (&command.into, &project) {
        (Some(folder), _) => folder.clone(),
        (None, Some(project)) => project.root().join("plugins"),
        (None, None) => {
            let message = "there is no project here to put the plugin into; name its folder with \
                           `--project`, or any other one with `--into`";
            return Err(CommandFailure::usage("NoProject", message));
        }
    };
    let folder = parent.join(name);
    if folder.exists() {
        let message = format!(
            "{} exists already; take another name, or another folder with `--into`",
            folder.display()
        );
        return Err(CommandFailure::usage("PluginExists", message));
    }
    let home = match project.as_ref().filter(|it| has_member(it.root(), &parent)) {
        Some(project) => Home::Member {
            lock: project.root().join("Cargo.lock"),
        },
        None => standalone(command, project.as_ref())?,
    };
    check_other_crates(name, &home)?;

    let files = files(command, &home);
    write(&parent, &folder, &files).map_err(|error| {
        let message = format!("cannot make {}: {error}", folder.display());
        CommandFailure::failed("WriteError", message)
    })?;
    let commands = commands(name, &home);
    if arguments.json {
        let names: Vec<&str> = files.iter().map(|(file, _)| *file).collect();
        let line = json!({
            "plugin": name,
            "kind": kind(command.kind),
            "folder": folder.display().to_string(),
            "files": names,
            "commands": commands,
        });
        println!("{line}");
    } else {
        let place = folder.display();
        println!("{place} is a {} plugin that builds.", kind(command.kind));
        println!("Its idea is in src/lib.rs. Next:\n");
        if let Home::Standalone { .. } = home {
            println!("  cd {}", quoted(&folder));
        }
        for line in commands {
            println!("  {line}");
        }
        println!("\n{place}/README.md says how to put it to work.");
    }
    Ok(())
}

/// Where the crate belongs.
enum Home {
    /// To the project's workspace.
    Member { lock: PathBuf },
    /// To no workspace but its own.
    Standalone {
        sdk: PathBuf,
        /// The project that the plugin is for, if one is known.
        project: Option<PathBuf>,
        /// The versions that the SDK is tested with.
        lock: Option<PathBuf>,
    },
}

fn kind(kind: PluginKind) -> &'static str {
    match kind {
        PluginKind::Strategy => "strategy",
        PluginKind::Portfolio => "portfolio",
    }
}

/// A plugin's name is that of its crate and of its component. It stands in the
/// book and in settings.
fn check_name(name: &str) -> CommandResult {
    const LONGEST: usize = 64;
    /// What the language calls something else, or cargo does.
    const KEYWORDS: &[&str] = &[
        "abstract",
        "alloc",
        "as",
        "async",
        "await",
        "become",
        "box",
        "break",
        "const",
        "continue",
        "core",
        "crate",
        "do",
        "dyn",
        "else",
        "enum",
        "extern",
        "false",
        "final",
        "fn",
        "for",
        "gen",
        "if",
        "impl",
        "in",
        "let",
        "loop",
        "macro",
        "match",
        "mod",
        "move",
        "mut",
        "override",
        "priv",
        "proc-macro",
        "pub",
        "ref",
        "return",
        "self",
        "static",
        "std",
        "struct",
        "super",
        "test",
        "trait",
        "true",
        "try",
        "type",
        "typeof",
        "unsafe",
        "unsized",
        "use",
        "virtual",
        "where",
        "while",
        "yield",
    ];
    /// Plugins that every project has, and folders beside them.
    const TAKEN: [&str; 5] = ["dsl", "rebalance", "sdk", "wit", "examples"];

    let refuse = |message: String| Err(CommandFailure::usage("BadName", message));
    let spelt = spelling(name);
    if spelt.is_empty() || spelt != name || name.len() > LONGEST {
        let advice = if spelt.is_empty() || spelt.len() > LONGEST {
            String::new()
        } else {
            format!("; did you mean `{spelt}`?")
        };
        return refuse(format!(
            "`{name}` is no name for a plugin: up to {LONGEST} of a–z, 0–9 and `-`, a letter first{advice}"
        ));
    }
    if KEYWORDS.contains(&name) {
        return refuse(format!(
            "`{name}` is a word of the Rust language or the name of one of its own crates; take another"
        ));
    }
    if TAKEN.contains(&name) {
        return refuse(format!(
            "`{name}` is a name that every project has in use; take another"
        ));
    }
    Ok(())
}

/// The nearest thing to a text that is a name; empty if nothing is.
fn spelling(text: &str) -> String {
    let lower = text.to_lowercase();
    let parts = lower.split(|character: char| !character.is_ascii_alphanumeric());
    let parts: Vec<&str> = parts.filter(|part| !part.is_empty()).collect();
    let joined = parts.join("-");
    let is_name = joined.starts_with(|character: char| character.is_ascii_lowercase());
    if is_name { joined } else { String::new() }
}

/// Whether a crate made in a folder belongs to the project's workspace by itself.
fn has_member(root: &Path, parent: &Path) -> bool {
    let is_plugins = parent
        .canonicalize()
        .is_ok_and(|parent| root.join("plugins").canonicalize().ok() == Some(parent));
    let Some(manifest) = table(&root.join("Cargo.toml")) else {
        return false;
    };
    let workspace = manifest.get("workspace");
    let members = workspace.and_then(|it| it.get("members")?.as_array());
    let sdk = workspace.and_then(|it| it.get("dependencies")?.get("alchemiser-sdk"));
    let covers = members.is_some_and(|it| it.iter().any(|it| it.as_str() == Some("plugins/*")));
    is_plugins && covers && sdk.is_some()
}

fn table(file: &Path) -> Option<toml::Table> {
    toml::from_str(&std::fs::read_to_string(file).ok()?).ok()
}

/// Finds what a crate outside of the workspace needs.
fn standalone(command: &NewPlugin, project: Option<&Project>) -> CommandResult<Home> {
    let is_sdk = |folder: &Path| {
        let manifest = table(&folder.join("Cargo.toml"))?;
        let name = manifest.get("package")?.get("name")?.as_str()?;
        (name == "alchemiser-sdk").then(|| folder.canonicalize().ok())?
    };
    let sdk = match &command.sdk {
        Some(folder) => is_sdk(folder).ok_or_else(|| {
            let message = format!(
                "{} is not the folder of the crate `alchemiser-sdk`",
                folder.display()
            );
            CommandFailure::usage("NoSdk", message)
        })?,
        None => {
            let program = std::env::current_exe().ok();
            // A program that was built from the sources lies in their `target`.
            let above = program.iter().flat_map(|file| file.ancestors());
            let folders = project.map(Project::root).into_iter().chain(above);
            let mut found = folders.filter_map(|folder| is_sdk(&folder.join("plugins/sdk")));
            found.next().ok_or_else(|| {
                let message = "the crate `alchemiser-sdk` is not here; get the sources of \
                               Alchemiser, and name their folder `plugins/sdk` with `--sdk`";
                CommandFailure::usage("NoSdk", message)
            })?
        }
    };
    let root = sdk.ancestors().nth(2);
    let has = |file: &str| root.map(|it| it.join(file)).filter(|it| it.is_file());
    let of_sdk = root.filter(|root| root.join(Project::MARK).is_file());
    let project = match project {
        Some(project) => std::path::absolute(project.root().join(".")).ok(),
        None => of_sdk.map(Path::to_owned),
    };
    Ok(Home::Standalone {
        project: project.and_then(|it| it.canonicalize().ok()),
        lock: has("Cargo.lock"),
        sdk,
    })
}

/// A command that names it would mean the strategy.
fn check_strategies(name: &str, project: &Project) -> CommandResult {
    // What is wrong with the book is told by those who need it.
    let Ok(book) = project.book() else {
        return Ok(());
    };
    let is_other = book
        .entry(name)
        .is_some_and(|entry| entry.source.plugin != name);
    let is_file = book.directory().join(format!("{name}.clj")).is_file();
    if is_other || is_file {
        let message = format!("`{name}` is the name of a strategy of the project; take another");
        return Err(CommandFailure::usage("BadName", message));
    }
    Ok(())
}

/// Cargo cannot tell crates of one name apart.
fn check_other_crates(name: &str, home: &Home) -> CommandResult {
    let (Home::Member { lock }
    | Home::Standalone {
        lock: Some(lock), ..
    }) = home
    else {
        return Ok(());
    };
    let packages = table(lock).and_then(|mut lock| lock.remove("package"));
    let packages = packages.as_ref().and_then(toml::Value::as_array);
    let is_it =
        |package: &toml::Value| package.get("name").and_then(|it| it.as_str()) == Some(name);
    if packages.is_some_and(|packages| packages.iter().any(is_it)) {
        let message = format!("a crate `{name}` is among those of the project; take another name");
        return Err(CommandFailure::usage("BadName", message));
    }
    Ok(())
}

/// The files of the crate by their paths in it.
fn files(command: &NewPlugin, home: &Home) -> Vec<(&'static str, String)> {
    let name = command.name.as_str();
    let (sources, description, serde, decimal) = match command.kind {
        PluginKind::Strategy => (
            [
                include_str!("../../../templates/strategy/lib.rs"),
                include_str!("../../../templates/strategy/tests.rs"),
                include_str!("../../../templates/strategy/scenarios.toml"),
                include_str!("../../../templates/strategy/README.md"),
            ],
            "A strategy plugin for Alchemiser",
            "serde",
            "serde = { version = \"1\", features = [\"derive\"] }",
        ),
        PluginKind::Portfolio => (
            [
                include_str!("../../../templates/portfolio/lib.rs"),
                include_str!("../../../templates/portfolio/tests.rs"),
                include_str!("../../../templates/portfolio/scenarios.toml"),
                include_str!("../../../templates/portfolio/README.md"),
            ],
            "A portfolio plugin for Alchemiser",
            "rust_decimal",
            "rust_decimal = { version = \"1\", default-features = false, features = [\"std\"] }",
        ),
    };
    let (manifest, dependency, sdk) = match home {
        Home::Member { .. } => (
            include_str!("../../../templates/member.toml"),
            serde,
            String::new(),
        ),
        Home::Standalone { sdk, .. } => (
            include_str!("../../../templates/standalone.toml"),
            decimal,
            toml::Value::String(sdk.display().to_string()).to_string(),
        ),
    };
    let [test, build, check] = commands(name, home);
    let widest = [&test, &build, &check].map(|it| it.len()).into_iter().max();
    let widest = widest.unwrap_or_default();
    let fill = |template: &str| {
        template
            .replace("{{name}}", name)
            .replace("{{description}}", description)
            .replace("{{dependency}}", dependency)
            .replace("{{sdk}}", &sdk)
            .replace("{{test}}", &format!("{test:widest$}"))
            .replace("{{build}}", &format!("{build:widest$}"))
            .replace("{{check}}", &format!("{check:widest$}"))
            .replace("{{component}}", &format!("{name}.wasm"))
    };
    let [library, tests, scenarios, readme] = sources.map(fill);
    let mut files = vec![
        ("Cargo.toml", fill(manifest)),
        ("README.md", readme),
        ("src/lib.rs", library),
        ("src/tests.rs", tests),
        ("tests/scenarios.toml", scenarios),
    ];
    if let Home::Standalone { lock, .. } = home {
        let ignored = include_str!("../../../templates/gitignore");
        files.push((".gitignore", ignored.to_owned()));
        // A plugin's digest is its identity, so its dependencies are pinned: to
        // what the SDK is tested with. Cargo drops what is not needed.
        let lock = lock
            .as_ref()
            .and_then(|it| std::fs::read_to_string(it).ok());
        files.extend(lock.map(|lock| ("Cargo.lock", lock)));
    }
    files
}

/// What to run: native tests, the build, and the tests of what was built.
fn commands(name: &str, home: &Home) -> [String; 3] {
    match home {
        Home::Member { .. } => [
            format!("cargo test --release -p {name}"),
            format!("alchemiser plugin build {name}"),
            format!("alchemiser plugin test {name}"),
        ],
        Home::Standalone { project, .. } => {
            let project = project.as_deref().map(quoted);
            let project = project.map_or(String::new(), |it| format!(" --project {it}"));
            [
                "cargo test".to_owned(),
                format!("alchemiser plugin build{project}"),
                format!("alchemiser plugin test .{project}"),
            ]
        }
    }
}

/// A path as a shell takes it.
fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let is_plain = |character: char| character.is_alphanumeric() || "/._-~\\:".contains(character);
    if text.chars().all(is_plain) {
        text
    } else {
        format!("'{}'", text.replace('\'', "'\\''"))
    }
}

/// Writes all files or, should one fail, none.
fn write(parent: &Path, folder: &Path, files: &[(&str, String)]) -> io::Result<()> {
    std::fs::create_dir_all(parent)?;
    let unfinished = tempfile::Builder::new()
        .prefix(".new-")
        .tempdir_in(parent)?;
    for (file, content) in files {
        let file = unfinished.path().join(file);
        if let Some(folder) = file.parent() {
            std::fs::create_dir_all(folder)?;
        }
        std::fs::write(file, content)?;
    }
    // Unlike other temporary folders, it is for everyone to read.
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let ordinary = std::fs::metadata(unfinished.path().join("src"))?;
        let mode = std::fs::Permissions::from_mode(ordinary.permissions().mode());
        std::fs::set_permissions(unfinished.path(), mode)?;
    }
    std::fs::rename(unfinished.path(), folder)?;
    // It is no longer there to be removed.
    let _ = unfinished.keep();
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn names_are_those_of_crates_and_settings() {
        for name in ["mine", "my-strategy-2", "a"] {
            assert!(check_name(name).is_ok(), "{name}");
        }
        let long = "a".repeat(65);
        let names = [
            "",
            "My_Strategy",
            "2-fast",
            "-",
            "über",
            "a--b",
            "mine-",
            "a/b",
            "../up",
            "match",
            "test",
            "dsl",
            &long,
        ];
        let messages: Vec<String> = names
            .iter()
            .map(|name| match check_name(name) {
                Err(CommandFailure::Usage(detail)) => detail.message,
                other => panic!("{name}: {other:?}"),
            })
            .collect();
        insta::assert_snapshot!(messages.join("\n"));
    }

    #[test]
    fn paths_are_quoted_where_a_shell_would_split_them() {
        assert_eq!(quoted(Path::new("/home/me/x-1.2")), "/home/me/x-1.2");
        assert_eq!(quoted(Path::new("/my files/it's")), "'/my files/it'\\''s'");
    }

    #[test]
    fn nothing_is_left_of_a_crate_that_cannot_be_written() {
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join("mine");
        let files = [("src", "a file".to_owned()), ("src/lib.rs", String::new())];
        assert!(write(parent.path(), &folder, &files).is_err());
        assert_eq!(std::fs::read_dir(parent.path()).unwrap().count(), 0);

        write(parent.path(), &folder, &files[1..]).unwrap();
        assert!(folder.join("src/lib.rs").is_file());
        assert_eq!(std::fs::read_dir(parent.path()).unwrap().count(), 1);
    }
}
