//! The prices of a scenario: literal closes, generated ones, or files.

use crate::reader::{Reader, Value};
use alchemiser_events::{Decimal, Price, SessionDate, Symbol};
use alchemiser_market::{Bar, CsvSource, Market};
use alchemiser_random_walk::random_walk;
use jiff::ToSpan as _;
use jiff::civil::{Weekday, date};
use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use toml::de::{DeTable, DeValue};

/// Markets that were read from files, each once.
#[derive(Debug, Default)]
pub struct Markets {
    read: HashMap<PathBuf, Arc<Market>>,
}

impl Markets {
    /// None yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn read(&mut self, path: &Path) -> Result<Arc<Market>, String> {
        let known = path.canonicalize().unwrap_or_else(|_| path.to_owned());
        if let Some(market) = self.read.get(&known) {
            return Ok(Arc::clone(market));
        }
        let market = CsvSource::new(path)
            .read()
            .map(Arc::new)
            .map_err(|error| error.to_string())?;
        self.read.insert(known, Arc::clone(&market));
        Ok(market)
    }
}

/// The first session of prices that bring no dates, as in the SDK's tests.
const FIRST: jiff::civil::Date = date(2018, 1, 1);

/// The most sessions that are generated.
const MOST_SESSIONS: u64 = 10_000;

/// Reads `prices` of a scenario, and `first_date`. `folder` is that of the
/// scenario file.
pub(crate) fn read(
    reader: &mut Reader<'_>,
    prices: &Value<'_>,
    first: Option<&Value<'_>>,
    folder: &Path,
    markets: &mut Markets,
) -> Option<Arc<Market>> {
    if let Some(path) = prices.get_ref().as_str() {
        if let Some(first) = first {
            let message = "prices from files bring their own dates; remove `first_date`";
            reader.mistake(first.span(), message);
        }
        return markets
            .read(&folder.join(path))
            .map_err(|error| reader.mistake(prices.span(), format!("`prices`: {error}")))
            .ok();
    }
    let first_date = match first {
        Some(first) => reader.date("first_date", first).map(SessionDate::date),
        None => Some(FIRST),
    };
    if !prices.get_ref().is_table() {
        let message = "`prices` are closes by symbol such as `{ SPY = [100, 101] }`, the path of a \
                       CSV file or of a folder, or `{ generate = { … } }`";
        reader.mistake(prices.span(), message);
        return None;
    }
    let table = reader.table("prices", prices)?;
    let closes = match table.get("generate") {
        Some(generate) if generate.get_ref().is_table() => generated(reader, table, generate)?,
        _ => literal(reader, prices)?,
    };
    market(&closes, first_date?)
        .map_err(|message| reader.mistake(prices.span(), message))
        .ok()
}

/// For each symbol a close for each session, or none.
type Closes = BTreeMap<Symbol, Vec<Option<Price>>>;

fn literal(reader: &mut Reader<'_>, prices: &Value<'_>) -> Option<Closes> {
    let mistakes = reader.mistakes.len();
    let closes = reader.by_symbol("prices", prices, |reader, key, value| {
        let array = reader.array(key, value, "an array of closes");
        let closes: Vec<Option<Option<Price>>> = array
            .iter()
            .map(|close| match close.get_ref() {
                DeValue::Float(float) if float.as_str().ends_with("nan") => Some(None),
                _ => reader.amount(key, close, Price::new).map(Some),
            })
            .collect();
        let closes: Option<Vec<Option<Price>>> = closes.into_iter().collect();
        Some((closes?, value.span()))
    })?;
    if reader.mistakes.len() > mistakes {
        return None;
    }
    let longest = closes.values().map(|(closes, _)| closes.len()).max();
    let Some(longest) = longest.filter(|longest| *longest > 0) else {
        let message = "there are no prices; name a symbol and its closes: `{ SPY = [100, 101] }`";
        reader.mistake(prices.span(), message);
        return None;
    };
    for (symbol, (closes, span)) in &closes {
        let count = closes.len();
        if count < longest {
            let message = format!(
                "`{symbol}` has {count} closes and another symbol {longest}; write `nan` for a \
                 session without a bar"
            );
            reader.mistake(span.clone(), message);
        }
    }
    for session in 0..longest {
        let is_bar =
            |(closes, _): &(Vec<Option<Price>>, _)| closes.get(session).is_none_or(Option::is_some);
        if !closes.values().any(is_bar) {
            let message = format!("no symbol has a close in session {session}; leave it out");
            reader.mistake(prices.span(), message);
        }
    }
    (reader.mistakes.len() == mistakes).then(|| {
        let without_place = closes.into_iter();
        without_place
            .map(|(symbol, (closes, _))| (symbol, closes))
            .collect()
    })
}

fn generated(
    reader: &mut Reader<'_>,
    prices: &DeTable<'_>,
    generate: &Value<'_>,
) -> Option<Closes> {
    reader.known_keys(prices, &["generate"]);
    let table = reader.table("generate", generate)?;
    reader.known_keys(table, &["seed", "sessions", "symbols"]);
    let seed = match table.get("seed") {
        Some(value) => reader.integer("seed", value, 0..1 << 63)?,
        None => 0,
    };
    let (Some(sessions), Some(symbols)) = (table.get("sessions"), table.get("symbols")) else {
        let message = "`generate` needs `sessions` and `symbols`: \
                       `{ seed = 7, sessions = 300, symbols = [\"SPY\", \"TLT\"] }`";
        reader.mistake(generate.span(), message);
        return None;
    };
    let sessions = reader.integer("sessions", sessions, 1..MOST_SESSIONS + 1);
    let names = reader.array("symbols", symbols, "an array of symbols");
    let symbols: Option<Vec<Symbol>> = names
        .iter()
        .map(|name| {
            let text = reader.string("symbols", name)?;
            reader.symbol(name.span(), text)
        })
        .collect();
    let sessions = usize::try_from(sessions?).ok()?;
    let closes: Closes = symbols?
        .into_iter()
        .map(|symbol| {
            let walk = random_walk(seed, symbol.as_str(), sessions);
            (symbol, walk.into_iter().map(price).collect())
        })
        .collect();
    if closes.is_empty() {
        reader.mistake(generate.span(), "`symbols` is empty; name at least one");
        return None;
    }
    Some(closes)
}

/// A market of these closes on the weekdays from a date.
fn market(closes: &Closes, first: jiff::civil::Date) -> Result<Arc<Market>, String> {
    let sessions = closes.values().map(Vec::len).max().unwrap_or(0);
    let dates: Vec<SessionDate> = weekdays(first).take(sessions).collect();
    let bars = closes
        .iter()
        .map(|(symbol, closes)| {
            let bars = dates.iter().zip(closes).filter_map(|(&date, &close)| {
                Some(Bar {
                    date,
                    close: close?,
                })
            });
            (symbol.clone(), bars.collect())
        })
        .collect();
    Market::new(&bars, BTreeMap::new())
        .map(Arc::new)
        .map_err(|error| error.to_string())
}

/// A price to four decimals, one hundredth of a cent at least.
pub(crate) fn price(price: f64) -> Option<Price> {
    let units = (price * 10_000.0).round().clamp(1.0, 1e15);
    Price::new(Decimal::new(units as i64, 4)).ok()
}

/// The weekdays from a date, that included.
pub(crate) fn weekdays(first: jiff::civil::Date) -> impl Iterator<Item = SessionDate> {
    std::iter::successors(Some(first), |date| date.checked_add(1.day()).ok())
        .filter(|date| !matches!(date.weekday(), Weekday::Saturday | Weekday::Sunday))
        .map(SessionDate::new)
}
