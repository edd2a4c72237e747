//! `alchemiser rules test`

use crate::arguments::Arguments;
use crate::failure::{CommandFailure, CommandResult};
use crate::input::{read_file, utf8};
use crate::project::Project;
use alchemiser_rules::{Case, CaseError, Routes, TestEvent};
use serde_json::json;
use std::path::Path;

/// Runs the tests of the routes.
pub fn of_routes(project: &Project, json: bool) -> CommandResult {
    let routes = project.routes_and_events()?;
    let cases: Vec<Case> = routes.tests().iter().map(Case::from).collect();
    test(&cases, &routes, project.root(), json)
}

/// Runs the tests of the routes, and fails with the first that does.
pub fn run_tests(project: &Project) -> CommandResult {
    let routes = project.routes_and_events()?;
    for case in routes.tests().iter().map(Case::from) {
        run(&case, &routes, project.root()).map_err(|failure| {
            let message = format!("{}: test `{}` fails: {failure}", Project::MARK, case.name);
            CommandFailure::failed("RoutesTestFailed", message)
        })?;
    }
    Ok(())
}

/// Runs the cases of a file. A project is needed only where its routes are.
pub fn of_file(file: &Path, arguments: &Arguments) -> CommandResult {
    let name = file.display().to_string();
    let refused = |message: String| CommandFailure::usage("CaseError", message);
    let text = read_file(file).map_err(|error| refused(format!("{name}: {error}")))?;
    let text = utf8(&text, &name).map_err(refused)?;
    let lines: Vec<(usize, Result<Case, CaseError>)> = (1..)
        .zip(text.lines())
        .filter(|(_, line)| !line.trim().is_empty())
        .map(|(number, line)| (number, Case::parse(line, number)))
        .collect();
    if lines.is_empty() {
        return Err(refused(format!(
            "{name}: there are no cases; write one a line"
        )));
    }
    let read = lines.iter().filter_map(|(_, case)| case.as_ref().ok());
    let routes = if read.into_iter().any(Case::is_of_routes) {
        Project::open(arguments)?.routes()?
    } else {
        Routes::default()
    };

    // Lines that are no cases are all told.
    let mut cases = Vec::new();
    let mut mistakes = Vec::new();
    for (number, case) in lines {
        match case.and_then(|case| case.check(&routes).map(|()| case)) {
            Ok(case) => cases.push(case),
            Err(error) => mistakes.push(format!("{name}:{number}: {error}")),
        }
    }
    if !mistakes.is_empty() {
        return Err(refused(mistakes.join("\n")));
    }
    let folder = file.parent().unwrap_or(Path::new(""));
    test(&cases, &routes, folder, arguments.json)
}

fn test(cases: &[Case], routes: &Routes, folder: &Path, json: bool) -> CommandResult {
    let mut failed = 0;
    for case in cases {
        let failure = run(case, routes, folder).err();
        failed += usize::from(failure.is_some());
        if json {
            let mut object = json!({"name": case.name, "passed": failure.is_none()});
            if let Some(failure) = failure {
                object["message"] = failure.into();
            }
            println!("{object}");
        } else if let Some(failure) = failure {
            println!("failed: {}", case.name);
            for line in failure.lines() {
                println!("  {line}");
            }
        }
    }
    if !json {
        println!("{} passed, {failed} failed", cases.len() - failed);
    }
    if failed == 0 {
        Ok(())
    } else {
        Err(CommandFailure::AlreadyReported)
    }
}

fn run(case: &Case, routes: &Routes, folder: &Path) -> Result<(), String> {
    let event = match &case.event {
        None => Vec::new(),
        Some(TestEvent::Json(event)) => event.clone().into_bytes(),
        Some(TestEvent::File(path)) => {
            let path = folder.join(path);
            read_file(&path).map_err(|error| format!("{}: {error}", path.display()))?
        }
    };
    case.run(routes, &event)
        .map_err(|failure| failure.to_string())
}
