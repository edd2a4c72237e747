//! Parameters, from a book to a plugin.

use serde_json::{Map, Value};

/// A number that a plugin cannot be given.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("`{key}` is {number}, and a plugin can be given finite numbers only")]
pub struct NotFinite {
    /// Where it is: `parameters.limits[0]`.
    pub key: String,
    /// `inf` or `nan`.
    pub number: f64,
}

/// Parameters as TOML has them, as a plugin is given them: a JSON object. Dates
/// and times become texts.
///
/// # Errors
/// JSON has no number that is infinite or none.
pub fn parameters(table: toml::Table) -> Result<Value, NotFinite> {
    object("parameters", table)
}

fn object(key: &str, table: toml::Table) -> Result<Value, NotFinite> {
    let entries = table.into_iter().map(|(name, value)| {
        let value = json(&format!("{key}.{name}"), value)?;
        Ok((name, value))
    });
    entries.collect::<Result<Map<_, _>, _>>().map(Value::Object)
}

fn json(key: &str, value: toml::Value) -> Result<Value, NotFinite> {
    Ok(match value {
        toml::Value::String(text) => text.into(),
        toml::Value::Integer(number) => number.into(),
        toml::Value::Float(number) => {
            let finite = serde_json::Number::from_f64(number).ok_or_else(|| NotFinite {
                key: key.to_owned(),
                number,
            })?;
            Value::Number(finite)
        }
        toml::Value::Boolean(flag) => flag.into(),
        toml::Value::Datetime(date) => date.to_string().into(),
        toml::Value::Array(values) => {
            let values = values.into_iter().enumerate();
            let values = values.map(|(place, value)| json(&format!("{key}[{place}]"), value));
            Value::Array(values.collect::<Result<_, _>>()?)
        }
        toml::Value::Table(table) => object(key, table)?,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::json;

    #[test]
    fn values_are_as_json_has_them() {
        let table = toml::from_str(
            "count = 3\nshare = 0.5\nfast = true\nname = \"a\"\nsince = 2024-01-02\n\
             [limits]\nsteps = [1, 2.5, { at = 09:30:00 }]",
        );
        let expected = json!({
            "count": 3,
            "share": 0.5,
            "fast": true,
            "name": "a",
            "since": "2024-01-02",
            "limits": {"steps": [1, 2.5, {"at": "09:30:00"}]},
        });
        assert_eq!(parameters(table.unwrap()).unwrap(), expected);
    }

    #[test]
    fn what_json_has_not_is_refused_with_its_place() {
        let table = toml::from_str("[limits]\nsteps = [1, -inf]").unwrap();
        assert_eq!(
            parameters(table).unwrap_err().to_string(),
            "`parameters.limits.steps[1]` is -inf, and a plugin can be given finite numbers only"
        );
    }
}
