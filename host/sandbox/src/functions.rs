//! Compiled functions, kept in memory for those who build a plugin again and
//! again: of one build to the next few functions differ.
//!
//! Nothing of it leaves the process. A function is found by the SHA-256 that
//! Cranelift computes of its code and of all that its compilation depends on.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use wasmtime::CacheStore;

/// Compilations in which what nobody asks for grows old, and in as many more is
/// forgotten.
const GENERATION: usize = 8;

/// Compiled functions by what they were compiled from.
#[derive(Default)]
pub(crate) struct Functions(Mutex<Generations>);

#[derive(Default)]
struct Generations {
    /// What was compiled or asked for in this generation.
    young: HashMap<Vec<u8>, Vec<u8>>,
    /// What was in the one before, and not since.
    old: HashMap<Vec<u8>, Vec<u8>>,
    /// Compilations of this generation.
    compilations: usize,
}

impl Functions {
    /// To be called after each compilation: forgets what none of the last ones
    /// had a use for.
    pub(crate) fn forget_unused(&self) {
        let mut generations = self.generations();
        generations.compilations += 1;
        if generations.compilations == GENERATION {
            generations.compilations = 0;
            generations.old = std::mem::take(&mut generations.young);
        }
    }

    fn generations(&self) -> MutexGuard<'_, Generations> {
        // Nobody panics while holding the lock.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl CacheStore for Functions {
    fn get(&self, key: &[u8]) -> Option<Cow<'_, [u8]>> {
        let mut generations = self.generations();
        if let Some(function) = generations.young.get(key) {
            return Some(Cow::Owned(function.clone()));
        }
        let (key, function) = generations.old.remove_entry(key)?;
        generations.young.insert(key, function.clone());
        Some(Cow::Owned(function))
    }

    fn insert(&self, key: &[u8], function: Vec<u8>) -> bool {
        self.generations().young.insert(key.to_owned(), function);
        true
    }
}

impl fmt::Debug for Functions {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Functions").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_asks_for_is_forgotten() {
        let functions = Functions::default();
        functions.insert(b"asked for", vec![1]);
        functions.insert(b"not asked for", vec![2]);
        for compilation in 0..2 * GENERATION {
            assert!(functions.get(b"asked for").is_some(), "{compilation}");
            functions.forget_unused();
        }
        assert!(functions.get(b"asked for").is_some());
        assert!(functions.get(b"not asked for").is_none());
        functions.insert(b"new", vec![3]);
        assert!(functions.get(b"new").is_some());
    }
}
