//! From the text of a `routes.toml` to [`Routes`], with every mistake in it.

use std::collections::BTreeMap;
use std::ops::{Range, RangeInclusive};
use std::time::Duration;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::{RetryPolicy, Routes, Rule, TargetKind};
use crate::mistake::{Mistake, RoutesError, line_and_column};
use crate::name::{NameError, RuleName, TargetName};
use crate::pattern::Pattern;
use alchemiser_suggest as suggest;

const FILE_KEYS: [&str; 2] = ["targets", "rule"];
const TARGET_KEYS: [&str; 1] = ["kind"];
const RULE_KEYS: [&str; 7] = [
    "name",
    "description",
    "enabled",
    "pattern",
    "target",
    "retry_attempts",
    "max_age_seconds",
];
const TARGET_KINDS: [(&str, TargetKind); 2] =
    [("handler", TargetKind::Handler), ("log", TargetKind::Log)];

// EventBridge's limits.
const RETRY_ATTEMPTS: RangeInclusive<u32> = 0..=185;
const MAX_AGE_SECONDS: RangeInclusive<u32> = 60..=86_400;

pub(super) fn parse(text: &str, file_name: &str) -> Result<Routes, RoutesError> {
    let mut reader = Reader {
        text,
        file_name,
        rule: None,
        mistakes: Vec::new(),
    };
    let routes = reader.file();
    match routes {
        Some(routes) if reader.mistakes.is_empty() => Ok(routes),
        _ => {
            let mut mistakes = reader.mistakes;
            mistakes.sort_by_key(|mistake| mistake.span.start);
            Err(RoutesError { mistakes })
        }
    }
}

type Value<'text> = Spanned<DeValue<'text>>;
type Targets = BTreeMap<TargetName, TargetKind>;

/// Walks the file once and collects mistakes. Its functions answer `None`
/// where a mistake left nothing to answer; that mistake is then recorded.
struct Reader<'text> {
    text: &'text str,
    file_name: &'text str,
    /// The name of the rule in hand.
    rule: Option<String>,
    mistakes: Vec<Mistake>,
}

impl<'text> Reader<'text> {
    fn file(&mut self) -> Option<Routes> {
        let (document, errors) = DeTable::parse_recoverable(self.text);
        if !errors.is_empty() {
            // One error drags others behind it: only the first of a line is
            // told, and nothing is read from what recovery made of the rest.
            for error in errors {
                let span = error.span().unwrap_or(0..0);
                let message = format!("this is no TOML: {}", error.message());
                self.mistake(span, None, message, "mend the syntax");
            }
            self.mistakes.sort_by_key(|mistake| mistake.span.start);
            self.mistakes.dedup_by_key(|mistake| mistake.line);
            return None;
        }
        let file = document.get_ref();
        self.known_keys(file, "", &FILE_KEYS);
        let targets = self.targets(file);
        let rules = self.rules(file, targets.as_ref());
        Some(Routes::new(targets?, rules?))
    }

    fn targets(&mut self, file: &DeTable<'text>) -> Option<Targets> {
        let Some(value) = file.get("targets") else {
            let advice = "write `[targets.NAME]` with its `kind` for each target of a rule";
            self.mistake(0..0, Some("targets"), "no targets are defined", advice);
            return None;
        };
        let table = self.table(value, "targets")?;
        let mut targets = BTreeMap::new();
        for (key, value) in table {
            let field = format!("targets.{}", key.get_ref());
            let name = self.name(key.get_ref(), key.span(), &field, TargetName::new);
            let kind = self.target_kind(value, &field);
            if let Some(name) = name {
                // A target with a mistake in its kind still has its name, so
                // that rules which name it are not called mistaken too.
                targets.insert(name, kind.unwrap_or(TargetKind::Handler));
            }
        }
        Some(targets)
    }

    fn target_kind(&mut self, value: &Value<'text>, field: &str) -> Option<TargetKind> {
        let table = self.table(value, field)?;
        self.known_keys(table, field, &TARGET_KEYS);
        let kind_field = format!("{field}.kind");
        let Some(kind) = table.get("kind") else {
            let message = "the target has no `kind`";
            let advice = "write `kind = \"handler\"` or `kind = \"log\"`";
            self.mistake(value.span(), Some(&kind_field), message, advice);
            return None;
        };
        let text = self.string(kind, &kind_field)?;
        let known = TARGET_KINDS.iter().find(|(name, _)| *name == text);
        if known.is_none() {
            let message = format!("there is no kind of target `{text}`");
            let advice = suggest::instead_of(text, &TARGET_KINDS.map(|(name, _)| name));
            self.mistake(kind.span(), Some(&kind_field), message, advice);
        }
        known.map(|(_, kind)| *kind)
    }

