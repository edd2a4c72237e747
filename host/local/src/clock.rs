//! The system clock, as a port: tests bring their own.

use alchemiser_events::Timestamp;
use std::time::Duration;

/// Tells the time by which leases end, deliveries become due and durations are
/// measured. Never what stands in events: that is the workflow's clock.
pub trait Clock: Send + Sync {
    /// Now. May go back when the machine's clock is set.
    fn now(&self) -> Timestamp;
}

/// The machine's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp::new(jiff::Timestamp::now())
    }
}

/// Time from one instant to another; none if the clock was set back between
/// them.
pub(crate) fn elapsed(from: Timestamp, to: Timestamp) -> Duration {
    let microseconds = to.instant().as_microsecond() - from.instant().as_microsecond();
    Duration::from_micros(u64::try_from(microseconds).unwrap_or(0))
}
