//! Trading events and rules: 20,000 events of 931 bytes on average; rule sets
//! of 5, 100 and 10,000 rules with operators mixed as in practice, and one of
//! 10,000 rules with exact values only.
//!
//! Of 20 mixed rules 11 have an exact symbol, a list of types and a number, 3 an
//! exact account and a list of types, 2 a prefix or wildcard, 1 each
//! `anything-but`, a suffix, a text in any case, and a field that must be
//! absent. At most 30 have a wildcard, which is EventBridge's quota.

mod python;

use std::collections::BTreeSet;

use python::{Random, round};
use sha2::{Digest, Sha256};

/// The digest of the events, a line each.
const EVENTS: &str = "814aff1494e3103935f3204212634cb081eb6670540790b9f93837e52265b967";

/// The rule sets with the digests of their patterns, a line each.
const RULES: [(&str, &str); 4] = [
    (
        "5 mixed",
        "4a57b0edd6758db7a9ecbc9469df559048064c8826d3b7884024243654120709",
    ),
    (
        "100 mixed",
        "52e8b3ece8410a50aa519b4e952f6d94f6736927211adeb093971dba6f297583",
    ),
    (
        "10,000 mixed",
        "adecb203fbe5cc46631ef2de9289a6e773049525fa1d223fccf7106629f42573",
    ),
    (
        "10,000 exact",
        "9f92ce7b7697b2587e06b6b7ddb3b165c62ef24f4c1c6860c27874da3a258a5e",
    ),
];

const TYPES: [&str; 8] = [
    "OrderAccepted",
    "OrderFilled",
    "OrderRejected",
    "RebalancePlanned",
    "TradeExecuted",
    "PositionUpdated",
    "RiskBreached",
    "QuoteUpdated",
];
const VENUES: [&str; 6] = ["XNAS", "ARCX", "BATS", "XNYS", "IEXG", "EDGX"];

/// What is matched against what.
pub(crate) struct Workload {
    pub(crate) events: Vec<String>,
    /// Rule sets by name, each a list of patterns in JSON.
    pub(crate) rules: Vec<(&'static str, Vec<String>)>,
}

impl Workload {
    /// Always the same, to the byte.
    pub(crate) fn new() -> Self {
        let mut random = Random::new(11);
        let symbols = symbols(&mut random);
        let strategies: Vec<String> = ["momentum", "meanrev", "pairs", "vol", "macro"]
            .iter()
            .flat_map(|family| (0..60).map(move |number| format!("{family}-{number:03}")))
            .collect();
        let events: Vec<Event> = (0..20_000)
            .map(|_| event(&mut random, &symbols, &strategies))
            .collect();
        let mut mixed = |count: usize| {
            let mut wildcards = 30.min(count / 20);
            let mut seen = BTreeSet::new();
            let mut rules = Vec::new();
            let mut index = 0;
            while rules.len() < count {
                let rule = rule(&mut random, index, &mut wildcards, &symbols, &strategies);
                index += 1;
                if seen.insert(rule.clone()) {
                    rules.push(rule);
                }
            }
            rules
        };
        let sets = [five(), mixed(100), mixed(10_000), exact(&events)];
        let workload = Self {
            rules: RULES.iter().map(|(name, _)| *name).zip(sets).collect(),
            events: events.into_iter().map(|event| event.json).collect(),
        };
        workload.check();
        workload
    }

