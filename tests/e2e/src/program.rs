//! The binary, and calls of it.

use serde_json::Value;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::LazyLock;
use std::thread;
use std::time::{Duration, Instant};
use wait4::Wait4;

/// Longer than anything takes on a busy machine: what takes longer hangs.
const PATIENCE: Duration = Duration::from_secs(120);

/// How often a process is asked whether it has ended.
const LOOK: Duration = Duration::from_millis(1);

/// The program in a project.
#[derive(Clone, Debug)]
pub struct Alchemiser {
    binary: &'static Path,
    project: PathBuf,
    environment: Vec<(String, String)>,
    /// The largest file that it may write, in blocks of 512 bytes.
    largest_file: Option<u32>,
    /// A copy of the binary for a user without privileges.
    unprivileged: Option<PathBuf>,
}

impl Alchemiser {
    /// The project as it is shipped.
    #[must_use]
    pub fn shipped() -> Self {
        let directory = plugins().display().to_string();
        Self::within(workspace()).with("PLUGINS__DIRECTORY", &directory)
    }

    /// The project in a folder. The program runs there.
    #[must_use]
    pub fn within(project: &Path) -> Self {
        Self {
            binary: released(),
            project: project.to_owned(),
            environment: Vec::new(),
            largest_file: None,
            unprivileged: None,
        }
    }

    /// The same on a disk with little room: no file may become longer than so
    /// many blocks of 512 bytes. Holds for every user, and needs no privilege.
    #[must_use]
    pub fn with_largest_file(self, blocks: u32) -> Self {
        Self {
            largest_file: Some(blocks),
            ..self
        }
    }

    /// The same by a user whom permissions hold: for root they do not, and
    /// then it is run by another. `folder` is for a copy of the binary that
    /// this one can reach.
    #[cfg(unix)]
    #[must_use]
    pub fn without_privileges(self, folder: &Path) -> Self {
        use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
        let is_root = std::fs::metadata(folder).expect("it is there").uid() == 0;
        if !is_root {
            return self;
        }
        let copy = folder.join("alchemiser");
        std::fs::copy(self.binary, &copy).expect("there is room for the binary");
        let everybody = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(folder, everybody).expect("it is ours");
        Self {
            unprivileged: Some(copy),
            ..self
        }
    }

    /// The same, built with fail points.
    #[must_use]
    pub fn with_fail_points(self) -> Self {
        Self {
            binary: with_fail_points(),
            ..self
        }
    }

