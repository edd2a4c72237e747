//! The tables of the file and their keys.

use alchemiser_schedule::{Expression, Zone};
use alchemiser_suggest as suggest;
use serde_json::{Map, Value as Json, json};
use toml::de::DeValue;

use super::form::{
    ByName, Complaint, Entries, Form, Integer, List, Optional, Required, Slot, Value, Word, table,
};
use super::interpolation::Interpolated;
use super::reader::Reader;
use super::{TargetKind, TestEvent};
use crate::event::{EventError, check_event};
use crate::mistake::EntryKind;
use crate::name::{BusName, RuleName, ScheduleName, TargetName};
use crate::pattern::Pattern;

/// How often a failed delivery is tried again; EventBridge's limits.
pub(super) type RetryAttempts = Integer<0, 185>;

/// When a delivery is given up, in seconds; EventBridge's limits.
pub(super) type MaxAgeSeconds = Integer<60, 86_400>;

table! {
    /// Which event goes where: rules, schedules, their targets, and tests.
    File {
        /// The event bus on which the worker publishes and rules listen. May
        /// ask the environment: `${NAME:-default}`. Left out:
        /// `alchemiser-trading-events`.
        bus: Optional<Interpolated<BusName>>,
        /// What rules and schedules send to, by name.
        targets: Required<ByName<TargetTable>>,
        /// Rules: which events go to which target.
        rule: Required<Entries<RuleTable>>,
        /// Schedules: when commands are given.
        schedule: Optional<Entries<ScheduleTable>>,
        /// Tests: what the rules must do with an event. `alchemiser rules test`
        /// runs them.
        test: Optional<Entries<TestTable>>,
    }
}

table! {
    /// Something that events or commands are sent to.
    TargetTable {
        /// `handler`: a step of the worker. `log`: a log of events; locally the
        /// archive already is it. `command`: the worker's commands, for
        /// schedules.
        kind: Required<TargetKind>,
    }
}

table! {
    /// Sends the events that a pattern matches to a target.
    RuleTable is Rule {
        /// Its name, the only one of that name in the file.
        name: Required<RuleName>,
        /// What it is for.
        description: Optional<String>,
        /// A disabled rule sends nothing. Left out: true.
        enabled: Optional<bool>,
        /// The event bus that it listens on. Left out: the file's.
        bus: Optional<Interpolated<BusName>>,
        /// The events that it sends, as an EventBridge pattern: a table, or
        /// EventBridge's JSON in a string.
        pattern: Required<Pattern>,
        /// Where it sends them: a target of kind `handler` or `log`.
        target: Required<TargetName>,
        /// How often a failed delivery is tried again. Left out: 185.
        retry_attempts: Optional<RetryAttempts>,
        /// After how many seconds a delivery is given up. Left out: 86400.
        max_age_seconds: Optional<MaxAgeSeconds>,
    }
}

table! {
    /// Gives a command at certain times.
    ScheduleTable is Schedule {
        /// Its name, the only one of that name in the file.
        name: Required<ScheduleName>,
        /// What it is for.
        description: Optional<String>,
        /// A disabled schedule does nothing. May ask the environment:
        /// `"${NAME:-false}"`. Left out: true.
        enabled: Optional<Interpolated<bool>>,
        /// When: `cron(minutes hours day-of-month month day-of-week year)` or
        /// `rate(5 minutes)`, as EventBridge Scheduler has them.
        expression: Required<Expression>,
        /// The time zone that `cron` goes by, such as `America/New_York`. May
        /// ask the environment. Left out: UTC.
        time_zone: Optional<Interpolated<Zone>>,
        /// Where the command goes: a target of kind `command`.
        target: Required<TargetName>,
        /// The command: a table, or a JSON object in a string, such as
        /// `{ mode = "trade" }`.
        input: Optional<JsonObject>,
        /// How often EventBridge Scheduler tries again. Left out: 185.
        retry_attempts: Optional<RetryAttempts>,
        /// How many seconds after its time a command may still be given; older
        /// times are missed. Left out: 86400.
        max_age_seconds: Optional<MaxAgeSeconds>,
    }
}

table! {
    /// Says what the rules must do with an event.
    TestTable is Test {
        /// What is tested, the only one of that name in the file.
        name: Required<String>,
        /// The event as EventBridge delivers it: a table, JSON in a string, or
        /// the path of a JSON file, from the folder of this file.
        event: Required<TestEvent>,
        /// The handlers that must get it, in any order; none: `[]`.
        targets: Required<List<TargetName>>,
        /// The rules that must match it, in any order, those to logs included.
        /// Left out: any.
        rules: Optional<List<RuleName>>,
    }
}

