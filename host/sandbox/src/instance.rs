//! One instance of a plugin, held to its limits.

use crate::engine::{Alive, Ticker};
use crate::error::{Call, CallError, Failure, failure};
use crate::imports::State;
use crate::load::Plugin;
use std::sync::Arc;
use wasmtime::Store;

/// The store of one instance. Everything that a plugin allocates is in it and
/// goes with it.
pub(crate) struct Instance {
    pub(crate) store: Store<State>,
    plugin: Plugin,
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
        self.store
            .set_epoch_deadline(Ticker::deadline(loaded.limits.time));
        self.store.data_mut().log.begin();
        body(&mut self.store).map_err(|error| {
            let panic = self.store.data_mut().log.take_panic();
            let instances = loaded.runtime.settings.instances;
            call_error(
                &self.plugin,
                call,
                failure(error, &loaded.limits, instances, panic),
            )
        })
    }
}

/// The error of a call into a plugin.
pub(crate) fn call_error(plugin: &Plugin, call: Call, failure: impl Into<Failure>) -> CallError {
    CallError {
        plugin: Arc::clone(&plugin.loaded().identity),
        call,
        failure: Box::new(failure.into()),
    }
}
