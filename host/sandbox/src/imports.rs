//! What the host gives a plugin: the market, a log, and a reader for its
//! explanations.

use crate::bindings::strategy::alchemiser::plugin::{explain, log, market, types};
use crate::error::{Failure, Limit};
use crate::explanation::{Collector, ExplanationDetail, Part, Place, Score};
use crate::limiter::Limiter;
use crate::settings::{Limits, LogLevel};
use crate::text::clip_line;
use alchemiser_events::ProducedBy;
use alchemiser_market::{
    DataError, ReadError, SeriesHandle, Session, SymbolHandle, View, ViolationError,
};
use std::sync::Arc;
use wasmtime::Result;

/// A line that a plugin wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine {
    /// How much it matters.
    pub level: LogLevel,
    /// One line; control characters are escaped.
    pub message: String,
}

/// What belongs to one instance on the host's side.
pub(crate) struct State {
    pub(crate) limiter: Limiter,
    pub(crate) log: Log,
    /// There once the strategy is bound to a market.
    pub(crate) view: Option<View>,
    pub(crate) explanation: Collector,
}

impl State {
    pub(crate) fn new(plugin: Arc<ProducedBy>, limits: &Limits, level: LogLevel) -> Self {
        Self {
            limiter: Limiter::new(limits),
            log: Log {
                plugin,
                level,
                limit: limits.log_lines,
                written: 0,
                lines: Vec::new(),
                panic: None,
            },
            view: None,
            explanation: Collector::default(),
        }
    }

    fn view(&mut self) -> std::result::Result<&mut View, ViolationError> {
        self.view.as_mut().ok_or(ViolationError::NotEvaluating)
    }
}

/// An import has no value to answer with.
pub(crate) enum Unanswered {
    /// The plugin is told, and may handle it.
    Data(DataError),
    /// The call ends.
    Ends(Failure),
}

impl From<ReadError> for Unanswered {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Data(error) => Self::Data(error),
            ReadError::Violation(violation) => violation.into(),
        }
    }
}

impl From<ViolationError> for Unanswered {
    fn from(violation: ViolationError) -> Self {
        Self::Ends(violation.into())
    }
}

impl types::Host for State {
    fn convert_error(&mut self, unanswered: Unanswered) -> Result<types::Error> {
        match unanswered {
            Unanswered::Data(error) => Ok(plain(&error)),
            Unanswered::Ends(failure) => Err(failure.into()),
        }
    }
}

fn plain(error: &DataError) -> types::Error {
    let mut plain = types::Error {
        class: error.class().to_owned(),
        message: error.to_string(),
        line: None,
        column: None,
        symbol: None,
        need: None,
        have: None,
        what: None,
    };
    match error {
        DataError::NoData { symbol } => plain.symbol = Some(symbol.to_string()),
        DataError::InsufficientHistory { symbol, need, have } => {
            plain.symbol = Some(symbol.to_string());
            plain.need = Some(*need);
            plain.have = Some(*have);
        }
        DataError::NonFinite { what } => plain.what = Some(what.clone()),
        DataError::BadData { symbol, .. } => plain.symbol = Some(symbol.to_string()),
        DataError::Argument { operator, .. } => plain.what = Some(operator.clone()),
    }
    plain
}

/// Longest name that is passed on: no symbol and no indicator is longer, and
/// errors repeat the name.
const LONGEST_NAME: usize = 64;

impl market::Host for State {
    fn find(&mut self, name: String) -> std::result::Result<u32, Unanswered> {
        Ok(self.view()?.find(&clip_line(&name, LONGEST_NAME))?.0)
    }

    fn date(&mut self, session: u32) -> Result<String> {
        let view = self.view().map_err(Failure::from)?;
        let date = view.date(Session(session)).map_err(Failure::from)?;
        Ok(date.to_string())
    }

    fn bars(&mut self, symbol: u32, session: u32) -> Result<u32> {
        let view = self.view().map_err(Failure::from)?;
        let bars = view.bars(SymbolHandle(symbol), Session(session));
        Ok(bars.map_err(Failure::from)?)
    }

    fn last_bar(&mut self, symbol: u32, session: u32) -> std::result::Result<u32, Unanswered> {
        let view = self.view()?;
        Ok(view.last_bar(SymbolHandle(symbol), Session(session))?.0)
    }

    fn close(&mut self, symbol: u32, session: u32) -> std::result::Result<f64, Unanswered> {
        Ok(self.view()?.close(SymbolHandle(symbol), Session(session))?)
    }

    fn closes(
        &mut self,
        symbol: u32,
        session: u32,
        count: u32,
    ) -> std::result::Result<Vec<f64>, Unanswered> {
        let view = self.view()?;
        let closes = view.closes(SymbolHandle(symbol), Session(session), count)?;
        Ok(closes.to_vec())
    }

    fn indicator(
        &mut self,
        name: String,
        symbol: u32,
        window: Option<u32>,
    ) -> std::result::Result<u32, Unanswered> {
        let name = clip_line(&name, LONGEST_NAME);
        Ok(self
            .view()?
            .indicator(&name, SymbolHandle(symbol), window)?
            .0)
    }

    fn value(&mut self, series: u32, session: u32) -> std::result::Result<f64, Unanswered> {
        Ok(self.view()?.value(SeriesHandle(series), Session(session))?)
    }

