//! From the host's request, in text, to a checked snapshot of the account.

use std::collections::{BTreeMap, BTreeSet};

use alchemiser_sdk::planner::{self, Request};
use alchemiser_sdk::{Error, Result};
use rust_decimal::Decimal;

/// The account, its targets and the prices, all of one moment.
#[derive(Debug)]
pub(crate) struct Snapshot {
    /// US dollars; below 0 for an account that borrows.
    pub(crate) cash: Decimal,
    /// Everything held or targeted, by symbol, each once.
    pub(crate) holdings: Vec<Holding>,
    pub(crate) settings: Settings,
}

/// One symbol that is held, targeted, or both.
#[derive(Debug)]
pub(crate) struct Holding {
    pub(crate) symbol: String,
    /// Shares held, 0 or more.
    pub(crate) quantity: Decimal,
    /// Share of the investable value that is wanted, 0 to 1.
    pub(crate) weight: Decimal,
    /// US dollars for one share, above 0.
    pub(crate) price: Decimal,
    /// Whether fractions of a share can be traded.
    pub(crate) fractionable: bool,
}

impl Holding {
    /// US dollars.
    pub(crate) fn value(&self) -> Decimal {
        self.quantity * self.price
    }
}

/// The settings that the arithmetic needs; `plugins/wit/portfolio.wit` says
/// what each means.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) cash_reserve: Decimal,
    pub(crate) minimum_trade_share: Decimal,
    pub(crate) minimum_trade_amount: Decimal,
    pub(crate) rebalance_threshold: Decimal,
    pub(crate) allow_margin: bool,
}

// Bounds far outside anything real. Within them no product or sum of the plan
// comes near the end of a decimal's range, 7.9e28.
pub(crate) const LARGEST_AMOUNT: i64 = 1_000_000_000_000_000;
const LARGEST_QUANTITY: i64 = 1_000_000_000_000;
const LARGEST_PRICE: i64 = 1_000_000_000;
const SMALLEST_PRICE: Decimal = Decimal::from_parts(1, 0, 0, false, 9);

/// By this much weights may add up to more than 1, since each was rounded.
const WEIGHT_SUM_TOLERANCE: Decimal = Decimal::from_parts(1, 0, 0, false, 9);

impl Snapshot {
    pub(crate) fn parse(request: &Request) -> Result<Self> {
        let settings = Settings::parse(&request.settings)?;
        let cash = Field::of_request("cash").decimal(
            &request.cash,
            Decimal::from(-LARGEST_AMOUNT),
            Decimal::from(LARGEST_AMOUNT),
        )?;
        let weights = parse_weights(request)?;
        let quantities = parse_quantities(&request.positions)?;
        let instruments = parse_instruments(&request.instruments)?;
        Ok(Self {
            cash,
            holdings: join(&weights, &quantities, &instruments)?,
            settings,
        })
    }
}

impl Settings {
    fn parse(settings: &planner::Settings) -> Result<Self> {
        let share =
            |name, text: &str| Field::of_request(name).decimal(text, Decimal::ZERO, Decimal::ONE);
        let cash_reserve = share("cash-reserve", &settings.cash_reserve)?;
        if cash_reserve == Decimal::ONE {
            return Err(Field::of_request("cash-reserve")
                .error("the cash reserve is everything, and must be below 1"));
        }
        Ok(Self {
            cash_reserve,
            minimum_trade_share: share("min-trade-share", &settings.min_trade_share)?,
            minimum_trade_amount: Field::of_request("min-trade-amount").decimal(
                &settings.min_trade_amount,
                Decimal::ZERO,
                Decimal::from(LARGEST_AMOUNT),
            )?,
            rebalance_threshold: share("rebalance-threshold", &settings.rebalance_threshold)?,
            allow_margin: settings.allow_margin,
        })
    }
}

fn parse_weights(request: &Request) -> Result<BTreeMap<&str, Decimal>> {
    let maximum = Field::of_request("max-position").decimal(
        &request.settings.max_position,
        Decimal::ZERO,
        Decimal::ONE,
    )?;
    let mut weights = BTreeMap::new();
    for target in &request.targets {
        let field = Field::of_symbol("weight", &target.symbol);
        let weight = field.decimal(&target.weight, Decimal::ZERO, Decimal::ONE)?;
        if weight > maximum {
            let message = format!("{field} is {weight}, above the largest position, {maximum}");
            return Err(field.error(message));
        }
        field.insert_once(&mut weights, weight, "target")?;
    }
    let sum: Decimal = weights.values().sum();
    if sum > Decimal::ONE + WEIGHT_SUM_TOLERANCE {
        let message = format!("the weights add up to {sum}, and may not exceed 1");
        return Err(Field::of_request("weight").error(message));
    }
    Ok(weights)
}

