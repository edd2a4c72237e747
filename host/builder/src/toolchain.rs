//! Finds a compiler that can build for the target.

use crate::{BuildError, TARGET};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A cargo and a rustc that can build for [`TARGET`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Toolchain {
    /// The cargo to run.
    pub cargo: PathBuf,
    /// The rustc that cargo is to run.
    pub rustc: PathBuf,
    /// The version that the compiler gives itself: `rustc 1.95.0 (…)`.
    pub version: String,
    /// Where the target's standard library comes from.
    pub standard_library: StandardLibrary,
    /// Where the sources of the standard library lie, if they are installed.
    pub(crate) library_source: PathBuf,
    /// The name that the distributed standard library has for those sources.
    pub(crate) library_name: PathBuf,
}

/// Where the target's standard library comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StandardLibrary {
    /// It was installed compiled, as `rustup target add` does.
    Installed,
    /// It is compiled along with each plugin from the sources that are
    /// installed, as Debian's `rust-web-src` has them.
    Source,
}

impl Toolchain {
    /// Finds one: the cargo and rustc that the user runs, else those of the
    /// system's packages; rather one that has the standard library compiled.
    ///
    /// # Errors
    /// None can build for the target.
    pub fn find() -> Result<Self, BuildError> {
        let named = |variable: &str, name: &str| {
            std::env::var_os(variable).unwrap_or_else(|| OsString::from(name))
        };
        let candidates = [
            (named("CARGO", "cargo"), named("RUSTC", "rustc")),
            ("/usr/bin/cargo".into(), "/usr/bin/rustc".into()),
        ];
        let mut usable: Vec<Self> = candidates
            .into_iter()
            .filter_map(|(cargo, rustc)| Self::probe(cargo.into(), rustc.into()))
            .collect();
        // A stable sort: among equals the user's own comes first.
        usable.sort_by_key(|toolchain| toolchain.standard_library == StandardLibrary::Source);
        usable.into_iter().next().ok_or(BuildError::NoToolchain)
    }

    /// Asks a compiler what it has. A compiler that is not there has nothing.
    fn probe(cargo: PathBuf, rustc: PathBuf) -> Option<Self> {
        let folders = answer(
            &rustc,
            &[
                "--print",
                "sysroot",
                "--print",
                "target-libdir",
                "--target",
                TARGET,
            ],
        )?;
        let (sysroot, compiled) = folders.split_once('\n')?;
        let library_source = Path::new(sysroot).join("lib/rustlib/src/rust");
        let standard_library = standard_library(Path::new(compiled.trim_end()), &library_source)?;

        let version = answer(&rustc, &["--version", "--verbose"])?;
        let commit = version
            .lines()
            .find_map(|line| line.strip_prefix("commit-hash: "))
            .unwrap_or("unknown");
        Some(Self {
            cargo,
            rustc,
            version: version.lines().next().unwrap_or_default().to_owned(),
            standard_library,
            library_source,
            library_name: Path::new("/rustc").join(commit),
        })
    }
}

/// What a compiler prints, unless it fails.
fn answer(rustc: &Path, arguments: &[&str]) -> Option<String> {
    let output = Command::new(rustc)
        .args(arguments)
        .stderr(Stdio::null())
        .output()
        .ok()?;
    output
        .status
        .success()
        .then(|| String::from_utf8(output.stdout).ok())
        .flatten()
}

/// A compiler names these folders whether or not they exist.
fn standard_library(compiled: &Path, source: &Path) -> Option<StandardLibrary> {
    let is_compiled = std::fs::read_dir(compiled).is_ok_and(|files| {
        files
            .flatten()
            .any(|file| file.file_name().as_encoded_bytes().starts_with(b"libstd-"))
    });
    if is_compiled {
        Some(StandardLibrary::Installed)
    } else if source.join("library/std/Cargo.toml").is_file() {
        Some(StandardLibrary::Source)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_standard_library_is_compiled_or_source_or_missing() {
        const COMPILED: &str = "lib/libstd-0123456789abcdef.rlib";
        const SOURCE: &str = "src/library/std/Cargo.toml";
        for (files, expected) in [
            (&[][..], None),
            (&["lib/libcore-0123456789abcdef.rlib"], None),
            (&["src/library/core/Cargo.toml"], None),
            (&[COMPILED], Some(StandardLibrary::Installed)),
            (&[SOURCE], Some(StandardLibrary::Source)),
            (&[COMPILED, SOURCE], Some(StandardLibrary::Installed)),
        ] {
            let folder = tempfile::tempdir().unwrap();
            for file in files {
                let file = folder.path().join(file);
                std::fs::create_dir_all(file.parent().unwrap()).unwrap();
                std::fs::write(file, "").unwrap();
            }
            let found = standard_library(&folder.path().join("lib"), &folder.path().join("src"));
            assert_eq!(found, expected, "{files:?}");
        }
    }

    #[test]
    fn a_compiler_that_is_not_there_has_nothing() {
        assert_eq!(
            Toolchain::probe("/nowhere/cargo".into(), "/nowhere/rustc".into()),
            None
        );
    }
}
