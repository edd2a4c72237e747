//! The functions that a component and this host give and take, and where they
//! differ.

use crate::text::clip_line;
use semver::Version;
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::LazyLock;
use wasmparser::component_types::{
    ComponentAnyTypeId, ComponentDefinedType, ComponentDefinedTypeId, ComponentEntityType,
    ComponentFuncTypeId, ComponentItem, ComponentValType, ResourceId,
};
use wasmparser::types::{Types, TypesRef};

/// Names of what a component imports and exports, in its order, with the
/// functions in each.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Interfaces {
    pub(crate) imports: Vec<(String, Functions)>,
    pub(crate) exports: Vec<(String, Functions)>,
}

/// The functions of an interface, by name.
pub(crate) type Functions = BTreeMap<String, Signature>;

/// What a function takes and gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Signature {
    /// For reading: types by their names.
    text: String,
    /// For comparing: types by what they consist of.
    structure: String,
}

/// Where a component differs from the plugin interface of this host. Functions
/// are given as `interface.function`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Difference {
    /// It imports an interface that the host does not have.
    #[error("it uses the interface `{interface}`, which this host does not have")]
    Interface {
        /// Its name.
        interface: String,
    },
    /// It imports a function that the host does not have.
    #[error("it uses `{function}`, which this host does not have")]
    Import {
        /// Its name.
        function: String,
    },
    /// It does not export a function that the host calls.
    #[error("it lacks `{function}`, which this host calls")]
    Export {
        /// Its name.
        function: String,
    },
    /// A function of that name takes or gives something else.
    #[error("its `{function}` is `{its}`, and here it is `{here}`")]
    Signature {
        /// Its name.
        function: String,
        /// As the component has it.
        its: String,
        /// As this host has it.
        here: String,
    },
}

/// Several differences in a sentence.
pub(crate) struct Sentence<'a>(pub(crate) &'a [Difference]);

impl fmt::Display for Sentence<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 3;
        for (place, difference) in self.0.iter().take(SHOWN).enumerate() {
            let separator = if place == 0 { "" } else { "; " };
            write!(formatter, "{separator}{difference}")?;
        }
        match self.0.len().saturating_sub(SHOWN) {
            0 => Ok(()),
            more => write!(formatter, "; and {more} more"),
        }
    }
}

/// A world of this host's plugin interface.
///
/// # Panics
/// Not in a program whose tests pass: the texts are part of it.
pub(crate) fn of_host(world: &str) -> &'static Interfaces {
    static WORLDS: LazyLock<BTreeMap<String, Interfaces>> = LazyLock::new(|| {
        let texts = [
            include_str!("../../../plugins/wit/types.wit"),
            include_str!("../../../plugins/wit/strategy.wit"),
            include_str!("../../../plugins/wit/portfolio.wit"),
        ];
        #[expect(
            clippy::expect_used,
            reason = "the texts are constants, which a test reads"
        )]
        worlds(&texts).expect("the plugin interface is well-formed")
    });
    &WORLDS[world]
}