/// Characters and length of names, as a JSON Schema.
fn name_schema() -> Json {
    json!({"type": "string", "pattern": "^[A-Za-z0-9._-]{1,64}$"})
}

macro_rules! word {
    ($type:ident, $schema:expr) => {
        impl Word for $type {
            fn parse(text: &str) -> Result<Self, Complaint> {
                Self::new(text).map_err(|error| Complaint::new(error.to_string(), "choose another"))
            }

            fn schema() -> Json {
                $schema
            }
        }
    };
}

word!(RuleName, name_schema());
word!(TargetName, name_schema());
word!(ScheduleName, name_schema());
word!(
    BusName,
    json!({"type": "string", "pattern": "^[A-Za-z0-9/._-]{1,256}$"})
);

impl Word for String {
    fn parse(text: &str) -> Result<Self, Complaint> {
        Ok(text.to_owned())
    }

    fn schema() -> Json {
        json!({"type": "string", "not": {"pattern": r"\$\{"}})
    }
}

impl Word for TargetKind {
    const EXAMPLE: &'static str = "\"handler\"";

    fn parse(text: &str) -> Result<Self, Complaint> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.name() == text)
            .ok_or_else(|| {
                let advice = suggest::instead_of(text, &Self::ALL.map(Self::name));
                Complaint::new(format!("there is no kind of target `{text}`"), advice)
            })
    }

    fn schema() -> Json {
        json!({"enum": Self::ALL.map(Self::name)})
    }
}

impl Word for Zone {
    fn parse(text: &str) -> Result<Self, Complaint> {
        text.parse()
            .map_err(|error: alchemiser_schedule::ZoneError| {
                let advice = match &error.nearest {
                    Some(name) => format!("did you mean `{name}`?"),
                    None => "write a name such as `America/New_York`".to_owned(),
                };
                Complaint::new(error.to_string(), advice)
            })
    }

    fn schema() -> Json {
        json!({"type": "string", "examples": ["America/New_York", "UTC"]})
    }
}

impl Form for Expression {
    const EXAMPLE: &'static str = "\"cron(35 9 ? * MON-FRI *)\"";

    fn read(reader: &mut Reader<'_>, value: &Value<'_>) -> Option<Self> {
        let text = reader.string(value)?;
        let error = match text.parse() {
            Ok(expression) => return Some(expression),
            Err(error) => error,
        };
        let alchemiser_schedule::ExpressionError { mistakes } = error;
        for mistake in mistakes {
            let span = reader.part_of(value, &mistake.span);
            reader.mistake(span, mistake.message, mistake.advice);
        }
        None
    }

    fn schema() -> Json {
        json!({
            "type": "string",
            "pattern": concat!(
                r"^(cron\(.+\)|rate\(\s*(0*1\s+(minute|hour|day)|",
                r"0*([2-9]|[1-9][0-9]+)\s+(minutes|hours|days))\s*\))$"
            ),
            "examples": [
                "cron(35 9 ? * MON-FRI *)", "cron(0 18 LW * ? *)", "rate(5 minutes)", "rate(1 day)"
            ],
        })
    }
}

impl Form for Pattern {
    const EXAMPLE: &'static str = "{ … }";

    fn read(reader: &mut Reader<'_>, value: &Value<'_>) -> Option<Self> {
        if !reader.literally(value) {
            return None;
        }
        let json = value.get_ref().as_str();
        let pattern = match json {
            Some(json) => Self::from_json(json),
            None => Self::from_toml(value),
        };
        let error = match pattern {
            Ok(pattern) => return Some(pattern),
            Err(error) => error,
        };
        for mistake in error.mistakes {
            let span = match json {
                Some(_) => reader.part_of(value, &mistake.span),
                None => mistake.span,
            };
            match mistake.field.as_str() {
                "" => reader.mistake(span, mistake.message, mistake.advice),
                field => reader.at(field, |reader| {
                    reader.mistake(span, mistake.message, mistake.advice);
                }),
            }
        }
        None
    }

    fn schema() -> Json {
        json!({"anyOf": [{"$ref": "#/$defs/pattern"}, {"type": "string", "pattern": OBJECT}]})
    }
}

/// How the text of a JSON object begins, as a regular expression.
const OBJECT: &str = r"^\s*\{";

/// A JSON object: a table, or JSON in a string.
#[derive(Debug)]
pub(super) struct JsonObject(pub(super) Map<String, Json>);

impl Form for JsonObject {
    const EXAMPLE: &'static str = "{ … }";

