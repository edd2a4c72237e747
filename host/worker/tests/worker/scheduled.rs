//! What schedules make of a time: a workflow, or a reason why there is none.

#![allow(clippy::unwrap_used)]
use crate::support::*;
use alchemiser_broker::{
    Broker, PaperAccount, PaperBroker, PaperSettings, PaperStore, PaperStoreError,
};
use alchemiser_broker::{BrokerError, BrokerOrder};
use alchemiser_events::*;
use alchemiser_market::{Bar, Closure, Market, SharedMarket, TradingDay, trading_day};
use alchemiser_rules::{Routes, Schedule};
use alchemiser_worker::*;
use async_trait::async_trait;
use std::collections::BTreeMap;
use std::sync::Arc;

fn schedule(input: &str) -> Schedule {
    let text = format!(
        "[targets]\ncommand.kind = \"command\"\nlog.kind = \"log\"\n\
         [[rule]]\nname = \"a\"\npattern = {{ source = [\"a\"] }}\ntarget = \"log\"\n\
         [[schedule]]\nname = \"daily\"\nexpression = \"cron(35 9 ? * MON-FRI *)\"\n\
         target = \"command\"\n{input}\n"
    );
    let routes = Routes::parse(&text, "routes.toml").unwrap();
    routes.schedules()[0].clone()
}

fn trade() -> Schedule {
    schedule("input = { mode = \"trade\" }")
}

#[test]
fn commands_are_read_strictly() {
    let read = |input| ScheduledCommand::of(&schedule(input), TradingMode::Paper);
    for input in [
        "input = { mode = \"trade\" }",
        "input = '{\"mode\": \"trade\", \"schema_version\": \"1.0\", \"trading_mode\": \"paper\"}'",
    ] {
        assert_eq!(read(input).unwrap().mode, Mode::Trade);
    }
    for (input, problem) in [
        (
            "",
            "it has no `input`; write `input = { mode = \"trade\" }`",
        ),
        ("input = {}", "`input`: missing key `mode`"),
        (
            "input = { mode = \"trad\" }",
            "`input`: unknown value `trad`; did you mean `trade`?",
        ),
        (
            "input = { mode = \"pnl\" }",
            "`input`: unknown value `pnl`; known here: `trade`",
        ),
        (
            "input = { mode = \"trade\", tradingmode = \"paper\" }",
            "`input`: unknown key `tradingmode`; did you mean `trading_mode`?",
        ),
        (
            "input = { mode = \"trade\", schema_version = \"2.0\" }",
            "`input`: unknown value `2.0`; did you mean `1.0`?",
        ),
        (
            "input = { mode = \"trade\", trading_mode = \"live\" }",
            "`input` is for live trading, and the broker's account is for paper trading",
        ),
    ] {
        let mistake = read(input).unwrap_err();
        assert_eq!(mistake.problem, problem, "{input}");
        assert_eq!((mistake.schedule.as_str(), mistake.line), ("daily", 8));
    }
}

/// The account of a broker that is not traded on here.
struct NoAccount;

#[async_trait]
impl PaperStore for NoAccount {
    async fn account(&self) -> Result<PaperAccount, PaperStoreError> {
        Err(PaperStoreError::Unavailable("it is not asked".to_owned()))
    }

    async fn order(&self, _: &ClientOrderId) -> Result<Option<BrokerOrder>, PaperStoreError> {
        Err(PaperStoreError::Unavailable("it is not asked".to_owned()))
    }

    async fn place(
        &self,
        _: &ClientOrderId,
        _: Box<dyn for<'a> FnOnce(&'a mut PaperAccount) -> BrokerOrder + Send>,
    ) -> Result<BrokerOrder, PaperStoreError> {
        Err(PaperStoreError::Unavailable("it is not asked".to_owned()))
    }
}

fn market(sessions: &[&str]) -> SharedMarket {
    let bars = sessions.iter().map(|date| Bar {
        date: date.parse().unwrap(),
        close: price("100"),
    });
    let bars = BTreeMap::from([(symbol("SPY"), bars.collect())]);
    Arc::new(Market::new(&bars, BTreeMap::new()).unwrap()).into()
}

