use super::*;
use crate::decide::observed::{ObservedContainer, ObservedDocument, SettledDocument};
use crate::decide::update::given_up;
use crate::time::Timestamp;

fn hash(text: &str) -> ContentHash {
    ContentHash::of(text.as_bytes())
}

fn container(workload: &str, state: ContainerState) -> ObservedContainer {
    ObservedContainer {
        id: format!("id of {workload}"),
        name: "oml-voice".to_owned(),
        hash: hash(workload),
        version: "1".parse().unwrap(),
        digest: format!("sha256:{}", hash(workload)).parse().unwrap(),
        created: Timestamp(0),
        state,
    }
}

/// Workload `old` runs, by the document of that workload.
fn runs(document: &str) -> ObservedInstance {
    let workload = hash(document);
    let (probe, reloaded, on_disk) = (None, None, true);
    ObservedInstance {
        containers: vec![container("old", ContainerState::Running { since: Timestamp(0) })],
        document: Some(ObservedDocument { hash: hash("d"), workload, probe, reloaded, on_disk }),
        is_in_another_unit: true,
        ..ObservedInstance::default()
    }
}

fn update(stage: Stage, last_good: LastGood) -> InstanceUpdate {
    InstanceUpdate { stage, last_good, ..InstanceUpdate::new(hash("new")) }
}

fn rolled_back() -> Stage {
    let failure = given_up(hash("new"), None, "did not start".to_owned(), Timestamp(0));
    Stage::RolledBack { failure, calls_cut: Some(0) }
}

fn changes(seen: &ObservedInstance, update: &InstanceUpdate) -> Option<String> {
    let in_use = VersionInUse::find(seen, Some(update), &hash("new"), true)?;
    assert_eq!(*in_use.workload, hash("old"));
    Some(format!("{:?}", in_use.changes()))
}

#[test]
fn a_document_of_another_version_was_changed_by_hand_unless_a_change_may_have_written_it() {
    let (seen, changed) = (runs("other"), Some("[DocumentChanged]"));
    let unwritten = update(Stage::Preparing, LastGood::Current);
    assert_eq!(changes(&seen, &unwritten).as_deref(), changed);
    let begun = update(Stage::Preparing, LastGood::Previous(hash("old")));
    assert_eq!(changes(&seen, &begun).as_deref(), Some("[]"));
    let over = update(rolled_back(), LastGood::Previous(hash("old")));
    assert_eq!(changes(&seen, &over).as_deref(), changed);
    assert_eq!(changes(&runs("old"), &over).as_deref(), Some("[]"));
}

#[test]
fn a_version_that_is_being_stopped_or_started_is_not_in_use_and_the_desired_one_is_no_other() {
    let seen = runs("other");
    let since = Timestamp(0);
    let calls_cut = Some(0);
    let drained_since = None;
    let last_good = || LastGood::Previous(hash("old"));
    for stage in
        [Stage::Switching { since, drained_since, calls_cut }, Stage::Soaking { since, calls_cut }]
    {
        assert_eq!(changes(&seen, &update(stage, last_good())), None);
    }
    assert!(VersionInUse::find(&seen, None, &hash("old"), true).is_none());
}

#[test]
fn only_a_noted_version_that_ran_is_in_use_where_nothing_runs_and_the_document_is_of_none() {
    let mut seen = runs("other");
    let preparing = update(Stage::Preparing, LastGood::Current);
    let at = Timestamp(1);
    seen.containers[0].state = ContainerState::Exited { code: 1, at, out_of_memory: false };
    assert_eq!(changes(&seen, &preparing), None);
    seen.last_good = Some(hash("old"));
    assert_eq!(changes(&seen, &preparing).as_deref(), Some("[DocumentChanged]"));
    let begun = update(Stage::Preparing, LastGood::Previous(hash("old")));
    assert_eq!(changes(&seen, &begun), None, "its change may have written the document");
    seen.containers[0].state = ContainerState::Created;
    assert_eq!(changes(&seen, &preparing), None);
}

#[test]
fn a_packaged_unit_that_was_rolled_back_uses_the_version_before_also_without_its_document() {
    let seen = ObservedInstance::default();
    let over = update(rolled_back(), LastGood::Previous(hash("old")));
    let in_use = VersionInUse::find(&seen, Some(&over), &hash("new"), false).unwrap();
    assert_eq!(*in_use.workload, hash("old"));
    assert_eq!(format!("{:?}", in_use.changes()), "[DocumentRemoved]");
}

/// The unit of a package that was seen to run by workload `old`, with a document of that workload.
fn seen_by(workload: &str, document: &str) -> ObservedInstance {
    let found = ObservedDocument { hash: hash(document), ..runs(workload).document.unwrap() };
    ObservedInstance {
        document: Some(found),
        is_in_another_unit: true,
        seen_running: Some(hash("old")),
        seen_document: Some(hash("document")),
        ..ObservedInstance::default()
    }
}

#[test]
fn a_document_of_a_packaged_unit_that_is_not_what_it_was_seen_to_run_by_was_changed_by_hand() {
    let found = |seen: &ObservedInstance, update: &InstanceUpdate| {
        let in_use = VersionInUse::find(seen, Some(update), &hash("new"), false).unwrap();
        assert_eq!(*in_use.workload, hash("old"));
        format!("{:?}", in_use.changes())
    };
    for last_good in [LastGood::Current, LastGood::Previous(hash("before")), LastGood::None] {
        let begun = update(Stage::Preparing, last_good);
        assert_eq!(found(&seen_by("old", "document"), &begun), "[]");
        assert_eq!(found(&seen_by("old", "edited"), &begun), "[DocumentChanged]");
        assert_eq!(found(&seen_by("other", "edited"), &begun), "[DocumentChanged]");
        let lost = ObservedInstance { document: None, ..seen_by("old", "document") };
        assert_eq!(found(&lost, &begun), "[DocumentRemoved]");
    }
}

#[test]
fn a_copy_of_a_document_says_more_than_what_a_packaged_unit_was_seen_to_run_by() {
    let right = Some(SettledDocument { hash: hash("right"), workload: hash("old") });
    let settled =
        |document| ObservedInstance { settled: right.clone(), ..seen_by("old", document) };
    assert!(!settled("right").has_edited_document());
    assert!(settled("document").has_edited_document());
}
