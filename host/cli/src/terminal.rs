//! The terminal that keys are pressed on. While it hands over each key at once,
//! it is not as its user wants it, so whatever ends the program has to put it
//! back.

/// Puts the terminal back, and ends the program at once.
pub fn exit(code: i32) -> ! {
    restore();
    std::process::exit(code)
}

#[cfg(unix)]
pub use unix::{Returns, hand_over_keys, restore};

#[cfg(unix)]
mod unix {
    use nix::sys::signal::Signal;
    use nix::sys::termios::{LocalFlags, SetArg, Termios, tcgetattr, tcsetattr};
    use nix::unistd::{getpgrp, tcgetpgrp};
    use std::io::{self, IsTerminal as _};
    use std::sync::{Mutex, MutexGuard, PoisonError};
    use tokio::signal::unix::{self, SignalKind};

    /// What the terminal was like, for as long as it is not.
    static BEFORE: Mutex<Option<Termios>> = Mutex::new(None);

    fn before() -> MutexGuard<'static, Option<Termios>> {
        // Nothing panics while it is held.
        BEFORE.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a shell has gone on meanwhile, and has the terminal to itself:
    /// the system stops who changes it then.
    fn is_in_background() -> bool {
        tcgetpgrp(io::stdin()).is_ok_and(|group| group != getpgrp())
    }

    /// From now on each key is handed over at once, and none is shown, until
    /// [`restore`]. Whether there is a terminal to do so.
    pub fn hand_over_keys() -> bool {
        let stdin = io::stdin();
        if !stdin.is_terminal() || is_in_background() {
            return false;
        }
        let Ok(as_it_is) = tcgetattr(&stdin) else {
            return false;
        };
        let mut at_once = as_it_is.clone();
        // Ctrl-C stays a signal, and what is printed is printed as ever.
        at_once
            .local_flags
            .remove(LocalFlags::ICANON | LocalFlags::ECHO);
        let mut before = before();
        let is_done = tcsetattr(&stdin, SetArg::TCSANOW, &at_once).is_ok();
        if is_done {
            before.get_or_insert(as_it_is);
        }
        is_done
    }

    /// Makes the terminal what it was, if it is not.
    pub fn restore() {
        if let Some(before) = before().take()
            && !is_in_background()
        {
            // A terminal that has gone needs nothing.
            let _ = tcsetattr(io::stdin(), SetArg::TCSANOW, &before);
        }
    }

    /// The times at which a program that was suspended goes on: the shell has
    /// made the terminal its own meanwhile.
    pub struct Returns(Option<unix::Signal>);

    impl Returns {
        /// Those from now on.
        pub fn listen() -> Self {
            let continued = SignalKind::from_raw(Signal::SIGCONT as i32);
            Self(unix::signal(continued).ok())
        }

        /// Is ready at the next one.
        pub async fn next(&mut self) {
            match &mut self.0 {
                Some(continued) => {
                    continued.recv().await;
                }
                None => std::future::pending().await,
            }
        }
    }
}

#[cfg(not(unix))]
pub use elsewhere::{Returns, hand_over_keys, restore};

/// The terminal stays as it is, and hands over keys line by line.
#[cfg(not(unix))]
mod elsewhere {
    use std::io::{self, IsTerminal as _};

    /// Whether there is a terminal.
    pub fn hand_over_keys() -> bool {
        io::stdin().is_terminal()
    }

    /// Nothing was changed.
    pub fn restore() {}

    /// Programs are not suspended.
    pub struct Returns;

    impl Returns {
        pub fn listen() -> Self {
            Self
        }

        pub async fn next(&mut self) {
            std::future::pending().await
        }
    }
}
