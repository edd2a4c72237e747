//! What the owner is to be told.

use crate::amounts::Money;
use crate::payload::trade::ExecutionData;
use crate::payload::workflow::TradingMode;
use serde::{Deserialize, Serialize};

/// The owner is to be told how a workflow ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TradingNotificationRequested {
    /// Whether it ended well.
    pub trading_success: bool,
    /// Whether real money moved.
    pub trading_mode: TradingMode,
    /// Orders that the broker took.
    pub orders_placed: u32,
    /// Orders that were filled.
    pub orders_succeeded: u32,
    /// Sum of the fills' values.
    pub total_trade_value: Money,
    /// What was done; absent when the workflow failed before execution.
    pub execution_data: Option<ExecutionData>,
    /// What went wrong.
    pub error_message: Option<String>,
    /// Stable name of what went wrong.
    pub error_code: Option<String>,
    /// Somebody else to tell, from the list of those allowed.
    pub recipient_override: Option<String>,
}

/// The owner is to be told of an error outside a workflow.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorNotificationRequested {
    /// How bad it is.
    pub error_severity: ErrorSeverity,
    /// How soon to look at it.
    pub error_priority: ErrorPriority,
    /// One line.
    pub error_title: String,
    /// The whole, as markdown.
    pub error_report: String,
    /// Stable name of what went wrong.
    pub error_code: Option<String>,
    /// Somebody else to tell, from the list of those allowed.
    pub recipient_override: Option<String>,
}

/// How bad an error is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs, reason = "the names say all")]
pub enum ErrorSeverity {
    Critical,
    High,
    Medium,
}

/// How soon to look at an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
#[allow(missing_docs, reason = "the names say all")]
pub enum ErrorPriority {
    Urgent,
    High,
    Medium,
}

/// The owner is to be told something else.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SystemNotificationRequested {
    /// What kind of message.
    pub notification_type: NotificationKind,
    /// One line.
    pub subject: String,
    /// The whole, as plain text.
    pub text_content: String,
    /// Somebody else to tell, from the list of those allowed.
    pub recipient_override: Option<String>,
}

/// What kind of message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
#[allow(missing_docs, reason = "the names say all")]
pub enum NotificationKind {
    Info,
    Warning,
    Alert,
}
