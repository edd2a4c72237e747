//! The vocabulary of the worker: typed events, derived identifiers, money, time.
//!
//! Everything that crosses the event bus is an [`Event`]: a [`Header`] with
//! identity and causality, and a [`Payload`] of one of nine types. Text is
//! parsed here, at the border; the rest of the worker trusts the types.
//!
//! *Invariant:* this crate does no input or output and reads no clock.

mod amounts;
mod digest;
mod event;
mod identifiers;
mod payload;
mod symbol;
mod time;
mod transport;

pub use amounts::{AmountError, Money, Price, Quantity, Weight, decimal_text};
pub use digest::{BlobReference, Sha256Digest};
pub use event::{
    EnvelopeError, Event, EventType, Header, ProducedBy, SchemaVersion, Source, UnknownEventType,
};
pub use identifiers::{
    AccountName, BrokerOrderId, CausationId, ClientOrderId, CorrelationId, EventId, PlanId,
    StrategyName, WorkflowKey,
};
pub use payload::{
    AllocationComparison, ConsolidatedPortfolio, ErrorDetail, ErrorNotificationRequested,
    ErrorPriority, ErrorSeverity, ExecutionData, ExecutionStatus, NotificationKind, OrderResult,
    OrderStatus, OrderType, Payload, PlanAction, PlanItem, RebalancePlan, RebalancePlanned, Side,
    Signal, SignalGenerated, SignalsData, StrategyResult, StrategyStatus,
    SystemNotificationRequested, TradeExecuted, TradingMode, TradingNotificationRequested,
    WeightDifference, WorkflowCompleted, WorkflowConfiguration, WorkflowFailed, WorkflowStarted,
    WorkflowStep, WorkflowSummary, WorkflowType,
};
pub use symbol::{Symbol, SymbolError};
pub use time::{SessionDate, TimeError, Timestamp};
pub use transport::{
    DEFAULT_LARGEST_ENTRY, LARGEST_ENTRY, Length, PackedEvent, Parcel, PayloadRef, PayloadTooLarge,
    Transported, UnpackError, transports,
};

/// The numbers that money is made of, re-exported so that the floors above
/// agree on one version.
pub use rust_decimal::Decimal;
