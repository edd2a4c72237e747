//! Identifiers. Those of events, plans and orders are derived from their cause,
//! never random, so that work done a second time bears the same names.

use crate::digest::Sha256Digest;
use crate::event::EventType;
use crate::payload::Side;
use crate::symbol::Symbol;
use crate::time::SessionDate;
use serde::{Deserialize, Serialize};
use std::fmt;
use uuid::Uuid;

/// Namespace of every derived identifier of the project; it must never change,
/// or a redelivery after an upgrade would act again.
const NAMESPACE: Uuid = Uuid::from_u128(0x8f2c_61d4_3b0e_4a57_9c1d_5e7a_4b92_0f36);

macro_rules! text_identifier {
    ($(#[$meta:meta])* $name:ident) => {
        $(#[$meta])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// Takes the text as it is; surrounding white space is dropped.
            /// Nothing but white space is refused, and so are control
            /// characters, which a screen would obey.
            pub fn parse(text: &str) -> Option<Self> {
                let text = text.trim();
                let usable = !text.is_empty() && !text.contains(char::is_control);
                usable.then(|| Self(text.to_owned()))
            }

            /// The identifier's text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.pad(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(&self.0)
            }
        }

        impl TryFrom<String> for $name {
            type Error = &'static str;

            fn try_from(text: String) -> Result<Self, Self::Error> {
                Self::parse(&text).ok_or("must not be empty or hold control characters")
            }
        }

        impl From<$name> for String {
            fn from(identifier: $name) -> Self {
                identifier.0
            }
        }
    };
}

text_identifier! {
    /// One event; what duplicates are recognised by.
    EventId
}
text_identifier! {
    /// One workflow run, from its start to its notification.
    CorrelationId
}
text_identifier! {
    /// What directly led to an event: another event, or a command.
    CausationId
}
text_identifier! {
    /// One rebalance plan.
    PlanId
}
text_identifier! {
    /// Our name for an order; the broker refuses to take the same one twice.
    ClientOrderId
}
text_identifier! {
    /// The broker's name for an order.
    BrokerOrderId
}
text_identifier! {
    /// A strategy of the book.
    StrategyName
}
text_identifier! {
    /// A brokerage account, by the name that the owner gave it.
    AccountName
}

impl EventId {
    /// Derives an event's identifier from its cause, the target whose handler
    /// emitted it, its type and its position among what that handler emitted.
    /// `generation` counts redrives of the delivery after its final failure.
    pub fn derive(
        causation: &CausationId,
        target: &str,
        event_type: EventType,
        ordinal: u32,
        generation: u32,
    ) -> Self {
        let mut name = format!("{causation}|{target}|{event_type}|{ordinal}");
        if generation > 0 {
            name.push_str(&format!("|{generation}"));
        }
        let uuid = Uuid::new_v5(&NAMESPACE, name.as_bytes());
        Self(format!("{}-{uuid}", event_type.kebab_case()))
    }
}

impl From<&EventId> for CausationId {
    fn from(event: &EventId) -> Self {
        Self(event.0.clone())
    }
}

impl CausationId {
    /// The cause of a workflow's first event: the command to run it.
    pub fn command(workflow: &CorrelationId) -> Self {
        Self(format!("cmd:{workflow}"))
    }
}

impl PlanId {
    /// The plan made in a workflow because of a SignalGenerated event; the same
    /// on every attempt.
    pub fn derive(workflow: &CorrelationId, causation: &CausationId) -> Self {
        let uuid = Uuid::new_v5(&NAMESPACE, format!("{workflow}|{causation}").as_bytes());
        Self(format!("plan-{uuid}"))
    }
}

impl ClientOrderId {
    /// What each of our orders' names begins with.
    pub const PREFIX: &'static str = "al-";

    /// `al-<24 base-32 digits>-<step>`: the digits hash plan, symbol, side and
    /// leg; the step counts the orders sent for that leg. At most 48
    /// characters, as brokers demand.
    pub fn derive(plan: &PlanId, symbol: &Symbol, side: Side, leg: u32, step: u32) -> Self {
        let digest = Sha256Digest::of(format!("{plan}|{symbol}|{side}|{leg}").as_bytes());
        Self(format!(
            "{}{}-{step}",
            Self::PREFIX,
            base32(digest.bytes(), 24)
        ))
    }
}

