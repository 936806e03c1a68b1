//! What happens to an instance whose program takes over its files while it runs.

use proptest::prelude::*;

use super::world::content;
use super::*;
use crate::decide::difference::{FileChange, FileChangeKind, UnitChange};
use crate::decide::observed::UnitEnd;
use crate::document::instance::{ContainerFile, KeptSecret, RegistryLogin, Reload, ReloadBy};
use crate::document::update::{InstanceUpdate, ReloadStage};
use crate::id::ContentHash;

/// That version, whose program takes over a file of that text while it runs.
fn with_file(version: &str, text: &str) -> Instance {
    let (path, text) = ("/etc/voice.pem".to_owned(), text.to_owned());
    let reload = Reload {
        by: ReloadBy::Command { command: vec!["voice".to_owned(), "reload".to_owned()] },
        deadline_ms: 30_000,
        files: vec![ContainerFile { path, mode: 0o644, uid: 0, gid: 0, text }],
        secrets: [].into(),
    };
    Instance { reload: Some(reload), ..instance("asterisk", version) }
}

/// Version 1 runs with the first text, and the second is desired.
fn changing_text() -> World {
    let mut world = World::settled([with_file("1", "first")]);
    world.desire([with_file("1", "second")]);
    world
}

/// Version 2 of a secret of that name, which is mounted at that place.
fn secret(name: &str, file: Option<&str>) -> KeptSecret {
    let (name, mark) = (name.parse().unwrap(), "2".repeat(32).parse().unwrap());
    KeptSecret { name, version: 2, mark, file: file.map(str::to_owned) }
}

fn loaded(world: &World) -> Option<ContentHash> {
    world.places[&name("asterisk")].loaded.clone()
}

fn steps(world: &World) -> Vec<&str> {
    world.log.iter().map(|it| it.trim_start_matches("asterisk ")).collect()
}

fn reason(world: &World) -> String {
    world.decide()[&name("asterisk")].reason.to_string()
}

fn ask_again_for_it(world: &mut World) {
    let held = world.assignment.clone().unwrap();
    let mut offered = held.clone();
    offered.content.revision.0 += 1;
    ask_again(&mut world.updates, &held, &offered, world.now);
    world.assignment = Some(offered);
}

#[test]
fn another_content_is_reloaded_and_what_runs_runs_on() {
    let mut world = changing_text();
    let running_since = started(&world);
    world.place("asterisk").calls = 12;
    let decision = world.decide()[&name("asterisk")].clone();
    assert_eq!(decision.phase, Phase::Preparing);
    world.settle();
    assert_eq!(steps(&world), ["reload"]);
    assert_eq!(started(&world), running_since);
    assert_eq!(loaded(&world), content(&with_file("1", "second")));
    assert_eq!(world.phase("asterisk"), Phase::Ready);
    assert!(world.updates.get(&name("asterisk")).is_none_or(|it| it.reload.is_none()));
}

#[test]
fn a_reload_that_fails_is_reported_once_and_what_runs_goes_on_with_its_former_content() {
    let mut world = changing_text();
    let running_since = started(&world);
    world.place("asterisk").refused = content(&with_file("1", "second"));
    world.settle();
    assert_eq!(steps(&world), ["reload"]);
    assert_eq!(
        (world.phase("asterisk"), reason(&world).as_str()),
        (Phase::RolledBack, "the reload failed")
    );
    assert_eq!(
        (loaded(&world), started(&world)),
        (content(&with_file("1", "first")), running_since)
    );
    // The former content is what the program has, so a rollback has nothing to do.
    world.log.clear();
    world.desire([with_file("1", "first")]);
    world.settle();
    assert_eq!(world.phase("asterisk"), Phase::Ready);
    assert_eq!(steps(&world), [""; 0]);
}

#[test]
fn a_later_revision_that_asks_for_the_content_reloads_it_again() {
    let mut world = changing_text();
    world.place("asterisk").refused = content(&with_file("1", "second"));
    world.settle();
    world.place("asterisk").refused = None;
    ask_again_for_it(&mut world);
    world.settle();
    assert_eq!(steps(&world), ["reload", "reload"]);
    assert_eq!(world.phase("asterisk"), Phase::Ready);
    assert_eq!(loaded(&world), content(&with_file("1", "second")));
}

#[test]
fn what_ended_while_its_reload_had_failed_starts_with_its_former_content() {
    let mut world = changing_text();
    world.place("asterisk").refused = content(&with_file("1", "second"));
    world.settle();
    let place = world.place("asterisk");
    place.loaded = None;
    place.unit.as_mut().unwrap().active = ActiveState::Failed;
    place.containers[0].state =
        ContainerState::Exited { code: 1, at: Timestamp(1), out_of_memory: false };
    world.settle();
    assert_eq!((running(&world), world.phase("asterisk")), (Some("1"), Phase::RolledBack));
    assert_eq!(loaded(&world), content(&with_file("1", "first")));
}

