//! `alchemiser events replay`

use super::rehearsal;
use crate::arguments::{Events, Window};
use crate::commands::rules::known_rule;
use crate::commands::state::{opened, store};
use crate::failure::{CommandFailure, CommandResult};
use crate::machine;
use crate::output::{Align, Table};
use crate::progress::Progress;
use crate::project::Project;
use crate::worker::Worker;
use alchemiser_events::CorrelationId;
use alchemiser_local::{Fate, Replay, Replayed, StateDirectory};
use alchemiser_rules::TargetName;
use alchemiser_worker::DECLARATIONS;
use serde_json::json;
use std::collections::BTreeSet;

/// Sends archived events to the targets that missed them, and works these
/// deliveries off.
pub fn replay(command: &Events, project: &Project, json: bool) -> CommandResult {
    let Events::Replay {
        from,
        to,
        rule,
        name,
        act,
        dry_run,
        data,
        state,
        ..
    } = command
    else {
        return Ok(());
    };
    // Both are there, or a workflow is named, which is another command.
    let (Some(from), Some(to)) = (from, to) else {
        return rehearsal::rehearse(command, project, json);
    };
    let window = Window {
        from: Some(*from),
        to: Some(*to),
    };
    window
        .ends()
        .map_err(|error| CommandFailure::usage("UsageError", error))?;
    let worker = Worker::gather(project, data)?;
    let replay = Replay {
        name: name
            .clone()
            .unwrap_or_else(|| format!("replay-{from}-{to}")),
        from: *from,
        to: *to,
        rule: rule
            .as_deref()
            .map(|rule| known_rule(rule, &worker.setup.routes))
            .transpose()?,
        skipped: if *act { BTreeSet::new() } else { acting() },
    };
    let directory = StateDirectory::open(&project.state(state)).map_err(|error| opened(&error))?;
    let bus = worker.bus(project, &directory);
    let runner = worker.runner(project, &directory, &bus);

    let mut told = Told::new(*dry_run, json);
    machine::runtime()?.block_on(async {
        let each = |replayed| told.tell(replayed);
        bus.replay(&replay, *dry_run, each).await.map_err(store)?;
        if !dry_run {
            for workflow in &told.workflows {
                runner.run_workflow(workflow).await.map_err(store)?;
            }
        }
        Ok::<_, CommandFailure>(())
    })?;
    told.finish();
    Ok(())
}

/// What is said of the deliveries while they are made.
struct Told {
    dry_run: bool,
    json: bool,
    table: Table,
    made: usize,
    were_there: usize,
    workflows: BTreeSet<CorrelationId>,
    progress: Progress,
}

impl Told {
    fn new(dry_run: bool, json: bool) -> Self {
        Self {
            dry_run,
            json,
            table: Table::new(&[Align::Left, Align::Left, Align::Left]),
            made: 0,
            were_there: 0,
            workflows: BTreeSet::new(),
            progress: Progress::counting(),
        }
    }

    fn tell(&mut self, replayed: Replayed) {
        self.progress.step();
        if self.json {
            let line = json!({
                    "event_id": replayed.event_id,
                    "workflow": replayed.workflow,
                    "target": replayed.target,
                    "rule": replayed.rule,
                    "fate": match replayed.fate {
                        Fate::Delivered => "delivered",
                        Fate::DeliveredBefore => "delivered-before",
                        Fate::Skipped => "skipped",
                    },
                    "dry_run": self.dry_run,
            });
            self.progress.print(&format!("{line}\n"));
        }
        let how = match replayed.fate {
            Fate::DeliveredBefore => {
                self.were_there += 1;
                return;
            }
            Fate::Delivered => {
                self.made += 1;
                self.workflows.insert(replayed.workflow);
                format!("by rule {}", replayed.rule)
            }
            Fate::Skipped => "replay skipped, since it acts; `--act` delivers it".to_owned(),
        };
        if !self.json {
            let (event, target) = (replayed.event_id.to_string(), replayed.target.to_string());
            self.table.row([event, target, how]);
        }
    }

    fn finish(&self) {
        self.progress.finish();
        if self.json {
            return;
        }
        self.table.print();
        let verb = if self.dry_run {
            "would be made"
        } else {
            "made"
        };
        println!(
            "{} {} {verb}; {} before.",
            self.made,
            if self.made == 1 {
                "delivery"
            } else {
                "deliveries"
            },
            if self.were_there == 1 {
                "1 was delivered".to_owned()
            } else {
                format!("{} were delivered", self.were_there)
            }
        );
    }
}

/// The targets that send orders or mail.
fn acting() -> BTreeSet<TargetName> {
    let acting = DECLARATIONS.iter().filter(|declaration| declaration.acts);
    acting
        .filter_map(|declaration| TargetName::new(declaration.target).ok())
        .collect()
}
