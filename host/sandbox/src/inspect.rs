//! What a file is, found out without running or compiling any of it.

use crate::text::clip_line;
use alchemiser_events::Sha256Digest;
use semver::Version;
use std::fmt;
use wasmparser::{Instance, Parser, Payload};

/// The version of the plugin interface that this host speaks: the version of
/// the package in `plugins/wit`.
pub const INTERFACE_VERSION: Version = Version::new(1, 0, 0);

/// The package of all interfaces between host and plugin.
const PACKAGE: &str = "alchemiser:plugin";

/// What a plugin does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Turns prices into target weights.
    Strategy,
    /// Turns target weights into trades.
    Portfolio,
}

impl Kind {
    const ALL: [Self; 2] = [Self::Strategy, Self::Portfolio];

    /// The interface that makes a component a plugin of this kind.
    fn export(self) -> &'static str {
        match self {
            Self::Strategy => "evaluator",
            Self::Portfolio => "planner",
        }
    }

    /// All that it may import.
    fn imports(self) -> &'static [&'static str] {
        match self {
            Self::Strategy => &["types", "market", "log", "explain"],
            Self::Portfolio => &["types", "log"],
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Strategy => "strategy",
            Self::Portfolio => "portfolio",
        })
    }
}

/// A component as it presents itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inspection {
    /// Length in bytes.
    pub size: usize,
    /// Its identity.
    pub digest: Sha256Digest,
    /// Names of what it imports, in its order.
    pub imports: Vec<String>,
    /// Names of what it exports, in its order.
    pub exports: Vec<String>,
    /// Core modules that one instance of it consists of.
    pub core_modules: u32,
    /// What it is to this host, or why it is nothing.
    pub contract: Result<Contract, Rejection>,
}

/// What a plugin and this host agree on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contract {
    /// What the plugin does.
    pub kind: Kind,
    /// Version of the interface that it was built for.
    pub interface_version: Version,
}

/// Why a file is no plugin for this host.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// Not WebAssembly.
    #[error(
        "it is not WebAssembly ({size} bytes); a plugin is a component, as written by `alchemiser plugin build`"
    )]
    NotWebAssembly {
        /// Length in bytes.
        size: usize,
    },
    /// A core module.
    #[error(
        "it is a core WebAssembly module and not yet a component; `alchemiser plugin build` makes one"
    )]
    CoreModule,
    /// Damaged.
    #[error("it is damaged at byte {offset}: {message}; build or copy it again")]
    Malformed {
        /// Where.
        offset: usize,
        /// What is wrong.
        message: String,
    },
    /// It exports no interface that the host knows.
    #[error("it exports {}, and a plugin exports `alchemiser:plugin/evaluator` (a strategy) or `alchemiser:plugin/planner` (a portfolio)", List(.exports))]
    NoPlugin {
        /// What it exports.
        exports: Vec<String>,
    },
    /// It is both kinds at once.
    #[error("it exports `evaluator` and `planner`; a plugin is either a strategy or a portfolio")]
    BothKinds,
    /// Built for an interface that this host does not speak.
    #[error(
        "it was built for version {built_for} of the plugin interface (`{name}`) and this host speaks {}; rebuild it with the `alchemiser-sdk` of this host",
        INTERFACE_VERSION
    )]
    Version {
        /// Import or export that says so.
        name: String,
        /// The version in it.
        built_for: Version,
    },
    /// It wants what no plugin gets.
    #[error("it imports `{name}`, and a {kind} plugin may import nothing but {}", List(.kind.imports()))]
    Import {
        /// What it wants.
        name: String,
        /// What it is.
        kind: Kind,
    },
}

/// Names in a sentence.
struct List<'a, T>(&'a [T]);

impl<T: AsRef<str>> fmt::Display for List<'_, T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return formatter.write_str("nothing");
        }
        for (place, name) in self.0.iter().enumerate() {
            let comma = if place == 0 { "" } else { ", " };
            write!(formatter, "{comma}`{}`", name.as_ref())?;
        }
        Ok(())
    }
}

/// Reads what a component says of itself.
///
/// # Errors
/// The bytes are no component at all. A component that is no plugin for this
/// host is described, with the reason in [`Inspection::contract`].
pub fn inspect(bytes: &[u8]) -> Result<Inspection, Rejection> {
    if Parser::is_core_wasm(bytes) {
        return Err(Rejection::CoreModule);
    }
    if !Parser::is_component(bytes) {
        return Err(Rejection::NotWebAssembly { size: bytes.len() });
    }
    let Surface {
        imports,
        exports,
        core_modules,
    } = surface(bytes).map_err(|error| Rejection::Malformed {
        offset: error.offset(),
        message: error.message().to_owned(),
    })?;
    Ok(Inspection {
        size: bytes.len(),
        digest: Sha256Digest::of(bytes),
        contract: contract(&imports, &exports),
        imports,
        exports,
        core_modules,
    })
}

/// What of a component is seen from outside, and how many modules are inside.
#[derive(Default)]
struct Surface {
    imports: Vec<String>,
    exports: Vec<String>,
    core_modules: u32,
}

/// The imports and exports of the outermost component, and all its modules.
fn surface(bytes: &[u8]) -> wasmparser::Result<Surface> {
    const LONGEST: usize = 256;
    let mut surface = Surface::default();
    let mut depth = 0_u32;
    for payload in Parser::new(0).parse_all(bytes) {
        match payload? {
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
            Payload::End(_) => depth = depth.saturating_sub(1),
            Payload::ComponentImportSection(section) if depth == 0 => {
                for import in section {
                    surface.imports.push(clip_line(import?.name.name, LONGEST));
                }
            }
            Payload::ComponentExportSection(section) if depth == 0 => {
                for export in section {
                    surface.exports.push(clip_line(export?.name.name, LONGEST));
                }
            }
            Payload::InstanceSection(section) => {
                for instance in section {
                    if matches!(instance?, Instance::Instantiate { .. }) {
                        surface.core_modules += 1;
                    }
                }
            }
            _ => {}
        }
    }
    Ok(surface)
}

