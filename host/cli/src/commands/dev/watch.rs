//! Waits until files have changed and nobody writes them any more.

use notify::event::{AccessKind, AccessMode, ModifyKind};
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};

/// A save is over when nothing was written for so long. Editors write a file in
/// several steps within a millisecond or two.
const QUIET: Duration = Duration::from_millis(30);

/// Where files change without pause, so long is waited for one.
const LONGEST: Duration = Duration::from_millis(300);

/// A file that is open for writing is not read, unless for so long: its writer
/// may hang, or the system may have kept its end from us.
const LONGEST_WRITE: Duration = Duration::from_secs(5);

/// How often to look without being told: not all file systems tell of changes.
const LOOK: Duration = Duration::from_secs(1);

/// Something to wake up for.
pub(super) enum Message {
    /// Files have changed.
    Files(Event),
    /// What was done beside has ended.
    Done,
    /// There is nothing left to wait for.
    Stop,
}

/// Why the waiting is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wake {
    /// There may be something to look at. When it began, if that is known.
    Look(Option<Instant>),
    Stop,
}

/// Watches folders.
pub(super) struct Watch {
    messages: Receiver<Message>,
    /// `None` where the system has no way, or no more room: then all is looked
    /// at from time to time.
    watcher: Option<RecommendedWatcher>,
    watched: BTreeMap<PathBuf, RecursiveMode>,
    /// Names of files that matter besides sources of crates. Others lie in the
    /// same folders, such as a log that this program itself writes.
    names: BTreeSet<OsString>,
    /// Those of them that are open for writing.
    writing: BTreeSet<PathBuf>,
    /// Since when there is something that nobody waited for.
    unseen: Option<Instant>,
    stopped: bool,
}

impl Watch {
    /// Watches nothing yet. The other end takes messages from elsewhere.
    pub(super) fn new() -> (Self, Sender<Message>) {
        let (sender, messages) = mpsc::channel();
        let told = sender.clone();
        let watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
            // An error says that events were lost, which a look makes good.
            let event = event.unwrap_or_else(|_| Event::new(EventKind::Any));
            if tells_of_change(event.kind) {
                // Nobody listens once all is over.
                let _ = told.send(Message::Files(event));
            }
        });
        let watcher = watcher
            .inspect_err(|error| tracing::warn!(%error, "files are looked at once a second"))
            .ok();
        let watch = Self {
            messages,
            watcher,
            watched: BTreeMap::new(),
            names: BTreeSet::new(),
            writing: BTreeSet::new(),
            unseen: None,
            stopped: false,
        };
        (watch, sender)
    }

    /// Watches these folders, as far as they are there, and no others, for
    /// changes of sources and of files of these names.
    pub(super) fn follow(
        &mut self,
        folders: BTreeMap<PathBuf, RecursiveMode>,
        names: BTreeSet<OsString>,
    ) {
        self.names = names;
        let Some(watcher) = &mut self.watcher else {
            return;
        };
        let gone = |path: &PathBuf, mode: &RecursiveMode| folders.get(path) != Some(mode);
        for (path, _) in self.watched.extract_if(.., |path, mode| gone(path, mode)) {
            // It may not be there any more.
            let _ = watcher.unwatch(&path);
        }
        for (path, mode) in folders {
            if self.watched.contains_key(&path) || !path.is_dir() {
                continue;
            }
            match watcher.watch(&path, mode) {
                Ok(()) => {
                    self.watched.insert(path, mode);
                }
                Err(error) => {
                    tracing::debug!(path = %path.display(), %error, "cannot be watched");
                }
            }
        }
    }

    /// Waits for a message, and then until nothing is written.
    pub(super) fn wait(&mut self) -> Wake {
        while self.unseen.is_none() && !self.stopped {
            match self.messages.recv_timeout(LOOK) {
                Ok(Message::Done) | Err(RecvTimeoutError::Timeout) => return Wake::Look(None),
                Ok(message) => self.take(message),
                Err(RecvTimeoutError::Disconnected) => self.stopped = true,
            }
        }
        let begin = self.unseen;
        if let Some(begin) = begin {
            self.settle(begin);
        }
        self.unseen = None;
        if self.stopped {
            Wake::Stop
        } else {
            Wake::Look(begin)
        }
    }

    /// Whether no file is open for writing, as far as the system tells.
    pub(super) fn is_quiet(&mut self) -> bool {
        while let Ok(message) = self.messages.try_recv() {
            self.take(message);
        }
        self.writing.is_empty()
    }

    /// Whether nothing changes for so long.
    pub(super) fn is_quiet_for(&mut self, time: Duration) -> bool {
        let end = Instant::now() + time;
        while self.unseen.is_none() && !self.stopped {
            let left = end.saturating_duration_since(Instant::now());
            match self.messages.recv_timeout(left) {
                Ok(message) => self.take(message),
                Err(RecvTimeoutError::Timeout) => return self.writing.is_empty(),
                Err(RecvTimeoutError::Disconnected) => self.stopped = true,
            }
        }
        false
    }

    /// Waits until nothing is written.
    fn settle(&mut self, begin: Instant) {
        while !self.stopped {
            match self.messages.recv_timeout(QUIET) {
                Ok(message) => self.take(message),
                Err(RecvTimeoutError::Disconnected) => self.stopped = true,
                Err(RecvTimeoutError::Timeout) if self.writing.is_empty() => return,
                Err(RecvTimeoutError::Timeout) => {}
            }
            let waited = begin.elapsed();
            if self.writing.is_empty() && waited > LONGEST {
                return;
            }
            if waited > LONGEST_WRITE {
                self.writing.clear();
                return;
            }
        }
    }

    fn take(&mut self, message: Message) {
        match message {
            Message::Stop => self.stopped = true,
            Message::Done => {}
            Message::Files(event) => {
                if event.paths.is_empty() || event.paths.iter().any(|path| self.matters(path)) {
                    self.unseen.get_or_insert_with(Instant::now);
                }
                for path in event.paths {
                    self.note(event.kind, path);
                }
            }
        }
    }

    fn matters(&self, path: &Path) -> bool {
        let is_source = |extension| {
            ["rs", "toml", "wit"]
                .iter()
                .any(|known| extension == *known)
        };
        path.extension().is_some_and(is_source)
            || path
                .file_name()
                .is_some_and(|name| self.names.contains(name))
            || self.watched.contains_key(path)
    }

    fn note(&mut self, kind: EventKind, path: PathBuf) {
        match kind {
            // Only Linux says when a writer has closed a file; elsewhere a pause
            // has to do.
            EventKind::Modify(ModifyKind::Data(_)) | EventKind::Create(_)
                if cfg!(target_os = "linux") && self.matters(&path) =>
            {
                // What is there whole at once is never closed, such as a link.
                let is_made_at_once = matches!(kind, EventKind::Create(_)) && is_link(&path);
                if !is_made_at_once {
                    self.writing.insert(path);
                }
            }
            EventKind::Access(AccessKind::Close(_))
            | EventKind::Modify(ModifyKind::Name(_))
            | EventKind::Remove(_) => {
                self.forget(kind, &path);
            }
            _ => {}
        }
    }

    /// A file is closed or has gone. A folder that has gone is watched no more,
    /// and is followed again when it is back.
    fn forget(&mut self, kind: EventKind, path: &Path) {
        self.writing.remove(path);
        if !matches!(kind, EventKind::Access(_)) && self.watched.remove(path).is_some() {
            // The system may have done so itself.
            let _ = self.watcher.as_mut().map(|watcher| watcher.unwatch(path));
        }
    }
}

