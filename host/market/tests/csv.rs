//! Price files: both forms, and everything that can be wrong with them.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use alchemiser_market::{CsvSource, Instrument, Market, PriceSource, Session};
use std::path::Path;
use support::{all, price, symbol};
use tempfile::TempDir;

fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = TempDir::new().unwrap();
    for (name, content) in files {
        std::fs::write(folder.path().join(name), content).unwrap();
    }
    folder
}

fn read(files: &[(&str, &str)]) -> Market {
    CsvSource::new(folder(files).path()).read().unwrap()
}

/// The message without the folder in front.
fn refusal(files: &[(&str, &str)]) -> String {
    let folder = folder(files);
    let error = CsvSource::new(folder.path())
        .read()
        .unwrap_err()
        .to_string();
    let path = folder.path().display().to_string();
    error.strip_prefix(&path).unwrap().to_owned()
}

/// Everything that a market holds.
fn dump(market: &Market) -> String {
    let requirements: Vec<_> = market
        .symbols()
        .map(|symbol| all(symbol.as_str()))
        .collect();
    let slice = market.slice(&requirements, market.calendar().last().unwrap());
    String::from_utf8(slice.bytes().to_vec()).unwrap()
}

const WIDE: &str = "\
date,SPY,BRK/B
2022-12-23,382.91,
2022-12-27,381.4,304.5
2022-12-28,376.66,301.25
";

#[test]
fn one_wide_file_and_one_file_for_each_symbol_are_the_same() {
    let separate = read(&[
        (
            "spy.csv",
            "Date,Open,High,Low,Close,Volume\n\
             2022-12-23,379.65,383.06,378.03,382.91,59857300\n\
             2022-12-27,382.79,383.15,379.65,381.40,51638200\n\
             2022-12-28,381.33,383.39,376.42,376.66,70911500\n",
        ),
        (
            "BRK.B.csv",
            "close,unused,date\n304.50,x,2022-12-27\n301.25,,2022-12-28\n",
        ),
        ("README.md", "not a table"),
        (".hidden.csv", "not a table either"),
    ]);
    let wide = read(&[("closes.csv", WIDE)]);
    assert_eq!(dump(&separate), dump(&wide));
    assert_eq!(
        dump(&wide),
        "# alchemiser market slice 1\n\
         date,BRK.B,SPY\n\
         2022-12-23,,382.91\n\
         2022-12-27,304.5,381.4\n\
         2022-12-28,301.25,376.66\n"
    );
}

#[test]
fn a_single_file_of_either_form() {
    let folder = folder(&[
        ("closes.csv", WIDE),
        ("SPY.csv", "date,close\n2022-12-28,376.66\n"),
    ]);
    let wide = CsvSource::new(folder.path().join("closes.csv"))
        .read()
        .unwrap();
    assert_eq!(wide.symbols().len(), 2);
    let spy = CsvSource::new(folder.path().join("SPY.csv"))
        .read()
        .unwrap();
    assert_eq!(spy.symbols().collect::<Vec<_>>(), [&symbol("SPY")]);
}

#[test]
fn spellings_of_a_table() {
    for (what, text) in [
        (
            "line ends of Windows",
            "date,close\r\n2022-12-27,1.5\r\n2022-12-28,2\r\n",
        ),
        (
            "no line end at the end",
            "date,close\n2022-12-27,1.5\n2022-12-28,2",
        ),
        (
            "byte order mark",
            "\u{feff}date,close\n2022-12-27,1.5\n2022-12-28,2\n",
        ),
        (
            "quotes",
            "\"date\",\"close\"\n\"2022-12-27\",\"1.5\"\n2022-12-28,2\n",
        ),
        (
            "spaces",
            " date , close \n 2022-12-27 , 1.5\n2022-12-28, 2 \n",
        ),
        (
            "blank lines and comments",
            "# prices\ndate,close\n\n2022-12-27,1.50\n\n# late\n2022-12-28,2.\n\n",
        ),
    ] {
        let market = read(&[("A.csv", text)]);
        let history = market.history(&symbol("A")).unwrap();
        assert_eq!(history.price(Session(0)), Some(price("1.5")), "{what}");
        assert_eq!(history.price(Session(1)), Some(price("2")), "{what}");
    }
}

#[test]
fn prices_are_exact() {
    let text = "0.1234567890123456789012345678";
    let market = read(&[("A.csv", &format!("date,close\n2022-12-28,{text}\n"))]);
    let close = market.price(&symbol("A"), Session(0)).unwrap();
    assert_eq!(close.to_string(), text);
}

#[test]
fn symbols_may_be_named_as_columns_are() {
    let market = read(&[("closes.csv", "date,OPEN,LOW,SPY\n2022-12-28,1,2,3\n")]);
    assert_eq!(market.symbols().len(), 3);
}

