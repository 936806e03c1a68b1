#![expect(clippy::disallowed_methods, reason = "a real bus, by real time")]

use oml_common::decide::observed::UnitEnd;
use oml_common::id::RunId;

use super::rules::UNITS;
use super::*;
use zbus::{ObjectPath, Variant};

fn path(number: u32) -> OwnedObjectPath {
    OwnedObjectPath::try_from(format!("/org/freedesktop/systemd1/job/{number}")).unwrap()
}

fn end_of(number: u32) -> JobEnd {
    JobEnd { number, job: path(number), result: JobResult::Done }
}

#[tokio::test]
async fn the_end_of_the_job_is_not_waited_past() {
    let signals = Signals::new();
    let mut ends = signals.ends();
    // Both before the waiter knows its job: fast jobs end like that.
    signals.ends.send(end_of(1)).unwrap();
    signals.ends.send(end_of(2)).unwrap();
    let begun = std::time::Instant::now();
    assert_eq!(next_look(&mut ends, &path(2)).await, Some(end_of(2)));
    assert!(begun.elapsed() < LOOK_INTERVAL / 2);
}

#[tokio::test]
async fn a_lost_signal_only_delays_the_look() {
    let signals = Signals::new();
    let mut ends = signals.ends();
    signals.ends.send(end_of(1)).unwrap();
    assert_eq!(next_look(&mut ends, &path(2)).await, None);
}

#[tokio::test]
async fn signals_that_overran_the_queue_lead_to_a_look_at_once() {
    let signals = Signals::new();
    let mut ends = signals.ends();
    for number in 0..2 * u32::try_from(QUEUE).unwrap() {
        signals.ends.send(end_of(number)).unwrap();
    }
    let begun = std::time::Instant::now();
    assert_eq!(next_look(&mut ends, &path(9_999)).await, None);
    assert!(begun.elapsed() < LOOK_INTERVAL / 2);
}

const PATH: &str = "/org/freedesktop/systemd1/unit/asterisk_2eservice";
/// The alias by which our document names it.
const NAME: &str = "pbx.service";
const OWN_NAME: &str = "asterisk.service";

fn listening() -> Signals {
    let signals = Signals::new();
    signals.note_loaded(&loaded("inactive"), NAME);
    signals
}

/// Our unit, which systemd knows by that name of its own.
fn loaded(state: &str) -> Loaded {
    let unit = UnitProperties {
        id: Some(OWN_NAME.to_owned()),
        active_state: Some(state.to_owned()),
        ..UnitProperties::default()
    };
    Loaded { path: PATH.to_owned(), unit, ..Loaded::default() }
}

/// Announces the state and the job of the unit, as systemd does right before it announces a new job.
fn notify_state(signals: &Signals, state: &str, job: u32) {
    let properties = BTreeMap::from([
        ("ActiveState", Variant::from(state)),
        ("InactiveEnterTimestamp", Variant::from(5_000_000_u64)),
        ("Job", Variant::from((job, ObjectPath::try_from("/").unwrap()))),
        ("SubState", Variant::from("dead")),
    ]);
    let none: Vec<&str> = Vec::new();
    let message = Message::signal(PATH, "org.freedesktop.DBus.Properties", "PropertiesChanged")
        .build(&("org.freedesktop.systemd1.Unit", properties, none))
        .unwrap();
    signals.take(&message);
}

fn notify_end_of(signals: &Signals, unit: &str, job: u32, result: &str) {
    let manager = "/org/freedesktop/systemd1";
    let message = Message::signal(manager, "org.freedesktop.systemd1.Manager", "JobRemoved")
        .build(&(job, path(job), unit, result))
        .unwrap();
    signals.take(&message);
}

#[test]
fn a_job_that_a_failed_unit_showed_is_seen_when_it_is_done_in_any_order_of_the_signals() {
    let signals = listening();
    notify_state(&signals, "failed", 7);
    assert_eq!(signals.done_at_rest_since(NAME), None);
    notify_end_of(&signals, OWN_NAME, 7, "done");
    notify_state(&signals, "inactive", 0);
    assert_eq!(signals.done_at_rest_since(NAME), Some(5_000_000));
    signals.forget_jobs(NAME);
    assert_eq!(signals.done_at_rest_since(NAME), None);
    notify_end_of(&signals, OWN_NAME, 8, "done");
    notify_state(&signals, "inactive", 8);
    assert_eq!(signals.done_at_rest_since(NAME), Some(5_000_000));
}

