//! What is known of every event before there is one: the fields of the envelope
//! and the kinds of their values.

use crate::check::EventKind;

/// The fields of every event that EventBridge delivers.
pub(crate) const FIELDS: [&str; 10] = [
    "version",
    "id",
    "detail-type",
    "source",
    "account",
    "time",
    "region",
    "resources",
    "detail",
    "replay-name",
];

/// The values that an event may have under a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Values<'kind> {
    /// This text.
    Text(&'kind str),
    /// Some text.
    SomeText,
    /// Some text, or none.
    MaybeText,
    /// None.
    Nothing,
    /// Any, or none.
    Anything,
}

/// What the events of a kind may have under a path of names with dots between.
pub(crate) fn values<'kind>(kind: &'kind EventKind, path: &str) -> Values<'kind> {
    match path {
        "source" => Values::Text(&kind.source),
        "detail-type" => Values::Text(&kind.detail_type),
        "version" => Values::Text("0"),
        // `resources` has several.
        "id" | "account" | "time" | "region" | "resources" => Values::SomeText,
        // Only in an event that was replayed.
        "replay-name" => Values::MaybeText,
        _ if path.starts_with("detail.") => Values::Anything,
        // `detail` is an object, which is no value itself; nothing lies within
        // the others; and other fields there are not.
        _ => Values::Nothing,
    }
}