    fn values(&mut self, series: Vec<u32>, session: u32) -> Result<Vec<f64>> {
        let view = self.view().map_err(Failure::from)?;
        let series: Vec<SeriesHandle> = series.into_iter().map(SeriesHandle).collect();
        let values = view.values(&series, Session(session));
        Ok(values.map_err(Failure::from)?)
    }
}

/// The log of one instance.
pub(crate) struct Log {
    plugin: Arc<ProducedBy>,
    level: LogLevel,
    limit: u32,
    /// Lines in this call, dropped ones included.
    written: u32,
    /// Those kept.
    lines: Vec<LogLine>,
    /// What the plugin said when it panicked.
    panic: Option<String>,
}

impl Log {
    /// Longest line.
    const LINE: usize = 1024;

    /// Starts the log of a new call.
    pub(crate) fn begin(&mut self) {
        self.written = 0;
        self.lines.clear();
    }

    /// The lines of the call.
    pub(crate) fn take(&mut self) -> Vec<LogLine> {
        std::mem::take(&mut self.lines)
    }

    pub(crate) fn take_panic(&mut self) -> Option<String> {
        self.panic.take()
    }

    fn write(&mut self, level: LogLevel, message: &str) -> std::result::Result<(), Limit> {
        if self.written == self.limit {
            return Err(Limit::Log { limit: self.limit });
        }
        self.written += 1;
        let panic = panic_message(message).filter(|_| level == LogLevel::Error);
        let is_panic = panic.is_some();
        if let Some(panic) = panic {
            self.panic = Some(clip_line(&panic, Self::LINE));
        }
        if level < self.level {
            return Ok(());
        }
        let message = clip_line(message, Self::LINE);
        let plugin = self.plugin.plugin.as_str();
        match level {
            LogLevel::Debug => tracing::debug!(target: LOG_TARGET, plugin, "{message}"),
            LogLevel::Info => tracing::info!(target: LOG_TARGET, plugin, "{message}"),
            LogLevel::Warn => tracing::warn!(target: LOG_TARGET, plugin, "{message}"),
            // The error of the call says it.
            LogLevel::Error if is_panic => {
                tracing::debug!(target: LOG_TARGET, plugin, "{message}");
            }
            LogLevel::Error => tracing::error!(target: LOG_TARGET, plugin, "{message}"),
        }
        self.lines.push(LogLine { level, message });
        Ok(())
    }
}

/// What lines of plugins are logged as.
pub const LOG_TARGET: &str = "plugin";

/// What a plugin says of its panic, if the line says so. A panic hook writes it
/// to the log as the standard library puts it, since nothing else leaves the
/// sandbox of a plugin that panics.
fn panic_message(line: &str) -> Option<String> {
    let panic = line.strip_prefix("panicked at ")?;
    if panic.contains("time not implemented on this platform") {
        // The standard library says so, and names a place in itself.
        return Some(
            "it asked what time it is, and a plugin has no clock; go by the session".to_owned(),
        );
    }
    Some(match panic.split_once(":\n") {
        Some((place, message)) => format!("it panicked: {message} ({place})"),
        None => format!("it panicked at {panic}"),
    })
}

impl log::Host for State {
    fn write(&mut self, level: log::Level, message: String) -> Result<()> {
        let level = match level {
            log::Level::Debug => LogLevel::Debug,
            log::Level::Info => LogLevel::Info,
            log::Level::Warn => LogLevel::Warn,
            log::Level::Error => LogLevel::Error,
        };
        Ok(self.log.write(level, &message).map_err(Failure::from)?)
    }
}

impl From<explain::Place> for Place {
    fn from(place: explain::Place) -> Self {
        Self {
            line: place.line,
            column: place.column,
        }
    }
}

impl explain::Host for State {
    fn wanted(&mut self) -> Result<bool> {
        Ok(self.explanation.wanted())
    }

    fn condition(
        &mut self,
        depth: u32,
        at: Option<explain::Place>,
        text: String,
        left: f64,
        right: f64,
        holds: bool,
    ) -> Result<()> {
        let detail = ExplanationDetail::condition(left, right, holds);
        self.explanation
            .add(depth, at.map(Place::from), &text, detail);
        Ok(())
    }

    fn selection(
        &mut self,
        depth: u32,
        at: Option<explain::Place>,
        text: String,
        ranking: Vec<explain::Score>,
        chosen: u32,
    ) -> Result<()> {
        let ranking = ranking
            .into_iter()
            .map(|score| Score {
                name: clip_line(&score.name, LONGEST_NAME),
                value: score.value,
            })
            .collect();
        let detail = ExplanationDetail::selection(ranking, chosen);
        self.explanation
            .add(depth, at.map(Place::from), &text, detail);
        Ok(())
    }

    fn division(
        &mut self,
        depth: u32,
        at: Option<explain::Place>,
        text: String,
        parts: Vec<explain::Part>,
    ) -> Result<()> {
        let parts = parts
            .into_iter()
            .map(|part| Part {
                name: clip_line(&part.name, LONGEST_NAME),
                share: part.share,
                measure: part.measure,
            })
            .collect();
        let detail = ExplanationDetail::Division { parts };
        self.explanation
            .add(depth, at.map(Place::from), &text, detail);
        Ok(())
    }

    fn note(&mut self, depth: u32, at: Option<explain::Place>, text: String) -> Result<()> {
        self.explanation
            .add(depth, at.map(Place::from), &text, ExplanationDetail::Note);
        Ok(())
    }
}
