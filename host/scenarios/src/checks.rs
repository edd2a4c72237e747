//! Asks a strategy in several ways, and compares.

use crate::answer::{Answer, differences};
use crate::file::{Budget, Expectation, ExpectedAnswer, StrategyTask};
use crate::perturbation::{Bars, Future};
use crate::report::{Finding, FindingKind, Place, Report};
use crate::subject::{Asked, Instance, Subject};
use crate::update::{Change, NewAnswer};
use alchemiser_events::Decimal;
use alchemiser_market::{Market, Session};
use alchemiser_sandbox::Usage;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

/// Sessions that one instance is asked about in a row: of a longer market the
/// last ones, and those with an expectation.
const IN_A_ROW: u32 = 1_000;

/// Sessions that are asked about alone besides those with an expectation.
const ALONE: usize = 16;

/// Sessions whose future is changed; those with an expectation come first.
const PERTURBED: usize = 8;

/// What to do about an answer that depends on what was asked before.
pub const STATELESS: &str = "keep nothing from one call to the next, in no `static` and in no cache, \
                         and go through no `HashMap`: its order is another each time";

/// Asks a strategy about a scenario.
///
/// Whatever the scenario expects, each of these has to give the same answers: a
/// fresh instance for one session, asked twice; one instance for all sessions,
/// as they come; and a fresh instance on prices that are others after the
/// session. Of long markets samples are taken, the same each time.
pub fn run_strategy(
    subject: &dyn Subject,
    task: &StrategyTask,
    tolerance: Decimal,
    budget: &Budget,
) -> Report {
    let mut run = Run {
        subject,
        task,
        tolerance,
        times: BTreeMap::new(),
        alone: BTreeMap::new(),
        report: Report::default(),
    };
    match subject.start(&task.market) {
        Err(refusal) => run.refused(&refusal),
        Ok(instance) => run.all(instance),
    }
    run.budget(budget);
    run.report
}

struct Run<'a> {
    subject: &'a dyn Subject,
    task: &'a StrategyTask,
    tolerance: Decimal,
    /// How often each session was asked about, and the least time that it took.
    times: BTreeMap<Session, (usize, Duration)>,
    /// What a fresh instance answers.
    alone: BTreeMap<Session, Answer>,
    report: Report,
}