    fn rules(&mut self, file: &DeTable<'text>, targets: Option<&Targets>) -> Option<Vec<Rule>> {
        let Some(value) = file.get("rule") else {
            let advice = "write `[[rule]]` with `name`, `pattern` and `target`";
            self.mistake(0..0, Some("rule"), "no rules are defined", advice);
            return None;
        };
        let Some(tables) = value.get_ref().as_array() else {
            let message = format!("rules are written as `[[rule]]`, and this is {}", of(value));
            self.mistake(value.span(), Some("rule"), message, "use double brackets");
            return None;
        };
        let mut line_of_name = BTreeMap::new();
        let mut rules = Vec::new();
        for value in tables {
            let rule = self.rule(value, targets, &mut line_of_name);
            self.rule = None;
            rules.extend(rule);
        }
        Some(rules)
    }

    fn rule(
        &mut self,
        value: &Value<'text>,
        targets: Option<&Targets>,
        line_of_name: &mut BTreeMap<RuleName, usize>,
    ) -> Option<Rule> {
        let table = self.table(value, "rule")?;
        let (line, _) = line_and_column(self.text, value.span().start);

        let name = self.rule_name(value, table);
        if let Some(name) = &name
            && let Some(first) = line_of_name.insert(name.clone(), line)
        {
            let message = format!("the rule on line {first} has the same name");
            let span = table.get("name").map_or(value.span(), Spanned::span);
            self.mistake(span, Some("name"), message, "choose another");
        }

        // Each part is read before any is required, so that all mistakes of a
        // rule are found.
        self.known_keys(table, "", &RULE_KEYS);
        let description = self.optional(table, "description", Self::string);
        let enabled = self.optional(table, "enabled", Self::boolean);
        let pattern = self
            .required(value, table, "pattern", "write `pattern = { … }`")
            .and_then(|pattern| self.pattern(pattern));
        let target = self
            .required(value, table, "target", "write `target = \"…\"`")
            .and_then(|target| self.target(target, targets));
        let attempts = self.optional(table, "retry_attempts", |reader, value, field| {
            reader.integer(value, field, &RETRY_ATTEMPTS)
        });
        let max_age = self.optional(table, "max_age_seconds", |reader, value, field| {
            reader.integer(value, field, &MAX_AGE_SECONDS)
        });

        let default = RetryPolicy::default();
        Some(Rule {
            name: name?,
            description: description.map(str::to_owned),
            enabled: enabled.unwrap_or(true),
            pattern: pattern?,
            target: target?,
            retry: RetryPolicy {
                attempts: attempts.unwrap_or(default.attempts),
                max_age: max_age.map_or(default.max_age, |seconds| {
                    Duration::from_secs(u64::from(seconds))
                }),
            },
            line,
        })
    }

    fn rule_name(&mut self, rule: &Value<'text>, table: &DeTable<'text>) -> Option<RuleName> {
        let value = self.required(rule, table, "name", "write `name = \"…\"`")?;
        let text = self.string(value, "name")?;
        self.rule = Some(text.to_owned());
        self.name(text, value.span(), "name", RuleName::new)
    }

    fn target(&mut self, value: &Value<'text>, targets: Option<&Targets>) -> Option<TargetName> {
        let text = self.string(value, "target")?;
        let name = self.name(text, value.span(), "target", TargetName::new)?;
        let targets = targets?;
        if targets.contains_key(&name) {
            return Some(name);
        }
        let known: Vec<&str> = targets.keys().map(TargetName::as_str).collect();
        let advice = suggest::instead_of(text, &known);
        let message = format!("there is no target `{text}`");
        self.mistake(value.span(), Some("target"), message, advice);
        None
    }

    /// A pattern as a table, or as a string with EventBridge's JSON in it.
    fn pattern(&mut self, value: &Value<'text>) -> Option<Pattern> {
        let (pattern, start) = match value.get_ref() {
            DeValue::String(json) => (Pattern::from_json(json), self.start_of(value, json)),
            _ => (Pattern::from_toml(value), Some(0)),
        };
        let error = match pattern {
            Ok(pattern) => return Some(pattern),
            Err(error) => error,
        };
        for mistake in error.mistakes {
            let field = match mistake.field.as_str() {
                "" => "pattern".to_owned(),
                within => format!("pattern.{within}"),
            };
            let span = start.map_or(value.span(), |start| {
                start + mistake.span.start..start + mistake.span.end
            });
            self.mistake(span, Some(&field), mistake.message, mistake.advice);
        }
        None
    }

