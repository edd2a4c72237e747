//! Kills between any two steps: at each pass of each fail point.

use crate::outcome::Outcome;
use crate::{DATES, End, kills, random, with_plan};
use alchemiser_fail_points::{Point, RECORD};
use e2e::{Alchemiser, Project, State};
use fastrand::Rng;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

/// A call of the program, as a user makes it.
#[derive(Clone, Debug)]
struct Call {
    arguments: Vec<&'static str>,
    /// What happens at fail points besides a kill.
    plan: &'static str,
    exits: i32,
}

/// Calls one after the other on a state, and where they begin.
struct Story {
    alchemiser: Alchemiser,
    beginning: State,
    calls: Vec<Call>,
    // What the program was started in; removed with it.
    _project: Option<Project>,
}

/// A place to kill at: in which call, at which point, at which pass of it.
#[derive(Clone, Copy, Debug)]
struct Place {
    call: usize,
    point: &'static str,
    pass: usize,
}

impl Story {
    /// A session in which an account sells and buys.
    fn rebalance() -> Self {
        let alchemiser = Alchemiser::shipped();
        let beginning = State::new();
        let _ = beginning.run(&alchemiser, DATES[0]).exits(0);
        Self {
            alchemiser,
            beginning,
            calls: vec![Call {
                arguments: vec!["run", "--date", DATES[3]],
                plan: "",
                exits: 0,
            }],
            _project: None,
        }
    }

    /// A broker that does not answer; the workflow fails, its dead letter is
    /// redriven, and the workflow is brought to its end.
    fn redriven() -> Self {
        let routes = std::fs::read_to_string(e2e::workspace().join("routes.toml")).unwrap();
        let project = Project::new().file(
            "routes.toml",
            routes.replace("retry_attempts = 3", "retry_attempts = 0"),
        );
        let call = |arguments, plan, exits| Call {
            arguments,
            plan,
            exits,
        };
        Self {
            alchemiser: project.alchemiser(),
            beginning: State::new(),
            calls: vec![
                call(vec!["run", "--date", DATES[3]], "broker-asked=fail;", 1),
                call(vec!["dlq", "redrive", "--all"], "", 0),
                call(vec!["run", "--date", DATES[3]], "", 0),
            ],
            _project: Some(project),
        }
    }

    /// A state to begin with; one that nobody has made yet cannot be copied.
    fn begin(&self) -> State {
        if self.beginning.path().exists() {
            self.beginning.copy()
        } else {
            State::new()
        }
    }

    fn call(&self, state: &State, call: &Call) {
        let alchemiser = with_plan(&self.alchemiser, call.plan);
        let arguments = call.arguments.iter().copied();
        let _ = state.call(&alchemiser, arguments).exits(call.exits);
    }

    /// Tells the whole story undisturbed: how it ends, and all places at which
    /// it can be cut short.
    fn tell(&self) -> (Outcome, Vec<Place>) {
        let state = self.begin();
        let record = tempfile::NamedTempFile::new().unwrap();
        let mut places = Vec::new();
        for (number, call) in self.calls.iter().enumerate() {
            record.as_file().set_len(0).unwrap();
            let recording = Self {
                alchemiser: self
                    .alchemiser
                    .clone()
                    .with(RECORD, record.path().to_str().unwrap()),
                beginning: State::new(),
                calls: Vec::new(),
                _project: None,
            };
            recording.call(&state, call);
            let mut passes = BTreeMap::<&str, usize>::new();
            for line in std::fs::read_to_string(record.path()).unwrap().lines() {
                let mut points = Point::ALL.iter().map(|point| point.name());
                let point = points.find(|name| *name == line).unwrap();
                let pass = passes.entry(point).or_default();
                *pass += 1;
                places.push(Place {
                    call: number,
                    point,
                    pass: *pass,
                });
            }
        }
        (Outcome::of(&state), places)
    }

    /// Tells the story, killed at a place, and perhaps at another of the same
    /// call while it recovers. How often it was killed.
    fn tell_killed(&self, place: Place, again: Option<Place>) -> (Outcome, usize) {
        let state = self.begin();
        let mut kills = 0;
        for (number, call) in self.calls.iter().enumerate() {
            if number != place.call {
                self.call(&state, call);
                continue;
            }
            let mut killed = false;
            for Place { point, pass, .. } in [Some(place), again].into_iter().flatten() {
                if call.exits != 0 && has_failed(&state) {
                    break;
                }
                // A point fails or kills, as one cannot do both.
                let plan = match call.plan.strip_prefix(point) {
                    Some(_) => format!("{point}=kill@{pass}"),
                    None => format!("{}{point}=kill@{pass}", call.plan),
                };
                let alchemiser = with_plan(&self.alchemiser, &plan);
                let arguments = state.arguments(call.arguments.iter().copied());
                match crate::end(alchemiser.start(arguments)) {
                    End::Killed => {
                        killed = true;
                        kills += 1;
                    }
                    End::ByItself(code) => assert_eq!(code, call.exits, "{place:?}"),
                }
            }
            // Whoever runs a failed workflow again wants another one.
            let has_done_it = call.exits != 0 && has_failed(&state);
            if killed && !has_done_it {
                self.call(&state, call);
            }
        }
        (Outcome::of(&state), kills)
    }