/// The worlds of a package that is given as text.
fn worlds(texts: &[&str]) -> Result<BTreeMap<String, Interfaces>, String> {
    let mut sources = wit_parser::SourceMap::default();
    for (place, text) in texts.iter().enumerate() {
        sources.push_str(&format!("{place}.wit"), *text);
    }
    let mut resolve = wit_parser::Resolve::default();
    let group = sources.parse().map_err(|(_, error)| error.to_string())?;
    let package = resolve
        .push_group(group)
        .map_err(|error| error.to_string())?;
    let bytes = wit_component::encode(&resolve, package).map_err(|error| format!("{error:#}"))?;
    let types = wasmparser::Validator::new_with_features(wasmparser::WasmFeatures::all())
        .validate_all(&bytes)
        .map_err(|error| error.to_string())?;
    let types = types.as_ref();

    // A package is encoded as a component that exports each world as a type: a
    // component whose only export is the type of a component of that world.
    let mut worlds = BTreeMap::new();
    for (world, _) in &resolve.packages[package].worlds {
        let outer = types.component_item_for_export(world).map(|item| item.ty);
        let Some(ComponentEntityType::Type {
            created: ComponentAnyTypeId::Component(outer),
            ..
        }) = outer
        else {
            continue;
        };
        let inner = types[outer].exports.values().next().map(|item| item.ty);
        let Some(ComponentEntityType::Component(inner)) = inner else {
            continue;
        };
        let listed = |items: &mut dyn Iterator<Item = (&String, &ComponentItem)>| {
            items
                .map(|(name, item)| (name.clone(), functions(types, item.ty)))
                .collect()
        };
        let interfaces = Interfaces {
            imports: listed(&mut types[inner].imports.iter()),
            exports: listed(&mut types[inner].exports.iter()),
        };
        worlds.insert(world.clone(), interfaces);
    }
    Ok(worlds)
}

impl Interfaces {
    /// What stands behind the names of a component's imports and exports.
    pub(crate) fn of_component(types: &Types, imports: &[String], exports: &[String]) -> Self {
        let types = types.as_ref();
        let listed = |names: &[String], item: &dyn Fn(&str) -> Option<ComponentEntityType>| {
            names
                .iter()
                .map(|name| {
                    let functions = item(name).map(|entity| functions(types, entity));
                    (name.clone(), functions.unwrap_or_default())
                })
                .collect()
        };
        Self {
            imports: listed(imports, &|name| {
                Some(types.component_item_for_import(name)?.ty)
            }),
            exports: listed(exports, &|name| {
                Some(types.component_item_for_export(name)?.ty)
            }),
        }
    }
}

/// The functions of an instance; none of anything else.
fn functions(types: TypesRef<'_>, entity: ComponentEntityType) -> Functions {
    let ComponentEntityType::Instance(instance) = entity else {
        return Functions::new();
    };
    let exports = &types[instance].exports;
    let mut names = Names::default();
    for (name, item) in exports {
        if let ComponentEntityType::Type {
            referenced,
            created,
        } = item.ty
        {
            names.add(referenced, name);
            names.add(created, name);
        }
    }
    exports
        .iter()
        .filter_map(|(name, item)| match item.ty {
            ComponentEntityType::Func(function) => {
                let signature = Signature {
                    text: Writer::by_name(types, &names).function(function),
                    structure: Writer::by_structure(types, &names).function(function),
                };
                Some((name.clone(), signature))
            }
            _ => None,
        })
        .collect()
}

/// What an interface calls its types.
#[derive(Default)]
struct Names<'a> {
    defined: HashMap<ComponentDefinedTypeId, &'a str>,
    resources: HashMap<ResourceId, &'a str>,
}

impl<'a> Names<'a> {
    fn add(&mut self, id: ComponentAnyTypeId, name: &'a str) {
        match id {
            ComponentAnyTypeId::Defined(id) => {
                self.defined.insert(id, name);
            }
            ComponentAnyTypeId::Resource(id) => {
                self.resources.insert(id.resource(), name);
            }
            _ => {}
        }
    }
}

/// Writes types as WIT does.
struct Writer<'a> {
    types: TypesRef<'a>,
    names: &'a Names<'a>,
    /// Whether types that have a name are written with it.
    by_name: bool,
    text: String,
}

impl<'a> Writer<'a> {
    /// Where writing ends: a small component can describe a huge type, by
    /// saying twice the same again and again.
    const LONGEST: usize = 1 << 16;

    fn by_name(types: TypesRef<'a>, names: &'a Names<'a>) -> Self {
        Self {
            types,
            names,
            by_name: true,
            text: String::new(),
        }
    }

    fn by_structure(types: TypesRef<'a>, names: &'a Names<'a>) -> Self {
        Self {
            by_name: false,
            ..Self::by_name(types, names)
        }
    }

