//! Which versions a plugin is built of.

use serde::Deserialize;
use std::collections::BTreeSet;
use std::path::Path;

/// A workspace's `Cargo.lock`.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Lock {
    #[serde(default)]
    package: Vec<LockedPackage>,
}

#[derive(Clone, Debug, Deserialize)]
struct LockedPackage {
    name: String,
    version: String,
    /// What came from a registry has one.
    checksum: Option<String>,
    /// `NAME`, or `NAME VERSION` where there are several.
    #[serde(default)]
    dependencies: Vec<String>,
}

impl Lock {
    /// Where it lies in a workspace.
    pub const FILE: &'static str = "Cargo.lock";

    /// That of a workspace. One that is not there, or that nobody understands,
    /// locks nothing; cargo says what is wrong with it.
    #[must_use]
    pub fn read(workspace: &Path) -> Self {
        std::fs::read_to_string(workspace.join(Self::FILE))
            .ok()
            .and_then(|text| toml::from_str(&text).ok())
            .unwrap_or_default()
    }

    /// Name, version and checksum of a package and of all that it depends on;
    /// empty if nothing is locked for it yet.
    #[must_use]
    pub fn versions(&self, package: &str) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        let mut open = vec![package];
        while let Some(wanted) = open.pop() {
            let mut parts = wanted.split(' ');
            let (name, version) = (parts.next(), parts.next());
            let is_it = |package: &&LockedPackage| {
                Some(package.name.as_str()) == name
                    && version.is_none_or(|version| package.version == version)
            };
            for package in self.package.iter().filter(is_it) {
                let checksum = package.checksum.as_deref().unwrap_or_default();
                let line = format!("{} {} {checksum}", package.name, package.version);
                if found.insert(line) {
                    open.extend(package.dependencies.iter().map(String::as_str));
                }
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_package_is_made_of_what_it_depends_on_and_of_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        assert!(Lock::read(folder.path()).versions("mine").is_empty());
        let lock = r#"
            version = 4

            [[package]]
            name = "mine"
            version = "0.1.0"
            dependencies = ["sdk", "random 0.9.0"]

            [[package]]
            name = "sdk"
            version = "0.1.0"
            dependencies = ["mine"]

            [[package]]
            name = "random"
            version = "0.8.0"
            checksum = "aa"

            [[package]]
            name = "random"
            version = "0.9.0"
            checksum = "bb"

            [[package]]
            name = "other"
            version = "0.1.0"
            dependencies = ["random 0.8.0"]
        "#;
        std::fs::write(folder.path().join(Lock::FILE), lock).unwrap();
        let lock = Lock::read(folder.path());
        let versions: Vec<String> = lock.versions("mine").into_iter().collect();
        assert_eq!(versions, ["mine 0.1.0 ", "random 0.9.0 bb", "sdk 0.1.0 "]);
        assert!(lock.versions("new").is_empty());
    }
}
