//! What a file is, found out without running or compiling any of it.

use crate::interface::{Interfaces, differences, interface, of_host};
use crate::origin::Origin;
use crate::rejection::Rejection;
use crate::text::clip_line;
use alchemiser_events::Sha256Digest;
use semver::Version;
use std::fmt;
use wasmparser::{Instance, Parser, Payload, ValidPayload, Validator, WasmFeatures};

/// The version of the plugin interface that this host speaks: the version of
/// the package in `plugins/wit`.
pub const INTERFACE_VERSION: Version = Version::new(1, 1, 0);

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

    /// The world of the plugin interface that it is for.
    fn world(self) -> &'static str {
        match self {
            Self::Strategy => "strategy",
            Self::Portfolio => "portfolio",
        }
    }

    /// The interface that makes a component a plugin of this kind.
    fn export(self) -> &'static str {
        match self {
            Self::Strategy => "evaluator",
            Self::Portfolio => "planner",
        }
    }

    /// All that it may import.
    pub(crate) fn imports(self) -> &'static [&'static str] {
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
    /// Bytes of machine-independent code in it.
    pub code: usize,
    /// Bytes of constant data in it.
    pub data: usize,
    /// What it says that it was built from.
    pub origin: Option<Origin>,
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
        interfaces,
        core_modules,
        code,
        data,
        origin,
    } = surface(bytes).map_err(|error| Rejection::Malformed {
        offset: error.offset(),
        message: error.message().to_owned(),
    })?;
    let names = |list: &[(String, _)]| list.iter().map(|(name, _)| name.clone()).collect();
    Ok(Inspection {
        size: bytes.len(),
        digest: Sha256Digest::of(bytes),
        contract: contract(&interfaces),
        imports: names(&interfaces.imports),
        exports: names(&interfaces.exports),
        core_modules,
        code,
        data,
        origin,
    })
}

/// What of a component is seen from outside, how much is inside, and what it
/// says of itself.
struct Surface {
    interfaces: Interfaces,
    core_modules: u32,
    code: usize,
    data: usize,
    origin: Option<Origin>,
}

/// The imports and exports of the outermost component, and all its modules. Code
/// of functions is not looked at.
fn surface(bytes: &[u8]) -> wasmparser::Result<Surface> {
    let mut imports = Vec::new();
    let mut exports = Vec::new();
    let (mut core_modules, mut code, mut data, mut origin) = (0, 0, 0, None);
    let mut types = None;
    let mut depth = 0_u32;
    // What this host does not run is refused when it is compiled.
    let mut validator = Validator::new_with_features(WasmFeatures::all());
    for payload in Parser::new(0).parse_all(bytes) {
        let payload = payload?;
        if let ValidPayload::End(of_this) = validator.payload(&payload)? {
            // That of the outermost component comes last.
            types = Some(of_this);
        }
        match payload {
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
            Payload::End(_) => depth = depth.saturating_sub(1),
            Payload::ComponentImportSection(section) if depth == 0 => {
                for import in section {
                    imports.push(import?.name.name.to_owned());
                }
            }
            Payload::ComponentExportSection(section) if depth == 0 => {
                for export in section {
                    exports.push(export?.name.name.to_owned());
                }
            }
            Payload::InstanceSection(section) => {
                for instance in section {
                    if matches!(instance?, Instance::Instantiate { .. }) {
                        core_modules += 1;
                    }
                }
            }
            Payload::CodeSectionStart { range, .. } => code += range.len(),
            Payload::DataSection(section) => data += section.range().len(),
            Payload::CustomSection(section) if depth == 0 && section.name() == Origin::SECTION => {
                origin = Origin::read(section.data());
            }
            _ => {}
        }
    }
    let mut interfaces = match types {
        Some(types) => Interfaces::of_component(&types, &imports, &exports),
        None => Interfaces::default(),
    };
    for (name, _) in interfaces.imports.iter_mut().chain(&mut interfaces.exports) {
        *name = clip_line(name, 256);
    }
    Ok(Surface {
        interfaces,
        core_modules,
        code,
        data,
        origin,
    })
}