impl Run<'_> {
    fn all(&mut self, instance: Box<dyn Instance + '_>) {
        let goes_on = self.ask_alone();
        self.compare();
        self.nothing_but_errors();
        if goes_on {
            self.ask_in_a_row(instance);
            self.change_the_future();
        }
    }

    /// What cannot be loaded answers the same as of any session.
    fn refused(&mut self, refusal: &Answer) {
        for expectation in &self.task.expect {
            self.alone
                .insert(expectation.place.session, refusal.clone());
        }
        if self.task.expect.is_empty() {
            self.find(
                FindingKind::Defect,
                None,
                format!("cannot be loaded: {}", told(refusal)),
            );
        }
        self.compare();
    }

    /// Asks fresh instances, each twice about one session; answers whether it
    /// makes sense to go on.
    fn ask_alone(&mut self) -> bool {
        let market = &self.task.market;
        let mut sessions = self.expected();
        sessions.extend(spread(0, count(market), ALONE));
        for session in sessions {
            let mut instance = match self.subject.start(market) {
                Ok(instance) => instance,
                Err(refusal) => {
                    let place = self.place(session);
                    let message = format!(
                        "loaded once, and not again with the same parameters: {}",
                        told(&refusal)
                    );
                    self.find(FindingKind::EarlierCalls, place, message);
                    return false;
                }
            };
            let first = self.ask(instance.as_mut(), session);
            self.alone.insert(session, first.clone());
            if let Answer::Defect { .. } = first {
                if self.is_foreseen(&first) {
                    continue;
                }
                // Where something is expected, the comparison tells.
                if !self.expected().contains(&session) {
                    self.defect(session, &first);
                }
                return false;
            }
            let again = self.ask(instance.as_mut(), session);
            if !again.is_alike(&first, self.tolerance) {
                let message = format!(
                    "asked twice in a row it answers first {first}, then {again}; {STATELESS}"
                );
                self.find(FindingKind::EarlierCalls, self.place(session), message);
                return true;
            }
        }
        true
    }

    /// Asks one instance about all sessions as they come.
    fn ask_in_a_row(&mut self, mut instance: Box<dyn Instance + '_>) {
        let end = count(&self.task.market);
        let mut sessions: BTreeSet<Session> =
            (end.saturating_sub(IN_A_ROW)..end).map(Session).collect();
        sessions.extend(self.expected());
        for (earlier, session) in sessions.into_iter().enumerate() {
            let answer = self.ask(instance.as_mut(), session);
            let is_defect = matches!(answer, Answer::Defect { .. });
            if is_defect && !self.alone.contains_key(&session) {
                // It may do so in a row only; find out.
                let alone = self.fresh(&Arc::clone(&self.task.market), session);
                if alone.is_alike(&answer, self.tolerance) {
                    if !self.is_foreseen(&answer) {
                        self.defect(session, &answer);
                    }
                    return;
                }
                self.alone.insert(session, alone);
            }
            let Some(alone) = self.alone.get(&session) else {
                continue;
            };
            if !answer.is_alike(alone, self.tolerance) {
                let sessions = if earlier == 1 { "session" } else { "sessions" };
                let message = format!(
                    "the answer depends on earlier calls: after those for {earlier} earlier \
                     {sessions} it is {}, alone {}; {STATELESS}",
                    told(&answer),
                    told(alone)
                );
                self.find(FindingKind::EarlierCalls, self.place(session), message);
                return;
            }
        }
    }

    /// Asks fresh instances on markets that differ after the session.
    fn change_the_future(&mut self) {
        let end = count(&self.task.market);
        let mut sessions: Vec<Session> = self.expected().into_iter().take(PERTURBED).collect();
        sessions.extend(spread(0, end, PERTURBED - sessions.len()));
        let bars = Bars::of(&self.task.market);
        for session in BTreeSet::from_iter(sessions) {
            let Some(place) = self.place(session) else {
                continue;
            };
            let answer = match self.alone.get(&session) {
                Some(answer) => answer.clone(),
                None => self.fresh(&Arc::clone(&self.task.market), session),
            };
            for future in Future::ALL {
                let Some(market) = bars.with_future(place.date, future) else {
                    continue;
                };
                let other = self.fresh(&market, session);
                if !other.is_alike(&answer, self.tolerance) {
                    let message = format!(
                        "the answer depends on prices after {}: with the prices as they are it is \
                         {}, {future} {}",
                        place.date,
                        told(&answer),
                        told(&other)
                    );
                    self.find(FindingKind::Future, Some(place), message);
                    return;
                }
            }
        }
    }

    fn fresh(&mut self, market: &Arc<Market>, session: Session) -> Answer {
        let subject = self.subject;
        match subject.start(market) {
            Ok(mut instance) => self.ask(instance.as_mut(), session),
            Err(refusal) => refusal,
        }
    }

    fn ask(&mut self, instance: &mut dyn Instance, session: Session) -> Answer {
        let Asked { answer, usage } = instance.ask(session);
        if let Some(usage) = usage {
            self.count(session, usage);
        }
        answer
    }

    fn count(&mut self, session: Session, usage: Usage) {
        self.report.cost.count(usage);
        let (count, least) = self.times.entry(session).or_insert((0, usage.time));
        *count += 1;
        *least = usage.time.min(*least);
    }

    /// Compares what fresh instances answered with what was expected.
    fn compare(&mut self) {
        let findings = self.task.expect.iter().filter_map(|expectation| {
            let answer = self.alone.get(&expectation.place.session)?;
            difference(expectation, answer, self.tolerance)
        });
        self.report.findings.extend(findings);
    }

    /// A scenario that expects nothing shows at least that there are answers.
    fn nothing_but_errors(&mut self) {
        let mut errors = self.alone.values().filter_map(Answer::error);
        let is_all = errors.clone().count() == self.alone.len();
        if let Some(error) = errors.next_back()
            && is_all
            && self.task.expect.is_empty()
            && self.report.findings.is_empty()
        {
            let message = format!(
                "nothing is expected, and every answer is an error: {} ({})",
                error.class, error.message
            );
            self.find(FindingKind::Unfilled, None, message);
        }
    }

    fn defect(&mut self, session: Session, answer: &Answer) {
        self.find(FindingKind::Defect, self.place(session), told(answer));
    }

    fn budget(&mut self, budget: &Budget) {
        // What was asked only once tells as much of the machine as of the plugin.
        let repeated = self.times.values().filter(|(count, _)| *count > 1);
        let longest = repeated.map(|(_, least)| *least).max();
        self.report.cost.time = longest.unwrap_or_default();
        for message in self.report.cost.over(budget) {
            self.find(FindingKind::Budget, None, message);
        }
    }

    fn find(&mut self, kind: FindingKind, place: Option<Place>, message: String) {
        self.report.findings.push(Finding {
            kind,
            line: None,
            place,
            message,
            differences: Vec::new(),
            change: None,
        });
    }

    fn expected(&self) -> BTreeSet<Session> {
        let expect = self.task.expect.iter();
        expect
            .map(|expectation| expectation.place.session)
            .collect()
    }

    /// Whether the scenario expects an error of this class, of whichever session:
    /// what exceeds a limit as of one does as of others.
    fn is_foreseen(&self, answer: &Answer) -> bool {
        let Some(detail) = answer.error() else {
            return false;
        };
        let mut expect = self.task.expect.iter();
        expect.any(|expectation| match &expectation.answer {
            Some(ExpectedAnswer::Error(error)) => error.class == detail.class,
            Some(ExpectedAnswer::Weights(_)) | None => false,
        })
    }

    fn place(&self, session: Session) -> Option<Place> {
        let date = self.task.market.calendar().date(session)?;
        Some(Place { session, date })
    }
}

