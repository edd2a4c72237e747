//! The keys of `alchemiser dev`, on a terminal.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used)]

use e2e::{Alchemiser, Project, State, workspace};
use nix::pty::{OpenptyResult, Winsize, openpty};
use nix::sys::signal::{Signal, kill};
use nix::sys::termios::{LocalFlags, Termios, tcgetattr};
use nix::unistd::Pid;
use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::process::{Child, Command};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

/// Longer than anything takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// How often to look.
const LOOK: Duration = Duration::from_millis(1);

const READY: &str = "; r runs a workflow, d looks for what is wrong, q stops";

/// A terminal with the program on it. The program is killed with this value.
struct Terminal {
    /// The side of a person: keys go in, and what is shown comes out.
    person: File,
    /// The side of the program.
    program: OwnedFd,
    before: Termios,
    shown: Arc<Mutex<Vec<u8>>>,
    child: Child,
}

impl Terminal {
    fn start(alchemiser: &Alchemiser, state: &State) -> Self {
        let size = Winsize {
            ws_row: 24,
            ws_col: 80,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        let OpenptyResult { master, slave } = openpty(&size, None).unwrap();
        let before = tcgetattr(&slave).unwrap();
        assert!(
            before
                .local_flags
                .contains(LocalFlags::ICANON | LocalFlags::ECHO | LocalFlags::ISIG)
        );
        let shown = Arc::default();
        let child = alchemiser.start_on(state.arguments(["dev"]), &slave);
        let terminal = Self {
            person: File::from(master),
            program: slave,
            before,
            shown: Arc::clone(&shown),
            child,
        };
        let mut screen = terminal.person.try_clone().unwrap();
        // It ends when nobody has the other side any more.
        thread::spawn(move || {
            let mut part = [0; 4096];
            while let Ok(length @ 1..) = screen.read(&mut part) {
                shown.lock().unwrap().extend(&part[..length]);
            }
        });
        terminal
    }

    /// Waits until it is at work, and listens.
    #[track_caller]
    fn wait_until_ready(&self) {
        // The shipped one is not, and that is the last that is told of the start.
        let start = self.wait_for("no schedule is enabled");
        assert!(start.contains(READY), "{start}");
    }

    fn shown(&self) -> String {
        readable(&self.shown.lock().unwrap())
    }

    /// Waits until this is shown; all that was shown is forgotten then, and
    /// answered.
    #[track_caller]
    fn wait_for(&self, text: &str) -> String {
        let begin = Instant::now();
        loop {
            let mut bytes = self.shown.lock().unwrap();
            let shown = readable(&bytes);
            if shown.contains(text) && shown.ends_with('\n') {
                bytes.clear();
                return shown;
            }
            drop(bytes);
            assert!(begin.elapsed() < PATIENCE, "no `{text}` in: {shown}");
            thread::sleep(LOOK);
        }
    }

    fn press(&mut self, key: u8) {
        self.person.write_all(&[key]).unwrap();
    }

    fn signal(&self, signal: Signal) {
        let process = i32::try_from(self.child.id()).unwrap();
        kill(Pid::from_raw(process), signal).unwrap();
    }

    fn has(&self, flags: LocalFlags) -> bool {
        let now = tcgetattr(&self.program).unwrap();
        now.local_flags.contains(flags)
    }

    /// Waits until it has ended, and looks at what it leaves behind.
    #[track_caller]
    fn ends_with(&mut self, code: i32) {
        let begin = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            assert!(begin.elapsed() < PATIENCE, "{}", self.shown());
            thread::sleep(LOOK);
        };
        assert_eq!(status.code(), Some(code), "{}", self.shown());
        assert_eq!(tcgetattr(&self.program).unwrap(), self.before);
    }
}

fn readable(shown: &[u8]) -> String {
    String::from_utf8_lossy(shown).replace("\r\n", "\n")
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn keys_do_what_the_first_line_says() {
    let project = Project::new();
    let state = State::new();
    let mut terminal = Terminal::start(&project.alchemiser(), &state);
    terminal.wait_until_ready();
    // A key is handed over at once and not shown, and Ctrl-C is a signal.
    assert!(!terminal.has(LocalFlags::ICANON));
    assert!(!terminal.has(LocalFlags::ECHO));
    assert!(terminal.has(LocalFlags::ISIG));

    terminal.press(b'd');
    let doctor = terminal.wait_for("no dead letters");
    let subjects = [
        "toolchain",
        "plugins",
        "routes",
        "book",
        "prices",
        "weights",
        "state",
    ];
    for subject in subjects {
        let is_told = |line: &str| line.trim_start().starts_with(subject) && line.contains(" ok ");
        assert!(doctor.lines().any(is_told), "{subject}: {doctor}");
    }
    assert_eq!(doctor.lines().count(), subjects.len(), "{doctor}");

    terminal.press(b'r');
    // The notice is the last that is done.
    let workflow = terminal.wait_for(" → notifier");
    assert!(workflow.contains(" begins\n"), "{workflow}");
    assert!(workflow.contains(": completed\n"), "{workflow}");
    terminal.press(b'r');
    terminal.wait_for(" is completed already; nothing is done twice");

    // Others mean nothing.
    terminal.press(b'x');
    terminal.press(b'\n');
    terminal.press(b'q');
    let end = terminal.wait_for("stopped");
    assert_eq!(end.lines().count(), 2, "{end}");
    assert!(end.contains("stopping, when what was begun has ended"));
    terminal.ends_with(0);

    let list = state.call(&project.alchemiser(), ["workflow", "list", "--json"]);
    assert_eq!(list.exits(0).line()["state"], "completed");
}

#[test]
fn signals_leave_the_terminal_as_it_was() {
    for signal in [Signal::SIGINT, Signal::SIGTERM] {
        let project = Project::new();
        let state = State::new();
        let mut terminal = Terminal::start(&project.alchemiser(), &state);
        terminal.wait_until_ready();
        assert!(!terminal.has(LocalFlags::ECHO));
        terminal.signal(signal);
        terminal.ends_with(0);
    }
}

/// Who cannot wait for the end that was asked for gets the terminal back, too.
#[test]
fn the_second_signal_ends_it_at_once() {
    let data = tempfile::tempdir().unwrap();
    for file in ["closes.csv", "instruments.toml"] {
        fs::copy(workspace().join("data").join(file), data.path().join(file)).unwrap();
    }
    let project = Project::new();
    let state = State::new();
    let alchemiser = project.alchemiser();
    let alchemiser = alchemiser.with("DATA__PATH", data.path().to_str().unwrap());
    let mut terminal = Terminal::start(&alchemiser, &state);
    terminal.wait_until_ready();

    // Whoever reads a pipe waits until it is written.
    let closes = data.path().join("closes.csv");
    fs::remove_file(&closes).unwrap();
    let made = Command::new("mkfifo").arg(&closes).status().unwrap();
    assert!(made.success());
    terminal.press(b'd');
    let opened = thread::spawn(|| File::options().write(true).open(closes));
    let begin = Instant::now();
    while !opened.is_finished() {
        assert!(begin.elapsed() < PATIENCE, "{}", terminal.shown());
        thread::sleep(LOOK);
    }
    let _pipe = opened.join().unwrap().unwrap();
    terminal.signal(Signal::SIGINT);
    terminal.wait_for("stopping, when what was begun has ended");
    assert!(!terminal.has(LocalFlags::ECHO));
    terminal.signal(Signal::SIGTERM);
    terminal.ends_with(1);
}
