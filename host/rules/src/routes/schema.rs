//! The JSON Schema of `routes.toml`, for editors. It follows from the forms
//! that the file is read by; only the language of patterns is put down here.

use serde_json::{Value as Json, json};

use super::document::File;
use super::form::Form;

/// The JSON Schema of `routes.toml`.
#[must_use]
pub fn schema() -> Json {
    let mut schema = File::schema();
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema".into();
    schema["title"] = "routes.toml".into();
    schema["$defs"] = json!({
        "pattern": pattern(),
        "test": test(),
        "texts": one_or_several(&json!({"type": "string"})),
    });
    schema
}

/// Fields by their names; each is an object of fields or a list of tests.
fn pattern() -> Json {
    json!({
        "description": "Every field named must match; a field matches when one of its tests does.",
        "type": "object",
        "minProperties": 1,
        "properties": {
            "$or": {
                "description": "One of these must match.",
                "type": "array",
                "minItems": 2,
                "items": {"$ref": "#/$defs/pattern"},
            },
        },
        "additionalProperties": field(),
    })
}

fn field() -> Json {
    json!({
        "anyOf": [
            {"$ref": "#/$defs/pattern"},
            {"type": "array", "minItems": 1, "items": {"$ref": "#/$defs/test"}},
        ],
    })
}

/// A value as it is, or an operator.
fn test() -> Json {
    let scalar = json!({"type": ["string", "number", "boolean", "null"]});
    let text = json!({"type": "string"});
    let wildcard = json!({"type": "string", "pattern": r"^([^*\\]|\\[*\\]|\*(?!\*))*$"});
    let texts = json!({"$ref": "#/$defs/texts"});
    let text_in_any_case = json!({
        "anyOf": [text, operator("equals-ignore-case", &text, "Upper and lower case are alike.")],
    });
    let operators = [
        operator("exactly", &text, "The text itself."),
        operator("prefix", &text_in_any_case, "Begins with this."),
        operator("suffix", &text_in_any_case, "Ends with this."),
        operator(
            "equals-ignore-case",
            &text,
            "Upper and lower case are alike.",
        ),
        operator(
            "wildcard",
            &wildcard,
            "`*` stands for any characters; `\\*` for itself.",
        ),
        operator(
            "numeric",
            &json!({"anyOf": [
                comparisons(&[&["=", "<", "<=", ">", ">="]]),
                comparisons(&[&[">", ">="], &["<", "<="]]),
            ]}),
            "`[\">\", 0, \"<=\", 5]`",
        ),
        operator(
            "exists",
            &json!({"type": "boolean"}),
            "Whether there is a value at all.",
        ),
        operator("cidr", &text, "An address in this range: `10.0.0.0/24`."),
        operator(
            "anything-but",
            &json!({
                "anyOf": [
                    one_or_several(&text),
                    one_or_several(&json!({"type": "number"})),
                    operator("prefix", &texts, "Does not begin with this."),
                    operator("suffix", &texts, "Does not end with this."),
                    operator("equals-ignore-case", &texts, "Is not this in any case."),
                    operator("wildcard", &one_or_several(&wildcard), "Does not look like this."),
                ],
            }),
            "Is there, and is none of these.",
        ),
    ];
    let anyone: Vec<Json> = std::iter::once(scalar).chain(operators).collect();
    json!({"anyOf": anyone})
}

fn operator(name: &str, operand: &Json, description: &str) -> Json {
    json!({
        "description": description,
        "type": "object",
        "properties": {name: operand},
        "required": [name],
        "additionalProperties": false,
    })
}

/// An array of comparisons, each a sign and a number.
fn comparisons(signs: &[&[&str]]) -> Json {
    let parts = signs
        .iter()
        .flat_map(|signs| [json!({"enum": signs}), json!({"type": "number"})]);
    let parts: Vec<Json> = parts.collect();
    json!({"type": "array", "minItems": parts.len(), "prefixItems": parts, "items": false})
}

fn one_or_several(value: &Json) -> Json {
    json!({"anyOf": [value, {"type": "array", "minItems": 1, "items": value}]})
}