    /// The file that is run.
    #[must_use]
    pub fn binary(&self) -> &'static Path {
        self.binary
    }

    /// The same with one more environment variable.
    #[must_use]
    pub fn with(mut self, variable: &str, value: &str) -> Self {
        self.environment
            .push((variable.to_owned(), value.to_owned()));
        self
    }

    /// Runs it to its end.
    pub fn call<A: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = A>) -> Finished {
        let mut command = self.command(arguments);
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let child = child.spawn().expect("the binary can be executed");
        finish(child, format!("{command:?}"))
    }

    /// Runs it to its end on what it reads from stdin.
    pub fn call_with<A: AsRef<OsStr>>(
        &self,
        arguments: impl IntoIterator<Item = A>,
        input: &str,
    ) -> Finished {
        let mut command = self.command(arguments);
        let command = command.stdin(Stdio::piped());
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = child.spawn().expect("the binary can be executed");
        let mut stdin = child.stdin.take().expect("it is a pipe");
        // Whoever has seen enough may close it.
        let _ = stdin.write_all(input.as_bytes());
        drop(stdin);
        finish(child, format!("{command:?}"))
    }

    /// Runs it to its end with this for stdout.
    pub fn call_into<A: AsRef<OsStr>>(
        &self,
        arguments: impl IntoIterator<Item = A>,
        stdout: File,
    ) -> Finished {
        let mut command = self.command(arguments);
        let child = command.stdout(stdout).stderr(Stdio::piped());
        let child = child.spawn().expect("the binary can be executed");
        finish(child, format!("{command:?}"))
    }

    /// Reads the first line that it prints, and closes the pipe.
    pub fn call_for_a_line<A: AsRef<OsStr>>(
        &self,
        arguments: impl IntoIterator<Item = A>,
    ) -> Finished {
        let mut command = self.command(arguments);
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = child.spawn().expect("the binary can be executed");
        let mut line = String::new();
        let stdout = child.stdout.take().expect("it is a pipe");
        BufReader::new(stdout)
            .read_line(&mut line)
            .expect("output is text");
        Finished {
            stdout: line,
            ..finish(child, format!("{command:?}"))
        }
    }

    /// Starts it and leaves it alone. It is silent, so that no pipe can hold it
    /// up.
    pub fn start<A: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = A>) -> Child {
        let mut command = self.command(arguments);
        let child = command.stdout(Stdio::null()).stderr(Stdio::null());
        child.spawn().expect("the binary can be executed")
    }

    /// Starts it with this for stdout, and leaves it alone.
    pub fn start_into<A: AsRef<OsStr>>(
        &self,
        arguments: impl IntoIterator<Item = A>,
        stdout: File,
    ) -> Child {
        let mut command = self.command(arguments);
        let child = command.stdout(stdout).stderr(Stdio::null());
        child.spawn().expect("the binary can be executed")
    }

    /// Starts it on a terminal, and leaves it alone.
    #[cfg(unix)]
    pub fn start_on<A: AsRef<OsStr>>(
        &self,
        arguments: impl IntoIterator<Item = A>,
        terminal: &std::os::fd::OwnedFd,
    ) -> Child {
        let terminal = || terminal.try_clone().expect("there is room for a few more");
        let mut command = self.command(arguments);
        let child = command.stdin(terminal()).stdout(terminal());
        let child = child.stderr(terminal()).spawn();
        child.expect("the binary can be executed")
    }

    /// The user's own environment does not reach the program: a setting in it
    /// would change what is tested.
    fn command<A: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = A>) -> Command {
        let program = self.unprivileged.as_deref().unwrap_or(self.binary);
        let mut command = match self.largest_file {
            None => Command::new(program),
            Some(blocks) => {
                // Who ignores the signal is told by the call that writes.
                let script = format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$0\" \"$@\"");
                let mut shell = Command::new("sh");
                shell.arg("-c").arg(script).arg(program);
                shell
            }
        };
        #[cfg(unix)]
        if self.unprivileged.is_some() {
            use std::os::unix::process::CommandExt as _;
            /// Nobody, on every system.
            const NOBODY: u32 = 65_534;
            command.uid(NOBODY).gid(NOBODY);
        }
        command
            .args(arguments)
            .current_dir(&self.project)
            .env_clear()
            // Compiled plugins are kept for all tests.
            .env("XDG_CACHE_HOME", built().join("../tmp"))
            .envs(self.environment.iter().cloned())
            .stdin(Stdio::null());
        for inherited in ["PATH", "HOME", "TMPDIR"] {
            if let Some(value) = std::env::var_os(inherited) {
                command.env(inherited, value);
            }
        }
        command
    }
}

/// A call that has ended.
#[derive(Debug)]
pub struct Finished {
    /// What was called.
    pub command: String,
    /// How it ended.
    pub status: ExitStatus,
    /// For users and scripts.
    pub stdout: String,
    /// Errors and the log.
    pub stderr: String,
    /// The most memory that was resident, in bytes.
    pub peak_memory: u64,
    /// From start to end.
    pub duration: Duration,
}

impl Finished {
    /// The exit code must be this one.
    #[must_use]
    #[track_caller]
    pub fn exits(self, code: i32) -> Self {
        assert_eq!(self.status.code(), Some(code), "{self:#?}");
        self
    }

