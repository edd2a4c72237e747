//! What the market said.
//!
//! A call to the host costs more than everything else that evaluating a
//! condition takes, so each answer is asked for once.

use crate::failure::{Failure, Outcome};
use crate::program::{Call, Program, SymbolId};
use alchemiser_indicators::Specification;
use alchemiser_sdk::{Market, Series, Session, SymbolHandle};
use rustc_hash::FxHashMap;
use std::rc::Rc;

/// Closes and indicators of a program's symbols, as far as they were asked for.
#[derive(Debug)]
pub(crate) struct Quotes {
    symbols: Vec<SymbolQuotes>,
    indicators: FxHashMap<Call, IndicatorQuotes>,
}

#[derive(Clone, Debug)]
struct SymbolQuotes {
    handle: Option<Outcome<SymbolHandle>>,
    /// A session from which on the symbol is known to have a close.
    listed: Session,
    /// Closes by session; not a number where not asked for.
    closes: Vec<f64>,
}

#[derive(Debug)]
struct IndicatorQuotes {
    handle: Outcome<Series>,
    /// The value asked for last.
    latest: Option<(Session, Outcome<f64>)>,
}

/// Where answers come from.
#[derive(Clone, Copy)]
pub(crate) struct Source<'a> {
    pub(crate) program: &'a Program,
    pub(crate) market: &'a dyn Market,
}

impl Quotes {
    pub(crate) fn new(symbols: usize) -> Self {
        let unknown = SymbolQuotes {
            handle: None,
            listed: Session::MAX,
            closes: Vec::new(),
        };
        Self {
            symbols: vec![unknown; symbols],
            indicators: FxHashMap::default(),
        }
    }

    /// Fails unless the symbol has a close on or before a session.
    pub(crate) fn expect_close(
        &mut self,
        source: Source<'_>,
        symbol: SymbolId,
        session: Session,
    ) -> Outcome<()> {
        let quotes = &mut self.symbols[symbol.index()];
        if quotes.listed > session {
            let handle = quotes.handle(source, symbol)?;
            source.market.close(handle, session).map_err(Failure::new)?;
            quotes.listed = session;
        }
        Ok(())
    }

    /// The last close of a symbol on or before a session.
    pub(crate) fn close(
        &mut self,
        source: Source<'_>,
        symbol: SymbolId,
        session: Session,
    ) -> Outcome<f64> {
        let quotes = &mut self.symbols[symbol.index()];
        let index = session as usize;
        if let Some(close) = quotes.closes.get(index).filter(|close| !close.is_nan()) {
            return Ok(*close);
        }
        let handle = quotes.handle(source, symbol)?;
        let close = source.market.close(handle, session).map_err(Failure::new)?;
        if quotes.closes.len() <= index {
            quotes.closes.resize(index + 1, f64::NAN);
        }
        quotes.closes[index] = close;
        Ok(close)
    }

    /// The value of an indicator at a session.
    pub(crate) fn indicator(
        &mut self,
        source: Source<'_>,
        call: Call,
        session: Session,
    ) -> Outcome<f64> {
        let quotes = self
            .indicators
            .entry(call)
            .or_insert_with(|| IndicatorQuotes {
                handle: self.symbols[call.symbol.index()]
                    .handle(source, call.symbol)
                    .and_then(|symbol| source.indicator(symbol, call.specification)),
                latest: None,
            });
        match &quotes.latest {
            Some((known, value)) if *known == session => value.clone(),
            _ => {
                let value = match &quotes.handle {
                    Ok(series) => source.market.value(*series, session).map_err(Failure::new),
                    Err(failure) => Err(Rc::clone(failure)),
                };
                quotes.latest = Some((session, value.clone()));
                value
            }
        }
    }
}

impl SymbolQuotes {
    fn handle(&mut self, source: Source<'_>, symbol: SymbolId) -> Outcome<SymbolHandle> {
        self.handle
            .get_or_insert_with(|| {
                let name = source.program.symbol(symbol);
                source.market.find(name).map_err(Failure::new)
            })
            .clone()
    }
}

impl Source<'_> {
    fn indicator(self, symbol: SymbolHandle, specification: Specification) -> Outcome<Series> {
        let name = specification.indicator().name();
        self.market
            .indicator(name, symbol, specification.window())
            .map_err(Failure::new)
    }
}
