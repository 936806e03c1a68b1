//! Changes of which the agent's own record was lost.

use std::collections::BTreeMap;

use super::world::{World, instance, name};
use super::{Step, changing, decide, settled, until_soaking};
use crate::decide::lost_update::lost_updates;
use crate::decide::observed::ObservedInstance;
use crate::document::update::{LastGood, Stage};
use crate::id::{ComponentName, ContentHash};

fn hash_of(version: &str) -> ContentHash {
    instance("asterisk", version).workload_hash()
}

/// Returns the stage of the change that is found for asterisk, whose last good version is noted.
fn found(world: &World, last_good: Option<&str>) -> Option<Stage> {
    let noted: BTreeMap<ComponentName, ContentHash> =
        last_good.map(|version| (name("asterisk"), hash_of(version))).into_iter().collect();
    let observed = world.observe();
    let mut found = world.with_observed(&observed, |input| lost_updates(input, &noted));
    let update = found.remove(&name("asterisk"))?;
    assert!(found.is_empty(), "{found:?}");
    assert_eq!(update.last_good, LastGood::Previous(hash_of(last_good.unwrap())));
    Some(update.stage)
}

/// A host that soaks version 2, without the record of it.
fn soaking_without_record() -> World {
    let mut world = changing("1", "2");
    until_soaking(&mut world);
    world.updates.clear();
    world
}

#[test]
fn a_change_without_a_record_is_found_by_what_the_host_runs() {
    let soaking = soaking_without_record();
    let again = Stage::Soaking { since: soaking.now, calls_cut: None };
    assert_eq!(found(&soaking, Some("1")), Some(again), "how long it soaked is not known");

    let mut meanwhile = soaking_without_record();
    meanwhile.desire([instance("asterisk", "3")]);
    assert_eq!(found(&meanwhile, Some("1")), Some(Stage::Preparing), "2 runs, and nobody wants it");
}

#[test]
fn no_change_is_found_where_none_was_lost() {
    assert_eq!(found(&settled("1"), Some("1")), None, "the desired version is the last good one");
    assert_eq!(found(&changing("1", "2"), Some("1")), None, "nothing was begun");
    assert_eq!(found(&soaking_without_record(), None), None, "no last good version is noted");
    let mut recorded = changing("1", "2");
    until_soaking(&mut recorded);
    assert_eq!(found(&recorded, Some("1")), None, "it is on record");
}

#[test]
fn what_was_done_to_the_document_of_a_component_that_somebody_stopped_starts_nothing() {
    let edits: [fn(&mut ObservedInstance); 2] = [
        |seen| seen.document = None,
        |seen| seen.document.as_mut().expect("it has a document").workload = hash_of("9"),
    ];
    for edit in edits {
        let mut world = settled("1");
        let now = world.now;
        world.place("asterisk").stop_by_hand(now);
        let mut observed = world.observe();
        edit(observed.instances.get_mut(&name("asterisk")).expect("it is observed"));
        let decision = world.with_observed(&observed, decide)[&name("asterisk")].clone();
        assert_eq!(decision.step, Some(Step::RewriteConfig), "{decision:?}");
    }
}

#[test]
fn another_version_than_the_one_that_somebody_stopped_is_still_a_change() {
    let mut world = changing("1", "2");
    let now = world.now;
    world.place("asterisk").stop_by_hand(now);
    let steps: Vec<Step> = world.actions().into_iter().map(|action| action.step).collect();
    assert!(!steps.contains(&Step::RewriteConfig), "{steps:?}");
}
