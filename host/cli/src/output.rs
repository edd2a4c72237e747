//! What a person reads: aligned columns, and the log on stderr.

/// As that of `std`, which would panic where stdout cannot be written, be it
/// that the disk is full.
macro_rules! print {
    ($($text:tt)*) => { $crate::output::write(format_args!($($text)*)) };
}

/// As that of `std`; see [`print`].
macro_rules! println {
    () => { print!("\n") };
    ($($text:tt)*) => { print!("{}\n", format_args!($($text)*)) };
}

use alchemiser_events::Decimal;
use comfy_table::CellAlignment;
use comfy_table::presets::NOTHING;
use rust_decimal::RoundingStrategy;
use std::fmt::Display;
use std::io::{IsTerminal, Write as _};
use tracing_subscriber::EnvFilter;

/// Writes to stdout. Where that fails nobody can be told anything more, so the
/// program ends; what it had begun is taken up by the next one, as after a
/// kill.
pub fn write(text: std::fmt::Arguments<'_>) {
    if let Err(error) = std::io::stdout().lock().write_fmt(text) {
        eprintln!("error: stdout: {error}");
        crate::terminal::exit(1);
    }
}

/// Starts the log. `ALCHEMISER_LOG` takes a filter such as
/// `alchemiser_worker=debug`; `-v` and `-vv` are short for the usual ones.
pub fn start_log(verbose: u8) {
    let default = match verbose {
        0 => "warn",
        1 => "info",
        _ => "alchemiser=debug,plugin=debug,info",
    };
    let filter =
        EnvFilter::try_from_env("ALCHEMISER_LOG").unwrap_or_else(|_| EnvFilter::new(default));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none())
        .init();
}

/// How many columns the terminal has that stdout is, if it is one.
pub fn terminal_width() -> Option<usize> {
    let terminal = console::Term::stdout();
    terminal
        .size_checked()
        .filter(|_| terminal.is_term())
        .map(|(_, columns)| usize::from(columns))
}

/// A line, indented. Where the terminal is too narrow for it, it goes on in
/// further lines that are indented by more; what reads a pipe gets one line.
pub fn wrapped(indent: usize, line: &str, width: Option<usize>) -> String {
    /// Words that share a line with nothing but blanks are hard to read.
    const NARROWEST: usize = 30;

    let first = " ".repeat(indent);
    let Some(width) = width else {
        return first + line;
    };
    let further = " ".repeat(indent + 4);
    let options = textwrap::Options::new(width.max(further.len() + NARROWEST))
        .initial_indent(&first)
        .subsequent_indent(&further)
        .break_words(false)
        .word_splitter(textwrap::WordSplitter::NoHyphenation);
    textwrap::fill(line, options)
}

/// Which side of its column a cell stands on.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Align {
    Left,
    Right,
}

/// Rows of text in aligned columns, two spaces apart and indented by two.
pub struct Table(comfy_table::Table);

impl Table {
    /// A table with these columns and no rows.
    pub fn new(aligns: &[Align]) -> Self {
        let mut table = comfy_table::Table::new();
        table.load_style(NOTHING);
        // Columns come into being with the first row.
        table.add_row(vec![""; aligns.len()]);
        for (column, align) in table.column_iter_mut().zip(aligns) {
            column.set_padding((2, 0)).set_cell_alignment(match align {
                Align::Left => CellAlignment::Left,
                Align::Right => CellAlignment::Right,
            });
        }
        Self(table)
    }

    /// Adds a row; missing cells at its end stay empty.
    pub fn row<C: Display>(&mut self, cells: impl IntoIterator<Item = C>) {
        self.0
            .add_row(cells.into_iter().map(|cell| cell.to_string()));
    }

    /// Whether there is nothing to print.
    pub fn is_empty(&self) -> bool {
        self.0.row_count() == 1
    }

    /// Prints it.
    pub fn print(&self) {
        print!("{self}");
    }
}

impl Display for Table {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for line in self.0.trim_fmt().lines().skip(1) {
            writeln!(formatter, "{line}")?;
        }
        Ok(())
    }
}

/// `1234567.89` as `1,234,567.89`.
pub fn grouped(amount: impl Display) -> String {
    let text = amount.to_string();
    let (sign, digits) = text
        .strip_prefix('-')
        .map_or(("", text.as_str()), |digits| ("-", digits));
    let (whole, fraction) = digits
        .split_once('.')
        .map_or((digits, None), |(whole, fraction)| (whole, Some(fraction)));
    let mut grouped = String::new();
    for (position, digit) in whole.chars().enumerate() {
        if position > 0 && (whole.len() - position).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    match fraction {
        Some(fraction) => format!("{sign}{grouped}.{fraction}"),
        None => format!("{sign}{grouped}"),
    }
}

/// A share of the portfolio as a percentage with two decimals.
pub fn percent(weight: Decimal) -> String {
    format!("{} %", fixed(weight * Decimal::ONE_HUNDRED, 2))
}

/// Exactly so many decimals, rounded half away from zero; formatting by itself
/// would cut off.
pub fn fixed(number: Decimal, decimals: u32) -> Decimal {
    let mut rounded =
        number.round_dp_with_strategy(decimals, RoundingStrategy::MidpointAwayFromZero);
    rounded.rescale(decimals);
    rounded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_align_and_lines_end_clean() {
        let mut table = Table::new(&[Align::Left, Align::Right, Align::Left]);
        table.row(["SPY", "1.5", ""]);
        table.row(["BRK.B", "10", "x"]);
        assert_eq!(table.to_string(), "  SPY    1.5\n  BRK.B   10  x\n");
    }

    #[test]
    fn long_lines_hang_on_a_terminal() {
        let line = "(> (rsi \"SPY\") 70): no (27.7508 against 70)";
        assert_eq!(wrapped(2, line, None), format!("  {line}"));
        assert_eq!(wrapped(2, line, Some(80)), format!("  {line}"));
        assert_eq!(
            wrapped(2, line, Some(36)),
            "  (> (rsi \"SPY\") 70): no (27.7508\n      against 70)"
        );
        assert_eq!(wrapped(2, line, Some(1)), wrapped(2, line, Some(36)));
    }

    #[test]
    fn weights_are_rounded_not_cut_off() {
        assert_eq!(percent(Decimal::new(66_666, 6)), "6.67 %");
        assert_eq!(percent(Decimal::ONE), "100.00 %");
    }

    #[test]
    fn thousands_are_grouped() {
        for (amount, text) in [
            ("0.00", "0.00"),
            ("999", "999"),
            ("1000", "1,000"),
            ("-1234567.89", "-1,234,567.89"),
        ] {
            assert_eq!(grouped(amount), text);
        }
    }
}
