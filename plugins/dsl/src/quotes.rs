//! What the market said.
//!
//! A call to the host costs more than everything else that evaluating a
//! condition takes. So each answer is asked for once, and the values of a
//! session all at once.

use crate::failure::{Failure, Outcome};
use crate::program::{Call, CallId, Program, SymbolId};
use alchemiser_sdk::{Market, Series, Session, SymbolHandle};
use rustc_hash::FxHashMap;
use std::rc::Rc;

/// Closes and indicators of a program's symbols, as far as they were asked for.
#[derive(Debug)]
pub(crate) struct Quotes {
    /// Handles by symbol.
    symbols: Vec<Option<Outcome<SymbolHandle>>>,
    /// By number: first the program's own, then scores of assets.
    calls: Vec<Opened>,
    scores: FxHashMap<Call, CallId>,
    /// All series that are open.
    series: Vec<Series>,
    /// By session and the place of the series; not a number where there is no
    /// value, or it was not asked for. Losing a row costs time, never
    /// correctness.
    rows: Vec<Vec<f64>>,
    /// How many values the rows hold.
    held: usize,
}

/// Whether a call was made ready to be answered.
#[derive(Clone, Debug)]
enum Opened {
    NotYet,
    /// The place of its series in [`Quotes::series`].
    At(u32),
    Never(Rc<Failure>),
}

/// Where answers come from.
#[derive(Clone, Copy)]
pub(crate) struct Source<'a> {
    pub(crate) program: &'a Program,
    pub(crate) market: &'a dyn Market,
}

impl Quotes {
    /// Values that are held at once, 16 MiB of them.
    const MOST: usize = 2 << 20;

    pub(crate) fn new(program: &Program) -> Self {
        Self {
            symbols: vec![None; program.symbols().len()],
            calls: vec![Opened::NotYet; program.calls().len()],
            scores: FxHashMap::default(),
            series: Vec::new(),
            rows: Vec::new(),
            held: 0,
        }
    }

    /// The last close of a symbol on or before a session.
    pub(crate) fn close(
        &mut self,
        source: Source<'_>,
        symbol: SymbolId,
        session: Session,
    ) -> Outcome<f64> {
        let close = source.program.close(symbol);
        self.value(source, close, session)
    }

    /// The value of an indicator that is the score of an asset.
    pub(crate) fn score(
        &mut self,
        source: Source<'_>,
        call: Call,
        session: Session,
    ) -> Outcome<f64> {
        let next = CallId(self.calls.len() as u32);
        let id = *self.scores.entry(call).or_insert(next);
        if id == next {
            self.calls.push(Opened::NotYet);
        }
        self.value_of(source, id, || call, session)
    }

    /// The value of a call of the program.
    #[inline]
    pub(crate) fn value(
        &mut self,
        source: Source<'_>,
        id: CallId,
        session: Session,
    ) -> Outcome<f64> {
        self.value_of(source, id, || source.program.call(id), session)
    }

    #[inline]
    fn value_of(
        &mut self,
        source: Source<'_>,
        id: CallId,
        call: impl FnOnce() -> Call,
        session: Session,
    ) -> Outcome<f64> {
        if let Opened::At(place) = self.calls[id.index()]
            && let Some(row) = self.rows.get(session as usize)
            && let Some(value) = row.get(place as usize)
            && !value.is_nan()
        {
            return Ok(*value);
        }
        self.ask(source, id, call(), session)
    }

    /// Asks for a value that is not known.
    #[cold]
    #[inline(never)] // See the module `evaluate`.
    fn ask(
        &mut self,
        source: Source<'_>,
        id: CallId,
        call: Call,
        session: Session,
    ) -> Outcome<f64> {
        let place = match &self.calls[id.index()] {
            Opened::At(place) => *place,
            Opened::Never(failure) => return Err(Rc::clone(failure)),
            Opened::NotYet => self.open(source, id, call)?,
        };
        let series = self.series[place as usize];
        let row = self.row(source, session);
        let value = &mut row[place as usize];
        if value.is_nan() {
            let answer = source.market.value(series, session);
            *value = answer.map_err(Failure::new)?;
        }
        Ok(*value)
    }

    /// The row of a session, with a place for each series.
    fn row(&mut self, source: Source<'_>, session: Session) -> &mut [f64] {
        if self.held > Self::MOST {
            self.rows.clear();
            self.held = 0;
        }
        let index = session as usize;
        if self.rows.len() <= index {
            self.rows.resize(index + 1, Vec::new());
        }
        let row = &mut self.rows[index];
        let known = row.len();
        if known == 0 {
            *row = source.market.values(&self.series, session);
        } else {
            // Series that were opened since are asked for one by one.
            row.resize(self.series.len(), f64::NAN);
        }
        self.held += row.len() - known;
        row
    }

    fn open(&mut self, source: Source<'_>, id: CallId, call: Call) -> Outcome<u32> {
        let name = call.specification.indicator().name();
        let window = call.specification.window();
        let series = self
            .symbol(source, call.symbol)
            .and_then(|symbol| {
                let series = source.market.indicator(name, symbol, window);
                series.map_err(Failure::new)
            })
            .inspect_err(|failure| {
                self.calls[id.index()] = Opened::Never(Rc::clone(failure));
            })?;
        let place = self.series.len() as u32;
        self.series.push(series);
        self.calls[id.index()] = Opened::At(place);
        Ok(place)
    }

    fn symbol(&mut self, source: Source<'_>, symbol: SymbolId) -> Outcome<SymbolHandle> {
        self.symbols[symbol.index()]
            .get_or_insert_with(|| {
                let name = source.program.symbol(symbol);
                source.market.find(name).map_err(Failure::new)
            })
            .clone()
    }
}