    /// Kills at all these places, at each at least once, until it has been
    /// enough.
    fn kill_at_all(&self, wanted: usize, random: &mut Rng) -> BTreeSet<&'static str> {
        let begin = Instant::now();
        let (expected, places) = self.tell();
        let all: BTreeSet<&str> = places.iter().map(|place| place.point).collect();
        let (first, mut others): (Vec<Place>, Vec<Place>) =
            places.iter().partition(|place| place.pass == 1);
        random.shuffle(&mut others);
        let mut kills = 0;
        let mut trials = 0;
        let mut points = BTreeSet::new();
        for (number, place) in first.iter().chain(&others).cycle().enumerate() {
            if kills >= wanted && points == all {
                break;
            }
            // Every second time the recovery is cut short as well.
            let of_call = places.iter().filter(|one| one.call == place.call);
            let of_call: Vec<Place> = of_call.copied().collect();
            let again = (number % 2 == 1).then(|| of_call[random.usize(..of_call.len())]);
            let (outcome, killed) = self.tell_killed(*place, again);
            outcome.must_be(&expected, &format!("{place:?}, then {again:?}"));
            assert!(killed > 0 || place.pass > 1, "{place:?} was not reached");
            if killed > 0 {
                points.insert(place.point);
            }
            kills += killed;
            trials += 1;
        }
        eprintln!(
            "{kills} kills at {} points in {trials} trials, {} places, {} orders, {:.1} s",
            points.len(),
            places.len(),
            expected.orders(),
            begin.elapsed().as_secs_f64()
        );
        points
    }
}

/// Whether the one workflow has failed for good.
fn has_failed(state: &State) -> bool {
    if !state.path().join("alchemiser.db").exists() {
        return false;
    }
    let tables = "SELECT name FROM sqlite_master WHERE name = 'workflows'";
    let workflows = "SELECT state FROM workflows";
    let text = |query| state.rows(query, |row| row.get::<_, String>(0));
    !text(tables).is_empty() && text(workflows).iter().any(|state| state == "failed")
}

#[test]
fn a_rebalance_survives_a_kill_between_any_two_steps() {
    let story = Story::rebalance();
    let points = story.kill_at_all(kills(40), &mut random());
    assert!(points.len() > 20, "{points:?}");
}

#[test]
fn a_redrive_survives_a_kill_between_any_two_steps() {
    let story = Story::redriven();
    let _ = story.kill_at_all(kills(15), &mut random());
}

/// What a killed process left unfinished is finished first, even if the next
/// one is asked for another session: the workflow, or only the last word on it.
#[test]
fn the_next_session_waits_for_the_one_before() {
    let alchemiser = Alchemiser::shipped();
    let undisturbed = State::new();
    let _ = undisturbed.run(&alchemiser, DATES[0]).exits(0);
    let _ = undisturbed.run(&alchemiser, DATES[3]).exits(0);
    let expected = Outcome::of(&undisturbed);

    let commits = (1..=6).map(|pass| format!("after-commit=kill@{pass}"));
    let places = ["after-start=kill", "order-taken=kill@2", "owner-told=kill"];
    let mut finished_first = 0;
    let mut hits = 0;
    for plan in places.map(str::to_owned).into_iter().chain(commits) {
        let state = State::new();
        let killed = crate::start(&state, &with_plan(&alchemiser, &plan), DATES[0]);
        match crate::end(killed) {
            End::Killed => hits += 1,
            End::ByItself(code) => assert_eq!((code, plan.as_str()), (0, "after-commit=kill@6")),
        }
        let next = state.call(&alchemiser, ["run", "--date", DATES[3]]);
        let first = format!("Finishing dev-paper-{}-1600 first", DATES[0]);
        finished_first += usize::from(next.exits(0).stdout.contains(&first));
        Outcome::of(&state).must_be(&expected, &plan);
    }
    assert!(hits >= 8, "{hits}");
    // The rest had only somebody to tell.
    assert!((1..hits).contains(&finished_first), "{finished_first}");
}

/// Every point is on the way of one of the stories, so that each is killed at.
#[test]
fn every_point_is_come_to() {
    let mut passed = BTreeSet::new();
    for story in [Story::rebalance(), Story::redriven()] {
        let (outcome, places) = story.tell();
        passed.extend(places.iter().map(|place| place.point));
        assert!(outcome.orders() > 0);
    }
    let all: BTreeSet<&str> = Point::ALL.iter().map(|point| point.name()).collect();
    assert_eq!(passed, all);
}