#[test]
fn sessions_are_the_dates_of_all_symbols() {
    let market = read(&[
        ("A.csv", "date,close\n2022-12-23,1\n2022-12-28,2\n"),
        ("B.csv", "date,close\n2022-12-27,3\n"),
    ]);
    assert_eq!(market.calendar().dates().len(), 3);
    let a = market.history(&symbol("A")).unwrap();
    assert_eq!(a.price_on(Session(1)), None);
    assert_eq!(a.price(Session(1)), Some(price("1")));
    assert_eq!(
        market.history(&symbol("B")).unwrap().price(Session(0)),
        None
    );
}

#[test]
fn faults_of_a_file_of_bars() {
    for (text, message) in [
        (
            "",
            ": the file is empty; its first line has to name the columns",
        ),
        ("date,close\n", ": the file has no rows"),
        (
            "ticker,first\nSPY,1\n",
            ":1: there is no column `date`; the first line has to name the columns",
        ),
        (
            "date,open,high,low,volume\n2022-12-28,1,2,3,4\n",
            ":1: there is no column `close`; the first line has to name the columns",
        ),
        (
            "date,closing\n2022-12-28,1\n",
            ":1: there is no column `close`; the first line has to name the columns",
        ),
        (
            "date,Adj Close,volume\n2022-12-28,1,2\n",
            ":1: there is no column `close`; the first line has to name the columns",
        ),
        (
            "date\n2022-12-28\n",
            ":1: there is no column `close`; the first line has to name the columns",
        ),
        (
            "date,Close,close\n2022-12-28,1,2\n",
            ":1: the column `close` occurs twice",
        ),
        (
            "date,close,DATE\n2022-12-28,1,2\n",
            ":1: the column `date` occurs twice",
        ),
        (
            "date,close\n2022-12-27,1\n2022-12-28\n",
            ":3: there are 1 cells and 2 columns",
        ),
        (
            "date,close\n2022-12-27,1,2\n",
            ":2: there are 3 cells and 2 columns",
        ),
        (
            "date,close\n2022-12-27,\n",
            ":2: there is no close; a session without a bar has no line",
        ),
        (
            "date,close\n2022-13-27,1\n",
            ":2: `2022-13-27` is not a date such as `2022-12-28`",
        ),
        (
            "date,close\n27.12.2022,1\n",
            ":2: `27.12.2022` is not a date such as `2022-12-28`",
        ),
        (
            "date,close\n2022-12-28,1\n2022-12-28,1\n",
            ":3: 2022-12-28 occurs twice",
        ),
        (
            "date,close\n2022-12-28,1\n2022-12-27,1\n",
            ":3: 2022-12-27 stands below 2022-12-28; dates have to ascend",
        ),
        (
            "date,close\n\n# comment\n2022-12-28,0\n",
            ":4: `0` in column `close` is not a price: a decimal number above 0, of at most 28 digits",
        ),
        (
            "date,close\r\n2022-12-27,1\r\n2022-12-28,-1\r\n",
            ":3: `-1` in column `close` is not a price: a decimal number above 0, of at most 28 digits",
        ),
        (
            "date,close\n2022-12-28,.\n",
            ":2: `.` in column `close` is not a price: a decimal number above 0, of at most 28 digits",
        ),
    ] {
        assert_eq!(
            refusal(&[("A.csv", text)]),
            format!("/A.csv{message}"),
            "{text}"
        );
    }
}

#[test]
fn what_is_no_price() {
    for text in [
        "0",
        "0.00",
        "-1",
        "+1",
        "nan",
        "inf",
        "1e5",
        "1_000",
        "abc",
        "1.2.3",
        "€5",
        "12345678901234567890123456789012",
    ] {
        let message = refusal(&[("A.csv", &format!("date,close\n2022-12-28,{text}\n"))]);
        assert!(
            message.starts_with(&format!(
                "/A.csv:2: `{text}` in column `close` is not a price"
            )),
            "{message}"
        );
    }
}

#[test]
fn faults_of_a_wide_file() {
    for (text, message) in [
        (
            "SPY,date\n1,2022-12-28\n",
            ":1: the column `date` has to be the first one where each symbol has a column",
        ),
        (
            "date,SPY,S P\n2022-12-28,1,2\n",
            ":1: `S P` is not a symbol: 1 to 10 of A–Z, 0–9, `.` and `-`, with no `.` or `-` at an end or doubled",
        ),
        (
            "date,SPY,spy\n2022-12-28,1,2\n",
            ":1: the column `SPY` occurs twice",
        ),
        ("date,SPY,QQQ\n", ": the file has no rows"),
        (
            "date,SPY,QQQ\n2022-12-28,1\n",
            ":2: there are 2 cells and 3 columns",
        ),
        (
            "date,SPY,QQQ\n2022-12-27,1,\n2022-12-28,,\n",
            ":3: no symbol has a price on 2022-12-28; remove the line",
        ),
        (
            "date,SPY,QQQ\n2022-12-27,1,\n2022-12-28,1,0\n",
            ":3: `0` in column `QQQ` is not a price: a decimal number above 0, of at most 28 digits",
        ),
        (
            "date,SPY,QQQ\n2022-12-28,1,2\n2022-12-27,1,2\n",
            ":3: 2022-12-27 stands below 2022-12-28; dates have to ascend",
        ),
    ] {
        assert_eq!(
            refusal(&[("closes.csv", text)]),
            format!("/closes.csv{message}"),
            "{text}"
        );
    }
}

