//! Another way to the same verdicts, as plain as can be: an event is a list of
//! values, each with the array elements that it lies in; a pattern is a list of
//! alternatives; and all choices of a value for each field are tried. It shares
//! nothing with the crate.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;

/// JSON with all that a parsed value no longer shows: repeated names, the
/// spelling of numbers.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Json {
    Object(Vec<(String, Json)>),
    Array(Vec<Json>),
    String(String),
    /// One of [`NUMBERS`].
    Number(&'static str),
    Bool(bool),
    Null,
}

/// Numbers, and what an `f64` holds of them if it holds them exactly.
pub(crate) const NUMBERS: [(&str, Option<f64>); 14] = [
    ("0", Some(0.0)),
    ("-0.0", Some(0.0)),
    ("0e7", Some(0.0)),
    ("1", Some(1.0)),
    ("1.0", Some(1.0)),
    ("10e-1", Some(1.0)),
    ("2", Some(2.0)),
    ("-1.5", Some(-1.5)),
    ("0.1", Some(0.1)),
    ("1e300", Some(1e300)),
    ("9007199254740992", Some(9_007_199_254_740_992.0)),
    ("9007199254740993", None),
    ("1e400", None),
    ("0.10000000000000000001", None),
];

fn value_of(number: &str) -> Option<f64> {
    let known = NUMBERS.iter().find(|(text, _)| *text == number);
    known.expect("numbers are taken from the list").1
}

impl fmt::Display for Json {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let quoted = |text: &str| serde_json::Value::from(text).to_string();
        match self {
            Self::Object(entries) => {
                let entries: Vec<String> = entries
                    .iter()
                    .map(|(name, value)| format!("{}:{value}", quoted(name)))
                    .collect();
                write!(formatter, "{{{}}}", entries.join(","))
            }
            Self::Array(elements) => {
                let elements: Vec<String> = elements.iter().map(ToString::to_string).collect();
                write!(formatter, "[{}]", elements.join(","))
            }
            Self::String(text) => formatter.write_str(&quoted(text)),
            Self::Number(text) => formatter.write_str(text),
            Self::Bool(flag) => flag.fmt(formatter),
            Self::Null => formatter.write_str("null"),
        }
    }
}

/// Whether an event matches a pattern that is valid.
pub(crate) fn matches(pattern: &Json, event: &Json) -> bool {
    let mut leaves = Leaves::default();
    leaves.add("", event, &[]);
    let mut alternatives = vec![Fields::new()];
    expand(pattern, &[], &mut alternatives);
    alternatives.iter().any(|fields| {
        let mut fields: Vec<(&String, &Vec<Json>)> = fields.iter().collect();
        fields.sort_by_key(|(path, _)| path.encode_utf16().collect::<Vec<_>>());
        choose(&fields, &leaves.leaves, &[])
    })
}

/// What is asked, by path.
type Fields = BTreeMap<String, Vec<Json>>;

/// Asks what a pattern asks in each of the alternatives; of two values for one
/// path the last counts.
fn expand(pattern: &Json, above: &[&str], alternatives: &mut Vec<Fields>) {
    let Json::Object(entries) = pattern else {
        unreachable!("a pattern is made of objects")
    };
    for (name, value) in entries {
        match value {
            Json::Array(branches) if name == "$or" => {
                let before = std::mem::take(alternatives);
                for branch in branches {
                    let mut after = before.clone();
                    expand(branch, above, &mut after);
                    alternatives.extend(after);
                }
            }
            Json::Array(tests) => {
                let above = above.join(".");
                let path = match above.as_str() {
                    "" => name.clone(),
                    above => format!("{above}.{name}"),
                };
                for fields in alternatives.iter_mut() {
                    fields.insert(path.clone(), tests.clone());
                }
            }
            within => expand(within, &[above, &[name.as_str()]].concat(), alternatives),
        }
    }
}

#[derive(Default)]
struct Leaves {
    arrays: usize,
    leaves: Vec<Leaf>,
}

struct Leaf {
    path: String,
    value: Json,
    /// Number of the array, and the element's index in it. A value by itself
    /// in an array is bound to no element of that.
    within: Vec<(usize, usize)>,
}

impl Leaves {
    fn add(&mut self, path: &str, value: &Json, within: &[(usize, usize)]) {
        match value {
            Json::Object(entries) => {
                for (name, value) in entries {
                    // The event itself has no name; an empty name is one.
                    let path = format!("{path}.{name}");
                    self.add(&path, value, within);
                }
            }
            Json::Array(elements) => {
                self.arrays += 1;
                let array = self.arrays;
                for (index, element) in elements.iter().enumerate() {
                    match element {
                        Json::Object(_) | Json::Array(_) => {
                            self.add(path, element, &[within, &[(array, index)]].concat());
                        }
                        scalar => self.add(path, scalar, within),
                    }
                }
            }
            scalar => self.leaves.push(Leaf {
                path: path[1..].to_owned(),
                value: scalar.clone(),
                within: within.to_vec(),
            }),
        }
    }
}

