//! A release has no fail points.

use crate::{DATES, with_plan};
use alchemiser_fail_points::{Point, RECORD, VARIABLE};
use e2e::{Alchemiser, State};
use memchr::memmem;

/// Of these texts, those that are in a file.
fn found_in(binary: &std::path::Path) -> Vec<&'static str> {
    let content = std::fs::read(binary).unwrap();
    let points = Point::ALL.iter().map(|point| point.name());
    let texts = points.chain([VARIABLE, RECORD]);
    texts
        .filter(|text| memmem::find(&content, text.as_bytes()).is_some())
        .collect()
}

#[test]
fn a_release_has_no_fail_points() {
    let released = Alchemiser::shipped();
    assert_eq!(found_in(released.binary()), [""; 0]);
    // They would be found.
    let other = released.with_fail_points();
    assert_eq!(found_in(other.binary()).len(), Point::ALL.len() + 2);
}

#[test]
fn a_release_cannot_be_asked_to_fail() {
    for plan in ["before-start=kill", "after-claim=kill", "no plan at all"] {
        let released = Alchemiser::shipped().with(VARIABLE, plan);
        let run = State::new().run(&released, DATES[0]).exits(0).line();
        assert_eq!(run["state"], "completed");
        let other = with_plan(&Alchemiser::shipped(), plan);
        let run = State::new().run(&other, DATES[0]);
        assert_ne!(run.status.code(), Some(0), "{plan}");
    }
}