/// What a component with these interfaces is to this host.
fn contract(component: &Interfaces) -> Result<Contract, Rejection> {
    let Interfaces { imports, exports } = component;
    let kinds: Vec<(Kind, Version)> = exports
        .iter()
        .filter_map(|(name, _)| interface(name))
        .filter_map(|(exported, version)| {
            let kind = Kind::ALL.into_iter().find(|kind| kind.export() == exported);
            Some((kind?, version))
        })
        .collect();
    let differences = |kind: Kind| differences(component, of_host(kind.world()));

    // Versions come first: an interface of a later version is not unknown, it
    // is later.
    let versions = exports
        .iter()
        .chain(imports)
        .filter_map(|(name, _)| Some(interface(name)?.1));
    let built_for = versions.max();
    if let Some(built_for) = built_for.clone().filter(|version| !may_serve(version)) {
        let differences = kinds.first().map(|(kind, _)| differences(*kind));
        return Err(Rejection::Version {
            built_for,
            differences: differences.unwrap_or_default(),
        });
    }

    let (kind, interface_version) = match &kinds[..] {
        [kind] => kind.clone(),
        [] => {
            return Err(Rejection::NoPlugin {
                exports: exports.iter().map(|(name, _)| name.clone()).collect(),
            });
        }
        _ => return Err(Rejection::BothKinds),
    };
    let built_for = built_for.unwrap_or_else(|| interface_version.clone());
    let is_later = built_for > INTERFACE_VERSION;
    for (name, _) in imports {
        let allowed = interface(name).is_some_and(|(interface, version)| {
            kind.imports().contains(&interface) || version > INTERFACE_VERSION
        });
        if !allowed {
            return Err(Rejection::Import {
                name: name.clone(),
                kind,
            });
        }
    }
    let differences = differences(kind);
    if differences.is_empty() {
        Ok(Contract {
            kind,
            interface_version,
        })
    } else if is_later {
        Err(Rejection::Version {
            built_for,
            differences,
        })
    } else {
        Err(Rejection::Functions {
            built_for,
            differences,
        })
    }
}

