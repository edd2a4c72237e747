//! State directories under bad conditions: full, read-only, damaged.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use e2e::{Alchemiser, Project, State};
use rusqlite::Connection;
use std::fs;
use std::path::{Path, PathBuf};

const DATE: &str = "2022-12-27";
const NEXT: &str = "2022-12-28";

fn database(state: &State) -> PathBuf {
    state.path().join("alchemiser.db")
}

/// Nothing is lost or half done wherever the room ends, and the next run with
/// more of it brings all to its end.
#[cfg(unix)]
#[test]
fn a_full_disk_stops_a_run_and_the_next_one_ends_it() {
    let project = Project::new();
    let alchemiser = project.alchemiser();
    let undisturbed = State::new();
    let _ = undisturbed.run(&alchemiser, DATE).exits(0);
    let archive = undisturbed.archive(&alchemiser);

    let (mut stopped, mut ended) = (0, 0);
    for step in 0..24 {
        let state = State::new();
        // From nothing to more than is needed, more densely where it is small.
        let blocks = step * (step + 80);
        let cramped = project.alchemiser().with_largest_file(blocks);
        let run = state.run(&cramped, DATE);
        match run.status.code() {
            Some(0) => ended += 1,
            Some(1) => {
                stopped += 1;
                assert!(run.stderr.contains("nothing committed is lost"), "{run:#?}");
                assert!(run.stderr.contains("run it again"), "{run:#?}");
                // No attempt is used up.
                assert!(!run.stderr.contains("will be tried again"), "{run:#?}");
                assert!(run.line()["error"]["message"].is_string(), "{run:#?}");
            }
            _ => panic!("{run:#?}"),
        }
        let after = state.run(&alchemiser, DATE).exits(0).line();
        assert_eq!(after["state"], "completed");
        assert_eq!(state.archive(&alchemiser), archive, "{blocks} blocks");
        assert_eq!(state.account(), undisturbed.account(), "{blocks} blocks");
        assert!(state.dead_letters().is_empty());
    }
    assert!(
        stopped >= 5 && ended >= 1,
        "{stopped} stopped, {ended} ended"
    );
}

/// A copy of all files, also of the log and its index: what is there while a
/// process is at work, and after it was killed.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).unwrap();
        }
    }
}

