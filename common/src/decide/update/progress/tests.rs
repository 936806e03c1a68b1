use super::*;
use crate::decide::reconcile::Reason;
use crate::decide::update::NotDone;
use crate::document::update::Stage;

const NOW: Timestamp = Timestamp(7_000);

type Updates = BTreeMap<ComponentName, InstanceUpdate>;

fn name() -> ComponentName {
    "db".parse().unwrap()
}

fn hash(text: &str) -> ContentHash {
    ContentHash::of(text.as_bytes())
}

fn switch() -> Step {
    Step::Switch { previous: Some(hash("1")), calls_cut: Some(0), recount: false }
}

fn begun(updates: &mut Updates, step: &Step, desired: &str) -> bool {
    let (component, desired_hash) = (&name(), &hash(desired));
    begin(updates, Doing { component, desired_hash, step }, NOW)
}

fn finished(updates: &mut Updates, step: &Step, desired: &str, outcome: Outcome) -> bool {
    let (component, desired_hash) = (&name(), &hash(desired));
    finish(updates, Doing { component, desired_hash, step }, outcome, NOW)
}

#[test]
fn a_step_is_entered_before_it_is_done_and_only_once() {
    let mut updates = Updates::new();
    assert!(begun(&mut updates, &switch(), "2"));
    assert!(matches!(updates[&name()].stage, Stage::Switching { .. }));
    assert!(!begun(&mut updates, &Step::Fail { why: Box::new(Reason::Changed) }, "2"));
    // An update towards another workload says nothing of this one.
    assert!(begun(&mut updates, &Step::Pull, "3"));
    assert_eq!(updates[&name()], InstanceUpdate::new(hash("3")));
}

#[test]
fn a_step_that_was_superseded_says_nothing_of_the_update_in_its_place() {
    let mut updates = Updates::new();
    begun(&mut updates, &switch(), "2");
    let superseding = InstanceUpdate::new(hash("3"));
    updates.insert(name(), superseding.clone());
    assert!(finished(&mut updates, &switch(), "2", Outcome::Done));
    assert_eq!(updates[&name()], superseding);
    assert!(finished(&mut updates, &Step::Remove { recount: false }, "2", Outcome::Done));
    assert_eq!(updates[&name()], superseding);
}

#[test]
fn what_says_nothing_any_more_is_forgotten() {
    let mut updates = Updates::new();
    begun(&mut updates, &Step::Pull, "2");
    assert!(finished(
        &mut updates,
        &Step::Pull,
        "2",
        Outcome::Retry(NotDone::HostError("away".to_owned()))
    ));
    assert_eq!(updates[&name()].backoff.as_ref().unwrap().message, "away");
    assert!(finished(&mut updates, &Step::Pull, "2", Outcome::Done));
    assert!(updates.is_empty());
    begun(&mut updates, &switch(), "2");
    finished(&mut updates, &switch(), "2", Outcome::Done);
    assert!(matches!(updates[&name()].stage, Stage::Soaking { .. }));
}

#[test]
fn a_removal_that_is_done_leaves_no_update() {
    let mut updates = Updates::new();
    begun(&mut updates, &Step::CountActive, "");
    assert!(!finished(&mut updates, &Step::CountActive, "", Outcome::Counted(Ok(3))));
    assert!(matches!(updates[&name()].stage, Stage::Draining { .. }));
    begun(&mut updates, &Step::Remove { recount: false }, "");
    assert!(finished(&mut updates, &Step::Remove { recount: false }, "", Outcome::Done));
    assert!(updates.is_empty());
}