    /// The lines of stdout, each of which must be a JSON value.
    #[must_use]
    #[track_caller]
    pub fn lines(&self) -> Vec<Value> {
        self.stdout
            .lines()
            .map(|line| {
                serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))
            })
            .collect()
    }

    /// The only line of stdout.
    #[must_use]
    #[track_caller]
    pub fn line(&self) -> Value {
        let mut lines = self.lines();
        assert_eq!(lines.len(), 1, "{self:#?}");
        lines.remove(0)
    }
}

fn finish(mut child: Child, command: String) -> Finished {
    let begin = Instant::now();
    let stdout = drain(child.stdout.take());
    let stderr = drain(child.stderr.take());
    let end = loop {
        if let Some(end) = child.try_wait4().expect("a child can be waited for") {
            break end;
        }
        if begin.elapsed() > PATIENCE {
            let _ = child.kill();
            panic!("still running after {PATIENCE:?}: {command}");
        }
        thread::sleep(LOOK);
    };
    let text = |reader: thread::JoinHandle<String>| reader.join().expect("output is text");
    Finished {
        command,
        status: end.status,
        stdout: text(stdout),
        stderr: text(stderr),
        peak_memory: end.rusage.maxrss,
        duration: begin.elapsed(),
    }
}

/// Reads on a thread of its own, so that a full pipe holds nobody up.
fn drain(pipe: Option<impl Read + Send + 'static>) -> thread::JoinHandle<String> {
    thread::spawn(move || {
        let mut text = String::new();
        if let Some(mut pipe) = pipe {
            pipe.read_to_string(&mut text).expect("output is text");
        }
        text
    })
}

/// The root of this workspace, which is a project.
#[must_use]
pub fn workspace() -> &'static Path {
    static WORKSPACE: LazyLock<PathBuf> = LazyLock::new(|| {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        here.ancestors()
            .nth(2)
            .expect("this crate is two folders deep")
            .to_owned()
    });
    &WORKSPACE
}

/// Where the project's plugins are built: where the settings say, which a
/// developer may have pointed elsewhere.
#[must_use]
pub fn plugins() -> &'static Path {
    static PLUGINS: LazyLock<PathBuf> = LazyLock::new(|| {
        let elsewhere = std::env::var_os("PLUGINS__DIRECTORY");
        let directory = workspace().join(elsewhere.unwrap_or_else(|| "target/plugins".into()));
        let missing = directory.join("rebalance.wasm");
        assert!(
            missing.is_file(),
            "there is no {}; run `make build`",
            missing.display()
        );
        directory
    });
    &PLUGINS
}

/// The binary, built beside these tests; the variable `ALCHEMISER` may name
/// another.
fn released() -> &'static Path {
    static BINARY: LazyLock<PathBuf> =
        LazyLock::new(|| there(built().join("alchemiser"), "ALCHEMISER", "make build"));
    &BINARY
}

/// The binary with fail points, built in a folder of its own; the variable
/// `ALCHEMISER_WITH_FAIL_POINTS` may name another.
fn with_fail_points() -> &'static Path {
    static BINARY: LazyLock<PathBuf> = LazyLock::new(|| {
        there(
            built().join("../fail-points/release/alchemiser"),
            "ALCHEMISER_WITH_FAIL_POINTS",
            "scripts/build-fail-points",
        )
    });
    &BINARY
}

fn there(usual: PathBuf, variable: &str, made_by: &str) -> PathBuf {
    let binary = std::env::var_os(variable).map_or(usual, PathBuf::from);
    assert!(
        binary.is_file(),
        "there is no {}; run `{made_by}`",
        binary.display()
    );
    binary
}

/// The folder that cargo puts binaries in; tests lie in `deps` within it.
pub(crate) fn built() -> &'static Path {
    static BUILT: LazyLock<PathBuf> = LazyLock::new(|| {
        let test = std::env::current_exe().expect("the system knows what it runs");
        test.ancestors()
            .nth(2)
            .expect("cargo puts tests two folders deep")
            .to_owned()
    });
    &BUILT
}
