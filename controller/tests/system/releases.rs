//! Tests of the releases of a catalog, from the file to what the history keeps.

use std::sync::Arc;

use oml_common::text::problem::Problem;
use oml_proto::v1;
use oml_proto::v1::RolloutState;
use tonic::Status;

use crate::agent::{Agent, Session, enroll, hello};
use crate::fleet::Fleet;
use crate::world::{SPEC, StoreKind, apply, set_version, until, until_rollout};

const RELEASES: &str = "\
catalog: test
releases:
  '1.0': {db: '1', voice: '1', web: '1'}
  '1.1': {db: '1', voice: '2', web: '2', pbx: '2'}
together:
  - {components: [voice, web], because: they are programs of one image}
one_way:
  - {component: web, from: '2', because: 2 migrates the database, loses: what came after the backup}
";

/// A fleet whose catalog has releases.
async fn fleet() -> Fleet {
    let mut fleet = Fleet::installed(StoreKind::InMemory).await;
    let folder = fleet.world.settings.catalog_dir.clone();
    std::fs::write(folder.join("test.releases.yaml"), RELEASES).unwrap();
    fleet.restart().await;
    fleet
}

impl Fleet {
    async fn set_release(&mut self, release: &str, force: &str) -> Result<v1::ChangeReply, Status> {
        let options = Some(v1::ChangeOptions { force: force.into(), ..Default::default() });
        let (tenant, release) = ("acme".into(), release.into());
        let request = v1::SetReleaseRequest { tenant, release, options };
        self.operator.set_release(request).await.map(tonic::Response::into_inner)
    }

    /// Applies the specification with a version of `db`, and one of `voice` and `web`.
    async fn apply_versions(&mut self, db: &str, both: &str) -> v1::ChangeReply {
        let spec = SPEC.replace("db: \"1\"", &format!("db: \"{db}\""));
        let spec = spec.replace("voice: \"1\"", &format!("voice: \"{both}\""));
        let spec = spec.replace("web: \"1\"", &format!("web: \"{both}\""));
        apply(&mut self.operator, &spec).await.unwrap()
    }

    async fn releases(&mut self) -> v1::ListReleasesReply {
        let request = v1::ListReleasesRequest { tenant: "acme".into() };
        self.operator.list_releases(request).await.unwrap().into_inner()
    }
}

