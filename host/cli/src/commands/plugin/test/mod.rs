//! `alchemiser plugin test`: plugins on scenario files.

mod junit;
mod print;
mod targets;

use super::build;
use crate::arguments::{Arguments, PluginTest};
use crate::failure::{CommandFailure, CommandResult};
use crate::machine::Plugins;
use crate::ordered::in_order;
use crate::progress::Progress;
use crate::project::Project;
use alchemiser_builder::Builder;
use alchemiser_sandbox::{Kind, Plugin};
use alchemiser_scenarios::{
    Change, Markets, Report, Scenario, ScenarioFile, StrategyTask, Task, run_plan, run_strategy,
    update,
};
use alchemiser_worker::{BookStrategy, StrategySource};
use std::collections::BTreeSet;
use std::io::IsTerminal as _;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use targets::{Subject, Target};

/// Runs the scenarios of what the command names.
pub(super) fn test(command: &PluginTest, arguments: &Arguments) -> CommandResult {
    let project = targets::project(&command.names, arguments)?;
    let targets = targets::targets(command, &project)?;
    let files = read(&targets, arguments.json)?;
    if !command.no_build {
        build_plugins(&targets, &project)?;
    }
    let mut plugins = Plugins::counting_fuel(&project)?;
    let suites: Vec<Suite> = targets
        .into_iter()
        .zip(files)
        .map(|(target, files)| Suite::new(target.subject, files, &mut plugins))
        .collect::<CommandResult<_>>()?;

    let results = run(&suites, command.update, arguments.json);
    store_changes(&results)?;
    if let Some(file) = &command.junit {
        junit::write(file, &results)?;
    }
    if !arguments.json {
        print!("{}", print::summary(&results));
    }
    if results.iter().all(TestResult::passed) {
        Ok(())
    } else {
        Err(CommandFailure::AlreadyReported)
    }
}

/// Reads the scenario files of each target. All that is wrong with any of them
/// is said at once.
fn read(targets: &[Target], json: bool) -> CommandResult<Vec<Vec<ScenarioFile>>> {
    let mut markets = Markets::new();
    let mut errors = Vec::new();
    let mut files = Vec::new();
    for target in targets {
        let mut of_target = Vec::new();
        for path in &target.files {
            match ScenarioFile::load(path, &mut markets) {
                Ok(file) => of_target.push(file),
                Err(error) => errors.push(error),
            }
        }
        files.push(of_target);
    }
    if errors.is_empty() {
        return Ok(files);
    }
    print::file_errors(&errors, json);
    Err(CommandFailure::RefusedAndReported)
}

/// Builds the plugins among the targets whose source the project has.
fn build_plugins(targets: &[Target], project: &Project) -> CommandResult {
    let mut names = BTreeSet::new();
    for target in targets {
        match &target.subject {
            Subject::Plugin(name) => names.insert(name.as_str()),
            Subject::Strategy(_) => names.insert(StrategySource::FILE_PLUGIN),
            Subject::Crate {
                folder,
                name,
                component,
            } => {
                let limits = project.settings.sandbox.limits_of(name);
                build::build_into(&builder(folder)?, name, component, &limits)?;
                false
            }
            Subject::Component(_) => false,
        };
    }
    let crates = project.plugin_crates();
    names.retain(|name| project.is_workspace() && crates.contains_key(*name));
    if names.is_empty() {
        return Ok(());
    }
    let builder = builder(project.root())?;
    for name in names {
        let limits = project.settings.sandbox.limits_of(name);
        build::build_into(&builder, name, &project.plugin(name), &limits)?;
    }
    Ok(())
}

/// What builds the crates of a workspace. It says what it does to a person only.
fn builder(workspace: &Path) -> CommandResult<Builder> {
    let builder = Builder::open(workspace).map_err(build::failure)?;
    Ok(if std::io::stderr().is_terminal() {
        builder
    } else {
        builder.quiet()
    })
}

/// A plugin or strategy that is ready to be asked, and its scenarios.
struct Suite {
    subject: Subject,
    asked: Asked,
    files: Vec<ScenarioFile>,
}

/// Who is asked.
enum Asked {
    /// A strategy; a scenario adds its parameters and files.
    Strategy(Box<BookStrategy>),
    Portfolio(Plugin),
}

impl Suite {
    fn new(
        subject: Subject,
        files: Vec<ScenarioFile>,
        plugins: &mut Plugins<'_>,
    ) -> CommandResult<Self> {
        let named = |file: &Path| file.to_string_lossy().into_owned();
        let strategy = match &subject {
            Subject::Plugin(name) => plugins.plugin_alone(name)?,
            Subject::Crate {
                name, component, ..
            } => plugins.component_alone(name, component)?,
            Subject::Component(file) | Subject::Strategy(file) => plugins.target(&named(file))?,
        };
        let asked = match strategy.plugin.kind() {
            Kind::Strategy => Asked::Strategy(Box::new(strategy)),
            Kind::Portfolio => Asked::Portfolio(strategy.plugin),
        };
        for file in &files {
            for scenario in &file.scenarios {
                let wrong = match (&asked, &scenario.task) {
                    (Asked::Strategy(_), Task::Plan(_)) => {
                        "a strategy is asked about `prices`, and this is a `request`"
                    }
                    (Asked::Portfolio(_), Task::Strategy(_)) => {
                        "a portfolio plugin is asked with a `request`, and these are `prices`"
                    }
                    _ => continue,
                };
                let place = format!("{}:{}", file.path.display(), scenario.line);
                let message = format!("{place}: {}: {wrong}", subject.name());
                return Err(CommandFailure::usage("ScenarioError", message));
            }
        }
        Ok(Self {
            subject,
            asked,
            files,
        })
    }