fn trading(
    broker: Arc<dyn Broker>,
    market: SharedMarket,
    memory: &Arc<Memory>,
) -> ScheduledTrading {
    ScheduledTrading {
        broker,
        prices: Arc::new(market),
        workflows: memory.clone(),
        account: AccountName::paper(),
        stage: "dev".to_owned(),
        strategy_profile: "book".to_owned(),
    }
}

fn paper(market: &SharedMarket) -> Arc<dyn Broker> {
    let settings = PaperSettings::default();
    Arc::new(PaperBroker::new(
        market.clone(),
        Arc::new(NoAccount),
        &settings,
    ))
}

async fn given_on(sessions: &[&str], memory: &Arc<Memory>, at: &str) -> Given {
    let market = market(sessions);
    let trading = trading(paper(&market), market, memory);
    let at = Timestamp::parse(at).unwrap();
    trading.give(&trade(), at).await.unwrap()
}

fn started(name: &str) -> Given {
    Given::Started(CorrelationId::parse(name).unwrap())
}

const SESSIONS: [&str; 3] = ["2026-11-24", "2026-11-25", "2026-11-27"];

/// The workflow decides on the last session that had closed by the scheduled
/// time, which is its clock; and begins once.
#[tokio::test]
async fn a_time_has_one_workflow() {
    let memory = Memory::new(routes());
    let at = "2026-11-27T14:35:00Z";
    let name = "dev-paper-2026-11-25-0935";
    assert_eq!(given_on(&SESSIONS[..2], &memory, at).await, started(name));
    let workflow = memory.workflow();
    assert_eq!(workflow.clock, Timestamp::parse(at).unwrap());
    assert_eq!(workflow.session().to_string(), "2026-11-25");
    let Payload::WorkflowStarted(first) = &memory.events()[0].payload else {
        panic!("{:?}", memory.events());
    };
    assert_eq!(first.requested_by, "daily");

    let before = Given::StartedBefore(CorrelationId::parse(name).unwrap());
    for state in [
        WorkflowState::Started,
        WorkflowState::Completed,
        WorkflowState::Failed,
    ] {
        let memory = Memory::new(routes());
        memory.add_workflow(&Workflow {
            state,
            ..workflow.clone()
        });
        // Later prices are there by now, and change nothing.
        assert_eq!(given_on(&SESSIONS, &memory, at).await, before, "{state}");
        assert!(memory.events().is_empty());
    }
}

#[tokio::test]
async fn at_the_closing_auction_the_session_itself_is_decided_on() {
    let memory = Memory::new(routes());
    assert_eq!(
        given_on(&SESSIONS[..2], &memory, "2026-11-25T21:00:00Z").await,
        started("dev-paper-2026-11-25-1600")
    );
}

#[tokio::test]
async fn nothing_begins_while_the_market_is_closed() {
    for (at, reason) in [
        ("2026-11-26T14:35:00Z", "Thanksgiving Day"),
        ("2026-11-28T14:35:00Z", "weekend"),
        ("2026-11-27T14:00:00Z", "it opens at 09:30"),
        (
            "2026-11-27T18:30:00Z",
            "it closed at 13:00, the day after Thanksgiving",
        ),
        ("2026-11-25T21:00:01Z", "it closed at 16:00"),
        ("2025-01-09T14:35:00Z", "national day of mourning"),
    ] {
        let memory = Memory::new(routes());
        let given = given_on(&SESSIONS, &memory, at).await;
        assert_eq!(given, Given::Skipped(format!("market closed: {reason}")));
        assert!(memory.events().is_empty());
    }
}

#[tokio::test]
async fn old_or_strange_prices_are_not_traded_on() {
    for (sessions, at, class, message) in [
        (
            &SESSIONS[..],
            "2026-12-01T14:35:00Z",
            "StalePrices",
            "the prices end on 2026-11-27, and the last session was on 2026-11-30",
        ),
        (
            &SESSIONS[..],
            "2026-11-24T14:35:00Z",
            "StalePrices",
            "there are no prices up to 2026-11-23, the last session",
        ),
        (
            &["2026-11-25", "2026-11-26"],
            "2026-11-27T14:35:00Z",
            "PriceError",
            "the prices have a session on 2026-11-26, and by the calendar the last one was on 2026-11-25",
        ),
    ] {
        let memory = Memory::new(routes());
        let Given::Refused(error) = given_on(sessions, &memory, at).await else {
            panic!("{at}");
        };
        assert_eq!(
            (error.class.as_str(), error.message.as_str()),
            (class, message)
        );
        assert!(memory.events().is_empty());
    }
}

