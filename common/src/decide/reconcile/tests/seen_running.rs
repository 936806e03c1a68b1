//! The version by which a packaged unit was seen to run, while its document says something else.

use std::collections::{BTreeMap, BTreeSet};

use super::world::{World, name, packaged};
use super::{ActiveState, LastGood, Phase, Step};
use crate::decide::observed::{ObservedDocument, ObservedInstance};
use crate::decide::reconcile::Decision;
use crate::decide::seen_running::SeenRunning;
use crate::document::Verbatim;
use crate::document::instance::{HeldInstance, Instance};
use crate::id::ContentHash;

fn exporter(drop_in: &str) -> Instance {
    packaged("exporter", drop_in)
}

fn hash(drop_in: &str) -> ContentHash {
    exporter(drop_in).workload_hash()
}

fn held(drop_in: &str) -> HeldInstance {
    HeldInstance::read(Verbatim::seal(exporter(drop_in)).text()).unwrap()
}

fn document(drop_in: &str) -> ObservedDocument {
    let (hash, workload) = (Verbatim::seal(exporter(drop_in)).hash().clone(), hash(drop_in));
    ObservedDocument { hash, workload, probe: None, reloaded: None, on_disk: true }
}

/// Decides for an exporter that was seen to run with the first drop-in.
fn decided(desired: &str, change: impl FnOnce(&mut ObservedInstance)) -> Decision {
    let mut world = World::settled([exporter("one")]);
    world.desire([exporter(desired)]);
    let mut observed = world.observe();
    let seen = observed.instances.get_mut(&name("exporter")).unwrap();
    seen.seen_running = Some(hash("one"));
    change(seen);
    world.with_observed(&observed, super::decide)[&name("exporter")].clone()
}

const DOCUMENTS: [Option<&str>; 2] = [None, Some("edited")];

#[test]
fn a_document_that_was_removed_or_edited_is_written_again_and_nothing_is_restarted() {
    for found in DOCUMENTS {
        for masked in [false, true] {
            let decision = decided("one", |seen| {
                seen.document = found.map(document);
                seen.unit.as_mut().unwrap().masked = masked;
            });
            assert_eq!(decision.step, Some(Step::RewriteConfig), "{found:?}: {decision:?}");
        }
    }
}

#[test]
fn a_drop_in_that_was_edited_beside_a_mask_is_put_right() {
    let decision = decided("one", |seen| {
        let unit = seen.unit.as_mut().unwrap();
        (unit.masked, unit.stale) = (true, true);
    });
    assert_eq!(decision.step, Some(Step::RewriteConfig), "{decision:?}");
}

#[test]
fn a_switch_goes_back_to_what_was_seen_to_run_and_not_to_what_the_document_says() {
    for found in DOCUMENTS {
        let decision = decided("two", |seen| seen.document = found.map(document));
        let in_use = hash("one");
        assert_eq!(
            decision.beside,
            Some(Step::Repair { in_use }).filter(|_| decision.step.is_none())
        );
        if let Some(Step::Switch { previous, .. }) = &decision.step {
            assert_eq!(*previous, Some(hash("one")), "{found:?}");
        }
    }
}

#[test]
fn the_document_of_the_version_in_use_is_put_right_while_a_mask_holds_up_the_change() {
    for found in DOCUMENTS {
        let decision = decided("two", |seen| {
            seen.document = found.map(document);
            seen.unit.as_mut().unwrap().masked = true;
        });
        assert_eq!(decision.phase, Phase::Blocked);
        assert_eq!(decision.beside, Some(Step::Repair { in_use: hash("one") }), "{decision:?}");
        let reason = decision.reason.to_string();
        assert!(reason.ends_with("systemctl unmask for its unit there"), "{reason}");
    }
}

/// What is remembered after a look at an exporter with that document, and a change to what was found.
fn remembered(
    memory: &mut SeenRunning,
    found: Option<&str>,
    last_good: Option<LastGood>,
    change: impl FnOnce(&mut ObservedInstance),
) -> Option<ContentHash> {
    let mut world = World::settled([exporter("one")]);
    world.updates.clear();
    if let Some(last_good) = last_good {
        let update = crate::document::update::InstanceUpdate::new(hash("one"));
        world.updates.insert(
            name("exporter"),
            crate::document::update::InstanceUpdate { last_good, ..update },
        );
    }
    let mut observed = world.observe();
    change(observed.instances.get_mut(&name("exporter")).unwrap());
    let documents: BTreeMap<_, _> =
        found.map(|found| (name("exporter"), held(found))).into_iter().collect();
    world.with_observed(&observed, |input| memory.look(input, &documents, &BTreeSet::new()));
    memory.workload(&name("exporter")).cloned()
}

#[test]
fn what_was_seen_to_run_is_remembered_until_a_step_writes_another_document() {
    let mut memory = SeenRunning::default();
    let look = |memory: &mut SeenRunning, found| remembered(memory, found, None, |_| {});
    assert_eq!(look(&mut memory, Some("one")), Some(hash("one")));
    assert_eq!(look(&mut memory, Some("edited")), Some(hash("one")));
    assert_eq!(look(&mut memory, None), Some(hash("one")));
    assert_eq!(memory.document(&name("exporter")).map(|it| &it.workload.hash), Some(&hash("one")));
    memory.forget(&name("exporter"));
    assert_eq!(look(&mut memory, Some("two")), Some(hash("two")));
}

#[test]
fn what_does_not_run_is_not_remembered_and_the_noted_version_goes_before_an_edited_document() {
    let rests = |seen: &mut ObservedInstance| {
        seen.unit.as_mut().unwrap().active = ActiveState::Inactive;
    };
    assert_eq!(remembered(&mut SeenRunning::default(), Some("one"), None, rests), None);
    let noted = |seen: &mut ObservedInstance| seen.last_good = Some(hash("one"));
    let look = |last_good| {
        let mut memory = SeenRunning::default();
        remembered(&mut memory, Some("edited"), last_good, noted)
    };
    assert_eq!(look(None), Some(hash("one")));
    assert_eq!(look(Some(LastGood::Current)), Some(hash("one")));
    // A change has written that document.
    assert_eq!(look(Some(LastGood::Previous(hash("two")))), Some(hash("edited")));
}

#[test]
fn a_document_that_a_repair_has_just_replaced_is_not_remembered() {
    let world = World::settled([exporter("one")]);
    let documents = BTreeMap::from([(name("exporter"), held("edited"))]);
    let mut memory = SeenRunning::default();
    let mut look = |reviving: &[&str]| {
        let reviving = reviving.iter().map(|component| name(component)).collect();
        let observed = world.observe();
        world.with_observed(&observed, |input| memory.look(input, &documents, &reviving));
        memory.workload(&name("exporter")).cloned()
    };
    assert_eq!(look(&["exporter"]), None);
    assert_eq!(look(&[]), Some(hash("edited")));
}

#[test]
fn the_noted_version_counts_also_after_another_one_was_rolled_back_to_it() {
    let noted = |seen: &mut ObservedInstance| seen.last_good = Some(hash("one"));
    let last_good = Some(LastGood::Previous(hash("one")));
    let found = remembered(&mut SeenRunning::default(), Some("edited"), last_good, noted);
    assert_eq!(found, Some(hash("one")));
}
