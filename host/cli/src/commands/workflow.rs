//! `alchemiser workflow`: looks at workflows.

use super::state::{Limit, open, store, workflow_named};
use crate::arguments::{Arguments, Workflow};
use crate::failure::CommandResult;
use crate::output::{Align, Table};
use crate::project::Project;
use crate::report::Report;
use alchemiser_local::WorkflowRecord;
use serde_json::json;

/// Dispatches the subcommands.
pub fn workflow(command: &Workflow, arguments: &Arguments) -> CommandResult {
    let project = Project::open(arguments)?;
    match command {
        Workflow::List { limit, state } => {
            let limit = Limit::of(*limit, arguments.json);
            let queries = open(&project, state)?;
            let workflows = queries.workflows(limit.rows()).map_err(store)?;
            list(&workflows, limit, arguments.json);
            Ok(())
        }
        Workflow::Show { correlation, state } => {
            let queries = open(&project, state)?;
            let record = workflow_named(&queries, correlation)?;
            let (created_at, changed_at) = (record.created_at, record.changed_at);
            let took = changed_at.milliseconds_since(created_at);
            let headline = format!(
                "{correlation}: session {}, {} {:.1} s after its start at {}",
                record.workflow.session(),
                record.workflow.state,
                took as f64 / 1e3,
                created_at
            );
            let report = Report::new(record, &queries).map_err(store)?;
            if arguments.json {
                // Not among what a run says, which is the same for equal runs.
                let mut object = report.json();
                object["created_at"] = json!(created_at);
                object["changed_at"] = json!(changed_at);
                println!("{object}");
            } else {
                println!("{headline}");
                report.print();
            }
            Ok(())
        }
    }
}

fn list(workflows: &[WorkflowRecord], limit: Limit, json: bool) {
    let mut table = Table::new(&[Align::Left, Align::Left, Align::Left, Align::Left]);
    for record in workflows {
        let workflow = &record.workflow;
        if json {
            println!(
                "{}",
                json!({
                    "workflow": workflow.correlation_id,
                    "session": workflow.session(),
                    "account": workflow.account,
                    "state": workflow.state,
                    "orders_sent": workflow.orders_sent,
                    "created_at": record.created_at,
                    "changed_at": record.changed_at,
                })
            );
        } else {
            table.row([
                workflow.correlation_id.to_string(),
                workflow.session().to_string(),
                workflow.state.to_string(),
                record.changed_at.to_string(),
            ]);
        }
    }
    if workflows.is_empty() && !json {
        println!("There are no workflows yet; `alchemiser run` starts one.");
    }
    table.print();
    if !json {
        limit.tell(workflows.len());
    }
}
