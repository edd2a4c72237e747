//! Compiled plugins on disk.

#![cfg(unix)]

use crate::harness::{TORTURE, evaluate, settings};
use alchemiser_sandbox::{CacheLocation, Sandbox, Settings};
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// Loads and runs the torture strategy with a cache in a folder.
fn run(folder: &Path) {
    let settings = Settings {
        cache: CacheLocation::Directory(folder.to_owned()),
        ..settings()
    };
    let sandbox = Sandbox::new(settings).unwrap();
    let plugin = sandbox.load("torture", &TORTURE).unwrap();
    evaluate(&plugin, r#"{"behaviour": "behave"}"#).unwrap();
}

/// All files in the cache.
fn artefacts(folder: &Path) -> Vec<PathBuf> {
    let Ok(engines) = fs::read_dir(folder) else {
        return Vec::new();
    };
    engines
        .flat_map(|engine| fs::read_dir(engine.unwrap().path()).unwrap())
        .map(|file| file.unwrap().path())
        .collect()
}

fn inode(path: &Path) -> u64 {
    fs::metadata(path).unwrap().ino()
}

#[test]
fn a_plugin_is_compiled_once() {
    let temporary = TempDir::new().unwrap();
    let folder = temporary.path().join("alchemiser/aot");
    run(&folder);
    let [artefact] = &artefacts(&folder)[..] else {
        panic!("one plugin makes one artefact");
    };
    for closed in [&folder, artefact.parent().unwrap()] {
        assert_eq!(fs::metadata(closed).unwrap().mode() & 0o777, 0o700);
    }
    assert_eq!(fs::metadata(artefact).unwrap().mode() & 0o777, 0o600);

    let before = inode(artefact);
    run(&folder);
    assert_eq!(inode(artefact), before, "it was used and not made again");
}

/// Functions are looked up by what they were compiled from.
#[test]
fn kept_functions_make_the_same_machine_code() {
    let artefact = |keep_functions, components: &[&[u8]]| {
        let temporary = TempDir::new().unwrap();
        let folder = temporary.path().join("aot");
        let settings = Settings {
            cache: CacheLocation::Directory(folder.clone()),
            keep_functions,
            ..settings()
        };
        let sandbox = Sandbox::new(settings).unwrap();
        let plugin = components
            .iter()
            .map(|component| sandbox.load("torture", component).unwrap())
            .next_back()
            .unwrap();
        evaluate(&plugin, r#"{"behaviour": "behave"}"#).unwrap();
        let name = format!("{}.cwasm", plugin.digest());
        let mut artefacts = artefacts(&folder).into_iter();
        fs::read(artefacts.find(|path| path.ends_with(&name)).unwrap()).unwrap()
    };
    // A custom section: its number, its length, that of its name, the name.
    let another_build = [&TORTURE[..], &[0, 5, 4, b'm', b'a', b'r', b'k']].concat();
    let kept = artefact(true, &[&TORTURE, &another_build]);
    assert!(kept == artefact(false, &[&another_build]));
}

#[test]
fn a_damaged_artefact_is_made_again() {
    let temporary = TempDir::new().unwrap();
    let folder = temporary.path().join("aot");
    run(&folder);
    let artefact = artefacts(&folder).remove(0);
    let intact = fs::read(&artefact).unwrap();

    let mut flipped = intact.clone();
    flipped[intact.len() / 2] ^= 1;
    // The checksum is right, and wasmtime knows no such artefact.
    let foreign = [&b"no artefact"[..], &[0xc8, 0x83, 0x0f, 0x23]].concat();
    for damaged in [&intact[..1000], &flipped, &[], &foreign] {
        fs::write(&artefact, damaged).unwrap();
        run(&folder);
        assert_eq!(fs::read(&artefact).unwrap(), intact);
    }
}

#[test]
fn a_folder_that_others_can_reach_is_not_used() {
    let temporary = TempDir::new().unwrap();

    let open = temporary.path().join("open");
    fs::create_dir(&open).unwrap();
    fs::set_permissions(&open, fs::Permissions::from_mode(0o755)).unwrap();

    let elsewhere = temporary.path().join("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    fs::set_permissions(&elsewhere, fs::Permissions::from_mode(0o700)).unwrap();
    let link = temporary.path().join("link");
    symlink(&elsewhere, &link).unwrap();

    let file = temporary.path().join("file");
    fs::write(&file, "").unwrap();

    for folder in [&open, &link, &file] {
        run(folder);
        assert_eq!(artefacts(folder), [] as [PathBuf; 0]);
    }
}
