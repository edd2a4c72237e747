//! Which events and dead letters, and how they are found.

use super::records::{EventRecord, read_event};
use crate::database::{Failure, micros};
use alchemiser_events::{CorrelationId, EventType, Timestamp};
use rusqlite::{Connection, Statement, ToSql};

/// Which events to list.
#[derive(Clone, Debug, Default)]
pub struct EventFilter {
    /// Only those of a workflow.
    pub workflow: Option<CorrelationId>,
    /// Only those of a type.
    pub event_type: Option<EventType>,
    /// Only those published at this instant or later, by the system clock.
    pub from: Option<Timestamp>,
    /// Only those published before this instant, by the system clock.
    pub to: Option<Timestamp>,
    /// Only those that this rule sent somewhere.
    pub rule: Option<String>,
    /// Only those whose handling failed at least once.
    pub failed: bool,
    /// At most so many: those that were published last.
    pub limit: Option<u32>,
}

/// Which dead letters to list.
#[derive(Clone, Debug, Default)]
pub struct LetterFilter {
    /// Only those of a workflow.
    pub workflow: Option<CorrelationId>,
    /// Only those of a rule.
    pub rule: Option<String>,
    /// Only those whose error is of this class.
    pub error: Option<String>,
    /// Also those that were redriven or dropped.
    pub settled_too: bool,
}

/// What a filter asks for: of events `e`, and of a delivery `d` of theirs.
///
/// A condition with a plus is not looked up in an index: another one leaves
/// fewer to look at.
struct Conditions {
    of_event: Vec<&'static str>,
    of_delivery: Vec<&'static str>,
    /// Whether they name an end of a window of time.
    in_window: bool,
}

impl Conditions {
    fn of(filter: &EventFilter) -> Self {
        let wanted = |conditions: &[(bool, &'static str)]| {
            let wanted = conditions.iter().filter(|(is_wanted, _)| *is_wanted);
            wanted.map(|(_, condition)| *condition).collect()
        };
        let in_window = filter.from.is_some() || filter.to.is_some();
        let (of_type, of_rule) = (filter.event_type.is_some(), filter.rule.is_some());
        Self {
            of_event: wanted(&[
                (filter.workflow.is_some(), "e.correlation_id = :workflow"),
                (of_type && !in_window, "e.type = :type"),
                (of_type && in_window, "+e.type = :type"),
                (filter.from.is_some(), "e.stored_at >= :from"),
                (filter.to.is_some(), "e.stored_at < :to"),
            ]),
            of_delivery: wanted(&[
                (of_rule && !filter.failed, "d.rule = :rule"),
                (of_rule && filter.failed, "+d.rule = :rule"),
                (filter.failed, "d.failures > 0"),
            ]),
            in_window,
        }
    }

    /// All of them, of an event.
    fn on_event(&self) -> String {
        let mut conditions: Vec<String> = self.of_event.iter().map(|&one| one.to_owned()).collect();
        if !self.of_delivery.is_empty() {
            let of_delivery = self.of_delivery.join(" AND ");
            conditions.push(if self.in_window {
                format!(
                    "EXISTS (SELECT 1 FROM deliveries d
                             WHERE d.event = e.position AND {of_delivery})"
                )
            } else {
                format!("e.position IN (SELECT d.event FROM deliveries d WHERE {of_delivery})")
            });
        }
        only_where(&conditions)
    }

    /// All of them, of a delivery and its event.
    fn on_delivery(&self) -> String {
        only_where(&[&self.of_delivery[..], &self.of_event].concat())
    }
}

fn only_where<C: AsRef<str>>(conditions: &[C]) -> String {
    let conditions: Vec<&str> = conditions.iter().map(AsRef::as_ref).collect();
    match conditions[..] {
        [] => String::new(),
        _ => format!("WHERE {}", conditions.join(" AND ")),
    }
}