    fn read(reader: &mut Reader<'_>, value: &Value<'_>) -> Option<Self> {
        if !reader.literally(value) {
            return None;
        }
        let json = match value.get_ref() {
            DeValue::String(text) => {
                is_object(reader, value, text).then_some(())?;
                // What is left is what no value can be made of: numbers that
                // are too large and the like.
                serde_json::from_str(text)
                    .map_err(|error| {
                        let message = format!("this JSON cannot be used: {error}");
                        reader.mistake(value.span(), message, "mend it, or write a table");
                    })
                    .ok()?
            }
            DeValue::Table(_) => json_of(reader, value)?,
            _ => {
                reader.wrong_type(value, "a table");
                return None;
            }
        };
        match json {
            Json::Object(object) => Some(Self(object)),
            _ => None,
        }
    }

    fn schema() -> Json {
        json!({"anyOf": [{"type": "object"}, {"type": "string", "pattern": OBJECT}]})
    }
}

/// Whether the text of a string is a JSON object; if not, a mistake is recorded
/// at its place.
fn is_object(reader: &mut Reader<'_>, value: &Value<'_>, text: &str) -> bool {
    let Err(error) = check_event(text.as_bytes()) else {
        return true;
    };
    let (part, message) = match error {
        EventError::Syntax { offset, problem } => (
            offset..text.ceil_char_boundary(offset + 1),
            format!("this is no JSON: {problem}"),
        ),
        _ => (0..text.len(), "this JSON is no object".to_owned()),
    };
    let place = reader.part_of(value, &part);
    reader.mistake(place, message, "mend it, or write a table");
    false
}

impl Form for TestEvent {
    const EXAMPLE: &'static str = "\"events/….json\"";

    fn read(reader: &mut Reader<'_>, value: &Value<'_>) -> Option<Self> {
        let Some(text) = value.get_ref().as_str() else {
            let JsonObject(object) = Form::read(reader, value)?;
            return Some(Self::Json(Json::Object(object).to_string()));
        };
        let event = Self::of_text(text);
        if !reader.literally(value) {
            return None;
        }
        match &event {
            // Kept as text: there the spelling matters.
            Self::Json(json) => is_object(reader, value, json).then_some(event),
            Self::File(path) => {
                let Some(read) = reader.surroundings.event_file else {
                    return Some(event);
                };
                let wrong = match read(path) {
                    Err(error) => Some(format!("`{text}` cannot be read: {error}")),
                    Ok(file) => check_event(&file)
                        .err()
                        .map(|error| format!("`{text}`: {error}")),
                };
                let Some(message) = wrong else {
                    return Some(event);
                };
                let advice = "name a JSON file, from the folder of this one";
                reader.mistake(value.span(), message, advice);
                None
            }
        }
    }

    fn schema() -> Json {
        json!({"anyOf": [{"type": "object"}, {"type": "string", "pattern": r#"^\s*[^\s\["]"#}]})
    }
}

/// A value of TOML as JSON.
fn json_of(reader: &mut Reader<'_>, value: &Value<'_>) -> Option<Json> {
    let number = |reader: &mut Reader<'_>, text: &str| {
        let number: Option<serde_json::Number> = text.parse().ok();
        if number.is_none() {
            let message = format!("`{text}` is no number that JSON has");
            reader.mistake(value.span(), message, "write a decimal number");
        }
        number.map(Json::Number)
    };
    match value.get_ref() {
        DeValue::String(text) => Some(text.as_ref().into()),
        DeValue::Boolean(flag) => Some((*flag).into()),
        DeValue::Integer(integer) => match i64::from_str_radix(integer.as_str(), integer.radix()) {
            Ok(integer) => Some(integer.into()),
            Err(_) => number(reader, integer.as_str()),
        },
        DeValue::Float(float) => number(reader, float.as_str()),
        DeValue::Datetime(_) => {
            reader.mistake(value.span(), "JSON has no dates", "write it as a string");
            None
        }
        DeValue::Array(elements) => {
            // All elements are read, so that all mistakes are found.
            let elements: Vec<Option<Json>> = elements
                .iter()
                .map(|element| json_of(reader, element))
                .collect();
            elements.into_iter().collect()
        }
        DeValue::Table(table) => {
            let entries: Vec<Option<(String, Json)>> = table
                .iter()
                .map(|(key, value)| {
                    let name = key.get_ref().to_string();
                    let json = reader.at(&name, |reader| json_of(reader, value))?;
                    Some((name, json))
                })
                .collect();
            let object: Option<Map<String, Json>> = entries.into_iter().collect();
            object.map(Json::Object)
        }
    }
}