#[tokio::test]
async fn another_workflow_of_the_account_is_waited_for() {
    let memory = Memory::new(routes());
    memory.add_workflow(&workflow(WorkflowState::Planned));
    assert_eq!(
        given_on(&SESSIONS, &memory, "2026-11-27T14:35:00Z").await,
        Given::NotNow("dev-paper-2022-12-28-1600 has not ended".to_owned())
    );
}

#[tokio::test]
async fn an_account_does_not_go_back() {
    let memory = Memory::new(routes());
    memory.add_workflow(&Workflow {
        configuration: configuration("2026-11-27"),
        ..workflow(WorkflowState::Completed)
    });
    let given = given_on(&SESSIONS, &memory, "2026-11-27T14:35:00Z").await;
    assert!(matches!(given, Given::Refused(error) if error.class == "Superseded"));
}

/// A broker whose calendar has an unforeseen closure on a day, or cannot be
/// asked.
struct OtherCalendar {
    paper: Arc<dyn Broker>,
    closed: Option<&'static str>,
}

#[async_trait]
impl Broker for OtherCalendar {
    async fn trading_day(&self, date: SessionDate) -> Result<TradingDay, BrokerError> {
        let Some(closed) = self.closed else {
            return Err(BrokerError::Unavailable("no answer".to_owned()));
        };
        if date.to_string() == closed {
            return Ok(TradingDay::Closed(Closure::Unstated));
        }
        trading_day(date).map_err(|error| BrokerError::Refused(error.to_string()))
    }

    async fn market_is_open(&self, at: Timestamp) -> Result<bool, BrokerError> {
        let day = self
            .trading_day(alchemiser_market::exchange_date(at))
            .await?;
        Ok(day.closed_at(at).is_none())
    }

    fn trading_mode(&self) -> TradingMode {
        self.paper.trading_mode()
    }

    async fn account(&self) -> Result<alchemiser_broker::Account, BrokerError> {
        self.paper.account().await
    }

    async fn positions(&self) -> Result<Vec<alchemiser_broker::Position>, BrokerError> {
        self.paper.positions().await
    }

    async fn assets(
        &self,
        symbols: &[Symbol],
    ) -> Result<BTreeMap<Symbol, alchemiser_broker::Asset>, BrokerError> {
        self.paper.assets(symbols).await
    }

    async fn quotes(
        &self,
        symbols: &[Symbol],
        at: Timestamp,
    ) -> Result<BTreeMap<Symbol, alchemiser_broker::Quote>, BrokerError> {
        self.paper.quotes(symbols, at).await
    }

    async fn submit(
        &self,
        order: &alchemiser_broker::OrderRequest,
    ) -> Result<BrokerOrder, BrokerError> {
        self.paper.submit(order).await
    }

    async fn order(&self, name: &ClientOrderId) -> Result<Option<BrokerOrder>, BrokerError> {
        self.paper.order(name).await
    }
}

#[tokio::test]
async fn the_brokers_calendar_overrules_the_rules() {
    let memory = Memory::new(routes());
    let market = market(&SESSIONS[..2]);
    let give = async |closed, at: &str| {
        let broker = Arc::new(OtherCalendar {
            paper: paper(&market),
            closed,
        });
        let trading = trading(broker, market.clone(), &memory);
        let at = Timestamp::parse(at).unwrap();
        trading.give(&trade(), at).await.unwrap()
    };
    assert_eq!(
        give(Some("2026-11-27"), "2026-11-27T14:35:00Z").await,
        Given::Skipped("market closed: no session".to_owned())
    );
    // The closed day is no session to have prices of.
    assert_eq!(
        give(Some("2026-11-27"), "2026-11-30T14:35:00Z").await,
        started("dev-paper-2026-11-25-0935")
    );
    assert!(matches!(
        give(None, "2026-12-02T14:35:00Z").await,
        Given::NotNow(_)
    ));
}
