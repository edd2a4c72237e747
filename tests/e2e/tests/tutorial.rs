//! The first steps of `docs/plugins.md`, typed as they stand there.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use e2e::{Alchemiser, workspace};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// Longer than a build takes where everything has to be compiled.
const PATIENCE: Duration = Duration::from_secs(180);

/// What the reader meets, in its order.
#[derive(Debug, PartialEq)]
enum Step {
    /// Commands to type, and whether the last of them is to fail.
    Type { commands: String, fails: bool },
    /// Commands that go on in a second terminal.
    Leave { commands: String },
    /// What is then read, in the first terminal or the second.
    Read { lines: Vec<String>, second: bool },
}

/// The steps of a section of a page.
fn steps(page: &str, section: &str) -> Vec<Step> {
    let (_, after) = page.split_once(&format!("\n## {section}\n")).unwrap();
    let section = after.split("\n## ").next().unwrap();
    let mut steps = Vec::new();
    let mut blocks = section.split("```").skip(1).step_by(2);
    while let Some((kind, content)) = blocks.next().map(|it| it.split_once('\n').unwrap()) {
        let commands = content.to_owned();
        steps.push(match kind {
            "sh" | "sh fails" => Step::Type {
                commands,
                fails: kind == "sh fails",
            },
            "sh second terminal" => Step::Leave { commands },
            "text" | "text second terminal" => Step::Read {
                lines: content.lines().map(str::to_owned).collect(),
                second: kind != "text",
            },
            other => panic!("a block of the tutorial is `{other}`"),
        });
    }
    steps
}

/// Whether a text holds these lines, in this order; `…` stands for anything
/// within a line, and a line may go on.
fn holds(text: &str, lines: &[String]) -> bool {
    let mut read = text.lines();
    lines.iter().all(|line| {
        let is_it = |read: &str| {
            let mut rest = read;
            line.split('…').all(|part| match rest.find(part) {
                Some(place) => {
                    rest = &rest[place + part.len()..];
                    true
                }
                None => false,
            })
        };
        read.any(is_it)
    })
}

/// A copy of the project, always in the same place, where the program is on the
/// path; what cargo builds of it stays beside it.
struct Clone {
    folder: PathBuf,
    binaries: PathBuf,
}

impl Clone {
    fn new() -> Self {
        let binary = Alchemiser::shipped().binary();
        let beside = binary.with_file_name("../projects");
        let folder = beside.join("tutorial");
        // There may have been none.
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(folder.join("target/plugins")).unwrap();
        let copy = |from: &Path, to: &Path| {
            let status = Command::new("cp").arg("-a").arg(from).arg(to).status();
            assert!(status.unwrap().success(), "{}", from.display());
        };
        for name in [
            "Cargo.toml",
            "Cargo.lock",
            "routes.toml",
            "data",
            "host",
            "plugins",
            "strategies",
            "tests",
        ] {
            copy(&workspace().join(name), &folder);
        }
        for component in fs::read_dir(e2e::plugins()).unwrap() {
            copy(&component.unwrap().path(), &folder.join("target/plugins"));
        }
        Self {
            folder: folder.canonicalize().unwrap(),
            binaries: binary.parent().unwrap().to_owned(),
        }
    }

    fn shell(&self, commands: &str, output: &Path) -> Child {
        let path = std::env::var("PATH").unwrap();
        let path = format!("{}:{path}", self.binaries.display());
        let output = || File::options().create(true).append(true).open(output);
        Command::new("sh")
            .args(["-ec", commands])
            .current_dir(&self.folder)
            .env("PATH", path)
            .env("CARGO_TARGET_DIR", self.folder.with_extension("target"))
            .env_remove("PLUGINS__DIRECTORY")
            .stdin(Stdio::null())
            .stdout(output().unwrap())
            .stderr(output().unwrap())
            .spawn()
            .unwrap()
    }
}

/// Ends with the test, however that ends.
struct Terminal(Child);

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = Command::new("kill").arg(self.0.id().to_string()).status();
        let _ = self.0.wait();
    }
}

#[test]
fn the_tutorial_can_be_typed() {
    let page = fs::read_to_string(workspace().join("docs/plugins.md")).unwrap();
    let steps = steps(&page, "Ten minutes");
    let typed = steps
        .iter()
        .filter(|step| matches!(step, Step::Type { .. }));
    assert!(typed.count() > 8, "{steps:#?}");
    let clone = Clone::new();
    let outputs = tempfile::tempdir().unwrap();
    let first = outputs.path().join("first");
    let second = outputs.path().join("second");
    let mut terminal = None;
    let read = |path: &Path| fs::read_to_string(path).unwrap_or_default();
    let mut seen = 0;
    for step in steps {
        match step {
            Step::Type { commands, fails } => {
                seen = read(&second).len();
                let _ = fs::remove_file(&first);
                let status = clone.shell(&commands, &first).wait().unwrap();
                assert_eq!(status.success(), !fails, "{commands}\n{}", read(&first));
            }
            Step::Leave { commands } => {
                let commands = format!("exec {commands}");
                terminal = Some(Terminal(clone.shell(&commands, &second)));
            }
            Step::Read {
                lines,
                second: false,
            } => {
                assert!(holds(&read(&first), &lines), "{lines:#?}\n{}", read(&first));
            }
            Step::Read { lines, .. } => {
                wait_until(&second, |text| holds(&text[seen..], &lines));
            }
        }
    }
    drop(terminal);
}

#[track_caller]
fn wait_until(path: &Path, is_it: impl Fn(&str) -> bool) {
    let begin = Instant::now();
    loop {
        let text = fs::read_to_string(path).unwrap_or_default();
        if is_it(&text) {
            return;
        }
        assert!(begin.elapsed() < PATIENCE, "{text}");
        thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn lines_are_found_in_their_order() {
    let lines = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
    let text = "one 1\ntwo 22 more\nthree\n";
    assert!(holds(text, &lines("one\ntwo … more")));
    assert!(holds(text, &lines("three")));
    assert!(!holds(text, &lines("two\none")));
    assert!(!holds(text, &lines("two … less")));
}