/// Whether this host may serve a plugin of a version. A minor version only adds
/// to what plugins may import: an older one is served, and a later one unless
/// the plugin uses what was added.
fn may_serve(built_for: &Version) -> bool {
    built_for.major == INTERFACE_VERSION.major && built_for.pre.is_empty()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const WIT: [&str; 3] = [
        include_str!("../../../plugins/wit/types.wit"),
        include_str!("../../../plugins/wit/strategy.wit"),
        include_str!("../../../plugins/wit/portfolio.wit"),
    ];

    /// Old text and new.
    type Replaced = [(&'static str, &'static str)];

    /// A component for this host's interface, of whose text something is replaced.
    fn changed(kind: Kind, replaced: &Replaced) -> Interfaces {
        let texts = WIT.map(|text| {
            replaced
                .iter()
                .fold(text.to_owned(), |text, (old, new)| text.replace(old, new))
        });
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        crate::interface::tests::world(&texts, kind.world())
    }

    /// A component with these names, behind which is what should be there.
    fn named(imports: &str, exports: &str) -> Interfaces {
        let functions = |name: &str| {
            let (short, _) = interface(name)?;
            let worlds = Kind::ALL.map(|kind| of_host(kind.world()));
            let all = worlds
                .iter()
                .flat_map(|world| world.imports.iter().chain(&world.exports));
            all.filter(|(full, _)| interface(full).is_some_and(|(name, _)| name == short))
                .map(|(_, functions)| functions.clone())
                .next()
        };
        let list = |names: &str| {
            names
                .split_whitespace()
                .map(|name| (name.to_owned(), functions(name).unwrap_or_default()))
                .collect()
        };
        Interfaces {
            imports: list(imports),
            exports: list(exports),
        }
    }

    #[test]
    fn kinds_and_versions() {
        for (imports, exports, kind, version) in [
            (
                "alchemiser:plugin/types@1.0.0 alchemiser:plugin/market@1.0.0",
                "alchemiser:plugin/evaluator@1.0.0",
                Kind::Strategy,
                "1.0.0",
            ),
            (
                "alchemiser:plugin/log@1.0.7",
                "alchemiser:plugin/planner@1.0.7 more",
                Kind::Portfolio,
                "1.0.7",
            ),
            // Built for a later version, of which it uses nothing new.
            (
                "alchemiser:plugin/market@1.9.0",
                "alchemiser:plugin/evaluator@1.9.0",
                Kind::Strategy,
                "1.9.0",
            ),
        ] {
            let contract = contract(&named(imports, exports)).unwrap();
            assert_eq!(contract.kind, kind);
            assert_eq!(contract.interface_version.to_string(), version);
        }
    }

    #[test]
    fn rejections_say_what_to_do() {
        const STRATEGY: &str = "alchemiser:plugin/evaluator@1.0.0";
        let cases = [
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
            .map(|(imports, exports)| contract(&named(imports, exports)).unwrap_err().to_string())
            .collect();
        insta::assert_snapshot!(texts.join("\n"));
    }

    /// The ways in which the interface of a plugin differs from that of the host.
    #[test]
    fn what_does_not_fit_is_named() {
        const HERE: &str = "@1.1.0;";
        const NEWS: (&str, &str) = (
            "world strategy {",
            "interface news { latest: func() -> string; }\nworld strategy {\n    import news;",
        );
        const OPEN: (&str, &str) = (
            "    closes: func(",
            "    open: func(symbol: symbol, session: session) -> result<f64, error>;\n    closes: func(",
        );
        let strategy = Kind::Strategy;
        let cases: [(&str, Kind, &Replaced); 14] = [
            ("an older major", strategy, &[(HERE, "@0.9.0;")]),
            (
                "an older major with other functions",
                strategy,
                &[
                    (HERE, "@0.9.0;"),
                    ("-> list<requirement>", "-> list<string>"),
                ],
            ),
            ("a newer major", strategy, &[(HERE, "@2.0.0;")]),
            (
                "a newer major with more functions",
                strategy,
                &[(HERE, "@2.0.0;"), OPEN],
            ),
            (
                "a newer minor with a function",
                strategy,
                &[(HERE, "@1.2.0;"), OPEN],
            ),
            (
                "a newer minor with an interface",
                strategy,
                &[(HERE, "@1.2.0;"), NEWS],
            ),
            ("a pre-release", strategy, &[(HERE, "@1.1.0-draft;")]),
            (
                "a missing export",
                strategy,
                &[("        requirements: func() -> list<requirement>;", "")],
            ),
            (
                "a missing export of the other kind",
                Kind::Portfolio,
                &[("    plan: func(", "    draft: func(")],
            ),
            ("a function that is not there", strategy, &[OPEN]),
            (
                "another signature",
                strategy,
                &[(
                    "    close: func(symbol: symbol,",
                    "    close: func(name: string,",
                )],
            ),
            (
                "another answer",
                strategy,
                &[("-> result<list<weight>, error>", "-> list<weight>")],
            ),
            (
                "another record",
                strategy,
                &[(
                    "        weight: f64,\n",
                    "        weight: f64,\n        reason: string,\n",
                )],
            ),
            (
                "many differences",
                strategy,
                &[("session: session", "session: string")],
            ),
        ];
        let texts = cases.map(|(case, kind, replaced)| {
            let rejection = contract(&changed(kind, replaced)).unwrap_err();
            format!("{case}\n    {rejection}\n")
        });
        insta::assert_snapshot!(texts.concat());

        for kind in Kind::ALL {
            assert!(contract(&changed(kind, &[])).is_ok());
            assert!(contract(&changed(kind, &[(HERE, "@1.0.0;")])).is_ok());
        }
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
    fn the_version_is_that_of_the_contract() {
        let package = format!("package alchemiser:plugin@{INTERFACE_VERSION};");
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