/// The reload to the second text has failed.
fn failed() -> World {
    let mut world = changing_text();
    world.place("asterisk").refused = content(&with_file("1", "second"));
    world.settle();
    world
}

#[test]
fn what_somebody_changes_after_a_reload_failed_is_put_right_without_another_reload() {
    let world = failed();
    let first = with_file("1", "first");
    let repair = Some(Step::Repair { in_use: first.workload_hash() });
    let mut observed = world.observe();
    let decided = |observed: &_| world.with_observed(observed, decide)[&name("asterisk")].clone();
    assert!(!decided(&observed).acts());
    let path = "/etc/voice.pem".to_owned();
    let edited = FileChange { path, kind: FileChangeKind::Edited };
    let disabled = UnitChange::Disabled { unit: first.unit.clone() };
    for is_stopped in [false, true] {
        let seen = observed.instances.get_mut(&name("asterisk")).unwrap();
        seen.file_changes = vec![edited.clone()];
        if is_stopped {
            let unit = seen.unit.as_mut().unwrap();
            unit.ended = Some(UnitEnd::Stopped);
            unit.active = ActiveState::Inactive;
            seen.containers[0].state =
                ContainerState::Exited { code: 0, at: Timestamp(1), out_of_memory: false };
        }
        let decision = decided(&observed);
        let phase = match is_stopped {
            false => decision.phase == Phase::RolledBack,
            true => matches!(decision.phase, Phase::StoppedByHand { .. }),
        };
        assert!(phase && decision.step == repair, "{decision:?}");
        let seen = observed.instances.get_mut(&name("asterisk")).unwrap();
        seen.file_changes.clear();
        seen.unit.as_mut().unwrap().by_hand = vec![disabled.clone()];
        assert_eq!(decided(&observed).step, repair);
        let seen = observed.instances.get_mut(&name("asterisk")).unwrap();
        seen.unit.as_mut().unwrap().by_hand.clear();
    }
}

#[test]
fn the_failure_of_a_reload_is_the_news_while_something_is_put_right() {
    let world = failed();
    let step = Step::Repair { in_use: with_file("1", "first").workload_hash() };
    let busy = [(name("asterisk"), Busy { step, bytes: (0, 0) })].into();
    let observed = world.observe();
    let decided = world.with_observed(&observed, |input| decide(Input { busy: &busy, ..input }));
    let decision = decided[&name("asterisk")].clone();
    let shown = (decision.phase, decision.reason.to_string());
    assert_eq!(shown, (Phase::RolledBack, "the reload failed".to_owned()));
}

#[test]
fn a_program_that_does_not_run_gets_its_content_at_its_start() {
    let mut world = changing_text();
    let place = world.place("asterisk");
    place.unit.as_mut().unwrap().active = ActiveState::Failed;
    place.containers[0].state =
        ContainerState::Exited { code: 1, at: Timestamp(1), out_of_memory: false };
    world.settle();
    assert_eq!(steps(&world), ["reload", "start"]);
    assert_eq!(loaded(&world), content(&with_file("1", "second")));
}

#[test]
fn a_content_waits_for_its_secrets_and_says_so() {
    let mut world = changing_text();
    let key = secret("tls_key", Some("/etc/voice.key"));
    let mut desired = with_file("1", "second");
    desired.reload.as_mut().unwrap().secrets = [key.clone()].into();
    world.desire([desired]);
    world.place("asterisk").missing_secrets = [key].into();
    world.settle();
    let waits = "waits for secret tls_key version 2, which the controller has not sent yet";
    assert_eq!((world.phase("asterisk"), reason(&world).as_str()), (Phase::Pending, waits));
    assert_eq!(steps(&world), [""; 0]);
    world.place("asterisk").missing_secrets.clear();
    world.settle();
    assert_eq!(world.phase("asterisk"), Phase::Ready);
}

#[test]
fn a_content_does_not_wait_for_the_password_with_which_the_image_is_pulled() {
    let mut world = changing_text();
    let password = secret("registry", None);
    let login = RegistryLogin { user: "puller".to_owned(), password: password.clone() };
    world.desire([Instance { pull_login: Some(login), ..with_file("1", "second") }]);
    world.place("asterisk").missing_secrets = [password].into();
    world.settle();
    assert_eq!(steps(&world), ["reload"]);
    assert_eq!(world.phase("asterisk"), Phase::Ready);
}