fn message(status: &Status) -> String {
    let problems: Vec<Problem> = oml_proto::problem::from_status(status).unwrap().0;
    problems.iter().map(|problem| problem.message.clone()).collect::<Vec<_>>().join("; ")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_release_is_set_as_one_change_and_there_is_no_way_back_without_a_reason() {
    let mut fleet = fleet().await;
    let listed = fleet.releases().await;
    assert_eq!((listed.catalog.as_str(), listed.current.as_str()), ("test", "1.0"));
    assert_eq!(listed.releases[1].different, ["voice", "web"]);
    assert!(!listed.releases[1].versions.contains_key("pbx"), "the tenant has no pbx");
    let reply = fleet.set_release("1.1", "").await.unwrap();
    assert_eq!((reply.revision, reply.changes.len(), reply.release.as_str()), (2, 2, "1.1"));
    assert_eq!(reply.warnings.len(), 1, "{:?}", reply.warnings);
    assert!(reply.warnings[0].starts_with("web 1 -> 2 has no way back"), "{:?}", reply.warnings);
    until_rollout(&mut fleet.operator, 2, RolloutState::Completed).await;
    assert_eq!(fleet.releases().await.current, "1.1");

    let refused = fleet.set_release("1.0", "").await.unwrap_err();
    let expected = "web 2 -> 1 leads back over a step that only leads forward: 2 migrates the \
                    database; it would lose what came after the backup";
    assert_eq!(message(&refused), expected);
    let rollback = v1::RollbackRequest { tenant: "acme".into(), to: 1, options: None };
    let refused = fleet.operator.rollback(rollback).await.unwrap_err();
    assert_eq!(message(&refused), expected);
    let reply = fleet.set_release("1.0", "the backup is back").await.unwrap();
    assert_eq!(reply.warnings, [format!("forced: {expected}")]);
    let request = v1::ListRevisionsRequest { tenant: "acme".into() };
    let history = fleet.operator.list_revisions(request).await.unwrap().into_inner().revisions;
    assert_eq!(history.last().unwrap().why, "forced: the backup is back");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_step_without_a_way_back_is_refused_until_its_operator_has_seen_it() {
    let mut fleet = fleet().await;
    let mut set_release = async |dry_run: bool, no_one_way: bool, op_id: &str| {
        let op_id = op_id.into();
        let options = v1::ChangeOptions { dry_run, no_one_way, op_id, ..Default::default() };
        let (tenant, release) = ("acme".into(), "1.1".into());
        let request = v1::SetReleaseRequest { tenant, release, options: Some(options) };
        fleet.operator.set_release(request).await.map(tonic::Response::into_inner)
    };
    let refused = set_release(false, true, "op-1").await.unwrap_err();
    assert_eq!(oml_proto::problem::refusal(&refused), v1::Refusal::OneWay);
    assert!(message(&refused).starts_with("web 1 -> 2 has no way back"), "{refused:?}");
    let plan = set_release(true, true, "").await.unwrap();
    assert_eq!((plan.revision, plan.one_way), (2, true));
    let made = set_release(false, false, "op-1").await.unwrap();
    assert_eq!((made.revision, made.one_way, made.warnings.len()), (2, true, 1));
    // The answer was lost. What it said is said again, and it is not asked for again.
    let again = set_release(false, true, "op-1").await.unwrap();
    assert_eq!((again.revision, again.changed), (2, true));
    assert_eq!((again.warnings, again.release), (made.warnings, made.release));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_step_without_a_way_back_waits_for_an_agent_that_keeps_it_forward() {
    let mut fleet = fleet().await;
    // Another host of `web` has an agent that would start the version before all the same.
    let host = enroll(&fleet.world, "acme", "app", "acme-old").await;
    let mut greeting = hello(None);
    greeting.agent_version = "0.1.0".into();
    greeting.features.retain(|feature| feature != "forward-only");
    let channel = fleet.world.channel(&host.credentials).await;
    let _session = Session::open_with_hello(channel, greeting).await.unwrap();
    until(&mut fleet.operator, "acme", |status| {
        let is_connected = |node: &v1::NodeStatus| node.state() == v1::NodeState::Connected;
        status.nodes.iter().any(|node| node.node == "acme-old" && is_connected(node))
    })
    .await;

    for force in ["", "there is a backup"] {
        let refused = fleet.set_release("1.1", force).await.unwrap_err();
        let problems = oml_proto::problem::from_status(&refused).unwrap().to_string();
        let why = "acme-old cannot run it: its agent 0.1.0 does not support forward-only";
        assert!(problems.contains(why), "{problems}");
        assert!(problems.contains("upgrade the agent on acme-old"), "{problems}");
    }
    assert_eq!(fleet.releases().await.current, "1.0");
    // A change with a way back is made.
    let reply = fleet.apply_versions("2", "1").await;
    assert_eq!((reply.revision, reply.one_way), (2, false));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failed_one_way_rollout_pauses() {
    let mut fleet = fleet().await;
    // Without such a step it is rolled back.
    let reply = fleet.apply_versions("bad1", "1").await;
    assert_eq!(reply.notes, Vec::<String>::new());
    until_rollout(&mut fleet.operator, 2, RolloutState::RolledBack).await;
    let reply = fleet.apply_versions("bad2", "2").await;
    assert_eq!(
        reply.notes,
        ["a failure pauses this rollout, in place of on_failure: rollback, because the version \
          before cannot read what the new one writes"]
    );
    assert!(reply.settings.is_empty(), "{:?}", reply.settings);
    until_rollout(&mut fleet.operator, 3, RolloutState::Paused).await;
    // The next one, with no such step from anything that may run, is rolled back again.
    let reply = fleet.apply_versions("1", "2").await;
    until_rollout(&mut fleet.operator, reply.revision, RolloutState::Completed).await;
    let reply = fleet.apply_versions("bad3", "2").await;
    assert_eq!((reply.notes.len(), reply.settings.len()), (0, 0));
    until_rollout(&mut fleet.operator, reply.revision, RolloutState::RolledBack).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rollback_to_another_catalog_does_not_lead_back_over_a_step() {
    let mut fleet = fleet().await;
    let folder = fleet.world.settings.catalog_dir.clone();
    let catalog = std::fs::read_to_string(folder.join("test.yaml")).unwrap();
    let later = catalog.replace("catalog: test\n", "catalog: later\n");
    std::fs::write(folder.join("later.yaml"), later).unwrap();
    // Only the later catalog knows that there is no way back.
    let releases = RELEASES.replace("catalog: test\n", "catalog: later\n");
    std::fs::rename(folder.join("test.releases.yaml"), folder.join("later.releases.yaml")).unwrap();
    std::fs::write(folder.join("later.releases.yaml"), releases).unwrap();
    fleet.restart().await;
    let spec = SPEC.replace("catalog: test\n", "catalog: later\n");
    let spec = spec.replace("voice: \"1\"", "voice: \"2\"").replace("web: \"1\"", "web: \"2\"");
    let reply = apply(&mut fleet.operator, &spec).await.unwrap();
    assert!(reply.one_way, "{:?}", reply.warnings);
    until_rollout(&mut fleet.operator, 2, RolloutState::Completed).await;
    let rollback = || v1::RollbackRequest { tenant: "acme".into(), to: 1, options: None };
    let refused = fleet.operator.rollback(rollback()).await.unwrap_err();
    assert!(message(&refused).starts_with("web 2 -> 1 leads back over"), "{}", message(&refused));
    // If the later catalog is gone, at least that is said.
    std::fs::remove_file(folder.join("later.yaml")).unwrap();
    std::fs::remove_file(folder.join("later.releases.yaml")).unwrap();
    fleet.restart().await;
    let reply = fleet.operator.rollback(rollback()).await.unwrap().into_inner();
    assert_eq!(reply.warnings.len(), 1);
    let warned = "catalog later, which this change leaves, cannot be used";
    assert!(reply.warnings[0].starts_with(warned), "{:?}", reply.warnings);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_component_that_does_not_exist_is_not_judged() {
    let mut fleet = fleet().await;
    let folder = fleet.world.settings.catalog_dir.clone();
    let catalog = std::fs::read_to_string(folder.join("test.yaml")).unwrap();
    let setting = "settings: {db_host: {type: host, default: \"\"}, ";
    let catalog = catalog.replace("settings: {", setting);
    let catalog = catalog.replace("  db:\n", "  db:\n    when: {db_host: \"\"}\n");
    std::fs::write(folder.join("test.yaml"), catalog).unwrap();
    let format = "  - {component: db, from: '2', because: 2 has another format, loses: all data, \
                  reads_earlier: false}\n";
    std::fs::write(folder.join("test.releases.yaml"), format!("{RELEASES}{format}")).unwrap();
    fleet.restart().await;
    let refused = set_version(&mut fleet.operator, "db", "2", "").await.unwrap_err();
    assert!(message(&refused).contains("cannot read what is there"), "{}", message(&refused));
    // The database is elsewhere, so its version in the text is nobody's.
    let outside =
        SPEC.replace("catalog: test\n", "catalog: test\nsettings: {db_host: db.example}\n");
    apply(&mut fleet.operator, &outside).await.unwrap();
    until_rollout(&mut fleet.operator, 2, RolloutState::Completed).await;
    let reply = set_version(&mut fleet.operator, "db", "2", "").await.unwrap();
    assert_eq!(reply.warnings, Vec::<String>::new());
    let listed = fleet.releases().await;
    assert_eq!(listed.current, "1.0");
    assert!(!listed.releases[0].versions.contains_key("db"), "{listed:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_release_leaves_a_component_with_its_own_image_as_it_is_and_says_so() {
    let mut fleet = fleet().await;
    let own = format!("db: {{image: \"{}/ours/db:7\"}}", fleet.world.registry.address);
    apply(&mut fleet.operator, &SPEC.replace("db: \"1\"", &own)).await.unwrap();
    until_rollout(&mut fleet.operator, 2, RolloutState::Completed).await;
    let reply = fleet.set_release("1.1", "").await.unwrap();
    let left = "db has an image of its own and is left as it is";
    assert_eq!((reply.release.as_str(), reply.notes[0].as_str()), ("1.1", left));
    let mut changed: Vec<&str> = reply.changes.iter().map(|it| it.component.as_str()).collect();
    changed.sort_unstable();
    assert_eq!(changed, ["voice", "web"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn during_a_rollback_releases_are_compared_with_what_the_next_change_is_made_on() {
    let mut fleet = fleet().await;
    // The database changes, and then nothing else: the next host is unreachable.
    fleet.agents.remove(1);
    assert_eq!(fleet.apply_versions("2", "1-bad").await.revision, 2);
    until(&mut fleet.operator, "acme", |status| {
        status.rollout.as_ref().is_some_and(|r| r.reason.contains("acme-voice is unreachable"))
    })
    .await;
    assert_eq!(fleet.releases().await.current, "");
    // The host of the database is unreachable when the next one fails, so the rollback waits.
    fleet.agents.remove(0);
    let host = enroll(&fleet.world, "acme", "voice", "acme-voice").await;
    fleet.agents.push(Agent::start(&fleet.world, host, Arc::clone(&fleet.log)).await);
    until_rollout(&mut fleet.operator, 2, RolloutState::RollingBack).await;
    let listed = fleet.releases().await;
    assert_eq!((listed.current.as_str(), listed.releases[0].different.len()), ("1.0", 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_version_outside_of_a_release_is_warned_about_and_a_forbidden_pair_is_refused() {
    let mut fleet = fleet().await;
    let reply = set_version(&mut fleet.operator, "db", "2", "").await.unwrap();
    assert_eq!(
        reply.warnings,
        [
            "these versions were not published together; the nearest release is 1.0, with db 1 (not 2)"
        ]
    );
    assert_eq!(reply.release, "");
    let refused = set_version(&mut fleet.operator, "voice", "3", "").await.unwrap_err();
    assert_eq!(
        message(&refused),
        "web 1 must have the same version as voice 3: they are programs of one image"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_release_that_is_not_known_is_refused_with_those_that_are() {
    let mut fleet = fleet().await;
    let refused = fleet.set_release("1.2", "").await.unwrap_err();
    assert_eq!(message(&refused), "catalog test has no release 1.2");
    let refused = fleet.set_release("../1", "").await.unwrap_err();
    assert!(message(&refused).contains("is not a release"), "{}", message(&refused));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_catalog_without_releases_says_nothing_and_has_none_to_set() {
    let mut fleet = Fleet::installed(StoreKind::InMemory).await;
    assert!(fleet.releases().await.releases.is_empty());
    let reply = set_version(&mut fleet.operator, "voice", "2", "").await.unwrap();
    assert_eq!((reply.warnings.len(), reply.release.as_str()), (0, ""));
    assert!(fleet.set_release("1.0", "").await.is_err());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_component_that_comes_back_does_not_lead_back_over_a_step() {
    let mut fleet = fleet().await;
    fleet.set_release("1.1", "").await.unwrap();
    until_rollout(&mut fleet.operator, 2, RolloutState::Completed).await;
    let without = SPEC.replace("  web: \"1\"\n", "");
    apply(&mut fleet.operator, &without).await.unwrap();
    until_rollout(&mut fleet.operator, 3, RolloutState::Completed).await;
    // What it has written is still in its volumes.
    let refused = apply(&mut fleet.operator, SPEC).await.unwrap_err();
    assert!(message(&refused).starts_with("web 2 -> 1 leads back over"), "{}", message(&refused));
    let reply = apply(&mut fleet.operator, &SPEC.replace("\"1\"", "\"2\"")).await.unwrap();
    assert!(!reply.one_way, "{:?}", reply.warnings);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_step_of_which_nobody_knows_whether_it_has_a_way_back_is_asked_for_and_pauses() {
    let mut fleet = fleet().await;
    let spec = SPEC.replace("\"1\"", "latest");
    let options = v1::ChangeOptions { no_one_way: true, ..Default::default() };
    let request = v1::ApplyRequest { spec_yaml: spec.clone(), options: Some(options) };
    let refused = fleet.operator.apply(request).await.unwrap_err();
    assert_eq!(oml_proto::problem::refusal(&refused), v1::Refusal::OneWay);
    let expected = "web 1 -> latest may lead over a step without a way back";
    assert!(message(&refused).starts_with(expected), "{}", message(&refused));
    let reply = apply(&mut fleet.operator, &spec.replace("db: latest", "db: bad4")).await.unwrap();
    assert!(reply.one_way, "{:?}", reply.warnings);
    assert_eq!(
        reply.notes,
        [
            "a failure pauses this rollout, in place of on_failure: rollback, because it is not known \
          whether the version before can read what the new one writes"
        ]
    );
    until_rollout(&mut fleet.operator, 2, RolloutState::Paused).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_restore_the_first_change_of_what_has_such_a_step_is_asked_for() {
    let mut fleet = fleet().await;
    let backup = fleet.world.backup().await;
    fleet.set_release("1.1", "").await.unwrap();
    until_rollout(&mut fleet.operator, 2, RolloutState::Completed).await;
    fleet.world.restore(&backup).await;
    fleet.operator = fleet.world.operator().await;
    let reply = apply(&mut fleet.operator, SPEC).await.unwrap();
    assert!(reply.one_way && reply.warnings.len() == 1, "{:?}", reply.warnings);
    let expected =
        "the controller was restored from a backup and does not know which versions of web";
    assert!(reply.warnings[0].starts_with(expected), "{:?}", reply.warnings);
    until_rollout(&mut fleet.operator, 2, RolloutState::Completed).await;
    let reply = fleet.set_release("1.1", "").await.unwrap();
    assert_eq!(reply.warnings.len(), 1, "{:?}", reply.warnings);
    assert!(reply.warnings[0].starts_with("web 1 -> 2 has no way back"), "{:?}", reply.warnings);
}
