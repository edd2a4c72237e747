//! A JUnit report, which most build servers read.

use super::TestResult;
use super::print::finding;
use crate::failure::{CommandFailure, CommandResult};
use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};
use std::path::Path;
use std::time::Duration;

/// Writes the report: one suite for each plugin or strategy, one case for each
/// scenario. A case's time is that of its longest call.
pub(super) fn write(file: &Path, results: &[TestResult<'_>]) -> CommandResult {
    let wrong = |error: &dyn std::fmt::Display| {
        let message = format!("cannot write {}: {error}", file.display());
        CommandFailure::failed("JUnitError", message)
    };
    let text = report(results).to_string().map_err(|error| wrong(&error))?;
    std::fs::write(file, text).map_err(|error| wrong(&error))
}

fn report(results: &[TestResult<'_>]) -> Report {
    let mut report = Report::new("alchemiser plugin test");
    for of_suite in results.chunk_by(|left, right| std::ptr::eq(left.suite, right.suite)) {
        let Some(first) = of_suite.first() else {
            continue;
        };
        let mut suite = TestSuite::new(first.suite.subject.name());
        let time: Duration = of_suite.iter().map(|result| result.report.cost.time).sum();
        suite.set_time(time);
        suite.add_test_cases(of_suite.iter().map(case));
        report.add_test_suite(suite);
    }
    report
}

fn case(result: &TestResult<'_>) -> TestCase {
    let findings = &result.report.findings;
    let status = match findings.first() {
        None => TestCaseStatus::success(),
        Some(first) => {
            let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
            let all: String = findings.iter().map(|it| finding(result, it)).collect();
            status
                .set_message(first.message.clone())
                .set_description(all.trim_end());
            status
        }
    };
    let mut case = TestCase::new(result.scenario.name.clone(), status);
    case.set_classname(result.file.path.display().to_string())
        .set_time(result.report.cost.time);
    case
}
