//! Compiled functions, kept in memory for those who build a plugin again and
//! again: of one build to the next few functions differ.
//!
//! Nothing of it leaves the process. A function is found by the SHA-256 that
//! Cranelift computes of its code and of all that its compilation depends on.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};
use wasmtime::CacheStore;

/// Bytes after which a generation is full.
const GENERATION: usize = 32 << 20;

/// Compiled functions by what they were compiled from. Those that no build has
/// asked for in a while are forgotten.
#[derive(Default)]
pub(crate) struct Functions(Mutex<Generations>);

#[derive(Default)]
struct Generations {
    /// What was compiled or asked for since the last generation was full.
    young: HashMap<Vec<u8>, Vec<u8>>,
    /// Bytes of it.
    size: usize,
    /// The generation before.
    old: HashMap<Vec<u8>, Vec<u8>>,
}

impl Generations {
    fn insert(&mut self, key: Vec<u8>, function: Vec<u8>) {
        if self.size + function.len() > GENERATION {
            self.old = std::mem::take(&mut self.young);
            self.size = 0;
        }
        self.size += function.len();
        self.young.insert(key, function);
    }

    fn get(&mut self, key: &[u8]) -> Option<Vec<u8>> {
        if let Some(function) = self.young.get(key) {
            return Some(function.clone());
        }
        let (key, function) = self.old.remove_entry(key)?;
        self.insert(key, function.clone());
        Some(function)
    }
}

impl CacheStore for Functions {
    fn get(&self, key: &[u8]) -> Option<Cow<'_, [u8]>> {
        // Nobody panics while holding the lock.
        let mut generations = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        generations.get(key).map(Cow::Owned)
    }

    fn insert(&self, key: &[u8], function: Vec<u8>) -> bool {
        let mut generations = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        generations.insert(key.to_owned(), function);
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
        let size = GENERATION / 4;
        functions.insert(b"asked for", vec![1; size]);
        functions.insert(b"not asked for", vec![2; size]);
        for number in 0..8_u8 {
            functions.insert(&[number], vec![number; size]);
            assert!(functions.get(b"asked for").is_some(), "{number}");
        }
        assert!(functions.get(b"not asked for").is_none());
        assert!(functions.get(&[7]).is_some());
    }
}