#[cfg(unix)]
fn make_read_only(path: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = if path.is_dir() {
        for entry in fs::read_dir(path).unwrap() {
            make_read_only(&entry.unwrap().path());
        }
        0o555
    } else {
        0o444
    };
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[cfg(unix)]
fn make_writable(path: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    if path.is_dir() {
        for entry in fs::read_dir(path).unwrap() {
            make_writable(&entry.unwrap().path());
        }
    }
}

/// A state directory in a folder that everybody can reach.
#[cfg(unix)]
struct Reachable {
    folder: tempfile::TempDir,
    project: Project,
}

#[cfg(unix)]
impl Reachable {
    fn new() -> Self {
        let reachable = Self {
            folder: tempfile::tempdir().unwrap(),
            project: Project::new(),
        };
        make_writable(reachable.project.path());
        reachable
    }

    fn state(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn somebody(&self) -> Alchemiser {
        self.project
            .alchemiser()
            .without_privileges(self.folder.path())
    }
}

#[cfg(unix)]
impl Drop for Reachable {
    fn drop(&mut self) {
        make_writable(self.folder.path());
    }
}

/// Root, too, is held to permissions here: the program is run by another user.
#[cfg(unix)]
#[test]
fn what_cannot_be_written_can_be_read() {
    let reachable = Reachable::new();
    let original = State::new();
    let alchemiser = reachable.project.alchemiser();
    let _ = original.run(&alchemiser, DATE).exits(0);
    let archive = original.archive(&alchemiser);

    // Closed properly; left by a process that was killed; and that without the
    // index of its log, which is never copied by some.
    copy(original.path(), &reachable.state("closed"));
    {
        let open = Connection::open(database(&original)).unwrap();
        let change = "UPDATE workflows SET changed_at = changed_at + 1";
        open.execute_batch(change).unwrap();
        copy(original.path(), &reachable.state("killed"));
        copy(original.path(), &reachable.state("no-index"));
    }
    let log = reachable.state("killed").join("alchemiser.db-wal");
    assert!(fs::metadata(log).unwrap().len() > 0);
    fs::remove_file(reachable.state("no-index").join("alchemiser.db-shm")).unwrap();

    let somebody = reachable.somebody();
    for name in ["closed", "killed", "no-index"] {
        let path = reachable.state(name);
        make_read_only(&path);
        let state = path.to_str().unwrap();
        let call = |arguments: &[&str]| {
            let arguments = arguments.iter().copied();
            somebody.call(arguments.chain(["--state", state]))
        };
        // Permissions do hold.
        let drop = call(&["dlq", "drop", "--all"]).exits(1);
        if name == "no-index" {
            assert!(drop.stderr.contains("was not closed properly"), "{drop:#?}");
        } else {
            assert!(drop.stderr.contains("make it writable"), "{drop:#?}");
            let listed = call(&["events", "list", "--json"]).exits(0);
            assert_eq!(listed.stdout, archive, "{name}");
            let workflow = "dev-paper-2022-12-27-1600";
            let _ = call(&["events", "trace", workflow]).exits(0);
            let _ = call(&["workflow", "show", workflow]).exits(0);
            let _ = call(&["dlq", "list"]).exits(0);
        }
        make_writable(&path);
    }
    // When it can be written again, all is well.
    let arguments = |name: &str| {
        let path = reachable.state(name).display().to_string();
        ["run", "--date", NEXT, "--state", &path].map(str::to_owned)
    };
    for name in ["closed", "killed", "no-index"] {
        let _ = alchemiser.call(arguments(name)).exits(0);
    }
}

/// Whatever page is damaged: it is told or not met, nothing is changed by
/// looking, and a copy brings all back.
#[test]
fn a_damaged_page_is_told() {
    const PAGE: usize = 4096;
    let project = Project::new();
    let alchemiser = project.alchemiser();
    let original = State::new();
    let _ = original.run(&alchemiser, DATE).exits(0);
    let intact = fs::read(database(&original)).unwrap();
    let archive = original.archive(&alchemiser);
    let is_told = |stderr: &str| {
        let advice = [
            "restore the state directory from a copy",
            "not a database of this",
        ];
        advice.iter().any(|advice| stderr.contains(advice))
    };

    let mut told = 0;
    for page in 0..intact.len() / PAGE {
        let mut damaged = intact.clone();
        damaged[page * PAGE..(page + 1) * PAGE].fill(0xa5);
        fs::write(database(&original), &damaged).unwrap();
        let listed = original.call(&alchemiser, ["events", "list", "--json"]);
        match listed.status.code() {
            Some(0) => assert_eq!(listed.stdout, archive, "page {page}"),
            Some(1 | 2) => {
                assert!(is_told(&listed.stderr), "page {page}: {listed:#?}");
                told += 1;
            }
            _ => panic!("page {page}: {listed:#?}"),
        }
        assert_eq!(fs::read(database(&original)).unwrap(), damaged);
        if page % 4 == 0 {
            let state = State::new();
            copy(original.path(), state.path());
            let run = state.run(&alchemiser, NEXT);
            match run.status.code() {
                Some(0) => {}
                Some(1 | 2) => assert!(is_told(&run.stderr), "page {page}: {run:#?}"),
                _ => panic!("page {page}: {run:#?}"),
            }
        }
    }
    assert!(told >= 3, "{told}");
    fs::write(database(&original), &intact).unwrap();
    let _ = original.run(&alchemiser, NEXT).exits(0);
}
