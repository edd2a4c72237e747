//! Places at which a test may make the program die, fail or wait.
//!
//! [`fail_point!`] marks a place between two steps. Without the feature
//! `enabled` it expands to nothing, and a release has none. With it, the
//! environment says what happens ([`VARIABLE`]), and each pass can be recorded
//! ([`RECORD`]).
//!
//! All points are listed in [`Point`], so that a test can go through each.

#[cfg(feature = "enabled")]
mod plan;

#[cfg(feature = "enabled")]
pub use plan::{pass, pass_through};

/// The environment variable that says what happens at which point: entries
/// `POINT=ACTION`, with `;` between them.
///
/// | action | what happens |
/// |---|---|
/// | `kill` | the process dies by `SIGKILL` |
/// | `fail` | what follows the point is not done, and an error is returned |
/// | `wait:MS` | the thread waits for as many milliseconds |
///
/// Behind an action, `@N` means the N-th pass of this process only, `%P` means
/// P out of a hundred passes; without either it is every pass. An entry
/// `seed=N` decides which passes those are.
pub const VARIABLE: &str = "ALCHEMISER_FAIL_POINTS";

/// The environment variable that names a file to which the name of each point
/// is added as it is passed.
pub const RECORD: &str = "ALCHEMISER_FAIL_POINTS_RECORD";

/// Marks a place between two steps: `fail_point!(AfterClaim)`. With a second
/// argument, that is what the function returns when it is to fail here.
#[cfg(feature = "enabled")]
#[macro_export]
macro_rules! fail_point {
    ($point:ident) => {
        $crate::pass_through($crate::Point::$point)
    };
    ($point:ident, $failure:expr) => {
        if $crate::pass($crate::Point::$point) {
            return $failure;
        }
    };
}

/// Marks a place between two steps; nothing, as the feature is off.
#[cfg(not(feature = "enabled"))]
#[macro_export]
macro_rules! fail_point {
    ($point:ident) => {};
    ($point:ident, $failure:expr) => {};
}

macro_rules! points {
    ($($(#[doc = $doc:literal])* $point:ident = $name:literal,)*) => {
        /// A place between two steps.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Point {
            $($(#[doc = $doc])* $point,)*
        }

        impl Point {
            /// All of them, in the order in which a workflow comes to them.
            pub const ALL: &[Self] = &[$(Self::$point),*];

            /// What the environment calls it.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$point => $name,)*
                }
            }
        }
    };
}

points! {
    /// The workflow is about to be stored with its first event.
    BeforeStart = "before-start",
    /// The workflow and its first event are stored.
    AfterStart = "after-start",

    // Every delivery.
    /// A delivery was found and is not claimed yet.
    BeforeClaim = "before-claim",
    /// It is claimed, and its handler has not run.
    AfterClaim = "after-claim",
    /// Its handler has answered, and nothing of that is stored.
    AfterHandler = "after-handler",
    /// Its end is committed.
    AfterCommit = "after-commit",

    // Every transaction of the database.
    /// It has begun. It can fail here, as it does when the disk is full.
    TransactionBegun = "transaction-begun",
    /// All that it is to change is changed, and it is not committed.
    TransactionFilled = "transaction-filled",
    /// It is committed, and nobody has been told.
    TransactionCommitted = "transaction-committed",

    // Within the transaction that commits a delivery.
    /// The delivery has ended; what it emits is not there yet.
    DeliveryEnded = "delivery-ended",
    /// The delivery is dead, and its letter is not written.
    DeliveryDied = "delivery-died",
    /// An event is stored without its deliveries.
    EventStored = "event-stored",
    /// The events are there; the workflow is where it was.
    EventsPublished = "events-published",

    // The strategies.
    /// The strategies have answered, and no question is kept.
    StrategiesAnswered = "strategies-answered",
    /// The content of a blob is written, under a name that nobody knows. It
    /// can fail here, as it does when the disk is full.
    BlobWritten = "blob-written",
    /// The blob has its name, which is not flushed to disk.
    BlobNamed = "blob-named",
    /// All questions and explanations are kept; the event is not made.
    QuestionsKept = "questions-kept",

    // The plan.
    /// The question is kept, and the plugin has not been asked.
    PlanQuestionKept = "plan-question-kept",
    /// The plugin has answered; the event is not made.
    PlanAnswered = "plan-answered",

    // The orders.
    /// The workflow is marked as one that may have sent orders; none is sent.
    OrdersBegun = "orders-begun",
    /// The broker is asked for something. It may not answer.
    BrokerAsked = "broker-asked",
    /// An order is on its way. It may not arrive.
    OrderSent = "order-sent",
    /// Cash and shares have moved; the order is not stored.
    AccountMoved = "account-moved",
    /// The broker has taken the order. Its answer may be lost.
    OrderTaken = "order-taken",
    /// How the order ended is in the ledger.
    OrderRecorded = "order-recorded",
    /// All orders have ended; the event is not made.
    OrdersEnded = "orders-ended",

    // The end.
    /// The owner is told; the delivery of the message has not ended.
    OwnerTold = "owner-told",
    /// Nothing is left to do but to print.
    WorkflowEnded = "workflow-ended",

    // Within the transaction that redrives a dead letter.
    /// The letter is settled; its delivery is still dead.
    LetterSettled = "letter-settled",
    /// The delivery is due; the workflow is still failed.
    DeliveryRevived = "delivery-revived",
}
