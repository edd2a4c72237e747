//! A snapshot that a newer one may take the place of.

use crate::market::Market;
use crate::source::{PriceSource, SourceError};
use crate::view::Requirement;
use async_trait::async_trait;
use std::sync::{Arc, PoisonError, RwLock};

/// The latest snapshot of prices, for those who live longer than one. Clones
/// share it. Whoever took a snapshot keeps it unchanged.
#[derive(Clone, Debug)]
pub struct SharedMarket(Arc<RwLock<Arc<Market>>>);

impl SharedMarket {
    /// The snapshot as it is now.
    #[must_use]
    pub fn latest(&self) -> Arc<Market> {
        // Nobody panics while holding the lock, and an `Arc` is whole anyway.
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Puts a newer snapshot in its place.
    pub fn replace(&self, market: Arc<Market>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = market;
    }
}

impl From<Arc<Market>> for SharedMarket {
    fn from(market: Arc<Market>) -> Self {
        Self(Arc::new(RwLock::new(market)))
    }
}

#[async_trait]
impl PriceSource for SharedMarket {
    async fn load(&self, _requirements: &[Requirement]) -> Result<Arc<Market>, SourceError> {
        Ok(self.latest())
    }
}
