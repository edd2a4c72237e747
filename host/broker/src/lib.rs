//! The broker port, and a paper broker behind it.
//!
//! A [`Broker`] takes orders under names that we choose
//! ([`ClientOrderId`](alchemiser_events::ClientOrderId)); sending the same
//! name twice never trades twice. That is what makes a redelivered step
//! harmless.

mod paper;
mod port;

pub use paper::{PaperAccount, PaperBroker, PaperSettings, PaperStore, PaperStoreError};
pub use port::{
    Account, Asset, Broker, BrokerError, BrokerOrder, BrokerOrderStatus, OrderRequest, Position,
    Quote,
};
