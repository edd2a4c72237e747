//! `alchemiser rules`: looks at `routes.toml`.

use crate::arguments::{Arguments, Rules};
use crate::failure::{CommandFailure, CommandResult};
use crate::project::Project;
use alchemiser_worker::{DECLARATIONS, flow};
use serde_json::json;

/// Dispatches the subcommands.
pub fn rules(command: &Rules, arguments: &Arguments) -> CommandResult {
    match command {
        Rules::Check => check(arguments),
    }
}

/// Reads the file, then looks for routes that are well-formed and make no
/// sense.
fn check(arguments: &Arguments) -> CommandResult {
    let project = Project::open(arguments)?;
    let routes = project.routes()?;
    let findings = alchemiser_rules::check(&routes, &flow(&DECLARATIONS));
    for finding in &findings {
        if arguments.json {
            println!("{}", json!({"finding": finding.to_string()}));
        } else {
            println!("{finding}");
        }
    }
    if !findings.is_empty() {
        return Err(CommandFailure::AlreadyReported);
    }
    let rules = routes.rules().len();
    let targets = routes.targets().count();
    if arguments.json {
        println!(
            "{}",
            json!({"rules": rules, "targets": targets, "findings": 0})
        );
    } else {
        println!("routes.toml: {rules} rules, {targets} targets, nothing to remark");
    }
    Ok(())
}