    fn run(&self, scenario: &Scenario) -> Report {
        let (tolerance, budget) = (scenario.tolerance, &scenario.budget);
        match (&self.asked, &scenario.task) {
            (Asked::Strategy(strategy), Task::Strategy(task)) => {
                let strategy = with_question(strategy, scenario, task);
                run_strategy(&Arc::new(strategy), task, tolerance, budget)
            }
            (Asked::Portfolio(plugin), Task::Plan(task)) => {
                run_plan(plugin, task, tolerance, budget)
            }
            // `new` has refused it.
            _ => Report::default(),
        }
    }
}

fn with_question(
    strategy: &BookStrategy,
    scenario: &Scenario,
    task: &StrategyTask,
) -> BookStrategy {
    let mut strategy = strategy.clone();
    strategy.request.parameters = scenario.parameters.to_string();
    strategy.request.files.extend(task.files.iter().cloned());
    strategy
}

/// What came of a scenario.
struct TestResult<'a> {
    suite: &'a Suite,
    file: &'a ScenarioFile,
    scenario: &'a Scenario,
    report: Report,
    /// What is to be written into the file.
    changes: Vec<Change>,
}

impl<'a> TestResult<'a> {
    /// With `update`, what the file can be made to expect is no failure.
    fn new(suite: &'a Suite, file: &'a ScenarioFile, scenario: &'a Scenario, update: bool) -> Self {
        let mut report = suite.run(scenario);
        let mut changes = Vec::new();
        if update {
            report
                .findings
                .retain_mut(|finding| match finding.change.take() {
                    Some(change) => {
                        changes.push(change);
                        false
                    }
                    None => true,
                });
        }
        Self {
            suite,
            file,
            scenario,
            report,
            changes,
        }
    }

    fn passed(&self) -> bool {
        self.report.passed()
    }
}

/// Runs all scenarios side by side, and prints what comes of each in their order.
fn run<'a>(suites: &'a [Suite], update: bool, json: bool) -> Vec<TestResult<'a>> {
    let mut jobs = Vec::new();
    for suite in suites {
        let scenarios = suite
            .files
            .iter()
            .flat_map(|file| file.scenarios.iter().map(move |scenario| (file, scenario)));
        for (place, (file, scenario)) in scenarios.enumerate() {
            jobs.push((jobs.len(), place == 0, suite, file, scenario));
        }
    }
    let width = jobs
        .iter()
        .map(|(.., scenario)| print::width(&scenario.name));
    let form = print::Form {
        json,
        width: width.max().unwrap_or(0),
    };
    let progress = Progress::of(jobs.len());
    let results: Mutex<Vec<(usize, TestResult<'a>)>> = Mutex::default();
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    in_order(
        jobs,
        workers,
        |(place, is_first, suite, file, scenario), write| {
            let result = TestResult::new(suite, file, scenario, update);
            write(form.text(&result, is_first));
            progress.step();
            let mut results = results.lock().unwrap_or_else(PoisonError::into_inner);
            results.push((place, result));
        },
        |text| progress.print(text),
    );
    progress.finish();
    let mut results = results.into_inner().unwrap_or_else(PoisonError::into_inner);
    results.sort_by_key(|(place, _)| *place);
    results.into_iter().map(|(_, result)| result).collect()
}

/// Writes what was answered into the files.
fn store_changes(results: &[TestResult<'_>]) -> CommandResult {
    for of_file in results.chunk_by(|left, right| std::ptr::eq(left.file, right.file)) {
        let changes = of_file.iter().flat_map(|result| {
            let index = result.scenario.index;
            result
                .changes
                .iter()
                .map(move |change| (index, change.clone()))
        });
        let changes: Vec<(usize, Change)> = changes.collect();
        let Some(first) = of_file.first().filter(|_| !changes.is_empty()) else {
            continue;
        };
        let ScenarioFile { path, text, .. } = first.file;
        let wrong = |error: &dyn std::fmt::Display| {
            CommandFailure::failed("UpdateError", format!("{}: {error}", path.display()))
        };
        let text = update(text, &changes).map_err(|error| wrong(&error))?;
        replace(path, &text).map_err(|error| wrong(&error))?;
    }
    Ok(())
}

/// Replaces a file at once: whoever reads it gets the old text or the new one.
fn replace(path: &Path, text: &str) -> std::io::Result<()> {
    use std::io::Write as _;
    // Through a link, the file that it points to.
    let path = path.canonicalize()?;
    let folder = path.parent().unwrap_or(Path::new("/"));
    let mut temporary = tempfile::Builder::new()
        .prefix(".scenarios-")
        .tempfile_in(folder)?;
    temporary.write_all(text.as_bytes())?;
    temporary
        .as_file()
        .set_permissions(std::fs::metadata(&path)?.permissions())?;
    temporary.persist(&path)?;
    Ok(())
}
