//! A strategy that misbehaves in the way that its parameters name: what the
//! sandbox has to survive.

#![allow(
    clippy::result_large_err,
    reason = "the SDK's error is large on hosts, and plugins run on wasm32"
)]

use alchemiser_sdk::guest::HostMarket;
use alchemiser_sdk::{
    Error, Files, Requirement, Result, Strategy, Today, Weight, Weights, export_strategy, log,
};
use serde::Deserialize;
use std::hint::black_box;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

/// The strategy's parameters: what to do, and when.
#[derive(Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Parameters {
    behaviour: Behaviour,
    /// Misbehaves in this call; properly before.
    #[serde(default)]
    during: Call,
}

#[derive(Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Call {
    Load,
    Requirements,
    #[default]
    Evaluate,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Behaviour {
    /// All in `AAPL`, with an explanation and a log line.
    Behave,
    EndlessLoop,
    MemoryBomb,
    /// One allocation that no limit allows.
    HugeAllocation,
    Panic,
    StackOverflow,
    /// As above, with frames so large that the plugin's own stack overflows.
    LargeFrames,
    /// An answer of about 2 MiB.
    LargeAnswer,
    /// An error of about 900 KiB, within the output limit.
    LongError,
    /// An error of about 2 MiB.
    HugeError,
    ErrorWithControlCharacters,
    NanWeight,
    NegativeWeight,
    WeightAboveOne,
    WeightsAboveOne,
    UnknownSymbol,
    NoSymbol,
    DuplicateSymbol,
    LogFlood,
    /// Lines below the log level count as well.
    QuietLogFlood,
    /// A log line of 2 MiB.
    HugeLogLine,
    ExplanationFlood,
    LookAhead,
    UndeclaredSymbol,
    UndeclaredHistory,
    MadeUpHandle,
    AskMarket,
    /// Repeats name and content of the files, as an error.
    EchoFiles,
    /// Keeps 1 MiB more at each evaluation.
    Leak,
    /// Answers by how often it was called, which a static variable counts.
    Count,
    /// Answers as it did the first time, which a static variable keeps.
    Cache,
    /// Adds up a hundred million numbers: a moment natively, more in a sandbox.
    Crunch,
}

static CALLS: AtomicU32 = AtomicU32::new(0);
static FIRST: OnceLock<f64> = OnceLock::new();

/// The strategy.
pub struct Torture {
    parameters: Parameters,
    leaked: Vec<Vec<u8>>,
}

impl Strategy for Torture {
    type Parameters = Parameters;

    fn load(parameters: Parameters, files: &Files) -> Result<Self> {
        let mut torture = Self {
            parameters,
            leaked: Vec::new(),
        };
        if let Behaviour::EchoFiles = parameters.behaviour {
            let files: Vec<_> = files.iter().collect();
            return Err(Error::new("Echo", format!("{files:?}")));
        }
        if parameters.during == Call::Load {
            torture.misbehave(&Today::new(&HostMarket, 0))?;
        }
        Ok(torture)
    }

    fn requirements(&self) -> Vec<Requirement> {
        if self.parameters.during == Call::Requirements {
            let mut torture = Self {
                parameters: self.parameters,
                leaked: Vec::new(),
            };
            // The function has no error to answer with.
            let _ = torture.misbehave(&Today::new(&HostMarket, 0));
        }
        match self.parameters.behaviour {
            Behaviour::NoSymbol if self.parameters.during == Call::Requirements => {
                vec![Requirement::all("not a symbol")]
            }
            _ => vec![Requirement::last("AAPL", 20), Requirement::last("MSFT", 20)],
        }
    }

    fn evaluate(&mut self, today: &Today<'_>) -> Result<Weights> {
        if self.parameters.during == Call::Evaluate {
            // Not as a builder of weights would have it.
            self.misbehave(today).map(Weights::unchecked)
        } else {
            behave(today).map(Weights::unchecked)
        }
    }
}

export_strategy!(Torture);

fn behave(today: &Today<'_>) -> Result<Vec<Weight>> {
    if today.age("AAPL")? > 0 {
        return Ok(Vec::new()); // its price is an old one
    }
    let average = today.moving_average_price("AAPL", 10)?;
    let close = today.close("AAPL")?;
    let holds = today.is_above("AAPL above its average", close, average);
    log::debug!("looked at AAPL");
    log::info!("decided");
    let weight = if holds { 0.75 } else { 0.25 };
    Ok(vec![Weight::new("AAPL", weight)])
}

