//! `alchemiser strategy lint`

use super::{name, read};
use crate::failure::{CommandFailure, CommandResult};
use crate::snippet::{Remark, colours};
use annotate_snippets::Level;
use dsl::{Finding, Severity};
use serde_json::{Value, json};

/// Says what is wrong with files, and what in them has no influence.
pub fn lint(files: &[String], deny_warnings: bool, json: bool) -> CommandResult {
    let (mut errors, mut warnings) = (0, 0);
    for file in files {
        // The others are looked at all the same.
        let content = match read(file) {
            Ok(content) => content,
            Err(failure) => {
                failure.print(json);
                errors += 1;
                continue;
            }
        };
        let findings = dsl::lint(&content);
        let count = |severity| {
            let found = findings
                .iter()
                .filter(|finding| finding.severity == severity);
            found.count()
        };
        let (refused, remarks) = (count(Severity::Error), count(Severity::Warning));
        let file = name(file);
        if json {
            for finding in &findings {
                println!("{}", object(file, finding));
            }
            println!(
                "{}",
                json!({"file": file, "errors": refused, "warnings": remarks})
            );
        } else {
            print!(
                "{}",
                report(file, &content, &findings, colours(&std::io::stdout()))
            );
            println!("{file}: {}", summary(refused, remarks));
        }
        errors += refused;
        warnings += remarks;
    }
    match (errors, warnings) {
        (0, 0) => Ok(()),
        (0, _) if !deny_warnings => Ok(()),
        (0, _) => Err(CommandFailure::AlreadyReported),
        _ => Err(CommandFailure::RefusedAndReported),
    }
}

/// Each finding with carets under its place, and an empty line after it.
pub fn report(file: &str, content: &[u8], findings: &[Finding], colours: bool) -> String {
    // What is no text is replaced from the place on that the finding is about.
    let text = String::from_utf8_lossy(content);
    let remark = |finding: &Finding| {
        let repeated = match finding.repeated {
            0 => None,
            1 => Some("the same at 1 more place".to_owned()),
            count => Some(format!("the same at {count} more places")),
        };
        let remark = Remark {
            level: match finding.severity {
                Severity::Error => Level::ERROR,
                Severity::Warning => Level::WARNING,
            },
            message: &finding.message,
            file,
            text: &text,
            place: finding.span.clone(),
            label: repeated.as_deref(),
            advice: None,
        };
        remark.render(colours) + "\n\n"
    };
    findings.iter().map(remark).collect()
}

fn object(file: &str, finding: &Finding) -> Value {
    json!({
        "file": file,
        "severity": match finding.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        },
        "class": finding.class,
        "line": finding.place.line,
        "column": finding.place.column,
        "message": finding.message,
        "repeated": finding.repeated,
    })
}

fn summary(errors: usize, warnings: usize) -> String {
    let counted = |count, what: &str| match count {
        0 => None,
        1 => Some(format!("1 {what}")),
        count => Some(format!("{count} {what}s")),
    };
    let counts = [counted(errors, "error"), counted(warnings, "warning")];
    let counts: Vec<String> = counts.into_iter().flatten().collect();
    if counts.is_empty() {
        "nothing to remark".to_owned()
    } else {
        counts.join(", ")
    }
}