impl AccountName {
    /// The account of somebody who has named none.
    pub fn paper() -> Self {
        Self("paper".to_owned())
    }
}

impl BrokerOrderId {
    /// The paper broker's name for an order.
    pub fn paper(order: &ClientOrderId) -> Self {
        Self(format!("paper-{order}"))
    }
}

/// The first `length` digits of RFC 4648 base 32, in lower case.
fn base32(bytes: &[u8; 32], length: usize) -> String {
    const DIGITS: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
    let bit = |position: usize| (bytes[position / 8] >> (7 - position % 8)) & 1;
    (0..length)
        .map(|digit| {
            let value = (0..5).fold(0, |value, offset| value << 1 | bit(digit * 5 + offset));
            char::from(DIGITS[usize::from(value)])
        })
        .collect()
}

/// What makes a workflow unique: it runs once for each stage, account, session
/// and slot of the day, and again only after a failure that sent no order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkflowKey {
    /// Deployment stage, such as `dev`.
    pub stage: String,
    /// The account traded.
    pub account: AccountName,
    /// The session decided on.
    pub session: SessionDate,
    /// Time of day in New York, `HHMM`.
    pub slot: String,
    /// 0 for the first run, then 1, 2, …
    pub rerun: u32,
}

impl WorkflowKey {
    /// `{stage}-{account}-{session}-{slot}`, then `-rN` for a rerun.
    pub fn correlation_id(&self) -> CorrelationId {
        let Self {
            stage,
            account,
            session,
            slot,
            rerun,
        } = self;
        let mut text = format!("{stage}-{account}-{session}-{slot}");
        if *rerun > 0 {
            text.push_str(&format!("-r{rerun}"));
        }
        CorrelationId(text)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn causation() -> CausationId {
        CausationId::parse("cmd:dev-paper-2022-12-28-1600").unwrap()
    }

    #[test]
    fn event_ids_never_change() {
        // Pinned: a change here would make redelivered work act a second time.
        assert_eq!(
            EventId::derive(&causation(), "command", EventType::WorkflowStarted, 0, 0).as_str(),
            "workflow-started-628387fc-e063-5cfc-bc6d-b8ea84874c3b"
        );
    }

    #[test]
    fn each_part_enters_an_event_id() {
        let derive = |target, event_type, ordinal, generation| {
            EventId::derive(&causation(), target, event_type, ordinal, generation)
        };
        let ids = [
            derive("strategy", EventType::SignalGenerated, 0, 0),
            derive("portfolio", EventType::SignalGenerated, 0, 0),
            derive("strategy", EventType::WorkflowFailed, 0, 0),
            derive("strategy", EventType::SignalGenerated, 1, 0),
            derive("strategy", EventType::SignalGenerated, 0, 1),
        ];
        for (index, id) in ids.iter().enumerate() {
            assert!(!ids[..index].contains(id));
        }
    }

    #[test]
    fn client_order_ids_fit_the_broker() {
        let plan = PlanId::parse("plan-x").unwrap();
        let symbol = Symbol::parse("SPY").unwrap();
        let id = ClientOrderId::derive(&plan, &symbol, Side::Buy, 0, 12);
        assert!(id.as_str().starts_with("al-"));
        assert!(id.as_str().ends_with("-12"));
        assert_eq!(id.as_str().len(), "al-".len() + 24 + "-12".len());
        assert_ne!(id, ClientOrderId::derive(&plan, &symbol, Side::Sell, 0, 12));
    }

    #[test]
    fn base32_follows_the_rfc() {
        let mut bytes = [0; 32];
        bytes[..6].copy_from_slice(b"foobar");
        assert!(base32(&bytes, 16).starts_with("mzxw6ytboi"));
    }

    #[test]
    fn workflow_names() {
        let mut key = WorkflowKey {
            stage: "dev".to_owned(),
            account: AccountName::parse("paper").unwrap(),
            session: SessionDate::parse("2022-12-28").unwrap(),
            slot: "1600".to_owned(),
            rerun: 0,
        };
        assert_eq!(key.correlation_id().as_str(), "dev-paper-2022-12-28-1600");
        key.rerun = 2;
        assert_eq!(
            key.correlation_id().as_str(),
            "dev-paper-2022-12-28-1600-r2"
        );
    }
}
