//! The array of a field: values and operators.

use super::Compiler;
use crate::pattern::address::{self, AddressRange};
use crate::pattern::case::AnyCase;
use crate::pattern::node::{Entry, Kind, Node};
use crate::pattern::number::Number;
use crate::pattern::test::{Excluded, Literal, NumberRange, Test};
use crate::pattern::wildcard::Wildcard;
use alchemiser_suggest as suggest;

/// EventBridge's operators, beside values as they are and `$or`.
const OPERATORS: [&str; 9] = [
    "prefix",
    "suffix",
    "anything-but",
    "numeric",
    "exists",
    "equals-ignore-case",
    "wildcard",
    "cidr",
    "exactly",
];

/// What may stand within `anything-but`.
const WITHIN_ANYTHING_BUT: [&str; 4] = ["prefix", "suffix", "equals-ignore-case", "wildcard"];

/// Whether a name is an operator's.
pub(super) fn is_one(name: &str) -> bool {
    OPERATORS.contains(&name)
}

/// Its functions answer `None` where a mistake left nothing to answer; that
/// mistake is then recorded.
impl Compiler<'_> {
    pub(super) fn tests(&mut self, array: &Node, elements: &[Node]) -> Vec<Test> {
        if elements.is_empty() {
            self.mistake(
                array,
                "an empty array matches nothing",
                "name at least one value, or leave the field out",
            );
        }
        elements
            .iter()
            .filter_map(|element| self.test(element))
            .collect()
    }

    fn test(&mut self, node: &Node) -> Option<Test> {
        Some(match &node.kind {
            Kind::String(text) => match address::parse(text.as_bytes()) {
                Some(address) => Test::Address {
                    written: text.as_str().into(),
                    address,
                },
                None => Test::Equals(Literal::String(text.as_str().into())),
            },
            Kind::Bool(flag) => Test::Equals(Literal::Bool(*flag)),
            Kind::Null => Test::Equals(Literal::Null),
            Kind::Number(text) => Test::Equals(Literal::Number(self.number(node, text)?)),
            Kind::Object(entries) => return self.operator(node, entries),
            Kind::Array(_) | Kind::Date => {
                let message = format!("{} cannot be matched as a value", node.kind.name());
                self.mistake(node, message, "write strings, numbers or booleans");
                return None;
            }
        })
    }

    fn operator(&mut self, node: &Node, entries: &[Entry]) -> Option<Test> {
        let Entry {
            name: operator,
            span,
            value: operand,
        } = self.only_entry(node, entries)?;
        let operator = operator.as_str();
        Some(match operator {
            "prefix" => match self.text_or_any_case(operator, operand)? {
                Text::Plain(prefix) => Test::Prefix(prefix),
                Text::AnyCase(prefix) => Test::PrefixIgnoreCase(prefix),
            },
            "suffix" => match self.text_or_any_case(operator, operand)? {
                Text::Plain(suffix) => Test::Suffix(suffix),
                Text::AnyCase(suffix) => Test::SuffixIgnoreCase(suffix),
            },
            "equals-ignore-case" => {
                Test::EqualsIgnoreCase(AnyCase::new(self.text(operator, operand)?))
            }
            "exactly" => Test::Exactly(self.text(operator, operand)?.into()),
            "wildcard" => Test::Wildcard(self.wildcard(operand)?),
            "cidr" => {
                let text = self.text(operator, operand)?;
                match AddressRange::parse(text) {
                    Ok(range) => Test::Cidr(range),
                    Err(error) => {
                        let message = format!("`{text}` is no range of addresses: {error}");
                        self.mistake(operand, message, "write `{ cidr = \"10.0.0.0/24\" }`");
                        return None;
                    }
                }
            }
            "exists" => match operand.kind {
                Kind::Bool(true) => Test::Present,
                Kind::Bool(false) => Test::Absent,
                ref other => {
                    let message = format!("`exists` takes true or false, not {}", other.name());
                    self.mistake(operand, message, "write `{ exists = true }`");
                    return None;
                }
            },
            "numeric" => Test::Numeric(self.numeric(operand)?),
            "anything-but" => Test::AnythingBut(self.anything_but(operand)?),
            _ => {
                let message = format!("there is no operator `{operator}`");
                let advice = suggest::instead_of(operator, &OPERATORS);
                self.mistake_at(span.clone(), message, advice);
                return None;
            }
        })
    }

    fn only_entry<'node>(&mut self, node: &Node, entries: &'node [Entry]) -> Option<&'node Entry> {
        if let [entry] = entries {
            return Some(entry);
        }
        let message = format!(
            "one operator is needed here, and there are {}",
            entries.len()
        );
        self.mistake(node, message, "write one table for each operator");
        None
    }

    fn text<'node>(&mut self, operator: &str, operand: &'node Node) -> Option<&'node str> {
        if let Kind::String(text) = &operand.kind {
            return Some(text);
        }
        let message = format!(
            "the operator `{operator}` takes a string, not {}",
            operand.kind.name()
        );
        self.mistake(
            operand,
            message,
            format!("write `{{ {operator} = \"…\" }}`"),
        );
        None
    }

    /// The operand of `prefix` and `suffix`.
    fn text_or_any_case(&mut self, operator: &str, operand: &Node) -> Option<Text> {
        let Kind::Object(entries) = &operand.kind else {
            return Some(Text::Plain(self.text(operator, operand)?.into()));
        };
        let Entry { name, span, value } = self.only_entry(operand, entries)?;
        if name != "equals-ignore-case" {
            let message = format!("within `{operator}` there is no operator `{name}`");
            let advice = "only `equals-ignore-case` can stand here";
            self.mistake_at(span.clone(), message, advice);
            return None;
        }
        Some(Text::AnyCase(AnyCase::new(self.text(name, value)?)))
    }

    fn wildcard(&mut self, operand: &Node) -> Option<Wildcard> {
        let text = self.text("wildcard", operand)?;
        let wildcard = match Wildcard::parse(text) {
            Ok(wildcard) => wildcard,
            Err(error) => {
                let message = format!("`{text}` is no wildcard: {error}");
                let advice = "write `*` for any text, `\\*` and `\\\\` for `*` and `\\`";
                self.mistake(operand, message, advice);
                return None;
            }
        };
        let most = self.limits.stars;
        if wildcard.stars() > most {
            let message = format!(
                "the wildcard has {} `*`, and {most} are allowed",
                wildcard.stars()
            );
            self.mistake(operand, message, "use fewer");
            return None;
        }
        Some(wildcard)
    }

    fn number(&mut self, node: &Node, text: &str) -> Option<Number> {
        let number = Number::parse(text);
        if number.is_none() {
            let message = format!("`{text}` is no number that JSON has");
            self.mistake(node, message, "write a decimal number");
        }
        number
    }

    /// A number that can be compared by value.
    fn comparable(&mut self, node: &Node) -> Option<f64> {
        let Kind::Number(text) = &node.kind else {
            let message = format!("a number is needed here, not {}", node.kind.name());
            self.mistake(node, message, "write a decimal number");
            return None;
        };
        match self.number(node, text)? {
            Number::Value(value) => Some(value),
            Number::Text(_) => {
                let message = format!(
                    "`{text}` has more digits, or is larger, than a 64-bit floating-point \
                     number holds"
                );
                self.mistake(node, message, "write it with at most 15 digits");
                None
            }
        }
    }

    /// `["=", x]`, `[">", x]`, `[">=", x, "<", y]` and the like.
    fn numeric(&mut self, operand: &Node) -> Option<NumberRange> {
        const SHAPES: &str = "write `[\">=\", 1]`, `[\"=\", 1]` or `[\">\", 0, \"<=\", 5]`";
        let shape = |compiler: &mut Self, node: &Node, message: &str| {
            compiler.mistake(node, message, SHAPES);
            None
        };
        let Kind::Array(parts) = &operand.kind else {
            return shape(self, operand, "`numeric` takes an array of comparisons");
        };
        let comparison = |node: &Node| match &node.kind {
            Kind::String(text) => Comparison::parse(text),
            _ => None,
        };
        let (mut lowest, mut highest) = (f64::MIN, f64::MAX);
        match parts.as_slice() {
            [operator, bound] => {
                let Some(comparison) = comparison(operator) else {
                    return shape(self, operator, "this is no comparison");
                };
                comparison.narrow(self.comparable(bound)?, &mut lowest, &mut highest);
            }
            [first, low, second, high] => {
                let (Some(from), Some(to)) = (comparison(first), comparison(second)) else {
                    return shape(self, operand, "a range has two comparisons");
                };
                if !from.is_lower_bound() || !to.is_upper_bound() {
                    let message = "a range goes from `>` or `>=` to `<` or `<=`";
                    return shape(self, operand, message);
                }
                let (low_value, high_value) = (self.comparable(low)?, self.comparable(high)?);
                if low_value >= high_value {
                    let message = "the upper end of the range is not above the lower";
                    self.mistake(operand, message, "write the lower end first");
                    return None;
                }
                from.narrow(low_value, &mut lowest, &mut highest);
                to.narrow(high_value, &mut lowest, &mut highest);
            }
            _ => return shape(self, operand, "`numeric` takes one comparison or two"),
        }
        let written: Vec<String> = parts
            .iter()
            .map(|part| match &part.kind {
                Kind::Number(text) => text.clone(),
                Kind::String(text) => format!("\"{text}\""),
                _ => String::new(),
            })
            .collect();
        Some(NumberRange {
            written: format!("[{}]", written.join(",")).into(),
            lowest,
            highest,
        })
    }

    fn anything_but(&mut self, operand: &Node) -> Option<Excluded> {
        let Kind::Object(entries) = &operand.kind else {
            return self.anything_but_values(operand);
        };
        let Entry {
            name: operator,
            span,
            value: operand,
        } = self.only_entry(operand, entries)?;
        let operator = operator.as_str();
        if !WITHIN_ANYTHING_BUT.contains(&operator) {
            let message = format!("within `anything-but` there is no operator `{operator}`");
            let advice = suggest::instead_of(operator, &WITHIN_ANYTHING_BUT);
            self.mistake_at(span.clone(), message, advice);
            return None;
        }
        let list = self.list(operand)?;
        if operator == "wildcard" {
            let wildcards: Option<_> = list.iter().map(|one| self.wildcard(one)).collect();
            return wildcards.map(Excluded::Wildcards);
        }
        let texts: Option<Vec<&str>> = list.iter().map(|one| self.text(operator, one)).collect();
        let texts = texts?;
        if operator == "equals-ignore-case" {
            let any_case = texts.into_iter().map(AnyCase::new);
            return Some(Excluded::AnyCase(any_case.collect()));
        }
        if texts.contains(&"") {
            let message = format!("the empty {operator} leaves out every string");
            self.mistake(operand, message, "write at least one character");
            return None;
        }
        let texts = texts.into_iter().map(Box::from).collect();
        Some(if operator == "prefix" {
            Excluded::Prefixes(texts)
        } else {
            Excluded::Suffixes(texts)
        })
    }

    /// `anything-but` with values: all strings, or all numbers.
    fn anything_but_values(&mut self, operand: &Node) -> Option<Excluded> {
        let list = self.list(operand)?;
        if matches!(list[0].kind, Kind::Number(_)) {
            let numbers: Option<_> = list.iter().map(|one| self.comparable(one)).collect();
            return numbers.map(Excluded::Numbers);
        }
        let mut texts = Vec::new();
        for one in list {
            let Kind::String(text) = &one.kind else {
                let message = format!(
                    "`anything-but` takes strings only or numbers only, and here is {}",
                    one.kind.name()
                );
                self.mistake(
                    one,
                    message,
                    "write two `anything-but`, or values of one kind",
                );
                return None;
            };
            texts.push(text.as_str().into());
        }
        Some(Excluded::Strings(texts.into_boxed_slice()))
    }

    /// One value, or a list of them that is not empty.
    fn list<'node>(&mut self, operand: &'node Node) -> Option<&'node [Node]> {
        match &operand.kind {
            Kind::Array(list) if list.is_empty() => {
                let message = "an empty list leaves nothing out";
                self.mistake(operand, message, "name at least one value");
                None
            }
            Kind::Array(list) => Some(list),
            _ => Some(std::slice::from_ref(operand)),
        }
    }
}

enum Text {
    Plain(Box<str>),
    AnyCase(AnyCase),
}

#[derive(Clone, Copy)]
enum Comparison {
    Equal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Comparison {
    fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "=" => Self::Equal,
            "<" => Self::Less,
            "<=" => Self::LessOrEqual,
            ">" => Self::Greater,
            ">=" => Self::GreaterOrEqual,
            _ => return None,
        })
    }

    fn is_lower_bound(self) -> bool {
        matches!(self, Self::Greater | Self::GreaterOrEqual)
    }

    fn is_upper_bound(self) -> bool {
        matches!(self, Self::Less | Self::LessOrEqual)
    }

    fn narrow(self, bound: f64, lowest: &mut f64, highest: &mut f64) {
        match self {
            Self::Equal => (*lowest, *highest) = (bound, bound),
            Self::Less => *highest = bound.next_down(),
            Self::LessOrEqual => *highest = bound,
            Self::Greater => *lowest = bound.next_up(),
            Self::GreaterOrEqual => *lowest = bound,
        }
    }
}