#[test]
fn faults_of_a_folder() {
    let bars = "date,close\n2022-12-28,1\n";
    assert_eq!(
        refusal(&[("README.md", "")]),
        ": the folder holds no CSV file"
    );
    assert_eq!(
        refusal(&[("A.csv", bars), ("closes.csv", WIDE)]),
        "/closes.csv: the file has one column for each symbol, and other CSV files lie beside it; \
         a folder holds one such file, or one file for each symbol"
    );
    assert_eq!(
        refusal(&[("A.csv", bars), ("a.csv", bars)]),
        "/a.csv: another file of the folder has the prices of `A` too"
    );
    assert_eq!(
        refusal(&[("A B.csv", bars)]),
        "/A B.csv: `A B` is not a symbol: 1 to 10 of A–Z, 0–9, `.` and `-`, with no `.` or `-` at an end or doubled"
    );
    let missing = CsvSource::new("/no/such/folder")
        .read()
        .unwrap_err()
        .to_string();
    assert!(missing.starts_with("/no/such/folder: "), "{missing}");
}

#[test]
fn instruments() {
    let market = read(&[
        ("closes.csv", WIDE),
        (
            "instruments.toml",
            "# an index\nspy = { tradable = false }\n\n[\"BRK/B\"]\nfractionable = false\n",
        ),
    ]);
    assert_eq!(
        market.instrument(&symbol("SPY")),
        Some(Instrument {
            tradable: false,
            fractionable: true
        })
    );
    assert_eq!(
        market.instrument(&symbol("BRK.B")),
        Some(Instrument {
            tradable: true,
            fractionable: false
        })
    );
    assert_eq!(market.instrument(&symbol("QQQ")), None);
    assert_eq!(
        read(&[("closes.csv", WIDE)]).instrument(&symbol("SPY")),
        Some(Instrument::default())
    );
}

#[test]
fn faults_of_the_instruments() {
    for (text, message) in [
        (
            "BRK.B = { fractionable = false }",
            ":1: a symbol with a point has to be in quotes: `\"BRK.B\"`",
        ),
        (
            "[BRK.B]\nfractionable = false",
            ":1: a symbol with a point has to be in quotes: `\"BRK.B\"`",
        ),
        (
            "SPY = { tradeable = false }",
            ":1: there is no key `tradeable`; did you mean `tradable`?",
        ),
        (
            "\nSPY = { tradable = false, lot = 1 }",
            ":2: there is no key `lot`",
        ),
        (
            "[SPY]\ntradable = \"no\"",
            ":2: `tradable` is true or false, and this is a string",
        ),
        (
            "SPY = false",
            ":1: an instrument is a table such as `{ tradable = false }`, and this is a boolean",
        ),
        (
            "SPX = { tradable = false }",
            ":1: there are no prices for `SPX`; did you mean `SPY`?",
        ),
        (
            "QQQ = { tradable = false }",
            ":1: there are no prices for `QQQ`",
        ),
        ("SPY = {}\nspy = {}", ":2: `SPY` occurs twice"),
        (
            "\"S P\" = {}",
            ":1: `S P` is not a symbol: 1 to 10 of A–Z, 0–9, `.` and `-`, with no `.` or `-` at an end or doubled",
        ),
    ] {
        let files = [("closes.csv", WIDE), ("instruments.toml", text)];
        assert_eq!(
            refusal(&files),
            format!("/instruments.toml{message}"),
            "{text}"
        );
    }
    let broken = refusal(&[("closes.csv", WIDE), ("instruments.toml", "\nSPY = {")]);
    assert!(broken.starts_with("/instruments.toml:2: "), "{broken}");
}

#[test]
fn the_bundled_prices() {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../data");
    let market = CsvSource::new(&data).read().unwrap();
    assert_eq!(market.symbols().len(), 26);
    assert_eq!(market.calendar().dates().len(), 2264);
    assert!(!market.instrument(&symbol("SP500")).unwrap().tradable);
    assert!(market.instrument(&symbol("MSFT")).unwrap().tradable);
    let last = market.calendar().last().unwrap();
    assert_eq!(market.price(&symbol("MSFT"), last), Ok(price("233.434")));
}

/// The port is what the worker knows.
#[test]
fn the_port_loads_everything() {
    let folder = folder(&[("closes.csv", WIDE)]);
    let source: Box<dyn PriceSource> = Box::new(CsvSource::new(folder.path()));
    let market = finished(source.load(&[all("SPY")])).unwrap();
    assert_eq!(market.symbols().len(), 2);
}

/// The output of a future that never waits.
fn finished<T>(future: impl Future<Output = T>) -> T {
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    match std::pin::pin!(future).poll(&mut context) {
        std::task::Poll::Ready(output) => output,
        std::task::Poll::Pending => panic!("it waits"),
    }
}