    /// Where in the file the text of a string begins, if it stands there as it
    /// is, without escapes.
    fn start_of(&self, value: &Value<'text>, string: &str) -> Option<usize> {
        let span = value.span();
        let written = self.text.get(span.clone())?;
        written.find(string).map(|start| span.start + start)
    }

    // Parts that are alike everywhere.

    fn required<'table>(
        &mut self,
        within: &Value<'text>,
        table: &'table DeTable<'text>,
        key: &str,
        advice: &str,
    ) -> Option<&'table Value<'text>> {
        let value = table.get(key);
        if value.is_none() {
            let message = format!("`{key}` is missing");
            self.mistake(within.span(), Some(key), message, advice);
        }
        value
    }

    fn optional<'table, T>(
        &mut self,
        table: &'table DeTable<'text>,
        key: &str,
        read: impl FnOnce(&mut Self, &'table Value<'text>, &str) -> Option<T>,
    ) -> Option<T> {
        let value = table.get(key)?;
        read(self, value, key)
    }

    fn table<'value>(
        &mut self,
        value: &'value Value<'text>,
        field: &str,
    ) -> Option<&'value DeTable<'text>> {
        let table = value.get_ref().as_table();
        if table.is_none() {
            self.wrong_type(value, field, "a table");
        }
        table
    }

    fn string<'value>(&mut self, value: &'value Value<'text>, field: &str) -> Option<&'value str> {
        let text = value.get_ref().as_str();
        if text.is_none() {
            self.wrong_type(value, field, "a string");
        }
        text
    }

    fn boolean(&mut self, value: &Value<'text>, field: &str) -> Option<bool> {
        let flag = value.get_ref().as_bool();
        if flag.is_none() {
            self.wrong_type(value, field, "`true` or `false`");
        }
        flag
    }

    fn integer(
        &mut self,
        value: &Value<'text>,
        field: &str,
        range: &RangeInclusive<u32>,
    ) -> Option<u32> {
        let DeValue::Integer(integer) = value.get_ref() else {
            self.wrong_type(value, field, "a whole number");
            return None;
        };
        let number = u32::from_str_radix(integer.as_str(), integer.radix())
            .ok()
            .filter(|number| range.contains(number));
        if number.is_none() {
            let message = format!("{integer} is out of range");
            let advice = format!("EventBridge allows {} to {}", range.start(), range.end());
            self.mistake(value.span(), Some(field), message, advice);
        }
        number
    }

    fn name<N>(
        &mut self,
        text: &str,
        span: Range<usize>,
        field: &str,
        new: impl FnOnce(String) -> Result<N, NameError>,
    ) -> Option<N> {
        new(text.to_owned())
            .map_err(|error| {
                self.mistake(span, Some(field), error.to_string(), "choose another");
            })
            .ok()
    }

    fn known_keys(&mut self, table: &DeTable<'text>, within: &str, known: &[&str]) {
        for key in table.keys() {
            let name = key.get_ref().as_ref();
            if !known.contains(&name) {
                let field = match within {
                    "" => name.to_owned(),
                    within => format!("{within}.{name}"),
                };
                let message = format!("there is no key `{name}`");
                let advice = suggest::instead_of(name, known);
                self.mistake(key.span(), Some(&field), message, advice);
            }
        }
    }

    fn wrong_type(&mut self, value: &Value<'text>, field: &str, expected: &str) {
        let message = format!("this is {}", of(value));
        self.mistake(
            value.span(),
            Some(field),
            message,
            format!("write {expected}"),
        );
    }

    fn mistake(
        &mut self,
        span: Range<usize>,
        field: Option<&str>,
        message: impl Into<String>,
        advice: impl Into<String>,
    ) {
        let (line, column) = line_and_column(self.text, span.start);
        self.mistakes.push(Mistake {
            file: self.file_name.to_owned(),
            line,
            column,
            span,
            rule: self.rule.clone(),
            field: field.map(str::to_owned),
            message: message.into(),
            advice: advice.into(),
        });
    }
}

/// The type of a value, for a message.
fn of(value: &Value<'_>) -> &'static str {
    match value.get_ref() {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a number with decimals",
        DeValue::Boolean(_) => "a boolean",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "an array",
        DeValue::Table(_) => "a table",
    }
}
