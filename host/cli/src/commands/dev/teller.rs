//! What `alchemiser dev` says.

use crate::commands::rules::on_the_wall;
use crate::failure::error_json;
use alchemiser_events::Timestamp;
use alchemiser_local::Happened;
use alchemiser_market::exchange_time;
use alchemiser_rules::{Routes, ScheduleName};
use alchemiser_worker::Given;
use serde_json::{Value, json};

/// Says what happens: a line with the time in New York, or a JSON object.
#[derive(Clone, Copy)]
pub(super) struct Teller {
    json: bool,
}

impl Teller {
    pub(super) fn new(json: bool) -> Self {
        Self { json }
    }

    /// Whether a script listens.
    pub(super) fn json(self) -> bool {
        self.json
    }

    pub(super) fn tell(self, text: &str, mut object: Value) {
        let now = Timestamp::new(jiff::Timestamp::now());
        if self.json {
            object["time"] = json!(now);
            println!("{object}");
        } else {
            println!("{}  {text}", exchange_time(now).strftime("%F %T %Z"));
        }
    }

    /// What follows tells of schedules.
    pub(super) fn of_schedules(self, routes: &Routes) -> ScheduleTeller<'_> {
        ScheduleTeller {
            teller: self,
            routes,
        }
    }
}

/// Says what schedules do.
pub(super) struct ScheduleTeller<'a> {
    teller: Teller,
    routes: &'a Routes,
}

impl ScheduleTeller<'_> {
    /// What there is to expect of them, where the scheduler has no word to say.
    pub(super) fn expect(&self) {
        let schedules = self.routes.schedules();
        if !self.teller.json && schedules.iter().all(|schedule| !schedule.enabled) {
            self.teller.tell("no schedule is enabled", Value::Null);
        }
    }

    pub(super) fn happened(&self, happened: &Happened) {
        match happened {
            Happened::Given {
                schedule,
                at,
                given,
            } => self.given(schedule, *at, given),
            Happened::Waits {
                schedule,
                at,
                reason,
            } => self.teller.tell(
                &format!("{}: waits: {reason}", self.time(schedule, *at)),
                json!({"happened": "waits", "schedule": schedule, "at": at, "reason": reason}),
            ),
            Happened::Missed { schedule, missed } => self.teller.tell(
                &format!("{schedule}: missed: {missed}"),
                json!({
                    "happened": "missed",
                    "schedule": schedule,
                    "count": missed.count,
                    "more": missed.more,
                    "first": missed.first,
                    "last": missed.last,
                }),
            ),
            Happened::SetBack { schedule, now } => self.teller.tell(
                &format!("{schedule}: the system clock was set back, and times come again"),
                json!({"happened": "set-back", "schedule": schedule, "now": now}),
            ),
            Happened::Next { schedule, at } => {
                let text = match at {
                    Some(at) => format!("{schedule}: next {}", self.on_the_wall(schedule, *at)),
                    None => format!("{schedule}: never fires again"),
                };
                let object = json!({"happened": "next", "schedule": schedule, "at": at});
                self.teller.tell(&text, object);
            }
        }
    }

    fn given(&self, schedule: &ScheduleName, at: Timestamp, given: &Given) {
        let mut object = json!({"schedule": schedule, "at": at});
        let (happened, text) = match given {
            Given::Started(workflow) => {
                object["workflow"] = json!(workflow);
                ("started", format!("{workflow} begins"))
            }
            Given::StartedBefore(workflow) => {
                object["workflow"] = json!(workflow);
                ("started-before", format!("{workflow} had begun before"))
            }
            Given::Skipped(reason) | Given::NotNow(reason) => {
                object["reason"] = json!(reason);
                ("skipped", format!("skipped: {reason}"))
            }
            Given::Refused(error) => {
                object["error"] = error_json(error);
                ("refused", format!("refused: {}", error.message))
            }
        };
        object["happened"] = json!(happened);
        self.teller
            .tell(&format!("{}: {text}", self.time(schedule, at)), object);
    }

    /// A schedule and its time.
    fn time(&self, schedule: &ScheduleName, at: Timestamp) -> String {
        format!("{schedule}, {}", self.on_the_wall(schedule, at))
    }

    fn on_the_wall(&self, name: &ScheduleName, at: Timestamp) -> String {
        let schedules = self.routes.schedules();
        let schedule = schedules.iter().find(|schedule| schedule.name == *name);
        schedule.map_or_else(|| at.to_string(), |schedule| on_the_wall(schedule, at))
    }
}
