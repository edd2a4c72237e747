//! Several processes on one state, some of which are killed.

use crate::outcome::Outcome;
use crate::{DATES, End, end, kill_after, kills, random, start};
use e2e::{Alchemiser, State};
use std::process::Child;
use std::time::{Duration, Instant};

/// Two processes are asked for the same session, and one is killed while it
/// may be the other that waits for what it has claimed.
#[test]
fn the_survivor_takes_over() {
    let alchemiser = Alchemiser::shipped();
    let undisturbed = State::new();
    let begin = Instant::now();
    for date in DATES {
        let _ = undisturbed.run(&alchemiser, date).exits(0);
    }
    let pace = begin.elapsed() / DATES.len() as u32;
    let expected = Outcome::of(&undisturbed);

    let mut random = random();
    let wanted = kills(5);
    let mut hits = 0;
    let begin = Instant::now();
    while hits < wanted {
        let state = State::new();
        for date in DATES {
            let survivor = start(&state, &alchemiser, date);
            let victim = start(&state, &alchemiser, date);
            let time = pace.mul_f64(2.0 * random.f64());
            match kill_after(victim, time) {
                End::Killed => hits += 1,
                End::ByItself(code) => assert_eq!(code, 0),
            }
            assert_eq!(end(survivor), End::ByItself(0));
        }
        Outcome::of(&state).must_be(&expected, "kills");
    }
    eprintln!("{hits} kills, {:.1} s", begin.elapsed().as_secs_f64());
}

/// Accounts of their own on one state, each by a process of its own, do not
/// get into each other's way.
#[test]
fn accounts_go_side_by_side() {
    const ACCOUNTS: [&str; 3] = ["paper", "one", "two"];
    let of = |account: &str| Alchemiser::shipped().with("APP__ACCOUNT", account);
    let traces = |state: &State, account: &str| {
        let about =
            |query: &str| state.rows(&query.replace("?", account), |row| row.get::<_, String>(0));
        [
            about(
                "SELECT body FROM events WHERE correlation_id LIKE 'dev-?-%' ORDER BY correlation_id, sequence, event_id",
            ),
            about("SELECT body FROM paper_orders WHERE account = '?' ORDER BY position"),
            about("SELECT entry FROM ledger WHERE correlation_id LIKE 'dev-?-%' ORDER BY position"),
            about("SELECT cash FROM paper_accounts WHERE account = '?'"),
            about(
                "SELECT symbol || quantity FROM paper_positions WHERE account = '?' ORDER BY symbol",
            ),
        ]
    };
    let alone = State::new();
    for account in ACCOUNTS {
        for date in DATES {
            let _ = alone.run(&of(account), date).exits(0);
        }
    }

    let together = State::new();
    let mut random = random();
    for date in DATES {
        // Each is begun and killed once before it is run to its end.
        for is_last in [false, true] {
            let runs: Vec<Child> = ACCOUNTS
                .iter()
                .map(|account| start(&together, &of(account), date))
                .collect();
            for run in runs {
                let ended = if is_last {
                    end(run)
                } else {
                    kill_after(run, Duration::from_millis(random.u64(0..200)))
                };
                assert!(matches!(ended, End::Killed | End::ByItself(0)), "{ended:?}");
                assert!(!is_last || ended == End::ByItself(0));
            }
        }
    }
    for account in ACCOUNTS {
        assert_eq!(
            traces(&together, account),
            traces(&alone, account),
            "{account}"
        );
    }
    let open = together.rows(
        "SELECT count(*) FROM deliveries WHERE state NOT IN ('done', 'dead')",
        |row| row.get::<_, i64>(0),
    );
    assert_eq!(open, [0]);
}
