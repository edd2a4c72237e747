//! Points that nobody asks for anything.

use alchemiser_fail_points::{Point, fail_point};
use std::collections::BTreeSet;

fn two_steps() -> Result<u32, String> {
    let first = 1;
    fail_point!(AfterClaim);
    fail_point!(OrderTaken, Err("the answer is lost".to_owned()));
    Ok(first + 1)
}

#[test]
fn they_do_nothing() {
    assert_eq!(two_steps(), Ok(2));
}

#[test]
fn they_have_names_of_their_own() {
    let names: BTreeSet<&str> = Point::ALL.iter().map(|point| point.name()).collect();
    assert_eq!(names.len(), Point::ALL.len());
}
