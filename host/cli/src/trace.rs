//! A workflow's events as a tree: who caused whom, and what was done for each.

use alchemiser_events::{CausationId, Transported};
use alchemiser_local::{DeliveryRecord, DeliveryState, TracedEvent};
use serde_json::{Value, json};
use std::time::Duration;

/// Prints the tree, indented by two.
pub fn print(events: &[TracedEvent]) {
    let mut lines = Vec::new();
    for root in roots(events) {
        draw(root, events, "", "", &mut lines);
    }
    let width = lines
        .iter()
        .map(|(text, _)| text.chars().count())
        .max()
        .unwrap_or(0);
    for (text, done) in lines {
        println!("{}", format!("  {text:<width$}  {done}").trim_end());
    }
}

/// One object for each event.
pub fn json(event: &TracedEvent) -> Value {
    let header = event.record.event.header();
    let deliveries: Vec<Value> = event
        .deliveries
        .iter()
        .map(|delivery| {
            json!({
                "target": delivery.target.as_str(),
                "rule": delivery.rule,
                "state": delivery.state.name(),
                "attempts": delivery.attempts,
                "failures": delivery.failures,
                "wait_ms": delivery.wait().map(milliseconds),
                "run_ms": delivery.run().map(milliseconds),
                "remark": delivery.remark,
                "error": delivery.error,
            })
        })
        .collect();
    json!({
        "event_id": header.event_id,
        "event_type": event.record.event.event_type().name(),
        "causation_id": header.causation_id,
        "sequence": header.sequence,
        "stored_at": event.record.stored_at,
        "deliveries": deliveries,
    })
}

/// Those whose cause is not among the events.
fn roots(events: &[TracedEvent]) -> impl Iterator<Item = &TracedEvent> {
    events.iter().filter(|event| {
        let cause = &event.record.event.header().causation_id;
        !events
            .iter()
            .any(|other| causes(&other.record.event, cause))
    })
}

fn causes(event: &Transported, causation: &CausationId) -> bool {
    event.header().event_id.as_str() == causation.as_str()
}

/// Adds the lines of an event and of all that it led to. A chain of events is
/// as long as a workflow has steps, so that recursion is safe.
fn draw(
    event: &TracedEvent,
    events: &[TracedEvent],
    first: &str,
    rest: &str,
    lines: &mut Vec<(String, String)>,
) {
    let done: Vec<String> = event.deliveries.iter().map(delivery).collect();
    let name = event.record.event.event_type();
    lines.push((format!("{first}{name}"), done.join(", ")));
    let children: Vec<&TracedEvent> = events
        .iter()
        .filter(|child| {
            let cause = &child.record.event.header().causation_id;
            causes(&event.record.event, cause)
        })
        .collect();
    for (position, child) in children.iter().enumerate() {
        let (branch, below) = if position + 1 == children.len() {
            ("└─ ", "   ")
        } else {
            ("├─ ", "│  ")
        };
        draw(
            child,
            events,
            &format!("{rest}{branch}"),
            &format!("{rest}{below}"),
            lines,
        );
    }
}

/// `strategy 12.3 ms, waited 0.4 ms`, and whatever is out of the ordinary.
fn delivery(delivery: &DeliveryRecord) -> String {
    let mut text = format!("{:<12}", delivery.target.as_str());
    match delivery.run() {
        Some(run) => text.push_str(&format!(" {:>8.1} ms", milliseconds(run))),
        None => text.push_str(&format!(" {}", delivery.state)),
    }
    if let Some(wait) = delivery.wait() {
        text.push_str(&format!(", waited {:.1} ms", milliseconds(wait)));
    }
    if delivery.attempts > 1 {
        text.push_str(&format!(", attempt {}", delivery.attempts));
    }
    if delivery.state == DeliveryState::Dead {
        text.push_str(", dead letter");
    }
    if let Some(error) = &delivery.error {
        text.push_str(&format!(", {}", error.class));
    }
    if let Some(remark) = &delivery.remark {
        text.push_str(&format!(", {remark}"));
    }
    text
}

/// For people and scripts.
pub fn milliseconds(duration: Duration) -> f64 {
    // Kept to the microsecond, so that a quotient and no product is nearest.
    duration.as_micros() as f64 / 1e3
}
