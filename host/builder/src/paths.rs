//! Replaces the paths that a compiler writes into what it builds, in messages of
//! panics above all.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// The folders that can occur in a plugin, each with the name it gets there.
pub(crate) struct Folders<'a> {
    /// Those of sources, wide ones before those within them.
    pub(crate) sources: &'a [(PathBuf, PathBuf)],
    pub(crate) target: &'a Path,
    pub(crate) cargo_home: &'a Path,
    pub(crate) library_source: &'a Path,
    pub(crate) library_name: &'a Path,
}

impl Folders<'_> {
    /// The compiler's flags, as `CARGO_ENCODED_RUSTFLAGS` has them. That variable
    /// wins over all others with flags, so that those of the user's environment
    /// do not enter the digest.
    pub(crate) fn encoded_flags(&self) -> OsString {
        // Where folders lie within each other the compiler takes the last that
        // fits, and cargo's may well lie within the project's.
        let sources = self.sources.iter();
        let named = sources
            .map(|(folder, name)| (folder.as_path(), name.as_path()))
            .chain([
                (self.target, Path::new("/target")),
                (self.cargo_home, Path::new("/cargo")),
                (self.library_source, self.library_name),
            ]);
        let mut flags = OsString::new();
        for (folder, name) in named {
            if !flags.is_empty() {
                flags.push("\u{1f}");
            }
            flags.push("--remap-path-prefix=");
            flags.push(folder);
            flags.push("=");
            flags.push(name);
        }
        flags
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_keep_spaces_and_go_from_wide_to_narrow() {
        let folders = Folders {
            sources: &[
                ("/home/me".into(), "/outside-0".into()),
                ("/home/me/my project".into(), "/project".into()),
            ],
            target: Path::new("/home/me/my project/target/wasm"),
            cargo_home: Path::new("/home/me/.cargo"),
            library_source: Path::new("/usr/lib/rustlib/src/rust"),
            library_name: Path::new("/rustc/59807616e"),
        };
        assert_eq!(
            folders
                .encoded_flags()
                .to_str()
                .map(|flags| flags.split('\u{1f}').collect()),
            Some(vec![
                "--remap-path-prefix=/home/me=/outside-0",
                "--remap-path-prefix=/home/me/my project=/project",
                "--remap-path-prefix=/home/me/my project/target/wasm=/target",
                "--remap-path-prefix=/home/me/.cargo=/cargo",
                "--remap-path-prefix=/usr/lib/rustlib/src/rust=/rustc/59807616e",
            ])
        );
    }
}