/// What a component with these imports and exports is to this host.
fn contract(imports: &[String], exports: &[String]) -> Result<Contract, Rejection> {
    // Versions come first: an interface of a later version is not unknown, it
    // is later.
    for name in exports.iter().chain(imports) {
        if let Some((_, built_for)) = interface(name)
            && !serves(&INTERFACE_VERSION, &built_for)
        {
            return Err(Rejection::Version {
                name: name.clone(),
                built_for,
            });
        }
    }

    let exported = |kind: Kind| {
        exports
            .iter()
            .filter_map(|name| interface(name))
            .find(|(interface, _)| *interface == kind.export())
            .map(|(_, version)| (kind, version))
    };
    let mut kinds = Kind::ALL.into_iter().filter_map(exported);
    let (kind, interface_version) = match (kinds.next(), kinds.next()) {
        (Some(kind), None) => kind,
        (Some(_), Some(_)) => return Err(Rejection::BothKinds),
        (None, _) => {
            return Err(Rejection::NoPlugin {
                exports: exports.to_vec(),
            });
        }
    };

    for name in imports {
        let allowed =
            interface(name).is_some_and(|(interface, _)| kind.imports().contains(&interface));
        if !allowed {
            return Err(Rejection::Import {
                name: name.clone(),
                kind,
            });
        }
    }
    Ok(Contract {
        kind,
        interface_version,
    })
}

/// Interface and version of a name in the project's own package, such as
/// `alchemiser:plugin/market@1.0.0`.
fn interface(name: &str) -> Option<(&str, Version)> {
    let (interface, version) = name
        .strip_prefix(PACKAGE)?
        .strip_prefix('/')?
        .split_once('@')?;
    Some((interface, Version::parse(version).ok()?))
}

/// Whether a host serves a plugin: a minor version only adds to what plugins may
/// import, so an older one is served as well.
fn serves(host: &Version, built_for: &Version) -> bool {
    built_for.major == host.major && built_for.minor <= host.minor && built_for.pre.is_empty()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn names(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn kinds_and_versions() {
        for (imports, exports, kind) in [
            (
                "alchemiser:plugin/types@1.0.0 alchemiser:plugin/market@1.0.0",
                "alchemiser:plugin/evaluator@1.0.0",
                Kind::Strategy,
            ),
            (
                "alchemiser:plugin/log@1.0.7",
                "alchemiser:plugin/planner@1.0.7 more",
                Kind::Portfolio,
            ),
        ] {
            let contract = contract(&names(imports), &names(exports)).unwrap();
            assert_eq!(contract.kind, kind);
        }
    }

    #[test]
    fn rejections_say_what_to_do() {
        const STRATEGY: &str = "alchemiser:plugin/evaluator@1.0.0";
        let cases = [
            ("", "alchemiser:plugin/evaluator@2.0.0"),
            ("", "alchemiser:plugin/evaluator@1.1.0"),
            ("", "alchemiser:plugin/evaluator@0.9.0"),
            ("alchemiser:plugin/news@1.1.0", STRATEGY),
            ("alchemiser:plugin/news@1.0.0", STRATEGY),
            ("wasi:clocks/wall-clock@0.2.6", STRATEGY),
            ("alchemiser:plugin/market", STRATEGY),
            (
                "alchemiser:plugin/market@1.0.0",
                "alchemiser:plugin/planner@1.0.0",
            ),
            ("", ""),
            ("", "wasi:cli/run@0.2.6 help"),
            (
                "",
                "alchemiser:plugin/planner@1.0.0 alchemiser:plugin/evaluator@1.0.0",
            ),
        ];
        let texts: Vec<String> = cases
            .iter()
            .map(|(imports, exports)| {
                contract(&names(imports), &names(exports))
                    .unwrap_err()
                    .to_string()
            })
            .collect();
        insta::assert_snapshot!(texts.join("\n"));
    }

    #[test]
    fn other_files_are_told_apart() {
        assert_eq!(inspect(b"\0asm\x01\0\0\0"), Err(Rejection::CoreModule));
        assert_eq!(inspect(b""), Err(Rejection::NotWebAssembly { size: 0 }));
        assert_eq!(
            inspect(b"(component)"),
            Err(Rejection::NotWebAssembly { size: 11 })
        );
        let damaged = inspect(b"\0asm\x0d\0\x01\0\x0b\x7f").unwrap_err();
        insta::assert_snapshot!(
            damaged,
            @"it is damaged at byte 10: unexpected end-of-file; build or copy it again"
        );
    }

    #[test]
    fn older_minor_versions_are_served() {
        let host = Version::new(1, 2, 0);
        for (built_for, served) in [
            ("1.0.0", true),
            ("1.2.9", true),
            ("1.3.0", false),
            ("1.2.0-draft", false),
            ("0.9.0", false),
            ("2.0.0", false),
        ] {
            assert_eq!(
                serves(&host, &built_for.parse().unwrap()),
                served,
                "{built_for}"
            );
        }
    }

    #[test]
    fn the_version_is_that_of_the_contract() {
        let package = format!("package {PACKAGE}@{INTERFACE_VERSION};");
        for file in ["types", "strategy", "portfolio"] {
            let path = format!(
                "{}/../../plugins/wit/{file}.wit",
                env!("CARGO_MANIFEST_DIR")
            );
            let text = std::fs::read_to_string(path).unwrap();
            assert!(text.starts_with(&package), "{file}.wit");
        }
    }
}
