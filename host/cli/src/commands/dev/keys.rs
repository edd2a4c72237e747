//! Keys that are pressed while `alchemiser dev` works.

use tokio::sync::mpsc::UnboundedReceiver;

/// What a key asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Key {
    /// r: to run a workflow now.
    Run,
    /// d: to say what is missing.
    Doctor,
    /// q: to stop.
    Quit,
}

impl Key {
    fn of(byte: u8) -> Option<Self> {
        match byte {
            b'r' | b'R' => Some(Self::Run),
            b'd' | b'D' => Some(Self::Doctor),
            b'q' | b'Q' => Some(Self::Quit),
            _ => None,
        }
    }
}

#[cfg(unix)]
pub(super) use unix::Keys;

#[cfg(unix)]
mod unix {
    use super::{Key, UnboundedReceiver};
    use nix::sys::termios::{LocalFlags, SetArg, Termios, tcgetattr, tcsetattr};
    use std::io::{self, IsTerminal as _, Read as _};
    use std::thread;
    use tokio::sync::mpsc;

    /// A terminal that hands over each key at once, and shows none. It is as it
    /// was before when this is dropped.
    pub(in super::super) struct Keys {
        keys: UnboundedReceiver<Key>,
        before: Termios,
    }

    impl Keys {
        /// Listens, if there is a terminal to listen to.
        pub(in super::super) fn listen() -> Option<Self> {
            let stdin = io::stdin();
            if !stdin.is_terminal() {
                return None;
            }
            let before = tcgetattr(&stdin).ok()?;
            let mut at_once = before.clone();
            // Ctrl-C stays a signal, and what is printed is printed as ever.
            at_once
                .local_flags
                .remove(LocalFlags::ICANON | LocalFlags::ECHO);
            tcsetattr(&stdin, SetArg::TCSANOW, &at_once).ok()?;
            let (sender, keys) = mpsc::unbounded_channel();
            // It waits in a call that nothing ends but a key or the program.
            thread::Builder::new()
                .name("keys".to_owned())
                .spawn(move || {
                    for byte in io::stdin().lock().bytes() {
                        let Ok(byte) = byte else { return };
                        if let Some(key) = Key::of(byte)
                            && sender.send(key).is_err()
                        {
                            return;
                        }
                    }
                })
                .ok()?;
            Some(Self { keys, before })
        }

        /// The next key that asks for something.
        pub(in super::super) async fn next(&mut self) -> Option<Key> {
            self.keys.recv().await
        }
    }

    impl Drop for Keys {
        fn drop(&mut self) {
            // A terminal that has gone needs nothing.
            let _ = tcsetattr(io::stdin(), SetArg::TCSANOW, &self.before);
        }
    }
}

/// Elsewhere a key comes with its line.
#[cfg(not(unix))]
pub(super) struct Keys(UnboundedReceiver<Key>);

#[cfg(not(unix))]
impl Keys {
    pub(super) fn listen() -> Option<Self> {
        use std::io::{self, IsTerminal as _, Read as _};
        if !io::stdin().is_terminal() {
            return None;
        }
        let (sender, keys) = tokio::sync::mpsc::unbounded_channel();
        std::thread::spawn(move || {
            let keys = io::stdin().lock().bytes().map_while(Result::ok);
            for key in keys.filter_map(Key::of) {
                if sender.send(key).is_err() {
                    return;
                }
            }
        });
        Some(Self(keys))
    }

    pub(super) async fn next(&mut self) -> Option<Key> {
        self.0.recv().await
    }
}
