//! The dates that a command is about.

use crate::arguments::Dates;
use crate::failure::{CommandFailure, CommandResult};
use alchemiser_events::SessionDate;
use alchemiser_market::Calendar;

/// Every date asked for, ascending: those given with `--date`, or every session
/// of the range.
pub fn asked(dates: &Dates, calendar: &Calendar) -> CommandResult<Vec<SessionDate>> {
    let (Some(from), Some(to)) = (dates.from, dates.to) else {
        let mut single = dates.date.clone();
        single.sort_unstable();
        single.dedup();
        return Ok(single);
    };
    if from > to {
        let message = format!("`--from {from}` lies after `--to {to}`");
        return Err(CommandFailure::usage("UsageError", message));
    }
    let sessions: Vec<SessionDate> = calendar
        .dates()
        .iter()
        .copied()
        .filter(|date| (from..=to).contains(date))
        .collect();
    if sessions.is_empty() {
        let message = format!("the data has no session from {from} to {to}");
        return Err(CommandFailure::usage("NoSession", message));
    }
    Ok(sessions)
}