/// In the order of the list; with a limit, of those that came last.
///
/// The last ones are found backwards from the newest, by the index that leaves
/// the fewest to look at: that of a workflow, of what failed, of a window of
/// time, of a rule, of a type, in this order.
fn select_events(filter: &EventFilter) -> String {
    let conditions = Conditions::of(filter);
    let by_delivery = filter.workflow.is_none()
        && (filter.failed || filter.rule.is_some() && !conditions.in_window);
    let wanted = if filter.limit.is_none() {
        conditions.on_event()
    } else if by_delivery {
        // An event comes as often as it has such deliveries, side by side.
        format!(
            "WHERE e.position IN (
                SELECT DISTINCT d.event
                FROM deliveries d CROSS JOIN events e ON e.position = d.event {}
                ORDER BY d.event DESC LIMIT :limit)",
            conditions.on_delivery()
        )
    } else {
        // What the index of types holds is enough to order by position.
        let newest = if filter.event_type.is_some() && !conditions.in_window {
            "e.position DESC"
        } else {
            "e.stored_at DESC, e.position DESC"
        };
        format!(
            "WHERE e.position IN (
                SELECT e.position FROM events e {} ORDER BY {newest} LIMIT :limit)",
            conditions.on_event()
        )
    };
    format!(
        "SELECT e.body, e.stored_at FROM events e {wanted}
         ORDER BY e.correlation_id, e.sequence, e.event_id"
    )
}

pub(super) fn each_event(
    connection: &Connection,
    filter: &EventFilter,
    mut each: impl FnMut(EventRecord),
) -> Result<(), Failure> {
    let mut statement = connection.prepare_cached(&select_events(filter))?;
    if let Some(workflow) = &filter.workflow {
        bind(&mut statement, ":workflow", workflow.as_str())?;
    }
    if let Some(event_type) = filter.event_type {
        bind(&mut statement, ":type", event_type.name())?;
    }
    if let Some(from) = filter.from {
        bind(&mut statement, ":from", micros(from))?;
    }
    if let Some(to) = filter.to {
        bind(&mut statement, ":to", micros(to))?;
    }
    if let Some(rule) = &filter.rule {
        bind(&mut statement, ":rule", rule)?;
    }
    if let Some(limit) = filter.limit {
        bind(&mut statement, ":limit", limit)?;
    }
    let mut rows = statement.raw_query().mapped(read_event);
    rows.try_for_each(|event| {
        each(event?);
        Ok(())
    })
}

fn bind(statement: &mut Statement<'_>, name: &str, value: impl ToSql) -> rusqlite::Result<()> {
    match statement.parameter_index(name)? {
        Some(index) => statement.raw_bind_parameter(index, value),
        None => Err(rusqlite::Error::InvalidParameterName(name.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::database::{Sorting, assert_uses_indexes};

    /// What is sorted is no more than what the filter leaves.
    #[test]
    fn every_filter_of_events_is_answered_by_an_index() {
        for choice in 0..(1 << 7) {
            let chosen = |bit: u32| choice & (1 << bit) != 0;
            let filter = EventFilter {
                workflow: chosen(0).then(|| CorrelationId::parse("w").unwrap()),
                event_type: chosen(1).then_some(EventType::WorkflowFailed),
                from: chosen(2).then_some(Timestamp::new(jiff::Timestamp::UNIX_EPOCH)),
                to: chosen(3).then_some(Timestamp::new(jiff::Timestamp::UNIX_EPOCH)),
                rule: chosen(4).then(|| "r".to_owned()),
                failed: chosen(5),
                limit: chosen(6).then_some(1),
            };
            // A limit bounds what is sorted; rows that were chosen by time or by
            // their deliveries do not come in the order of the list.
            let narrows = choice & 0b0111_1100 != 0;
            let sorting = if narrows {
                Sorting::Allowed
            } else {
                Sorting::Refused
            };
            assert_uses_indexes(&select_events(&filter), sorting);
        }
    }
}
