//! `alchemiser rules`: looks at `routes.toml`.

mod check;
mod explain;
mod schedules;
mod test;

pub use check::findings;
pub use schedules::on_the_wall;
pub use test::run_tests;

use crate::arguments::{Arguments, Rules};
use crate::failure::{CommandFailure, CommandResult};
use crate::project::Project;
use alchemiser_rules::{Routes, RuleName};
use alchemiser_suggest as suggest;

/// Dispatches the subcommands.
pub fn rules(command: &Rules, arguments: &Arguments) -> CommandResult {
    let json = arguments.json;
    match command {
        Rules::Check => check::check(&Project::open(arguments)?.routes_and_events()?, json),
        Rules::Match { pattern, event } => explain::matches(pattern, event, json),
        Rules::Test { file: None } => test::of_routes(&Project::open(arguments)?, json),
        Rules::Test { file: Some(file) } => test::of_file(file, arguments),
        Rules::Explain { event, state } => {
            explain::explain(&Project::open(arguments)?, event, state, json)
        }
        Rules::Schedules {
            after,
            count,
            state,
        } => schedules::schedules(&Project::open(arguments)?, *after, *count, state, json),
        Rules::Schema => {
            let schema = alchemiser_rules::schema();
            if json {
                println!("{schema}");
            } else {
                println!("{schema:#}");
            }
            Ok(())
        }
    }
}

/// A rule's name, if there is such a rule.
pub fn known_rule(name: &str, routes: &Routes) -> CommandResult<RuleName> {
    let known: Vec<&str> = routes
        .rules()
        .iter()
        .map(|rule| rule.name.as_str())
        .collect();
    RuleName::new(name)
        .ok()
        .filter(|name| routes.rule(name).is_some())
        .ok_or_else(|| {
            let advice = suggest::instead_of(name, &known);
            let message = format!("there is no rule `{name}`; {advice}");
            CommandFailure::usage("UsageError", message)
        })
}
