//! A JSON object, member by member, with nothing about it changed.

use super::REFERENCE;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use serde_json::value::RawValue;
use std::fmt;

/// The members of a JSON object in their order, each value in its very bytes.
pub(super) struct Members<'a>(pub(super) Vec<(String, &'a str)>);

impl Members<'_> {
    /// The object as JSON, perhaps with one more member at its end.
    pub(super) fn to_json(&self, reference: Option<&str>) -> String {
        let mut json = String::from("{");
        let last = reference.map(|reference| (REFERENCE, reference));
        let members = self.0.iter().map(|(name, value)| (name.as_str(), *value));
        for (name, value) in members.chain(last) {
            if json.len() > 1 {
                json.push(',');
            }
            json.push_str(&Value::from(name).to_string());
            json.push(':');
            json.push_str(value);
        }
        json.push('}');
        json
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;

        impl<'de> Visitor<'de> for InOrder {
            type Value = Vec<(String, &'de str)>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some((name, value)) = map.next_entry::<String, &RawValue>()? {
                    members.push((name, value.get()));
                }
                Ok(members)
            }
        }

        deserializer.deserialize_map(InOrder).map(Members)
    }
}