    fn function(mut self, function: ComponentFuncTypeId) -> String {
        let types = self.types;
        let function = &types[function];
        self.text.push_str("func(");
        for (place, (name, value)) in function.params.iter().enumerate() {
            // The handle that a method is called on.
            if place == 0 && name.as_str() == "self" {
                continue;
            }
            if !self.text.ends_with('(') {
                self.text.push_str(", ");
            }
            self.text.push_str(name.as_str());
            self.text.push_str(": ");
            self.value(*value);
        }
        self.text.push(')');
        if let Some(result) = function.result {
            self.text.push_str(" -> ");
            self.value(result);
        }
        if self.by_name {
            clip_line(&self.text, 200)
        } else {
            self.text
        }
    }

    fn value(&mut self, value: ComponentValType) {
        if self.text.len() > Self::LONGEST {
            return;
        }
        match value {
            ComponentValType::Primitive(primitive) => self.text.push_str(&primitive.to_string()),
            ComponentValType::Type(id) => match self.names.defined.get(&id) {
                Some(name) if self.by_name => self.text.push_str(name),
                _ => self.defined(id),
            },
        }
    }

    fn defined(&mut self, id: ComponentDefinedTypeId) {
        let types = self.types;
        match &types[id] {
            ComponentDefinedType::Primitive(primitive) => {
                self.text.push_str(&primitive.to_string());
            }
            ComponentDefinedType::Record(record) => {
                let fields = record.fields.iter();
                self.members(
                    "record",
                    fields.map(|(name, ty)| (name.as_str(), Some(*ty))),
                );
            }
            ComponentDefinedType::Variant(variant) => {
                let cases = variant.cases.iter();
                self.members(
                    "variant",
                    cases.map(|(name, case)| (name.as_str(), case.ty)),
                );
            }
            ComponentDefinedType::Flags(names) => {
                self.members("flags", names.iter().map(|name| (name.as_str(), None)));
            }
            ComponentDefinedType::Enum(names) => {
                self.members("enum", names.iter().map(|name| (name.as_str(), None)));
            }
            ComponentDefinedType::Tuple(tuple) => {
                self.generic("tuple", tuple.types.iter().copied().map(Some));
            }
            ComponentDefinedType::List { element, .. } => self.generic("list", [Some(*element)]),
            ComponentDefinedType::Option { ty, .. } => self.generic("option", [Some(*ty)]),
            ComponentDefinedType::Result { ok, err, .. } => self.generic("result", [*ok, *err]),
            ComponentDefinedType::Own(resource) => self.resource("own", resource.resource()),
            ComponentDefinedType::Borrow(resource) => self.resource("borrow", resource.resource()),
            ComponentDefinedType::Map { key, value, .. } => {
                self.generic("map", [Some(*key), Some(*value)]);
            }
            ComponentDefinedType::FixedLengthList {
                element, length, ..
            } => {
                self.generic("list", [Some(*element)]);
                self.text.push_str(&format!("[{length}]"));
            }
            ComponentDefinedType::Future { ty, .. } => self.generic("future", [*ty]),
            ComponentDefinedType::Stream { ty, .. } => self.generic("stream", [*ty]),
        }
    }

    fn members<'m>(
        &mut self,
        kind: &str,
        members: impl Iterator<Item = (&'m str, Option<ComponentValType>)>,
    ) {
        self.text.push_str(kind);
        self.text.push_str(" {");
        for (place, (name, value)) in members.enumerate() {
            self.text.push_str(if place == 0 { " " } else { ", " });
            self.text.push_str(name);
            if let Some(value) = value {
                self.text.push_str(": ");
                self.value(value);
            }
        }
        self.text.push_str(" }");
    }

