//! Equal runs give equal events, to the byte.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use e2e::{Project, State};

/// What a run of a new state leaves in the archive.
fn archive(project: &Project, workers: &str, dates: &[&str]) -> String {
    let alchemiser = project.alchemiser().with("STRATEGY__WORKERS", workers);
    let state = State::new();
    for date in dates {
        let _ = state.run(&alchemiser, date).exits(0);
    }
    state.archive(&alchemiser)
}

/// Projects and states lie in folders of different names, and strategies are
/// evaluated one by one or together.
#[test]
fn equal_runs_give_equal_bytes() {
    let projects = [Project::new(), Project::new()];
    let dates = ["2016-06-24", "2020-03-16", "2022-12-28"];
    for date in dates {
        let expected = archive(&projects[0], "1", &[date]);
        assert_eq!(expected.lines().count(), 6);
        for workers in ["1", "4", "0"] {
            assert_eq!(archive(&projects[1], workers, &[date]), expected);
        }
    }
    let expected = archive(&projects[0], "1", &dates);
    assert_eq!(expected.lines().count(), 18);
    assert_eq!(archive(&projects[1], "4", &dates), expected);
}

/// Nobody can tell from an event where it was made.
#[test]
fn events_know_nothing_of_their_surroundings() {
    let project = Project::new();
    let archive = archive(&project, "2", &["2022-12-28"]);
    let temporary = std::env::temp_dir();
    assert!(!archive.contains(temporary.to_str().unwrap()));
    assert!(!archive.contains(e2e::workspace().to_str().unwrap()));
}

/// Accounts do not share ids, so that a broker can tell their orders apart.
#[test]
fn accounts_have_ids_of_their_own() {
    let project = Project::new();
    let ids = |account: &str| {
        let alchemiser = project.alchemiser().with("APP__ACCOUNT", account);
        let state = State::new();
        let _ = state.run(&alchemiser, "2022-12-28").exits(0);
        let workflow = format!("dev-{account}-2022-12-28-1600");
        let events = state.events(&alchemiser, &workflow);
        assert_eq!(events.len(), 6);
        let orders = state.orders();
        assert!(!orders.is_empty());
        let events = events.iter().map(|event| event["event_id"].to_string());
        let orders = orders
            .iter()
            .map(|order| order["client_order_id"].to_string());
        events.chain(orders).collect::<Vec<String>>()
    };
    let (first, second) = (ids("first"), ids("second"));
    assert!(first.iter().all(|id| !second.contains(id)));
}
