//! One instance of a plugin, held to its limits.

use crate::engine::{Alive, Ticker};
use crate::error::{Call, CallError, Failure, failure};
use crate::imports::State;
use crate::load::Plugin;
use std::sync::Arc;
use std::time::{Duration, Instant};
use wasmtime::Store;

/// What a call needed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Wall time.
    pub time: Duration,
    /// WebAssembly instructions, roughly: the same number for the same call on
    /// every machine. `None` where they are not counted, see
    /// [`Settings::count_fuel`](crate::Settings::count_fuel), and of a call that
    /// was ended: such a call has no certain count.
    pub fuel: Option<u64>,
    /// Linear memory of the instance after the call, in bytes. It never
    /// shrinks, so that this is the most that the instance has needed so far.
    pub memory: usize,
}

/// The store of one instance. Everything that a plugin allocates is in it and
/// goes with it.
pub(crate) struct Instance {
    pub(crate) store: Store<State>,
    plugin: Plugin,
    /// What the last call needed.
    pub(crate) usage: Usage,
    _alive: Alive,
}

impl Instance {
    pub(crate) fn new(plugin: &Plugin) -> Self {
        let loaded = plugin.loaded();
        let runtime = &loaded.runtime;
        let state = State::new(
            Arc::clone(&loaded.identity),
            &loaded.limits,
            runtime.settings.log_level,
        );
        let mut store = Store::new(&runtime.engine, state);
        store.limiter(|state| &mut state.limiter);
        // Counted before anything is copied: a list whose strings all point to
        // the same bytes is small in the plugin and huge on the host.
        store.set_hostcall_fuel(loaded.limits.output);
        Self {
            store,
            _alive: runtime.ticker.alive(),
            plugin: plugin.clone(),
            usage: Usage::default(),
        }
    }

    pub(crate) fn plugin(&self) -> &Plugin {
        &self.plugin
    }

    /// Calls into the plugin, with the time and the log of a new call.
    pub(crate) fn call<T>(
        &mut self,
        call: Call,
        body: impl FnOnce(&mut Store<State>) -> wasmtime::Result<T>,
    ) -> Result<T, CallError> {
        let loaded = self.plugin.loaded();
        let settings = &loaded.runtime.settings;
        self.store
            .set_epoch_deadline(Ticker::deadline(loaded.limits.time));
        self.store.data_mut().log.begin();
        if settings.count_fuel {
            // An engine that counts has set up every store for it.
            let _ = self.store.set_fuel(FUEL);
        }
        let begin = Instant::now();
        let answer = body(&mut self.store);
        self.usage = Usage {
            time: begin.elapsed(),
            // A call that is interrupted does not write down its last count.
            fuel: (settings.count_fuel && answer.is_ok())
                .then(|| self.store.get_fuel().map_or(0, |left| FUEL - left)),
            memory: self.store.data().limiter.used(),
        };
        answer.map_err(|error| {
            let panic = self.store.data_mut().log.take_panic();
            let instances = settings.instances;
            call_error(
                &self.plugin,
                call,
                failure(error, &loaded.limits, instances, panic),
            )
        })
    }
}

/// What a call may burn. Time limits a call, fuel only measures it.
const FUEL: u64 = u64::MAX;

/// The error of a call into a plugin.
pub(crate) fn call_error(plugin: &Plugin, call: Call, failure: impl Into<Failure>) -> CallError {
    CallError {
        plugin: Arc::clone(&plugin.loaded().identity),
        call,
        failure: Box::new(failure.into()),
    }
}
