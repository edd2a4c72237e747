//! Keys that are pressed while `alchemiser dev` works.

use crate::terminal::{self, Returns};
use std::io::{self, Read as _};
use std::thread;
use tokio::sync::mpsc::{self, UnboundedReceiver};

/// What a key asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Key {
    /// r: to run a workflow now.
    Run,
    /// d: to say what is wrong.
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

/// A terminal that hands over each key at once, and shows none. It is as it
/// was before when this is dropped.
pub(super) struct Keys {
    pressed: UnboundedReceiver<Key>,
    returns: Returns,
}

impl Keys {
    /// Listens, if there is a terminal to listen to.
    pub(super) fn listen() -> Option<Self> {
        if !terminal::hand_over_keys() {
            return None;
        }
        let (sender, pressed) = mpsc::unbounded_channel();
        let keys = Self {
            pressed,
            returns: Returns::listen(),
        };
        // It waits in a call that nothing ends but a key or the program.
        let reader = thread::Builder::new().name("keys".to_owned());
        let read = move || {
            let bytes = io::stdin().lock().bytes().map_while(Result::ok);
            for key in bytes.filter_map(Key::of) {
                if sender.send(key).is_err() {
                    return;
                }
            }
        };
        reader.spawn(read).ok().map(|_| keys)
    }

    /// The next key that asks for something.
    pub(super) async fn next(&mut self) -> Option<Key> {
        loop {
            tokio::select! {
                key = self.pressed.recv() => return key,
                () = self.returns.next() => {
                    // In the background no keys are expected.
                    let _ = terminal::hand_over_keys();
                }
            }
        }
    }
}

impl Drop for Keys {
    fn drop(&mut self) {
        terminal::restore();
    }
}