#[test]
fn a_job_that_the_unit_did_not_show_or_that_failed_or_began_while_it_ran_is_none_at_rest() {
    let signals = listening();
    // A try-restart of what does not run.
    notify_state(&signals, "failed", 0);
    notify_end_of(&signals, OWN_NAME, 7, "done");
    assert_eq!(signals.done_at_rest_since(NAME), None);
    notify_state(&signals, "failed", 8);
    notify_end_of(&signals, OWN_NAME, 8, "failed");
    assert_eq!(signals.done_at_rest_since(NAME), None);
    notify_state(&signals, "active", 9);
    notify_end_of(&signals, OWN_NAME, 9, "done");
    assert_eq!(signals.done_at_rest_since(NAME), None);
}

#[test]
fn the_jobs_of_the_units_of_others_wake_nobody_and_are_not_kept() {
    let signals = listening();
    let changes = signals.changes();
    for number in 0..100 {
        notify_end_of(&signals, &format!("session-{number}.scope"), number, "done");
    }
    assert!(!changes.has_changed().unwrap());
    assert_eq!(signals.ours.lock().unwrap().len(), 1);
    notify_end_of(&signals, OWN_NAME, 100, "done");
    assert!(changes.has_changed().unwrap());
    signals.keep_ours(&BTreeSet::new());
    assert!(signals.ours.lock().unwrap().is_empty());
}

/// Returns the object of a unit (sd_bus_path_encode(3)).
fn object_of(unit: &str) -> String {
    let escaped = unit.chars().map(|c| match c {
        c if c.is_ascii_alphanumeric() => c.to_string(),
        c => format!("_{:02x}", u32::from(c)),
    });
    format!("{UNITS}/{}", escaped.collect::<String>())
}

fn notify_change_of(signals: &Signals, unit: &str) {
    let properties = BTreeMap::from([
        ("ActiveState", Variant::from("inactive")),
        ("SubState", Variant::from("dead")),
    ]);
    let none: Vec<&str> = Vec::new();
    let interface = "org.freedesktop.DBus.Properties";
    let message = Message::signal(object_of(unit).as_str(), interface, "PropertiesChanged")
        .build(&("org.freedesktop.systemd1.Unit", properties, none))
        .unwrap();
    signals.take(&message);
}

#[test]
fn a_change_of_the_unit_of_a_run_wakes_those_who_follow_runs_and_nobody_else() {
    let signals = listening();
    let (runs, changes) = (signals.run_changes(), signals.changes());
    notify_change_of(&signals, "session-1.scope");
    notify_change_of(&signals, OWN_NAME);
    assert!(!runs.has_changed().unwrap());
    assert!(changes.has_changed().unwrap());
    let changes = signals.changes();
    let run = RunId { epoch: 1, number: 7 };
    notify_change_of(&signals, &transient::unit_name(run));
    assert!(runs.has_changed().unwrap());
    assert!(!changes.has_changed().unwrap());
}

#[test]
fn what_was_seen_of_our_units_outlives_a_listing() {
    let signals = listening();
    notify_state(&signals, "failed", 7);
    notify_end_of(&signals, OWN_NAME, 7, "done");
    signals.note_loaded(&loaded("failed"), NAME);
    signals.keep_ours(&BTreeSet::from([PATH.to_owned()]));
    assert_eq!(signals.done_at_rest_since(NAME), Some(5_000_000));
}

/// Announces the state of the unit and of its service after its program ended or was ended.
fn notify_end(signals: &Signals, main_exit_us: u64, sub_state: &str, job: u32) {
    let state = if sub_state == "auto-restart" { "activating" } else { "failed" };
    let none: Vec<&str> = Vec::new();
    let service = BTreeMap::from([
        ("ExecMainCode", Variant::from(1_i32)),
        ("ExecMainExitTimestamp", Variant::from(main_exit_us)),
        ("ExecMainExitTimestampMonotonic", Variant::from(main_exit_us)),
        ("ExecMainStatus", Variant::from(3_i32)),
        ("MainPID", Variant::from(if main_exit_us == 0 { 266_u32 } else { 0 })),
        ("Result", Variant::from("exit-code")),
    ]);
    let unit = BTreeMap::from([
        ("ActiveEnterTimestampMonotonic", Variant::from(1_000_000_u64)),
        ("ActiveExitTimestampMonotonic", Variant::from(4_000_000_u64)),
        ("ActiveState", Variant::from(state)),
        ("InactiveEnterTimestamp", Variant::from(5_000_000_u64)),
        ("InactiveEnterTimestampMonotonic", Variant::from(5_000_000_u64)),
        ("InactiveExitTimestampMonotonic", Variant::from(900_000_u64)),
        ("Job", Variant::from((job, ObjectPath::try_from("/").unwrap()))),
        ("SubState", Variant::from(sub_state)),
    ]);
    for (interface, properties) in [(bus::SERVICE, service), (bus::UNIT, unit)] {
        let message = Message::signal(PATH, "org.freedesktop.DBus.Properties", "PropertiesChanged")
            .build(&(interface, properties, &none))
            .unwrap();
        signals.take(&message);
    }
}