#[test]
fn a_reload_that_was_begun_is_done_again() {
    let mut world = World::settled([with_file("1", "first")]);
    let hash = with_file("1", "first").workload_hash();
    let begun = ReloadStage::Begun { was_healthy: true };
    let begun = InstanceUpdate { reload: Some(begun), ..InstanceUpdate::new(hash) };
    world.updates.insert(name("asterisk"), begun);
    world.settle();
    assert_eq!(steps(&world), ["reload"]);
    assert_eq!(world.phase("asterisk"), Phase::Ready);
}

#[test]
fn a_reload_that_is_done_again_is_compared_with_the_health_before_its_first_try() {
    let mut world = World::settled([with_file("1", "first")]);
    let hash = with_file("1", "first").workload_hash();
    let mut observed = world.observe();
    let seen = observed.instances.get_mut(&name("asterisk")).unwrap();
    seen.status.as_mut().unwrap().health = Health::Unhealthy;
    for (before, expected) in [(true, true), (false, false)] {
        let begun = ReloadStage::Begun { was_healthy: before };
        let begun = InstanceUpdate { reload: Some(begun), ..InstanceUpdate::new(hash.clone()) };
        world.updates.insert(name("asterisk"), begun);
        let decision = world.with_observed(&observed, decide)[&name("asterisk")].clone();
        let step = decision.step.unwrap();
        let Step::Reload { was_healthy, .. } = step else { panic!("{step:?}") };
        assert_eq!(was_healthy, expected);
    }
}

#[test]
fn what_ends_while_its_content_waits_for_a_secret_is_started_with_the_former_one() {
    let mut world = changing_text();
    let certificate = secret("certificate", Some("/etc/cert.pem"));
    let mut instance = with_file("1", "second");
    instance.reload.as_mut().unwrap().secrets.insert(certificate.clone());
    world.desire([instance]);
    let mut observed = world.observe();
    let seen = observed.instances.get_mut(&name("asterisk")).unwrap();
    seen.missing_secrets = [certificate].into();
    let decided = |observed: &_| world.with_observed(observed, decide)[&name("asterisk")].clone();
    assert_eq!((decided(&observed).phase, decided(&observed).acts()), (Phase::Pending, false));
    let seen = observed.instances.get_mut(&name("asterisk")).unwrap();
    seen.unit.as_mut().unwrap().active = ActiveState::Failed;
    seen.status = None;
    for container in &mut seen.containers {
        let at = Timestamp(5);
        container.state = ContainerState::Exited { code: 1, at, out_of_memory: false };
    }
    let step = decided(&observed).step;
    assert!(matches!(step, Some(Step::Start)), "{step:?}");
}

#[test]
fn another_content_of_a_masked_unit_that_runs_waits_until_it_is_unmasked() {
    let world = changing_text();
    let mut observed = world.observe();
    let seen = observed.instances.get_mut(&name("asterisk")).unwrap();
    seen.unit.as_mut().unwrap().masked = true;
    let decision = world.with_observed(&observed, decide)[&name("asterisk")].clone();
    assert_eq!((decision.phase, decision.acts()), (Phase::Blocked, false), "{decision:?}");
}

#[test]
fn a_program_that_is_starting_is_asked_once_it_answers() {
    let world = changing_text();
    let mut observed = world.observe();
    let seen = observed.instances.get_mut(&name("asterisk")).unwrap();
    seen.unit.as_mut().unwrap().active = ActiveState::Activating;
    let decision = world.with_observed(&observed, decide)[&name("asterisk")].clone();
    assert_eq!((decision.phase, decision.acts()), (Phase::Starting, false), "{decision:?}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn every_content_is_taken_over_with_any_failure_on_the_way_and_without_a_restart(
        texts in prop::collection::vec(
            (
                prop::sample::select(vec!["first", "second", "third"]),
                prop::collection::vec(
                    prop_oneof![
                        Just(Fault::None),
                        Just(Fault::Backoff),
                        (0u8..6).prop_map(|after| Fault::Killed { after }),
                    ],
                    0..8,
                ),
                0usize..6,
            ),
            1..5,
        ),
    ) {
        let mut world = World::settled([with_file("1", "first")]);
        let running_since = started(&world);
        let mut last = "first";
        for (text, faults, passes) in texts {
            world.desire([with_file("1", text)]);
            world.faults = faults;
            world.passes(passes);
            last = text;
        }
        world.faults.clear();
        world.settle();
        prop_assert_eq!(world.phase("asterisk"), Phase::Ready);
        prop_assert_eq!(loaded(&world), content(&with_file("1", last)));
        prop_assert_eq!(started(&world), running_since, "{:?}", world.log);
    }
}
