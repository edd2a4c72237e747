//! Memory and tables of one store.

use crate::error::{Failure, Limit};
use crate::settings::Limits;
use wasmtime::ResourceLimiter;

/// Refuses growth above a plugin's limits by ending the call at once.
///
/// WebAssembly would let a plugin go on after a refused growth. What it then
/// does, mostly an abort without a word, would hide the reason.
#[derive(Debug)]
pub(crate) struct Limiter {
    memory: usize,
    table_elements: usize,
    /// Bytes of all memories together.
    used: usize,
}

impl Limiter {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            memory: limits.memory,
            table_elements: limits.table_elements,
            used: 0,
        }
    }

    /// Bytes of all memories together, which never shrink.
    pub(crate) fn used(&self) -> usize {
        self.used
    }
}

impl ResourceLimiter for Limiter {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let used = self.used.saturating_add(desired.saturating_sub(current));
        if used > self.memory {
            return Err(Failure::Limit(Limit::Memory { limit: self.memory }).into());
        }
        self.used = used;
        Ok(true)
    }

    fn table_growing(
        &mut self,
        _current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        if desired > self.table_elements {
            return Err(Failure::Limit(Limit::Table {
                limit: self.table_elements,
            })
            .into());
        }
        Ok(true)
    }
}
