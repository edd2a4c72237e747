//! Being told to stop.

use crate::terminal;
use std::io;
use std::thread;
use tokio::sync::watch;

/// Tells those who work that they are to stop. The first Ctrl-C, or the first
/// `SIGTERM`, lets what was begun end; the second ends the program at once,
/// which loses nothing either: what was cut short is taken up later.
#[derive(Clone)]
pub struct Stop(watch::Sender<bool>);

impl Stop {
    /// Listens from now on; `asked` is called once, when it is asked to stop.
    pub fn listen(asked: impl FnOnce() + Send + 'static) -> io::Result<Self> {
        // A thread of its own: the second one counts also when all others hang.
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .build()?;
        let mut signals = {
            let _within = runtime.enter();
            Signals::new()?
        };
        let stop = Self(watch::Sender::new(false));
        let first = stop.clone();
        let told = async move {
            signals.next().await;
            asked();
            first.now();
            signals.next().await;
            terminal::exit(1);
        };
        let listener = thread::Builder::new().name("signals".to_owned());
        listener.spawn(move || runtime.block_on(told))?;
        Ok(stop)
    }

    /// Asks to stop.
    pub fn now(&self) {
        self.0.send_replace(true);
    }

    /// Whether it was asked to stop.
    pub fn is_asked(&self) -> bool {
        *self.0.borrow()
    }

    /// Is ready when it is asked to stop.
    pub async fn asked(&self) {
        // The sender is at hand, so that there is no error.
        let _ = self.0.subscribe().wait_for(|stop| *stop).await;
    }
}

#[cfg(unix)]
struct Signals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    fn new() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

#[cfg(not(unix))]
struct Signals;

#[cfg(not(unix))]
impl Signals {
    fn new() -> io::Result<Self> {
        Ok(Self)
    }

    async fn next(&mut self) {
        // Where it cannot be listened to, closing the window ends the program.
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}
