//! `alchemiser rules`: looks at `routes.toml`.

mod check;
mod explain;
mod schedules;
mod test;

pub use check::findings;
pub use schedules::on_the_wall;

use crate::arguments::{Arguments, Rules};
use crate::failure::CommandResult;
use crate::project::Project;

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