/// Whether a name was given to something that is there under another as well.
/// Folders are.
fn is_link(path: &Path) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt as _;
        std::fs::symlink_metadata(path).is_ok_and(|it| it.is_symlink() || it.nlink() > 1)
    }
    #[cfg(not(unix))]
    {
        std::fs::symlink_metadata(path).is_ok_and(|it| !it.is_file())
    }
}

/// Reading a file changes nothing, and this program reads those that it watches.
fn tells_of_change(kind: EventKind) -> bool {
    match kind {
        EventKind::Access(access) => access == AccessKind::Close(AccessMode::Write),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::fs::{self, File};
    use std::io::Write as _;

    fn follow(watch: &mut Watch, folder: &Path) {
        let folders = BTreeMap::from([(folder.to_owned(), RecursiveMode::Recursive)]);
        watch.follow(folders, BTreeSet::from(["trend.clj".into()]));
    }

    fn watching(folder: &Path) -> (Watch, Sender<Message>) {
        let (mut watch, sender) = Watch::new();
        follow(&mut watch, folder);
        (watch, sender)
    }

    /// Waits for a change of files, and not for the time to look.
    fn told(watch: &mut Watch) -> bool {
        (0..5).any(|_| matches!(watch.wait(), Wake::Look(Some(_))))
    }

    #[test]
    fn a_save_is_told_and_reading_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("trend.clj");
        fs::write(&file, "1").unwrap();
        let (mut watch, _sender) = watching(folder.path());
        fs::write(folder.path().join("log.txt"), "something else").unwrap();
        assert!(!matches!(watch.wait(), Wake::Look(Some(_))));
        fs::write(&file, "2").unwrap();
        assert!(told(&mut watch));
        assert_eq!(fs::read(&file).unwrap(), b"2");
        assert_eq!(watch.wait(), Wake::Look(None));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_file_that_is_being_written_is_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let (mut watch, _sender) = watching(folder.path());
        let mut file = File::create(folder.path().join("book.toml")).unwrap();
        file.write_all(b"half").unwrap();
        let writer = std::thread::spawn(move || {
            std::thread::sleep(QUIET * 4);
            file.write_all(b"whole").unwrap();
            Instant::now()
        });
        assert!(told(&mut watch));
        let quiet = Instant::now();
        assert!(writer.join().unwrap() <= quiet);
        assert!(watch.is_quiet());
    }

    #[test]
    fn a_folder_that_comes_back_is_followed_again() {
        let folder = tempfile::tempdir().unwrap();
        let strategies = folder.path().join("strategies");
        fs::create_dir(&strategies).unwrap();
        let (mut watch, _sender) = watching(&strategies);
        fs::remove_dir(&strategies).unwrap();
        assert!(told(&mut watch));
        fs::create_dir(&strategies).unwrap();
        follow(&mut watch, &strategies);
        fs::write(strategies.join("trend.clj"), "1").unwrap();
        assert!(told(&mut watch));
    }

    #[test]
    fn it_ends_when_told_to() {
        let folder = tempfile::tempdir().unwrap();
        let (mut watch, sender) = watching(folder.path());
        sender.send(Message::Stop).unwrap();
        assert_eq!(watch.wait(), Wake::Stop);
    }
}