    fn check(&self) {
        let digest = |text: String| format!("{:x}", Sha256::digest(text));
        assert_eq!(digest(self.events.join("\n") + "\n"), EVENTS, "the events");
        for ((name, rules), (_, expected)) in self.rules.iter().zip(RULES) {
            assert_eq!(digest(rules.join("\n")), expected, "the rules {name}");
        }
    }
}

fn symbols(random: &mut Random) -> Vec<String> {
    let mut symbols = Vec::new();
    for first in "ABCDEFGHIJ".chars() {
        for second in "AEIOU".chars() {
            for third in "BCDFGHJKLM".chars() {
                for fourth in "PQRSTUVWXY".chars() {
                    symbols.push(format!("{first}{second}{third}{fourth}"));
                }
            }
        }
    }
    random.shuffle(&mut symbols);
    symbols.truncate(4000);
    symbols
}

struct Event {
    detail_type: &'static str,
    symbol: String,
    venue: &'static str,
    json: String,
}

fn event(random: &mut Random, symbols: &[String], strategies: &[String]) -> Event {
    let symbol = random.choice(symbols).clone();
    let quantity = random.range(1, 5000);
    let price = round(random.uniform(1.0, 900.0), 2);
    let id = random.bits(128);
    let detail_type = *random.choice(&TYPES);
    let sources = [
        "trading.oms",
        "trading.risk",
        "trading.portfolio",
        "trading.feed",
    ];
    let source = *random.choice(&sources);
    let account = random.range(100_000_000_000, 100_000_002_000);
    let time = format!(
        "2026-05-{:02}T{:02}:{:02}:{:02}.{:03}Z",
        random.range(1, 29),
        random.range(13, 21),
        random.range(0, 60),
        random.range(0, 60),
        random.range(0, 1000)
    );
    let region = *random.choice(&["us-east-1", "us-west-2", "eu-west-1"]);
    let resource = random.bits(64);
    let correlation = random.bits(128);
    let causation = random.bits(128);
    let order = random.bits(48);
    let client_order = random.bits(64);
    let side = *random.choice(&["BUY", "SELL"]);
    let order_type = *random.choice(&["MKT", "LMT", "STP"]);
    let time_in_force = *random.choice(&["DAY", "IOC", "GTC"]);
    let notional = round(quantity as f64 * price, 2);
    let venue = *random.choice(&VENUES);
    let strategy = random.choice(strategies).clone();
    let dry_run = random.unit() < 0.1;
    let fills: Vec<String> = (0..2)
        .map(|_| {
            let execution = random.bits(40);
            let price = round(price + random.uniform(-0.05, 0.05), 4);
            let quantity = random.range(1, quantity + 1);
            let venue = random.choice(&VENUES);
            format!(
                r#"{{"exec_id":"E{execution:010x}","px":{price:?},"qty":{quantity},"venue":"{venue}"}}"#
            )
        })
        .collect();
    let host = random.range(0, 40);
    let build = random.bits(32);
    let latency = random.range(50, 90_000);
    let tag = *random.choice(&["cash", "margin"]);
    let error = if random.unit() < 0.05 {
        let code = random.choice(&["E100", "E200"]);
        format!(r#","error":{{"code":"{code}","message":"rejected by venue"}}"#)
    } else {
        String::new()
    };
    let json = format!(
        concat!(
            r#"{{"version":"0","id":"{id:032x}","detail-type":"{detail_type}","source":"{source}","#,
            r#""account":"{account}","time":"{time}","region":"{region}","#,
            r#""resources":["arn:aws:trading:us-east-1:100000000000:order/{resource:016x}"],"#,
            r#""detail":{{"correlation_id":"{correlation:032x}","causation_id":"{causation:032x}","#,
            r#""event_version":"1.4","order_id":"ORD-{order:012X}","#,
            r#""client_order_id":"c{client_order:016x}","symbol":"{symbol}","side":"{side}","#,
            r#""order_type":"{order_type}","time_in_force":"{time_in_force}","qty":{quantity},"#,
            r#""limit_price":{price:?},"notional":{notional:?},"currency":"USD","venue":"{venue}","#,
            r#""strategy":"{strategy}","dry_run":{dry_run},"fills":[{fills}],"#,
            r#""metadata":{{"host":"worker-{host:02}.trading.internal","build":"{build:08x}","#,
            r#""latency_us":{latency},"tags":["live","equities","{tag}"]}}{error}}}}}"#,
        ),
        id = id,
        detail_type = detail_type,
        source = source,
        account = account,
        time = time,
        region = region,
        resource = resource,
        correlation = correlation,
        causation = causation,
        order = order,
        client_order = client_order,
        symbol = symbol,
        side = side,
        order_type = order_type,
        time_in_force = time_in_force,
        quantity = quantity,
        price = price,
        notional = notional,
        venue = venue,
        strategy = strategy,
        dry_run = dry_run,
        fills = fills.join(","),
        host = host,
        build = build,
        latency = latency,
        tag = tag,
        error = error,
    );
    Event {
        detail_type,
        symbol,
        venue,
        json,
    }
}

fn rule(
    random: &mut Random,
    index: usize,
    wildcards: &mut usize,
    symbols: &[String],
    strategies: &[String],
) -> String {
    let kind = index % 20;
    let symbol = &symbols[index % symbols.len()];
    match kind {
        0..11 => {
            let types = [*random.choice(&TYPES), *random.choice(&TYPES)];
            let least = random.choice(&[100, 500, 1000, 2000]);
            format!(
                r#"{{"detail-type": ["{}", "{}"], "detail": {{"symbol": ["{symbol}"], "qty": [{{"numeric": [">=", {least}]}}]}}}}"#,
                types[0], types[1]
            )
        }
        11..14 => {
            let account = 100_000_000_000 + (index / 20 * 3 + kind) % 2000;
            let types: BTreeSet<&str> = random.choices(&TYPES, 3).into_iter().collect();
            let types: Vec<&str> = types.into_iter().collect();
            format!(
                r#"{{"account": ["{account}"], "detail-type": ["{}"]}}"#,
                types.join(r#"", ""#)
            )
        }
        14..16 if *wildcards > 0 => {
            *wildcards -= 1;
            let strategy = &random.choice(strategies)[..4];
            let digit = index % 10;
            format!(
                r#"{{"detail": {{"strategy": [{{"wildcard": "{strategy}*{digit}"}}], "symbol": ["{symbol}"]}}}}"#
            )
        }
        14..16 => {
            let strategy = random.choice(strategies);
            let prefix = &strategy[..strategy.len() - 1];
            format!(
                r#"{{"detail": {{"strategy": [{{"prefix": "{prefix}"}}], "symbol": ["{symbol}"]}}}}"#
            )
        }
        16 => {
            let venues = random.sample(&VENUES, 2);
            format!(
                r#"{{"source": ["trading.oms"], "detail": {{"venue": [{{"anything-but": ["{}", "{}"]}}], "symbol": ["{symbol}"]}}}}"#,
                venues[0], venues[1]
            )
        }
        17 => format!(
            r#"{{"detail": {{"order_id": [{{"suffix": "{:03X}"}}], "side": ["BUY"]}}}}"#,
            index % 4096
        ),
        18 => format!(
            r#"{{"detail": {{"side": [{{"equals-ignore-case": "sell"}}], "symbol": ["{symbol}"], "dry_run": [false]}}}}"#
        ),
        _ => {
            let most = random.choice(&[50, 200, 600]);
            format!(
                r#"{{"detail": {{"error": {{"code": [{{"exists": false}}]}}, "symbol": ["{symbol}"], "limit_price": [{{"numeric": [">", 10, "<=", {most}]}}]}}}}"#
            )
        }
    }
}

fn five() -> Vec<String> {
    [
        r#"{"source": ["trading.portfolio"], "detail-type": ["RebalancePlanned"]}"#,
        r#"{"source": [{"prefix": "trading."}], "detail-type": ["OrderFilled", "TradeExecuted"], "detail": {"notional": [{"numeric": [">=", 1000000]}]}}"#,
        r#"{"detail-type": ["RiskBreached"], "detail": {"dry_run": [false]}}"#,
        r#"{"detail": {"symbol": [{"prefix": "A"}], "venue": [{"anything-but": ["IEXG"]}], "qty": [{"numeric": [">", 1000, "<=", 3000]}]}}"#,
        r#"{"detail": {"error": {"code": [{"exists": true}]}}}"#,
    ]
    .map(str::to_owned)
    .into()
}

/// Rules of exact values only. Smaller sets are drawn before, as they were
/// when the workload was made.
fn exact(events: &[Event]) -> Vec<String> {
    let sorted =
        |values: BTreeSet<&str>| -> Vec<String> { values.into_iter().map(str::to_owned).collect() };
    let symbols = sorted(events.iter().map(|event| event.symbol.as_str()).collect());
    let types = sorted(events.iter().map(|event| event.detail_type).collect());
    let venues = sorted(events.iter().map(|event| event.venue).collect());
    let mut random = Random::new(5);
    let mut rules = Vec::new();
    for count in [5, 100, 10_000] {
        let mut seen = BTreeSet::new();
        rules.clear();
        while rules.len() < count {
            let rule = format!(
                r#"{{"detail-type": ["{}"], "detail": {{"symbol": ["{}"], "venue": ["{}"]}}}}"#,
                random.choice(&types),
                random.choice(&symbols),
                random.choice(&venues)
            );
            if seen.insert(rule.clone()) {
                rules.push(rule);
            }
        }
    }
    rules
}
