//! `alchemiser rules test`

use crate::failure::{CommandFailure, CommandResult};
use crate::project::Project;
use alchemiser_rules::{Case, Routes, TestEvent};
use serde_json::json;
use std::path::Path;

/// Runs the tests of the routes, or the cases of a file.
pub fn test(project: &Project, file: Option<&Path>, json: bool) -> CommandResult {
    let routes = project.routes()?;
    let (cases, folder) = match file {
        None => (
            routes.tests().iter().map(Case::from).collect(),
            project.root(),
        ),
        Some(file) => (cases(file)?, file.parent().unwrap_or(Path::new(""))),
    };
    let mut failed = 0;
    for case in &cases {
        let failure = run(case, &routes, folder).err();
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
            std::fs::read(&path).map_err(|error| format!("{}: {error}", path.display()))?
        }
    };
    case.run(routes, &event)
        .map_err(|failure| failure.to_string())
}

/// The cases of a file; lines that are none are all told.
fn cases(file: &Path) -> CommandResult<Vec<Case>> {
    let name = file.display();
    let text = std::fs::read_to_string(file)
        .map_err(|error| CommandFailure::usage("UsageError", format!("{name}: {error}")))?;
    let mut cases = Vec::new();
    let mut mistakes = Vec::new();
    for (line, number) in text.lines().zip(1..) {
        if line.trim().is_empty() {
            continue;
        }
        match Case::parse(line, number) {
            Ok(case) => cases.push(case),
            Err(error) => mistakes.push(format!("{name}:{number}: {error}")),
        }
    }
    if mistakes.is_empty() {
        Ok(cases)
    } else {
        Err(CommandFailure::usage("CaseError", mistakes.join("\n")))
    }
}