fn parse_quantities(positions: &[planner::Position]) -> Result<BTreeMap<&str, Decimal>> {
    let mut quantities = BTreeMap::new();
    for position in positions {
        let field = Field::of_symbol("quantity", &position.symbol);
        let quantity = field.decimal(
            &position.quantity,
            Decimal::ZERO,
            Decimal::from(LARGEST_QUANTITY),
        )?;
        field.insert_once(&mut quantities, quantity, "position")?;
    }
    quantities.retain(|_, quantity| !quantity.is_zero());
    Ok(quantities)
}

/// Price, and whether fractions can be traded.
fn parse_instruments(
    instruments: &[planner::Instrument],
) -> Result<BTreeMap<&str, (Decimal, bool)>> {
    let mut parsed = BTreeMap::new();
    for instrument in instruments {
        let field = Field::of_symbol("price", &instrument.symbol);
        let price = field.decimal(
            &instrument.price,
            SMALLEST_PRICE,
            Decimal::from(LARGEST_PRICE),
        )?;
        field.insert_once(&mut parsed, (price, instrument.fractionable), "instrument")?;
    }
    Ok(parsed)
}

fn join(
    weights: &BTreeMap<&str, Decimal>,
    quantities: &BTreeMap<&str, Decimal>,
    instruments: &BTreeMap<&str, (Decimal, bool)>,
) -> Result<Vec<Holding>> {
    let symbols: BTreeSet<&str> = weights.keys().chain(quantities.keys()).copied().collect();
    let missing: Vec<&str> = symbols
        .iter()
        .filter(|symbol| !instruments.contains_key(*symbol))
        .copied()
        .collect();
    if let Some(first) = missing.first() {
        let message = format!("there is no price for `{}`", missing.join("`, `"));
        return Err(Field::of_symbol("price", first).error(message));
    }
    Ok(symbols
        .into_iter()
        .filter_map(|symbol| {
            let (price, fractionable) = *instruments.get(symbol)?;
            Some(Holding {
                symbol: symbol.to_owned(),
                quantity: quantities.get(symbol).copied().unwrap_or_default(),
                weight: weights.get(symbol).copied().unwrap_or_default(),
                price,
                fractionable,
            })
        })
        .collect())
}

/// A number of the request, for the errors about it.
struct Field<'request> {
    name: &'static str,
    symbol: Option<&'request str>,
}

impl<'request> Field<'request> {
    fn of_request(name: &'static str) -> Self {
        Self { name, symbol: None }
    }

    fn of_symbol(name: &'static str, symbol: &'request str) -> Self {
        Self {
            name,
            symbol: Some(symbol),
        }
    }

    fn error(&self, message: impl Into<String>) -> Error {
        Error {
            symbol: self.symbol.map(str::to_owned),
            what: Some(self.name.to_owned()),
            ..Error::new("ArgumentError", message)
        }
    }

    /// Parses a decimal and checks its range, ends included.
    fn decimal(&self, text: &str, smallest: Decimal, largest: Decimal) -> Result<Decimal> {
        let number = parse_decimal(text)
            .ok_or_else(|| self.error(format!("{self} is `{text}`, which is no decimal number")))?;
        if number < smallest || number > largest {
            return Err(self.error(format!(
                "{self} is {number}, and must be from {smallest} to {largest}"
            )));
        }
        Ok(number)
    }

    fn insert_once<V>(
        &self,
        map: &mut BTreeMap<&'request str, V>,
        value: V,
        kind: &str,
    ) -> Result<()> {
        let symbol = self.symbol.unwrap_or_default();
        match map.insert(symbol, value) {
            None => Ok(()),
            Some(_) => Err(self.error(format!("there are two {kind}s for `{symbol}`"))),
        }
    }
}

impl std::fmt::Display for Field<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.symbol {
            Some(symbol) => write!(formatter, "the {} of `{symbol}`", self.name),
            None => write!(formatter, "`{}`", self.name),
        }
    }
}

/// Exactly what the contract calls a decimal: optional sign, digits, optional
/// fraction. `None` also for more digits than a decimal holds, since none may
/// be lost.
fn parse_decimal(text: &str) -> Option<Decimal> {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, "0"));
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    if digits(whole) && digits(fraction) {
        Decimal::from_str_exact(text).ok()
    } else {
        None
    }
}