#[test]
fn an_end_that_the_next_start_hides_is_taken_from_the_signals_once() {
    let signals = listening();
    notify_end(&signals, 4_000_000, "failed", 0);
    notify_end(&signals, 4_000_000, "failed", 0);
    notify_state(&signals, "active", 0);
    assert_eq!(signals.take_ends(NAME).len(), 1);
    assert_eq!(signals.take_ends(NAME).len(), 0);
    notify_end(&signals, 4_500_000, "failed", 0);
    assert_eq!(signals.take_ends(NAME).len(), 0, "it was stopped");
}

#[test]
fn the_old_state_that_systemd_sends_with_the_process_of_the_next_start_is_no_end() {
    for sub_state in ["dead", "auto-restart"] {
        let signals = listening();
        signals.note_loaded(&loaded("active"), NAME);
        notify_end(&signals, 4_000_000, sub_state, 0);
        // systemd 252 sends it so, with a job: the process runs already, and the unit rests.
        notify_end(&signals, 0, sub_state, 7);
        assert_eq!(signals.take_ends(NAME).len(), 1, "{sub_state}");
    }
}

#[test]
fn how_a_unit_came_to_rest_is_known_by_its_first_signal() {
    for (first, second, end) in [(0, 7, UnitEnd::ByItself), (7, 0, UnitEnd::Stopped)] {
        let signals = listening();
        assert_eq!(signals.seen_rest(NAME), None, "nothing was seen");
        signals.note_loaded(&loaded("active"), NAME);
        notify_end(&signals, 0, "dead", first);
        notify_end(&signals, 0, "dead", second);
        assert_eq!(signals.seen_rest(NAME), Some(SeenRest { at: 5_000_000, end }));
    }
}

#[test]
fn an_end_that_looks_like_a_stop_is_taken_where_nobody_stopped_the_unit() {
    let signals = listening();
    signals.note_loaded(&loaded("active"), NAME);
    // Its program said that it stops, and ended half a second later.
    notify_state(&signals, "deactivating", 0);
    notify_end(&signals, 4_500_000, "failed", 0);
    assert_eq!(signals.take_ends(NAME).len(), 1);
}

#[test]
fn the_end_of_a_job_says_that_a_restart_only_stopped_the_unit() {
    for (result, since) in [
        ("dependency", Some((5_000_000, SkipCause::Dependency))),
        ("assert", Some((5_000_000, SkipCause::Assertion))),
        ("failed", None),
        ("canceled", None),
    ] {
        let signals = listening();
        signals.note_loaded(&loaded("active"), NAME);
        notify_state(&signals, "inactive", 7);
        notify_end_of(&signals, OWN_NAME, 7, result);
        assert_eq!(signals.skipped_at_rest(NAME), since, "{result}");
        let end = if since.is_some() { UnitEnd::ByItself } else { UnitEnd::Stopped };
        assert_eq!(signals.seen_rest(NAME).map(|rest| rest.end), Some(end), "{result}");
    }
}

#[tokio::test]
async fn the_result_of_a_job_reaches_the_one_who_waits_for_it() {
    let signals = Signals::new();
    let mut ends = signals.ends();
    notify_end_of(&signals, "other.service", 7, "dependency");
    let end = next_look(&mut ends, &path(7)).await.unwrap();
    assert_eq!((end.number, end.result), (7, JobResult::Dependency));
}

/// Announces who has the name of systemd on the bus.
fn owner_of(name: &str, owner: &str) -> Message {
    Message::signal("/org/freedesktop/DBus", "org.freedesktop.DBus", "NameOwnerChanged")
        .build(&(name, ":1.4", owner))
        .unwrap()
}

#[test]
fn a_systemd_that_executed_itself_again_is_subscribed_to_again_and_everything_looked_at() {
    assert!(is_new_systemd(&owner_of("org.freedesktop.systemd1", ":1.9")));
    assert!(!is_new_systemd(&owner_of("org.freedesktop.systemd1", "")), "it has gone");
    assert!(!is_new_systemd(&owner_of("org.freedesktop.login1", ":1.9")));
    let signals = listening();
    signals.note_loaded(&loaded("active"), NAME);
    let (mut changes, mut runs) = (signals.changes(), signals.run_changes());
    changes.mark_unchanged();
    runs.mark_unchanged();
    signals.begin_again();
    assert!(changes.has_changed().unwrap() && runs.has_changed().unwrap());
    notify_state(&signals, "inactive", 0);
    let end = signals.seen_rest(NAME).map(|rest| rest.end);
    assert_eq!(end, Some(UnitEnd::Unknown), "what was not heard may have been a stop");
}