/// An answer, with what to do where it is a defect.
fn told(answer: &Answer) -> String {
    let Answer::Defect { detail, advice } = answer else {
        return answer.to_string();
    };
    let told = format!("{}: {}", detail.class, detail.message);
    match advice.is_empty() {
        true => told,
        false => format!("{told}; {advice}"),
    }
}

/// How an answer differs from what was expected.
fn difference(expectation: &Expectation, answer: &Answer, tolerance: Decimal) -> Option<Finding> {
    let finding = |kind, message, differences| {
        Some(Finding {
            kind,
            line: Some(expectation.line),
            place: Some(expectation.place),
            message,
            differences,
            change: change(expectation, answer),
        })
    };
    let wrong = |message| finding(FindingKind::Expectation, message, Vec::new());
    match (&expectation.answer, answer) {
        (Some(ExpectedAnswer::Error(expected)), answer) => match answer.error() {
            Some(detail) if expected.is_met_by(detail) => None,
            Some(detail) => {
                let kind = match answer {
                    Answer::Defect { .. } => FindingKind::Defect,
                    Answer::Weights(_) | Answer::Error(_) => FindingKind::Expectation,
                };
                let message = expected.not_met_by(&told(answer), detail);
                finding(kind, message, Vec::new())
            }
            None => wrong(format!("expected {expected}; it is {answer}")),
        },
        (_, Answer::Defect { .. }) => finding(FindingKind::Defect, told(answer), Vec::new()),
        (None, _) => finding(
            FindingKind::Unfilled,
            format!(
                "nothing is expected here, neither `weights` nor `error`; it is {answer}, which \
                 `--update` writes down"
            ),
            Vec::new(),
        ),
        (Some(ExpectedAnswer::Weights(_)), Answer::Error(_)) => {
            wrong(format!("expected weights; it is {answer}"))
        }
        (Some(ExpectedAnswer::Weights(expected)), Answer::Weights(got)) => {
            let differences = differences(expected, got, tolerance);
            if differences.is_empty() {
                return None;
            }
            let message = "the weights are others".to_owned();
            finding(FindingKind::Expectation, message, differences)
        }
    }
}

/// What makes an expectation hold. A crash is never what one is meant to expect.
fn change(expectation: &Expectation, answer: &Answer) -> Option<Change> {
    let answer = match answer {
        Answer::Weights(weights) => NewAnswer::Weights(weights.clone()),
        Answer::Error(detail) => NewAnswer::error(detail),
        Answer::Defect { .. } => return None,
    };
    Some(Change::Answer {
        expect: expectation.index,
        answer,
    })
}

fn count(market: &Market) -> u32 {
    market.calendar().last().map_or(0, |last| last.0 + 1)
}

/// So many numbers of a range, evenly spread, the last included.
fn spread(from: u32, end: u32, most: usize) -> BTreeSet<Session> {
    let most = u32::try_from(most).unwrap_or(u32::MAX);
    let length = end.saturating_sub(from);
    if most == 0 || length == 0 {
        return BTreeSet::new();
    }
    let step = length.div_ceil(most).max(1) as usize;
    (from..end).rev().step_by(step).map(Session).collect()
}