impl Torture {
    fn misbehave(&mut self, today: &Today<'_>) -> Result<Vec<Weight>> {
        const MIB: usize = 1 << 20;
        let (market, as_of) = (today.market(), today.session());
        let weights = match self.parameters.behaviour {
            Behaviour::Behave | Behaviour::EchoFiles => return behave(today),
            Behaviour::EndlessLoop => loop {
                black_box(());
            },
            Behaviour::MemoryBomb => loop {
                self.leaked.push(vec![1; MIB]);
            },
            Behaviour::HugeAllocation => {
                self.leaked.push(vec![1; 1 << 30]);
                vec![]
            }
            Behaviour::Panic => panic!("the torture strategy panics on purpose"),
            Behaviour::StackOverflow => vec![Weight::new("AAPL", recurse(0))],
            Behaviour::LargeFrames => vec![Weight::new("AAPL", recurse_with_large_frames(0))],
            Behaviour::LargeAnswer => {
                vec![Weight::new("A".repeat(1000), 0.0); 2000]
            }
            Behaviour::LongError => return Err(Error::new("Long", "long ".repeat(180_000))),
            Behaviour::HugeError => return Err(Error::new("Huge", "huge ".repeat(420_000))),
            Behaviour::ErrorWithControlCharacters => {
                return Err(Error::new(
                    "Red\u{1b}[31m",
                    "\u{1b}[2Jcleared\r\nthe screen",
                ));
            }
            Behaviour::NanWeight => vec![Weight::new("AAPL", f64::NAN)],
            Behaviour::NegativeWeight => vec![Weight::new("AAPL", -0.5)],
            Behaviour::WeightAboveOne => vec![Weight::new("AAPL", 1.25)],
            Behaviour::WeightsAboveOne => {
                vec![Weight::new("AAPL", 0.75), Weight::new("MSFT", 0.5)]
            }
            Behaviour::UnknownSymbol => vec![Weight::new("NOSUCH", 0.5)],
            Behaviour::NoSymbol => vec![Weight::new("not a symbol", 0.5)],
            Behaviour::DuplicateSymbol => {
                vec![Weight::new("AAPL", 0.5), Weight::new("AAPL", 0.25)]
            }
            Behaviour::LogFlood => loop {
                log::info!("flood");
            },
            Behaviour::QuietLogFlood => loop {
                log::debug!("flood");
            },
            Behaviour::HugeLogLine => {
                log::info!("{}", "x".repeat(2 * MIB));
                vec![]
            }
            Behaviour::ExplanationFlood => {
                for _ in 0..100_000 {
                    market.explain_note(0, None, "flood");
                }
                vec![]
            }
            Behaviour::LookAhead => {
                let symbol = market.find("AAPL")?;
                market.close(symbol, as_of + 1)?;
                vec![]
            }
            Behaviour::UndeclaredSymbol => {
                market.find("JPM")?;
                vec![]
            }
            Behaviour::UndeclaredHistory => {
                let symbol = market.find("AAPL")?;
                market.closes(symbol, as_of, 21)?;
                vec![]
            }
            Behaviour::MadeUpHandle => {
                market.bars(alchemiser_sdk::SymbolHandle(4711), as_of);
                vec![]
            }
            Behaviour::AskMarket => {
                market.find("AAPL")?;
                vec![]
            }
            Behaviour::Leak => {
                self.leaked.push(vec![1; MIB]);
                vec![]
            }
            Behaviour::Count => {
                let calls = CALLS.fetch_add(1, Ordering::Relaxed);
                vec![Weight::new("AAPL", f64::from(1 + calls % 2) / 4.0)]
            }
            Behaviour::Cache => {
                let close = market.close(market.find("AAPL")?, as_of)?;
                vec![Weight::new("AAPL", *FIRST.get_or_init(|| close / 1000.0))]
            }
            Behaviour::Crunch => {
                let sum: f64 = (0..100_000_000)
                    .map(|number| black_box(f64::from(number)))
                    .sum();
                vec![Weight::new("AAPL", if sum > 0.0 { 0.5 } else { 0.0 })]
            }
        };
        Ok(weights)
    }
}

#[inline(never)]
#[expect(unconditional_recursion, reason = "the sandbox must end it")]
fn recurse(depth: u64) -> f64 {
    recurse(black_box(depth) + 1) + 1.0
}

#[inline(never)]
#[expect(unconditional_recursion, reason = "the sandbox must end it")]
fn recurse_with_large_frames(depth: u64) -> f64 {
    let frame = black_box([depth; 4096]);
    recurse_with_large_frames(frame[17] + 1) + black_box(frame)[18] as f64
}