fn choose(fields: &[(&String, &Vec<Json>)], leaves: &[Leaf], chosen: &[(usize, usize)]) -> bool {
    let Some(((path, tests), rest)) = fields.split_first() else {
        return true;
    };
    let consistent: Vec<&Leaf> = leaves
        .iter()
        .filter(|leaf| leaf.path == **path)
        .filter(|leaf| {
            leaf.within.iter().all(|(array, index)| {
                chosen
                    .iter()
                    .all(|(other, at)| array != other || index == at)
            })
        })
        .collect();
    let absent = tests.iter().any(|test| {
        matches!(test, Json::Object(operator) if operator[0] == ("exists".to_owned(), Json::Bool(false)))
    });
    if absent && consistent.is_empty() && choose(rest, leaves, chosen) {
        return true;
    }
    consistent.iter().any(|leaf| {
        tests.iter().any(|test| holds(test, &leaf.value))
            && choose(rest, leaves, &[chosen, &leaf.within].concat())
    })
}

fn holds(test: &Json, value: &Json) -> bool {
    match test {
        Json::Object(operator) => {
            let (operator, operand) = &operator[0];
            operator_holds(operator, operand, value)
        }
        Json::String(expected) => match (value, address(expected)) {
            (Json::String(text), Some(address)) => self::address(text) == Some(address),
            _ => test == value,
        },
        Json::Number(expected) => {
            let Json::Number(number) = value else {
                return false;
            };
            expected == number
                || value_of(expected).is_some() && value_of(expected) == value_of(number)
        }
        _ => test == value,
    }
}

fn operator_holds(operator: &str, operand: &Json, value: &Json) -> bool {
    let list = |operand: &Json| match operand {
        Json::Array(list) => list.clone(),
        one => vec![one.clone()],
    };
    match (operator, operand, value) {
        ("exists", Json::Bool(flag), _) => *flag,
        ("anything-but", Json::Object(nested), _) => {
            let (operator, operand) = &nested[0];
            !list(operand)
                .iter()
                .any(|one| operator_holds(operator, one, value))
        }
        ("anything-but", operand, _) => !list(operand).iter().any(|one| match (one, value) {
            (Json::Number(excluded), Json::Number(number)) => {
                value_of(number).is_some() && value_of(excluded) == value_of(number)
            }
            _ => one == value,
        }),
        ("numeric", Json::Array(parts), Json::Number(number)) => {
            value_of(number).is_some_and(|number| {
                parts.chunks(2).all(|comparison| {
                    let [Json::String(sign), Json::Number(bound)] = comparison else {
                        unreachable!("a comparison has two parts")
                    };
                    let bound = value_of(bound).expect("a bound can be compared");
                    match sign.as_str() {
                        "<" => number < bound,
                        "<=" => number <= bound,
                        ">" => number > bound,
                        ">=" => number >= bound,
                        _ => number.total_cmp(&bound).is_eq(),
                    }
                })
            })
        }
        (_, Json::Object(nested), Json::String(text)) => {
            let Json::String(expected) = &nested[0].1 else {
                unreachable!("the operand is a string")
            };
            spellings(expected).iter().any(|expected| match operator {
                "prefix" => text.starts_with(expected),
                _ => text.ends_with(expected),
            })
        }
        (_, Json::String(expected), Json::String(text)) => match operator {
            "exactly" => text == expected,
            "prefix" => text.starts_with(expected),
            "suffix" => text.ends_with(expected),
            "equals-ignore-case" => spellings(expected).contains(text),
            "wildcard" => wildcard(&expected.chars().collect::<Vec<_>>(), text),
            "cidr" => cidr(expected, text),
            _ => unreachable!("there is no operator {operator}"),
        },
        _ => false,
    }
}

/// All spellings of a text in upper and lower case.
fn spellings(text: &str) -> Vec<String> {
    let mut all = vec![String::new()];
    for character in text.chars() {
        let cases = if character.len_utf16() == 2 {
            [character.to_string(), character.to_string()]
        } else {
            [
                character.to_lowercase().to_string(),
                character.to_uppercase().to_string(),
            ]
        };
        all = all
            .iter()
            .flat_map(|begun| cases.iter().map(move |case| format!("{begun}{case}")))
            .collect();
    }
    all
}

fn wildcard(pattern: &[char], text: &str) -> bool {
    match pattern {
        [] => text.is_empty(),
        ['*', rest @ ..] => text
            .char_indices()
            .map(|(index, _)| index)
            .chain([text.len()])
            .any(|index| wildcard(rest, &text[index..])),
        ['\\', character, rest @ ..] | [character, rest @ ..] => text
            .strip_prefix(*character)
            .is_some_and(|text| wildcard(rest, text)),
    }
}

/// An address; of version 4 with zeros taken from the front of each number.
fn address(text: &str) -> Option<IpAddr> {
    if text.contains(':') {
        return text.parse().ok();
    }
    let trimmed: Vec<String> = text
        .split('.')
        .map(|part| match part.trim_start_matches('0') {
            "" if !part.is_empty() => "0".to_owned(),
            digits => digits.to_owned(),
        })
        .collect();
    trimmed.join(".").parse().ok()
}

fn bits(address: IpAddr) -> String {
    match address {
        IpAddr::V4(address) => format!("{:032b}", address.to_bits()),
        IpAddr::V6(address) => format!("{:0128b}", address.to_bits()),
    }
}

fn cidr(range: &str, text: &str) -> bool {
    let (network, length) = range.split_once('/').expect("a range has a slash");
    let network = bits(address(network).expect("a range has an address"));
    let length: usize = length.parse().expect("a range has a number of bits");
    address(text).is_some_and(|address| {
        let address = bits(address);
        address.len() == network.len() && address[..length] == network[..length]
    })
}