    fn generic(&mut self, kind: &str, values: impl IntoIterator<Item = Option<ComponentValType>>) {
        self.text.push_str(kind);
        self.text.push('<');
        for (place, value) in values.into_iter().enumerate() {
            if place > 0 {
                self.text.push_str(", ");
            }
            match value {
                Some(value) => self.value(value),
                None => self.text.push('_'),
            }
        }
        self.text.push('>');
    }

    fn resource(&mut self, handle: &str, resource: ResourceId) {
        let name = self.names.resources.get(&resource).copied();
        let name = name.unwrap_or("resource");
        self.text.push_str(&format!("{handle}<{name}>"));
    }
}

/// The package of all interfaces between host and plugin.
const PACKAGE: &str = "alchemiser:plugin";

/// Interface and version of a name in the project's own package, such as
/// `alchemiser:plugin/market@1.0.0`.
pub(crate) fn interface(name: &str) -> Option<(&str, Version)> {
    let (interface, version) = name
        .strip_prefix(PACKAGE)?
        .strip_prefix('/')?
        .split_once('@')?;
    Some((interface, Version::parse(version).ok()?))
}

/// What keeps a component from working with a host: it takes what the host does
/// not give, or does not give what the host takes. Versions do not
/// count, nor do interfaces of other packages.
pub(crate) fn differences(component: &Interfaces, host: &Interfaces) -> Vec<Difference> {
    let short = |name: &str| interface(name).map(|(interface, _)| interface.to_owned());
    let find = |list: &[(String, Functions)], name: &str| {
        list.iter()
            .find(|(full, _)| short(full).as_deref() == Some(name))
            .map(|(_, functions)| functions.clone())
    };
    let mut found = Vec::new();
    for (name, taken) in &component.imports {
        let Some(interface) = short(name) else {
            continue;
        };
        let Some(given) = find(&host.imports, &interface) else {
            found.push(Difference::Interface { interface });
            continue;
        };
        for (function, its) in taken {
            let function_name = full(&interface, function);
            found.extend(match given.get(function) {
                None => Some(Difference::Import {
                    function: function_name,
                }),
                Some(here) => signature(function_name, its, here),
            });
        }
    }
    for (name, taken) in &host.exports {
        let Some(interface) = short(name) else {
            continue;
        };
        let given = find(&component.exports, &interface).unwrap_or_default();
        for (function, here) in taken {
            let function_name = full(&interface, function);
            found.extend(match given.get(function) {
                None => Some(Difference::Export {
                    function: function_name,
                }),
                Some(its) => signature(function_name, its, here),
            });
        }
    }
    found
}

/// A function's name with that of its interface. That it is a method is left
/// to be seen from the name of its resource.
fn full(interface: &str, function: &str) -> String {
    let plain = function
        .split_once(']')
        .map_or(function, |(_, plain)| plain);
    format!("{interface}.{plain}")
}

fn signature(function: String, its: &Signature, here: &Signature) -> Option<Difference> {
    if its.structure == here.structure {
        return None;
    }
    // A type of the same name may consist of something else.
    let shown = |signature: &Signature| match its.text == here.text {
        true => clip_line(&signature.structure, 400),
        false => signature.text.clone(),
    };
    Some(Difference::Signature {
        its: shown(its),
        here: shown(here),
        function,
    })
}

#[cfg(test)]
pub(crate) mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// A world of a text.
    pub(crate) fn world(texts: &[&str], name: &str) -> Interfaces {
        worlds(texts).unwrap().remove(name).unwrap()
    }

    #[test]
    fn the_interface_of_this_host_is_read() {
        let mut text = String::new();
        for world in ["strategy", "portfolio"] {
            let Interfaces { imports, exports } = of_host(world);
            for (name, functions) in imports.iter().chain(exports) {
                text.push_str(&format!("{name}\n"));
                for (function, Signature { text: shown, .. }) in functions {
                    text.push_str(&format!("    {function}: {shown}\n"));
                }
            }
        }
        insta::assert_snapshot!(text);
    }
}
