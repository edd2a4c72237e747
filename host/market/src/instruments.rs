//! What is known of a symbol besides its prices.

use crate::source::Problem;
use crate::table::Fault;
use alchemiser_events::Symbol;
use alchemiser_suggest::nearest;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// What is known of a symbol besides its prices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Instrument {
    /// Whether it can be held; an index cannot.
    pub tradable: bool,
    /// Whether fractions of a share can be traded.
    pub fractionable: bool,
}

impl Default for Instrument {
    fn default() -> Self {
        Self {
            tradable: true,
            fractionable: true,
        }
    }
}

/// Reads `instruments.toml`: a table for each symbol that is not as usual, such
/// as `SP500 = { tradable = false }`. `symbols` are those that have prices.
pub(crate) fn read(
    text: &str,
    symbols: &BTreeSet<&Symbol>,
) -> Result<BTreeMap<Symbol, Instrument>, Fault> {
    let line = |span: Range<usize>| Some(1 + text[..span.start].matches('\n').count());
    let table = DeTable::parse(text).map_err(|error| {
        let problem = Problem::Toml(error.message().to_owned());
        (error.span().and_then(line), problem)
    })?;
    let mut instruments = BTreeMap::new();
    for (name, entry) in table.get_ref() {
        let here = |problem| (line(name.span()), problem);
        if let Some(rest) = nested_name(entry.get_ref()) {
            let name = format!("{}.{rest}", name.get_ref());
            return Err(here(Problem::UnquotedSymbol { name }));
        }
        let symbol = Symbol::parse(name.get_ref()).map_err(|error| here(error.into()))?;
        if !symbols.contains(&symbol) {
            let known = symbols.iter().map(|symbol| symbol.as_str());
            let suggestion = nearest(symbol.as_str(), known).map(ToOwned::to_owned);
            return Err(here(Problem::InstrumentWithoutPrices {
                symbol,
                suggestion,
            }));
        }
        let instrument = read_entry(entry).map_err(|(span, problem)| (line(span), problem))?;
        if instruments.insert(symbol.clone(), instrument).is_some() {
            return Err(here(Problem::RepeatedInstrument { symbol }));
        }
    }
    Ok(instruments)
}

/// The rest of a symbol such as `BRK.A` that was not quoted: TOML takes it for
/// a table within a table.
fn nested_name(entry: &DeValue<'_>) -> Option<String> {
    let table = entry.as_table()?;
    let (name, _) = table.iter().find(|(_, value)| value.get_ref().is_table())?;
    Some(name.get_ref().to_string())
}

fn read_entry(entry: &Spanned<DeValue<'_>>) -> Result<Instrument, (Range<usize>, Problem)> {
    let table = entry.get_ref().as_table().ok_or_else(|| {
        let found = entry.get_ref().type_str();
        (entry.span(), Problem::NotATable { found })
    })?;
    let mut instrument = Instrument::default();
    for (key, value) in table {
        let name = key.get_ref().as_ref();
        let setting = match name {
            "tradable" => &mut instrument.tradable,
            "fractionable" => &mut instrument.fractionable,
            _ => {
                let problem = Problem::UnknownKey {
                    name: name.to_owned(),
                    suggestion: nearest(name, ["tradable", "fractionable"]),
                };
                return Err((key.span(), problem));
            }
        };
        *setting = value.get_ref().as_bool().ok_or_else(|| {
            let problem = Problem::NotABoolean {
                name: name.to_owned(),
                found: value.get_ref().type_str(),
            };
            (value.span(), problem)
        })?;
    }
    Ok(instrument)
}
