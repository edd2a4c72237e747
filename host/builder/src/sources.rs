//! What a plugin was built from.

use crate::project::read;
use crate::{BuildError, Builder, TARGET};
use cargo_metadata::{DependencyKind, Metadata, MetadataCommand, PackageId};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// What a plugin was built from: its files, those of the crates by path that it
/// depends on, and the versions of all others.
///
/// The same sources have the same digest in any folder. Tests, documentation and
/// manifests are not among them, since nothing of a plugin depends on them but
/// through the files and versions that are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sources {
    /// SHA-256 in hexadecimal digits.
    pub digest: String,
    /// The files as the compiler read them, by their names in what is built:
    /// `/project/src/lib.rs`. Sorted.
    pub files: Vec<String>,
    /// The version that the compiler gives itself.
    pub compiler: String,
}

impl Builder {
    /// What the module that was compiled last was built from.
    ///
    /// # Errors
    /// There is no such plugin, it was never compiled here, or a file is gone.
    pub fn sources(&self, name: &str) -> Result<Sources, BuildError> {
        let module = self.module_file(name)?;
        let list = module.with_extension("d");
        let read = std::fs::read_to_string(&list).map_err(|source| BuildError::Io {
            what: format!("cannot read {}", list.display()),
            source,
        })?;
        let files: BTreeSet<String> = prerequisites(&read)
            .filter_map(|file| self.named(&file))
            .collect();
        let files: Vec<String> = files.into_iter().collect();
        Ok(Sources {
            digest: self.digest(name, &files)?,
            files,
            compiler: self.toolchain().version.clone(),
        })
    }

    /// The digest that these files, and the versions of all other crates, have
    /// now.
    ///
    /// # Errors
    /// There is no such plugin, or a file is gone.
    pub fn digest(&self, name: &str, files: &[String]) -> Result<String, BuildError> {
        let mut digest = Sha256::new();
        for (package, features) in self.packages(name)? {
            digest.update(format!("package {package} {}\n", features.join(" ")));
        }
        for file in files {
            let path = self.located(file);
            let content = std::fs::read(&path).map_err(|source| BuildError::Io {
                what: format!("cannot read {}", path.display()),
                source,
            })?;
            digest.update(format!("file {file} {:x}\n", Sha256::digest(content)));
        }
        Ok(format!("{:x}", digest.finalize()))
    }

    /// Name and version of every crate that the plugin is built of, its own
    /// included, with the features that are on.
    fn packages(&self, name: &str) -> Result<BTreeMap<String, Vec<String>>, BuildError> {
        let id = self.package(name)?;
        let mut command = MetadataCommand::new();
        // All of them were there when the plugin was compiled.
        let options = ["--filter-platform", TARGET, "--offline"];
        command.other_options(options.map(str::to_owned).to_vec());
        let metadata = read(&mut command, self.toolchain(), self.root())?;
        Ok(reachable(&metadata, id))
    }

    /// The name of a source file; none for what is no source, such as what was
    /// generated.
    fn named(&self, file: &Path) -> Option<String> {
        if file.starts_with(self.target_directory()) {
            return None;
        }
        // The narrowest folder comes last.
        let mut folders = self.source_folders().into_iter().rev();
        let (name, rest) =
            folders.find_map(|(folder, name)| Some((name, file.strip_prefix(folder).ok()?)))?;
        Some(name.join(rest).display().to_string())
    }

    /// Where a source file lies here.
    fn located(&self, name: &str) -> PathBuf {
        let mut folders = self.source_folders().into_iter();
        folders
            .find_map(|(folder, start)| {
                Some(folder.join(Path::new(name).strip_prefix(start).ok()?))
            })
            .unwrap_or_else(|| name.into())
    }
}

/// A package and all that it is built of, with their features.
fn reachable(metadata: &Metadata, package: &PackageId) -> BTreeMap<String, Vec<String>> {
    let mut found = BTreeMap::new();
    let mut seen = BTreeSet::new();
    let mut open = vec![package];
    while let Some(id) = open.pop() {
        if !seen.insert(id) {
            continue;
        }
        let package = &metadata[id];
        let nodes = metadata.resolve.iter().flat_map(|resolve| &resolve.nodes);
        let Some(node) = nodes.into_iter().find(|node| node.id == *id) else {
            continue;
        };
        let features = node.features.iter().map(ToString::to_string).collect();
        found.insert(format!("{} {}", package.name, package.version), features);
        let is_built = |kinds: &[cargo_metadata::DepKindInfo]| {
            kinds
                .iter()
                .any(|kind| kind.kind != DependencyKind::Development)
        };
        let dependencies = node.deps.iter();
        open.extend(
            dependencies
                .filter(|dependency| is_built(&dependency.dep_kinds))
                .map(|dependency| &dependency.pkg),
        );
    }
    found
}

/// The files after the colon of a rule as makefiles have it, which is how cargo
/// lists what went into a target. Spaces in names are escaped.
fn prerequisites(rule: &str) -> impl Iterator<Item = PathBuf> {
    // A colon within a path, as Windows has them, is not followed by a space.
    let files = rule
        .lines()
        .next()
        .and_then(|line| line.split_once(": "))
        .map_or("", |(_, files)| files);
    let mut names = vec![String::new()];
    let mut characters = files.chars().peekable();
    while let Some(character) = characters.next() {
        match (character, names.last_mut()) {
            ('\\', Some(name)) if characters.next_if_eq(&' ').is_some() => name.push(' '),
            (' ', _) => names.push(String::new()),
            (_, Some(name)) => name.push(character),
            (_, None) => {}
        }
    }
    names
        .into_iter()
        .filter(|name| !name.is_empty())
        .map(PathBuf::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_files_may_have_spaces() {
        let rule = "/t/a\\ b.wasm: /p/src/lib.rs /p/my\\ file.rs C:\\p\\lib.rs\n\n/p/src/lib.rs:\n";
        let files: Vec<PathBuf> = prerequisites(rule).collect();
        let expected = ["/p/src/lib.rs", "/p/my file.rs", "C:\\p\\lib.rs"];
        assert_eq!(files, expected.map(PathBuf::from));
        assert_eq!(prerequisites("").count(), 0);
    }
}
