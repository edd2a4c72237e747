//! The strategy language evaluated in the plainest way: by recursion over the
//! forms, with nothing shared and nothing remembered.

use alchemiser_indicators::{EvaluationError, Indicator, Specification};
use alchemiser_sdk::testing::TestMarket;
use std::collections::BTreeMap;
use std::fmt;

#[derive(Clone, Debug)]
pub(crate) enum Form {
    Asset(&'static str),
    Group(&'static str, Vec<Form>),
    Equal(Vec<Form>),
    Specified(Vec<(u32, Form)>),
    InverseVolatility(u32, Vec<Form>),
    Filter(Score, Selection, Box<Form>),
    If(Comparison, Operand, Operand, Box<Form>, Option<Box<Form>>),
    Vector(Vec<Form>),
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Selection {
    All,
    Top(usize),
    Bottom(usize),
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Comparison {
    Greater,
    Less,
    GreaterOrEqual,
    LessOrEqual,
    Equal,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Operand {
    Number(f64),
    Indicator(&'static str, Score),
}

/// An indicator and its window, if it takes one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Score(pub(crate) Indicator, pub(crate) Option<u32>);

/// What an error says: class, symbol, need and have.
pub(crate) type Failure = (String, Option<String>, Option<u32>, Option<u32>);

pub(crate) type Portfolio = BTreeMap<&'static str, f64>;

/// Closes by symbol and session.
#[derive(Clone, Debug)]
pub(crate) struct Prices(pub(crate) BTreeMap<&'static str, Vec<Option<f64>>>);

impl Prices {
    pub(crate) fn market(&self) -> TestMarket {
        self.0
            .iter()
            .fold(TestMarket::new(), |market, (name, closes)| {
                market.symbol(name, closes.iter().copied())
            })
    }

    /// The closes up to and including a session.
    fn seen(&self, symbol: &'static str, session: usize) -> Result<Vec<f64>, Failure> {
        match self.0.get(symbol) {
            Some(closes) => Ok(closes[..=session].iter().flatten().copied().collect()),
            None => Err(("NoData".to_owned(), Some(symbol.to_owned()), None, None)),
        }
    }

    fn close(&self, symbol: &'static str, session: usize) -> Result<f64, Failure> {
        let seen = self.seen(symbol, session)?;
        seen.last().copied().ok_or_else(|| short(symbol, 1, 0))
    }

    fn indicator(
        &self,
        symbol: &'static str,
        score: Score,
        session: usize,
    ) -> Result<f64, Failure> {
        let seen = self.seen(symbol, session)?;
        let value = score.specification().evaluate(&seen);
        value.map_err(|error| failure(symbol, &error))
    }

    pub(crate) fn portfolio(&self, form: &Form, session: usize) -> Result<Portfolio, Failure> {
        match form {
            Form::Asset(symbol) => {
                self.close(symbol, session)?;
                Ok(Portfolio::from([(*symbol, 1.0)]))
            }
            Form::Group(_, bodies) => self.portfolio(bodies.last().unwrap(), session),
            Form::Equal(forms) => self.equal(&flattened(forms), session),
            Form::Specified(parts) => {
                let total: f64 = parts.iter().map(|(weight, _)| f64::from(*weight)).sum();
                let parts: Vec<(f64, &Form)> = parts
                    .iter()
                    .map(|(weight, form)| (f64::from(*weight) / total, form))
                    .collect();
                self.mixed(&parts, session)
            }
            Form::InverseVolatility(window, forms) => {
                let mut units = Vec::new();
                for form in forms {
                    units.extend(self.units(form, session)?);
                }
                let units = distinct(units);
                if units.is_empty() {
                    return Err(empty());
                }
                for unit in &units {
                    self.portfolio(unit, session)?;
                }
                let volatility = Score(Indicator::StandardDeviationReturn, Some(*window));
                let mut inverse = Vec::new();
                let mut scores = Vec::new();
                for unit in &units {
                    scores.push(self.score(unit, volatility, session)?);
                }
                for score in scores {
                    if score <= 0.0 {
                        return Err(("NonFinite".to_owned(), None, None, None));
                    }
                    inverse.push(1.0 / score);
                }
                let total: f64 = inverse.iter().sum();
                let parts: Vec<(f64, &Form)> = inverse
                    .iter()
                    .map(|inverse| inverse / total)
                    .zip(units)
                    .collect();
                self.mixed(&parts, session)
            }
            Form::Filter(..) | Form::If(..) | Form::Vector(_) => {
                self.equal(&self.units(form, session)?, session)
            }
        }
    }

    fn equal(&self, forms: &[&Form], session: usize) -> Result<Portfolio, Failure> {
        if forms.is_empty() {
            return Err(empty());
        }
        let share = 1.0 / forms.len() as f64;
        let parts: Vec<(f64, &Form)> = forms.iter().map(|form| (share, *form)).collect();
        self.mixed(&parts, session)
    }

    fn mixed(&self, parts: &[(f64, &Form)], session: usize) -> Result<Portfolio, Failure> {
        let mut mixed = Portfolio::new();
        for (share, form) in parts {
            for (symbol, weight) in self.portfolio(form, session)? {
                *mixed.entry(symbol).or_default() += share * weight;
            }
        }
        Ok(mixed)
    }

    fn units<'a>(&self, form: &'a Form, session: usize) -> Result<Vec<&'a Form>, Failure> {
        match form {
            Form::Vector(forms) => {
                let mut units = Vec::new();
                for form in forms {
                    units.extend(self.units(form, session)?);
                }
                Ok(units)
            }
            Form::If(comparison, left, right, chosen, otherwise) => {
                let left = self.operand(*left, session)?;
                let right = self.operand(*right, session)?;
                let holds = match comparison {
                    Comparison::Greater => left > right,
                    Comparison::Less => left < right,
                    Comparison::GreaterOrEqual => left >= right,
                    Comparison::LessOrEqual => left <= right,
                    Comparison::Equal => left == right,
                };
                match (holds, otherwise) {
                    (true, _) => self.units(chosen, session),
                    (false, Some(otherwise)) => self.units(otherwise, session),
                    (false, None) => Err(empty()),
                }
            }
            Form::Filter(score, selection, form) => {
                let candidates = distinct(self.units(form, session)?);
                if candidates.is_empty() {
                    return Err(empty());
                }
                for candidate in &candidates {
                    self.portfolio(candidate, session)?;
                }
                let mut ranked = Vec::new();
                for candidate in candidates {
                    let score = self.score(candidate, *score, session)?;
                    let key: f64 = format!("{score:.9e}").parse().unwrap();
                    ranked.push((key, candidate));
                }
                match selection {
                    Selection::All | Selection::Top(_) => {
                        ranked.sort_by(|(left, _), (right, _)| right.partial_cmp(left).unwrap());
                    }
                    Selection::Bottom(_) => {
                        ranked.sort_by(|(left, _), (right, _)| left.partial_cmp(right).unwrap());
                    }
                }
                let count = match selection {
                    Selection::All => ranked.len(),
                    Selection::Top(count) | Selection::Bottom(count) => *count,
                };
                let chosen = ranked.into_iter().take(count);
                Ok(chosen.map(|(_, unit)| unit).collect())
            }
            unit => Ok(vec![unit]),
        }
    }

    fn operand(&self, operand: Operand, session: usize) -> Result<f64, Failure> {
        match operand {
            Operand::Number(number) => Ok(number),
            Operand::Indicator(symbol, score) => self.indicator(symbol, score, session),
        }
    }

    fn score(&self, unit: &Form, score: Score, session: usize) -> Result<f64, Failure> {
        if let Form::Asset(symbol) = unit {
            return self.indicator(symbol, score, session);
        }
        let window = score.1.unwrap_or(1) as usize;
        let needed = match score.0 {
            Indicator::MovingAverageReturn
            | Indicator::StandardDeviationReturn
            | Indicator::CumulativeReturn => window,
            Indicator::MaximumDrawdown => window - 1,
            _ => usize::MAX,
        };
        let returns = self.returns(unit, session, needed)?;
        let mut index = vec![100.0];
        for change in &returns {
            index.push(index.last().unwrap() * (1.0 + change));
        }
        let points = index.len() as u32;
        let need = score.specification().need();
        if points < need {
            return Err(short(unit.name(), need, points));
        }
        let count = returns.len() as f64;
        let mean = returns.iter().sum::<f64>() / count;
        Ok(match score.0 {
            Indicator::MovingAverageReturn => 100.0 * mean,
            Indicator::StandardDeviationReturn => {
                let squares = returns.iter().map(|change| (change - mean).powi(2));
                100.0 * (squares.sum::<f64>() / (count - 1.0)).sqrt()
            }
            Indicator::CumulativeReturn => {
                100.0 * (returns.iter().map(|change| 1.0 + change).product::<f64>() - 1.0)
            }
            _ => {
                return score
                    .specification()
                    .evaluate(&index)
                    .map_err(|error| failure(unit.name(), &error));
            }
        })
    }

    /// The latest returns of a unit, oldest first.
    fn returns(&self, unit: &Form, session: usize, needed: usize) -> Result<Vec<f64>, Failure> {
        let mut returns = Vec::new();
        for session in (1..=session).rev().take(needed) {
            let held = match self.portfolio(unit, session - 1) {
                Ok(held) => canonical(&held),
                Err((class, ..)) if class == "InsufficientHistory" => break,
                Err(failure) => return Err(failure),
            };
            let mut change = 0.0;
            for (symbol, weight) in held {
                let close = self.close(symbol, session)?;
                change += weight * (close / self.close(symbol, session - 1)? - 1.0);
            }
            returns.push(change);
        }
        returns.reverse();
        Ok(returns)
    }
}

/// Rounds to 10 decimals; the first of the largest takes what is left over.
pub(crate) fn canonical(portfolio: &Portfolio) -> Portfolio {
    let total: f64 = portfolio.values().sum();
    let mut units: Vec<(&'static str, i64)> = portfolio
        .iter()
        .map(|(symbol, weight)| {
            let text = format!("{:.10}", weight / total);
            (*symbol, text.replace('.', "").parse().unwrap())
        })
        .filter(|(_, units)| *units > 0)
        .collect();
    let rest = 10_000_000_000 - units.iter().map(|(_, units)| units).sum::<i64>();
    let most = units.iter().map(|(_, units)| *units).max().unwrap();
    let largest = units.iter_mut().find(|(_, units)| *units == most);
    largest.unwrap().1 += rest;
    units
        .into_iter()
        .map(|(symbol, units)| (symbol, units as f64 / 1e10))
        .collect()
}

fn flattened(forms: &[Form]) -> Vec<&Form> {
    forms
        .iter()
        .flat_map(|form| match form {
            Form::Vector(forms) => flattened(forms),
            form => vec![form],
        })
        .collect()
}

/// Drops all but the first of assets that repeat.
fn distinct(units: Vec<&Form>) -> Vec<&Form> {
    let mut seen = Vec::new();
    units
        .into_iter()
        .filter(|unit| match unit {
            Form::Asset(symbol) if seen.contains(symbol) => false,
            Form::Asset(symbol) => {
                seen.push(*symbol);
                true
            }
            _ => true,
        })
        .collect()
}

fn empty() -> Failure {
    ("EmptyPortfolio".to_owned(), None, None, None)
}

fn short(name: &str, need: u32, have: u32) -> Failure {
    let class = "InsufficientHistory".to_owned();
    (class, Some(name.to_owned()), Some(need), Some(have))
}

fn failure(name: &str, error: &EvaluationError) -> Failure {
    match error {
        EvaluationError::InsufficientHistory { need, have } => short(name, *need, *have),
        EvaluationError::NonFinite { .. } => ("NonFinite".to_owned(), None, None, None),
    }
}

impl Score {
    fn specification(self) -> Specification {
        Specification::new(self.0, self.1).unwrap()
    }
}

impl Form {
    fn name(&self) -> &'static str {
        match self {
            Self::Asset(name) | Self::Group(name, _) => name,
            Self::Equal(_) => "weight-equal",
            Self::Specified(_) => "weight-specified",
            Self::InverseVolatility(..) => "weight-inverse-volatility",
            Self::Filter(..) | Self::If(..) | Self::Vector(_) => unreachable!("no unit"),
        }
    }
}

impl fmt::Display for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all = |f: &mut fmt::Formatter<'_>, forms: &[Form]| {
            forms.iter().try_for_each(|form| write!(f, " {form}"))
        };
        match self {
            Self::Asset(symbol) => write!(f, "(asset {symbol:?})"),
            Self::Group(name, forms) => {
                write!(f, "(group {name:?}")?;
                all(f, forms)?;
                f.write_str(")")
            }
            Self::Equal(forms) => {
                f.write_str("(weight-equal")?;
                all(f, forms)?;
                f.write_str(")")
            }
            Self::Specified(parts) => {
                f.write_str("(weight-specified")?;
                for (weight, form) in parts {
                    write!(f, " {weight} {form}")?;
                }
                f.write_str(")")
            }
            Self::InverseVolatility(window, forms) => {
                write!(f, "(weight-inverse-volatility {window}")?;
                all(f, forms)?;
                f.write_str(")")
            }
            Self::Filter(Score(indicator, window), selection, form) => {
                write!(f, "(filter ({indicator}{})", Window(*window))?;
                match selection {
                    Selection::All => {}
                    Selection::Top(count) => write!(f, " (select-top {count})")?,
                    Selection::Bottom(count) => write!(f, " (select-bottom {count})")?,
                }
                write!(f, " {form})")
            }
            Self::If(comparison, left, right, chosen, otherwise) => {
                let comparison = match comparison {
                    Comparison::Greater => ">",
                    Comparison::Less => "<",
                    Comparison::GreaterOrEqual => ">=",
                    Comparison::LessOrEqual => "<=",
                    Comparison::Equal => "=",
                };
                write!(f, "(if ({comparison} {left} {right}) {chosen}")?;
                if let Some(otherwise) = otherwise {
                    write!(f, " {otherwise}")?;
                }
                f.write_str(")")
            }
            Self::Vector(forms) => {
                f.write_str("[")?;
                all(f, forms)?;
                f.write_str("]")
            }
        }
    }
}

impl fmt::Display for Operand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => write!(f, "{number}"),
            Self::Indicator(symbol, Score(indicator, window)) => {
                write!(f, "({indicator} {symbol:?}{})", Window(*window))
            }
        }
    }
}

struct Window(Option<u32>);

impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(window) => write!(f, " {{:window {window}}}"),
            None => Ok(()),
        }
    }
}
