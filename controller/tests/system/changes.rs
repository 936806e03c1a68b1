//! Tests of changes of a tenant.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use oml_common::text::problem::Problem;
use oml_daemon::failpoint::{Crashes, simulate};
use oml_proto::v1;
use oml_proto::v1::RolloutState;
use oml_proto::v1::fleet_client::FleetClient;
use omlcontroller::records::{Records, keys};
use omlcontroller::store::{Expect, Write};
use tonic::transport::Channel;

use crate::agent::{Agent, enroll};
use crate::fleet::Fleet;
use crate::world::{SPEC, StoreKind, apply, set_version, until, until_rollout};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tenant_is_installed_wave_by_wave() {
    for kept in [StoreKind::InMemory, StoreKind::OnDisk] {
        let mut fleet = Fleet::start(kept).await;
        let reply = apply(&mut fleet.operator, SPEC).await.unwrap();
        assert!(reply.changed);
        assert_eq!((reply.revision, reply.changes.len()), (1, 6));
        let status = until_rollout(&mut fleet.operator, 1, RolloutState::Completed).await;
        assert_eq!(status.revision, 1);
        let nodes: Vec<String> = fleet.done().into_iter().map(|(node, ..)| node).collect();
        assert_eq!(
            nodes,
            ["acme-data", "acme-data", "acme-voice", "acme-voice", "acme-app", "acme-app"]
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_version_updates_one_component_and_the_same_version_nothing() {
    let mut fleet = Fleet::installed(StoreKind::InMemory).await;
    let reply = set_version(&mut fleet.operator, "voice", "2", "").await.unwrap();
    assert_eq!((reply.revision, reply.changed, reply.changes.len()), (2, true, 1));
    let status = until_rollout(&mut fleet.operator, 2, RolloutState::Completed).await;
    assert_eq!(fleet.done(), [("acme-voice".into(), "voice".into(), "2".into())]);
    for node in &status.nodes {
        let report = node.report.as_ref().unwrap();
        assert_eq!((report.revision, node.target), (2, 2), "{node:?}");
    }
    let reply = set_version(&mut fleet.operator, "voice", "2", "").await.unwrap();
    assert_eq!((reply.revision, reply.changed, reply.changes.len()), (2, false, 0));
    assert!(fleet.done().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_version_that_fails_is_rolled_back_with_its_targets_and_its_revision() {
    let mut fleet = Fleet::installed(StoreKind::InMemory).await;
    let reply = set_version(&mut fleet.operator, "voice", "bad1", "").await.unwrap();
    assert_eq!(reply.revision, 2);
    let status = until_rollout(&mut fleet.operator, 2, RolloutState::RolledBack).await;
    let rollout = status.rollout.unwrap();
    assert!(rollout.reason.contains("voice on acme-voice: exited with 7"), "{}", rollout.reason);
    let failure = rollout.failures[0].failure.as_ref().unwrap();
    assert_eq!((failure.exit_code, failure.log_tail.len()), (Some(7), 1));
    assert_eq!(status.revision, 1, "the next change is based on the revision that runs");
    assert!(status.nodes.iter().all(|node| node.target == 1), "{:?}", status.nodes);
    // Only the failed update is logged, because this agent never stopped the old
    // version.
    assert_eq!(fleet.done(), [("acme-voice".into(), "voice".into(), "bad1".into())]);

    let reply = set_version(&mut fleet.operator, "web", "2", "").await.unwrap();
    assert_eq!((reply.revision, reply.changes.len()), (3, 1));
    assert_eq!(reply.changes[0].component, "web");
    until_rollout(&mut fleet.operator, 3, RolloutState::Completed).await;
    let outcomes: Vec<RolloutState> =
        revisions(&mut fleet.operator).await.iter().map(|r| r.outcome()).collect();
    use RolloutState::{Completed, RolledBack};
    assert_eq!(outcomes, [Completed, RolledBack, Completed]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rollback_to_the_third_of_ten_revisions_is_the_eleventh() {
    let mut fleet = Fleet::installed(StoreKind::InMemory).await;
    for version in 2..=10 {
        set_version(&mut fleet.operator, "voice", &version.to_string(), "").await.unwrap();
        until_rollout(&mut fleet.operator, version, RolloutState::Completed).await;
    }
    let asked = fleet.world.registry.state.requests.load(Ordering::SeqCst);
    let options = Some(v1::ChangeOptions { why: "it was\nbetter".into(), ..Default::default() });
    let request = v1::RollbackRequest { tenant: "acme".into(), to: 3, options };
    let reply = fleet.operator.rollback(request).await.unwrap().into_inner();
    assert_eq!((reply.revision, reply.changed), (11, true));
    until_rollout(&mut fleet.operator, 11, RolloutState::Completed).await;
    let now = fleet.world.registry.state.requests.load(Ordering::SeqCst);
    assert_eq!(now, asked, "the digests of a revision never change");
    assert_eq!(spec(&mut fleet.operator, 11).await, spec(&mut fleet.operator, 3).await);
    let history = revisions(&mut fleet.operator).await;
    let last = history.last().unwrap();
    assert_eq!(
        (last.number, last.kind(), last.who.as_str()),
        (11, v1::RevisionKind::Rollback, "maria")
    );
    assert_eq!(last.why, "it was\\nbetter");
    assert_eq!((last.changes[0].from.as_str(), last.changes[0].to.as_str()), ("10", "3"));
    assert!(history.iter().all(|revision| revision.outcome() == RolloutState::Completed));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_operators_text_is_kept_with_its_comments() {
    let mut fleet = Fleet::installed(StoreKind::InMemory).await;
    assert_eq!(spec(&mut fleet.operator, 0).await, SPEC);
    set_version(&mut fleet.operator, "voice", "2", "").await.unwrap();
    let expected = SPEC.replace("voice: \"1\"", "voice: \"2\"");
    assert_eq!(spec(&mut fleet.operator, 0).await, expected);
    assert_eq!(spec(&mut fleet.operator, 1).await, SPEC);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_operation_twice_is_one_change() {
    let mut fleet = Fleet::installed(StoreKind::OnDisk).await;
    let first = set_version(&mut fleet.operator, "voice", "2", "op-1").await.unwrap();
    set_version(&mut fleet.operator, "voice", "3", "op-2").await.unwrap();
    fleet.restart().await;
    let again = set_version(&mut fleet.operator, "voice", "2", "op-1").await.unwrap();
    assert_eq!(again, first);
    assert_eq!(revisions(&mut fleet.operator).await.len(), 3);
    let refused = set_version(&mut fleet.operator, "voice", "9", "op-1").await.unwrap_err();
    assert_eq!(problems(&refused)[0].path, "op_id");
    let refused = set_version(&mut fleet.operator, "voice", "9", "a/b").await.unwrap_err();
    assert_eq!(problems(&refused)[0].path, "op_id");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dry_run_returns_the_changes_and_makes_none() {
    let mut fleet = Fleet::installed(StoreKind::InMemory).await;
    let options = Some(v1::ChangeOptions { dry_run: true, ..Default::default() });
    let spec_yaml = SPEC.replace("web: \"1\"", "web: \"2\"");
    let request = v1::ApplyRequest { spec_yaml, options };
    let reply = fleet.operator.apply(request).await.unwrap().into_inner();
    assert_eq!((reply.revision, reply.changed, reply.changes.len()), (2, true, 1));
    assert_eq!(revisions(&mut fleet.operator).await.len(), 1);
    assert!(fleet.done().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_of_strategy_is_a_revision_without_updates_and_a_change_of_comments_is_none() {
    let mut fleet = Fleet::installed(StoreKind::InMemory).await;
    let other_words = SPEC.replace("# The tenant", "# This tenant").replace("\"1\"", "'1'");
    let reply = apply(&mut fleet.operator, &other_words).await.unwrap();
    assert_eq!((reply.revision, reply.changed, reply.text_changed), (1, false, true));
    assert_eq!(spec(&mut fleet.operator, 0).await, other_words, "the new text is kept");
    assert_eq!(revisions(&mut fleet.operator).await.len(), 1);
    let reply = apply(&mut fleet.operator, &other_words).await.unwrap();
    assert_eq!((reply.changed, reply.text_changed), (false, false));
    set_version(&mut fleet.operator, "voice", "1", "").await.unwrap();
    assert_eq!(spec(&mut fleet.operator, 0).await, other_words, "that version is in it");
    let spec = SPEC.replace("{min_healthy_for: 1s}", "{min_healthy_for: 1s, max_parallel: 2}");
    let reply = apply(&mut fleet.operator, &spec).await.unwrap();
    assert_eq!((reply.revision, reply.changed), (2, true));
    assert_eq!(reply.changes[0].kind(), v1::ChangeKind::Spec);
    let status = until_rollout(&mut fleet.operator, 2, RolloutState::Completed).await;
    assert!(status.nodes.iter().all(|node| node.target == 2));
    assert!(fleet.done().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_text_is_kept_at_most_once_and_not_by_a_dry_run() {
    let mut fleet = Fleet::installed(StoreKind::InMemory).await;
    let commented = format!("# reviewed\r\n{SPEC}");
    let mut apply = async |spec_yaml: &str, dry_run: bool, op_id: &str| {
        let options = v1::ChangeOptions { dry_run, op_id: op_id.into(), ..Default::default() };
        let request = v1::ApplyRequest { spec_yaml: spec_yaml.into(), options: Some(options) };
        let reply = fleet.operator.apply(request).await.unwrap().into_inner();
        assert_eq!((reply.revision, reply.changed, reply.changes.len()), (1, false, 0));
        (reply.text_changed, spec(&mut fleet.operator, 0).await)
    };
    assert_eq!(apply(&commented, true, "").await, (true, SPEC.to_owned()));
    assert_eq!(apply(&commented, false, "op-1").await, (true, commented.clone()));
    assert_eq!(apply(SPEC, false, "op-2").await, (true, SPEC.to_owned()));
    // The answer to the first was lost, and the second came before it was sent again.
    assert_eq!(apply(&commented, false, "op-1").await, (true, SPEC.to_owned()));
    assert!(fleet.done().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_made_is_what_the_operator_has_seen() {
    let mut fleet = Fleet::installed(StoreKind::InMemory).await;
    let mut apply = async |spec_yaml: &str, if_revision: u64| {
        let options = Some(v1::ChangeOptions { if_revision, ..Default::default() });
        let request = v1::ApplyRequest { spec_yaml: spec_yaml.to_owned(), options };
        fleet.operator.apply(request).await.map(tonic::Response::into_inner)
    };
    let other = SPEC.replace("web: \"1\"", "web: \"2\"");
    let outdated = apply(&other, 1).await.unwrap_err();
    assert_eq!(problems(&outdated)[0].path, "if_revision");
    assert_eq!(oml_proto::problem::refusal(&outdated), v1::Refusal::ChangedMeanwhile);
    assert_eq!(apply(&other, 2).await.unwrap().revision, 2);
    // The dry run saw that nothing would change, and then somebody changed it back.
    assert_eq!(apply(SPEC, 3).await.unwrap().revision, 3);
    assert_eq!(problems(&apply(&other, 2).await.unwrap_err())[0].path, "if_revision");
    let same = apply(SPEC, 3).await.unwrap();
    assert_eq!((same.revision, same.changed), (3, false));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broken_catalog_is_reported_and_only_its_tenants_are_refused() {
    let mut fleet = Fleet::installed(StoreKind::InMemory).await;
    let folder = fleet.world.settings.catalog_dir.clone();
    let good = std::fs::read_to_string(folder.join("test.yaml")).unwrap();
    std::fs::write(folder.join("other.yaml"), "catalog: other\nregistry: [\n").unwrap();
    fleet.restart().await;
    let request = v1::StatusRequest { tenant: String::new() };
    let status = fleet.operator.get_status(request).await.unwrap().into_inner();
    assert_eq!(status.broken_catalogs.len(), 1);
    assert!(status.broken_catalogs[0].starts_with("catalog other cannot be used: "));
    assert_eq!(set_version(&mut fleet.operator, "voice", "2", "").await.unwrap().revision, 2);
    let other =
        SPEC.replace("tenant: acme", "tenant: beta").replace("catalog: test", "catalog: other");
    let refused = apply(&mut fleet.operator, &other).await.unwrap_err();
    assert!(problems(&refused)[0].message.contains("catalog other cannot be used: "), "{refused}");
    // Now the catalog of acme is the broken one: what runs is kept.
    std::fs::write(folder.join("other.yaml"), good.replace("catalog: test", "catalog: other"))
        .unwrap();
    std::fs::write(folder.join("test.yaml"), "").unwrap();
    fleet.restart().await;
    let refused = set_version(&mut fleet.operator, "voice", "3", "").await.unwrap_err();
    assert!(problems(&refused)[0].message.contains("catalog test cannot be used: "), "{refused}");
    until_rollout(&mut fleet.operator, 2, RolloutState::Completed).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_mistakes_are_reported_together_with_their_places_and_change_nothing() {
    let mut fleet = Fleet::installed(StoreKind::InMemory).await;
    let wrong = SPEC
        .replace("voice:", "vioce:")
        .replace("web: \"1\"", "web: no-such")
        .replace("db: \"1\"", "db: no-db");
    let refused = apply(&mut fleet.operator, &wrong).await.unwrap_err();
    let found: Vec<(Option<u32>, String)> =
        problems(&refused).into_iter().map(|p| (p.line, p.path)).collect();
    assert_eq!(
        found,
        [
            (Some(5), "components.db.version".to_owned()),
            (Some(6), "components.vioce".to_owned()),
            (Some(7), "components.web.version".to_owned()),
        ]
    );
    let refused = set_version(&mut fleet.operator, "vioce", "2", "").await.unwrap_err();
    assert_eq!(problems(&refused)[0].hint.as_deref(), Some("did you mean voice?"));
    let refused = set_version(&mut fleet.operator, "voice", "no-such", "").await.unwrap_err();
    assert!(problems(&refused)[0].message.contains("test/voice:no-such"), "{refused}");
    let request = v1::RollbackRequest { tenant: "acme".into(), to: 7, options: None };
    let refused = fleet.operator.rollback(request).await.unwrap_err();
    assert_eq!(problems(&refused)[0].hint.as_deref(), Some("it has 1 to 1"));
    let request = v1::RollbackRequest { tenant: "acem".into(), to: 1, options: None };
    let refused = fleet.operator.rollback(request).await.unwrap_err();
    assert_eq!(problems(&refused)[0].hint.as_deref(), Some("did you mean acme?"));
    let refused = apply(&mut fleet.operator, &"#".repeat(1 << 21)).await.unwrap_err();
    assert!(problems(&refused)[0].message.contains("larger than"), "{refused}");
    assert_eq!(revisions(&mut fleet.operator).await.len(), 1);
    assert!(fleet.done().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_port_of_a_removed_component_can_be_reused_only_in_a_second_change() {
    let mut fleet = Fleet::installed(StoreKind::InMemory).await;
    let refused = apply(&mut fleet.operator, &SPEC.replace("voice:", "pbx:")).await.unwrap_err();
    let [problem] = problems(&refused).try_into().unwrap();
    assert_eq!((problem.line, problem.path.as_str()), (Some(6), "components.pbx"));
    assert_eq!(
        problem.hint.as_deref(),
        Some("remove voice in a separate change first"),
        "{problem:?}"
    );
    assert_eq!(revisions(&mut fleet.operator).await.len(), 1);
    let without: String = SPEC
        .lines()
        .filter(|line| !line.contains("voice:"))
        .fold(String::new(), |text, line| text + line + "\n");
    let reply = apply(&mut fleet.operator, &without).await.unwrap();
    until_rollout(&mut fleet.operator, reply.revision, RolloutState::Completed).await;
    let reply = apply(&mut fleet.operator, &SPEC.replace("voice:", "pbx:")).await.unwrap();
    until_rollout(&mut fleet.operator, reply.revision, RolloutState::Completed).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unavailable_registry_refuses_the_change_and_nothing_is_changed() {
    let mut fleet = Fleet::installed(StoreKind::InMemory).await;
    fleet.world.registry.state.is_broken.store(true, Ordering::SeqCst);
    let refused = set_version(&mut fleet.operator, "voice", "2", "").await.unwrap_err();
    assert_eq!(refused.code(), tonic::Code::FailedPrecondition);
    assert!(refused.message().contains("nothing was changed"), "{refused}");
    // A digest that is recorded needs no registry.
    assert!(!set_version(&mut fleet.operator, "voice", "1", "").await.unwrap().changed);
    assert_eq!(revisions(&mut fleet.operator).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_later_change_supersedes_one_in_progress() {
    let mut fleet = Fleet::installed(StoreKind::InMemory).await;
    fleet.agents.truncate(1);
    // The voice host is unreachable, so this change waits.
    set_version(&mut fleet.operator, "voice", "2", "").await.unwrap();
    let status = until(&mut fleet.operator, "acme", |status| {
        status.rollout.as_ref().is_some_and(|r| r.reason == "acme-voice is unreachable")
    })
    .await;
    assert_eq!(status.rollout.unwrap().state(), RolloutState::Progressing);
    let reply = set_version(&mut fleet.operator, "voice", "2", "").await.unwrap();
    assert_eq!(
        (reply.revision, reply.changed),
        (2, false),
        "a repeated change returns the revision in progress"
    );
    set_version(&mut fleet.operator, "voice", "1", "").await.unwrap();
    let status = until(&mut fleet.operator, "acme", |status| {
        status.rollout.as_ref().is_some_and(|r| r.to == 3 && !r.reason.is_empty())
    })
    .await;
    assert_eq!(
        status.rollout.unwrap().waves,
        1,
        "the rollout must wait for the node that was moved"
    );
    assert_eq!(revisions(&mut fleet.operator).await[1].outcome(), RolloutState::Superseded);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rollout_continues_after_a_restart_of_the_controller() {
    let mut fleet = Fleet::start(StoreKind::OnDisk).await;
    apply(&mut fleet.operator, SPEC).await.unwrap();
    fleet.restart().await;
    until_rollout(&mut fleet.operator, 1, RolloutState::Completed).await;
    assert_eq!(fleet.done().len(), 6, "nothing may be done twice");
    fleet.agents.clear();
    fleet.restart().await;
    let request = v1::StatusRequest { tenant: "acme".into() };
    let status = fleet.operator.get_status(request).await.unwrap().into_inner();
    for node in &status.tenants[0].nodes {
        assert_eq!(node.state(), v1::NodeState::Unreachable);
        assert!(node.last_seen_ms > 0 && node.report.is_some());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_first_installation_that_fails_is_paused_and_can_be_applied_again() {
    let mut fleet = Fleet::start(StoreKind::InMemory).await;
    let spec = SPEC.replace("db: \"1\"", "db: bad");
    apply(&mut fleet.operator, &spec).await.unwrap();
    until_rollout(&mut fleet.operator, 1, RolloutState::Paused).await;
    assert_eq!(apply(&mut fleet.operator, &spec).await.unwrap().revision, 2);
    until_rollout(&mut fleet.operator, 2, RolloutState::Paused).await;
    assert_eq!(apply(&mut fleet.operator, SPEC).await.unwrap().revision, 3);
    until_rollout(&mut fleet.operator, 3, RolloutState::Completed).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_for_a_tenant_without_a_revision_say_so() {
    let mut fleet = Fleet::start(StoreKind::InMemory).await;
    assert!(revisions(&mut fleet.operator).await.is_empty());
    let rollback = v1::RollbackRequest { tenant: "acme".into(), to: 1, options: None };
    let spec = v1::GetSpecRequest { tenant: "acme".into(), revision: 0 };
    let refusals = [
        fleet.operator.get_spec(spec).await.unwrap_err(),
        settings(&mut fleet.operator, "acme", "").await.unwrap_err(),
        fleet.operator.rollback(rollback).await.unwrap_err(),
        set_version(&mut fleet.operator, "voice", "2", "").await.unwrap_err(),
    ];
    for refused in refusals {
        let first = problems(&refused)[0].to_string();
        assert_eq!(first, "tenant: nothing was applied to acme yet (omlctl apply -f FILE)");
    }
    let request = v1::ListRevisionsRequest { tenant: "acem".into() };
    let refused = fleet.operator.list_revisions(request).await.unwrap_err();
    assert_eq!(problems(&refused)[0].hint.as_deref(), Some("did you mean acme?"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_misspelt_tenant_gets_a_hint_with_the_likely_name() {
    let mut fleet = Fleet::start(StoreKind::InMemory).await;
    let wrong = SPEC.replace("tenant: acme", "tenant: acm");
    let refused = apply(&mut fleet.operator, &wrong).await.unwrap_err();
    let lines: Vec<String> = problems(&refused).iter().map(ToString::to_string).collect();
    assert_eq!(lines[0], "line 2: tenant: no host of acm has joined (did you mean acme?)");
    assert!(lines[1].contains("omlctl node token tenant=acm"), "{lines:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn settings_are_listed_for_a_tenant_and_for_a_catalog() {
    let mut fleet = Fleet::installed(StoreKind::InMemory).await;
    let with_setting = SPEC.replace("components:", "settings: {sip_port: \"5070\"}\ncomponents:");
    apply(&mut fleet.operator, &with_setting).await.unwrap();
    let of_tenant = settings(&mut fleet.operator, "acme", "").await.unwrap();
    assert_eq!((of_tenant.catalog.as_str(), of_tenant.revision), ("test", 2));
    let [port] = of_tenant.settings.as_slice() else { panic!("{of_tenant:?}") };
    assert_eq!((port.value.as_deref(), port.line), (Some("5070"), 4));
    assert_eq!(port.origin(), v1::SettingOrigin::Tenant);
    let touched = port.components.iter().map(|it| (it.component.as_str(), it.in_tenant));
    assert_eq!(touched.collect::<Vec<_>>(), [("pbx", false), ("voice", true)]);
    let of_catalog = settings(&mut fleet.operator, "", "test").await.unwrap();
    assert_eq!(of_catalog.settings[0].value.as_deref(), Some("5060"));
    let refused = settings(&mut fleet.operator, "", "tset").await.unwrap_err();
    assert_eq!(problems(&refused)[0].hint.as_deref(), Some("did you mean test?"));
    for (tenant, catalog) in [("", ""), ("acme", "test")] {
        let refused = settings(&mut fleet.operator, tenant, catalog).await.unwrap_err();
        assert_eq!(problems(&refused)[0].message, "name a tenant or a catalog, and not both");
    }
}

async fn settings(
    fleet: &mut FleetClient<Channel>,
    tenant: &str,
    catalog: &str,
) -> Result<v1::ListSettingsReply, tonic::Status> {
    let (tenant, catalog) = (tenant.to_owned(), catalog.to_owned());
    let request = v1::ListSettingsRequest { tenant, catalog };
    fleet.list_settings(request).await.map(tonic::Response::into_inner)
}

async fn revisions(fleet: &mut FleetClient<Channel>) -> Vec<v1::Revision> {
    let request = v1::ListRevisionsRequest { tenant: "acme".into() };
    fleet.list_revisions(request).await.unwrap().into_inner().revisions
}

async fn spec(fleet: &mut FleetClient<Channel>, revision: u64) -> String {
    let request = v1::GetSpecRequest { tenant: "acme".into(), revision };
    fleet.get_spec(request).await.unwrap().into_inner().spec_yaml
}

pub(crate) fn problems(status: &tonic::Status) -> Vec<Problem> {
    oml_proto::problem::from_status(status).unwrap_or_else(|| panic!("{status}")).0
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn damaged_records_of_one_tenant_affect_no_other_tenant_and_remove_nothing() {
    let mut fleet = Fleet::installed(StoreKind::InMemory).await;
    let all = v1::StatusRequest::default();
    let status = fleet.operator.get_status(all).await.unwrap().into_inner();
    assert_eq!(status.health(), v1::OverallHealth::Healthy);
    let poison = |key: &str| Write::put(key, Expect::Any, &b"{\"poison\":1}"[..]);
    let keys = [
        "heads/poison",
        "rollouts/poison",
        "targets/poison/a",
        "nodes/poison/a",
        "targets/acme/acme-data",
    ];
    fleet.world.store.commit(keys.map(poison).to_vec()).await.unwrap();
    // A tenant that is left out is not well, though all that is shown is.
    let all = v1::StatusRequest::default();
    let status = fleet.operator.get_status(all).await.unwrap().into_inner();
    assert_eq!(status.health(), v1::OverallHealth::NotHealthy);
    fleet.restart().await;
    let all = v1::StatusRequest::default();
    let status = fleet.operator.get_status(all).await.unwrap().into_inner();
    assert!(status.tenants.iter().all(|tenant| tenant.tenant != "poison"));
    // The node's own target cannot be read, so the node keeps its assignment.
    let key = keys::assignment(&"acme".parse().unwrap(), &"acme-data".parse().unwrap());
    let records = Records::new(Arc::clone(&fleet.world.store));
    let assigned = records.get(&key).await.unwrap().unwrap().value.assignment;
    assert_eq!(assigned.content.share.instances.len(), 2);
    assert!(fleet.done().is_empty());
    // Another tenant is not affected.
    let host = enroll(&fleet.world, "zephyr", "data", "z").await;
    let agent = Agent::start(&fleet.world, host, Arc::clone(&fleet.log)).await;
    let spec = "tenant: zephyr\ncatalog: test\ncomponents: {db: \"1\"}\n";
    apply(&mut fleet.operator, spec).await.unwrap();
    until(&mut fleet.operator, "zephyr", |status| {
        status.rollout.as_ref().is_some_and(|rollout| rollout.state() == RolloutState::Completed)
    })
    .await;
    drop(agent);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn decisions_that_panic_for_one_tenant_or_node_slow_no_other_and_are_tried_again() {
    let is_planted = Arc::new(AtomicBool::new(true));
    let planted = Arc::clone(&is_planted);
    let crashes: Crashes = Arc::new(move |_, place, name| {
        place == "C9" && name.starts_with("zephyr") && planted.load(Ordering::SeqCst)
    });
    simulate(crashes, async move {
        let mut fleet = Fleet::installed(StoreKind::InMemory).await;
        let host = enroll(&fleet.world, "zephyr", "data", "z").await;
        let agent = Agent::start(&fleet.world, host, Arc::clone(&fleet.log)).await;
        let spec = "tenant: zephyr\ncatalog: test\ncomponents: {db: \"1\"}\n";
        apply(&mut fleet.operator, spec).await.unwrap();
        for version in 2..=4 {
            set_version(&mut fleet.operator, "voice", &version.to_string(), "").await.unwrap();
            until_rollout(&mut fleet.operator, version, RolloutState::Completed).await;
        }
        let rollout = |status: &v1::TenantStatus| status.rollout.as_ref().unwrap().state();
        let stuck = until(&mut fleet.operator, "zephyr", |_| true).await;
        assert_eq!(rollout(&stuck), RolloutState::Progressing);
        is_planted.store(false, Ordering::SeqCst);
        until(&mut fleet.operator, "zephyr", |status| rollout(status) == RolloutState::Completed)
            .await;
        drop(agent);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_long_list_of_problems_reaches_the_operator() {
    let fleet = Fleet::start(StoreKind::InMemory).await;
    let long = "nobody-ever-heard-of-".repeat(10);
    let unknown: String = (0..60).map(|n| format!("  {long}{n}: \"1\"\n")).collect();
    let spec = SPEC.replace("components:\n", &format!("components:\n{unknown}"));
    let refused = apply(&mut fleet.world.operator().await, &spec).await.unwrap_err();
    let problems = oml_proto::problem::from_status(&refused).unwrap().0;
    assert!(problems[0].path.contains("nobody-ever-heard-of"), "{problems:?}");
    assert!(problems.last().unwrap().message.contains("more problems are not shown"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_that_removes_what_its_operator_has_not_seen_is_refused() {
    let mut fleet = Fleet::installed(StoreKind::InMemory).await;
    let line = SPEC.lines().find(|line| line.trim_start().starts_with("web:")).unwrap();
    let without_web = SPEC.replace(&format!("{line}\n"), "");
    let mut apply = async |dry_run: bool, no_removals: bool| {
        let options = Some(v1::ChangeOptions { dry_run, no_removals, ..Default::default() });
        let request = v1::ApplyRequest { spec_yaml: without_web.clone(), options };
        fleet.operator.apply(request).await.map(tonic::Response::into_inner)
    };
    let refused = apply(false, true).await.unwrap_err();
    assert_eq!(oml_proto::problem::refusal(&refused), v1::Refusal::Removes);
    assert!(problems(&refused)[0].message.starts_with("this would remove web of "), "{refused:?}");
    assert_eq!(apply(true, true).await.unwrap().revision, 2);
    assert_eq!(apply(false, false).await.unwrap().revision, 2);
}
