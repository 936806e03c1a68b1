//! One full and one minimal value of each kind of document.

use std::collections::BTreeMap;

use crate::document::acme::{AcmeAccount, AcmeFailure, AcmeGiven, AcmeOrder, AcmeRecord};
use crate::document::assignment::{Assignment, Content};
use crate::document::cluster::{AuditRecord, OperatorRecord};
use crate::document::node::{
    AgentRecord, CertificateRecord, LastReport, NodeCertificates, NodeRecord,
};
use crate::document::operation::{OperationCommand, RunOrder, RunOutcome, RunRecord, RunResult};
use crate::document::plan::{OnFailure, Plan, Strategy};
use crate::document::report::{Failure, HostUsage, InstanceReport, Phase, Report};
use crate::document::revision::{Change, ChangeKind, Revision, RevisionKind};
use crate::document::rollout::{
    FailedComponent, FailureSummary, NodeFailure, PauseReason, Rollout, RolloutOutcome, State,
};
use crate::document::secret::{SealedVersion, SecretRecord};
use crate::document::status::{
    Drift, Health, LastExit, NotStarted, Status, SupervisorRelease, UnhealthyRestarts,
};
use crate::document::token::{TokenGrant, TokenRecord, TokenUse};
use crate::document::update::{Backoff, Count, InstanceUpdate, LastGood, SavedUpdates, Stage};
use crate::document::{Share, Verbatim, instance};
use crate::id::{
    ComponentName, ContentHash, Fingerprint, Generation, NodeName, RevisionNumber, RunId, Serial,
};
use crate::time::{ClockMark, Timestamp};

fn at(seconds: u64) -> Timestamp {
    Timestamp(1_764_000_000_000 + seconds * 1000)
}

fn hash(of: &str) -> ContentHash {
    ContentHash::of(of.as_bytes())
}

fn node() -> NodeName {
    "acme-voice".parse().unwrap()
}

pub(super) fn assignment_minimal() -> Assignment {
    Assignment {
        generation: Generation { epoch: 1, number: 1 },
        tenant: "acme".parse().unwrap(),
        node: node(),
        content: Content::default(),
    }
}

pub(super) fn audit() -> AuditRecord {
    AuditRecord { tenant: Some("acme".parse().unwrap()), node: Some(node()), ..audit_minimal() }
}

pub(super) fn audit_minimal() -> AuditRecord {
    let what = "made a join token for acme as app".to_owned();
    AuditRecord { at: at(0), who: "ana".to_owned(), what, tenant: None, node: None }
}

pub(super) fn operator() -> OperatorRecord {
    OperatorRecord { revoked: Some(Serial(3)), removed: Some(at(60)), ..operator_minimal() }
}

pub(super) fn operator_minimal() -> OperatorRecord {
    OperatorRecord { newest: Serial(4), revoked: None, removed: None }
}

pub(super) fn run_order(instance: instance::Instance) -> RunOrder {
    let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
    RunOrder {
        id: RunId { epoch: 2, number: 17 },
        operation: "reset-password".parse().unwrap(),
        instance: Verbatim::seal(instance),
        run: OperationCommand {
            command: words(&["manage", "reset"]),
            entrypoint: words(&["/bin/sh"]),
            env: [("COLOUR".parse().unwrap(), "blue".to_owned())].into(),
            deadline_ms: 60_000,
        },
    }
}

pub(super) fn run_order_minimal(instance: instance::Instance) -> RunOrder {
    let run = OperationCommand {
        command: vec![],
        entrypoint: vec![],
        env: [].into(),
        deadline_ms: 600_000,
    };
    let (id, operation) = (RunId { epoch: 1, number: 1 }, "check".parse().unwrap());
    RunOrder { id, operation, instance: Verbatim::seal(instance), run }
}

pub(super) fn run_result() -> RunResult {
    RunResult {
        outcome: RunOutcome::Exited { status: 3 },
        started: Some(at(1)),
        reason: "it needed more memory than the component may have".to_owned(),
        last_lines: vec!["cannot allocate memory".to_owned()],
        ..run_result_minimal()
    }
}

pub(super) fn run_result_minimal() -> RunResult {
    let (outcome, ended) = (RunOutcome::NotStarted, at(5));
    RunResult { outcome, started: None, ended, reason: String::new(), last_lines: vec![] }
}

pub(super) fn run_record(instance: instance::Instance) -> RunRecord {
    RunRecord {
        id: RunId { epoch: 2, number: 17 },
        operation: "reset-password".parse().unwrap(),
        version: Some("230204.01".parse().unwrap()),
        values: [("user".parse().unwrap(), "admin".parse().unwrap())].into(),
        deadline_ms: 60_000,
        order: Some(Verbatim::seal(run_order(instance))),
        taken: Some(at(1)),
        result: Some(run_result()),
        ..run_record_minimal()
    }
}

pub(super) fn run_record_minimal() -> RunRecord {
    RunRecord {
        id: RunId { epoch: 1, number: 1 },
        component: "omnileads".parse().unwrap(),
        operation: "check".parse().unwrap(),
        node: node(),
        version: None,
        workload: hash("workload"),
        who: "ana".to_owned(),
        asked: at(0),
        values: [].into(),
        deadline_ms: 600_000,
        order: None,
        taken: None,
        result: None,
    }
}

fn certificate(serial: u128) -> CertificateRecord {
    let public_key = Fingerprint::of(b"public key");
    CertificateRecord { serial: Serial(serial), public_key, issued: at(0), expires: at(86_400) }
}

pub(super) fn node_record() -> NodeRecord {
    let features = vec!["probe-sip-options".to_owned(), "of-a-later-release".to_owned()];
    NodeRecord {
        roles: ["voice".parse().unwrap()].into(),
        metrics_port: 7090,
        machine: Some("0123456789abcdef0123456789abcdef".parse().unwrap()),
        agent: Some(AgentRecord::new("0.1.0", features)),
        certificates: NodeCertificates {
            previous: Some(certificate(6)),
            ..NodeCertificates::first(certificate(7))
        },
        revoked: Some(Serial(5)),
        removed: Some(at(60)),
        ..node_record_minimal()
    }
}

pub(super) fn node_record_minimal() -> NodeRecord {
    NodeRecord {
        roles: [].into(),
        address: "10.0.0.2".to_owned(),
        metrics_port: 0,
        machine: None,
        agent: None,
        enrolled: at(0),
        certificates: NodeCertificates::first(certificate(7)),
        revoked: None,
        removed: None,
    }
}

pub(super) fn token() -> TokenRecord {
    let record = token_minimal();
    let roles = vec!["voice".parse().unwrap()];
    let used = TokenUse { node: node(), serial: Serial(7), at: at(5) };
    let grant = TokenGrant { roles, node: Some(node()), ..record.grant };
    TokenRecord { grant, used: Some(used), ..record }
}

pub(super) fn token_minimal() -> TokenRecord {
    let grant = TokenGrant { tenant: "acme".parse().unwrap(), roles: vec![], node: None };
    TokenRecord { hash: Fingerprint::of(b"secret"), grant, expires: at(900), used: None }
}

fn drift() -> Drift {
    Drift { at: at(2), found: "container oml-asterisk-server was removed".to_owned() }
}

fn last_exit() -> LastExit {
    LastExit { at: at(2), exit_code: Some(1), log_tail: vec!["cannot bind".to_owned()] }
}

fn failure() -> Failure {
    Failure {
        version: Some("230204.01".parse().unwrap()),
        exit_code: Some(1),
        log_tail: vec!["cannot bind".to_owned()],
        ..failure_minimal()
    }
}

fn failure_minimal() -> Failure {
    Failure {
        hash: hash("workload"),
        version: None,
        at: at(3),
        message: "does not answer".to_owned(),
        exit_code: None,
        log_tail: vec![],
    }
}

pub(super) fn report() -> Report {
    let asterisk = InstanceReport {
        reason: "waits for calls to end".to_owned(),
        reason_key: "0123456789ab".to_owned(),
        version: Some("230204.01".parse().unwrap()),
        digest: Some(format!("sha256:{}", hash("image")).parse().unwrap()),
        hash: Some(hash("workload")),
        checked_at: Some(at(1)),
        started_at: Some(at(0)),
        restarts: 2,
        active: Some(3),
        calls_cut: Some(0),
        failure: Some(failure()),
        drift: Some(drift()),
        last_exit: Some(last_exit()),
        ..instance_report_minimal(Phase::Draining { deadline: at(3600) })
    };
    Report {
        applied: Some(Generation { epoch: 1, number: 42 }),
        revision: RevisionNumber(8),
        errors: vec!["docker does not answer".to_owned()],
        instances: [
            ("asterisk".parse().unwrap(), asterisk),
            ("exporter".parse().unwrap(), instance_report_minimal(Phase::Ready)),
            ("nginx".parse().unwrap(), instance_report_minimal(Phase::CrashLooping)),
        ]
        .into(),
        host: HostUsage {
            cpu_permille: 125,
            memory_total_bytes: 1 << 30,
            cpu_unknown: true,
            ..HostUsage::default()
        },
        ..report_minimal()
    }
}

fn instance_report_minimal(phase: Phase) -> InstanceReport {
    InstanceReport { health: Health::Healthy, ..InstanceReport::new(phase) }
}

pub(super) fn report_minimal() -> Report {
    Report {
        applied: None,
        revision: RevisionNumber(0),
        at: at(4),
        agent_version: "0.1.0".to_owned(),
        errors: vec![],
        instances: [].into(),
        host: HostUsage::default(),
    }
}

pub(super) fn last_report(report: Report) -> LastReport {
    LastReport { at: at(5), report }
}

pub(super) fn status() -> Status {
    Status {
        probe: Some(instance::Probe {
            check: instance::Check::SipOptions { port: 5060 },
            address: Some("10.0.0.5".to_owned()),
            interval_ms: 10_000,
            timeout_ms: 2_000,
            failures_max: 3,
        }),
        detail: "answered in 3ms".to_owned(),
        failures: 1,
        active: Some(4),
        drift: Some(drift()),
        supervisor: Some(SupervisorRelease {
            release: "1.2.3".to_owned(),
            features: ["container".to_owned(), "probe-sip-options".to_owned()].into(),
        }),
        printed: vec!["reading the configuration".to_owned()],
        ends: vec![at(1), at(2)],
        last_exit: Some(last_exit()),
        has_answered: true,
        unhealthy_restarts: Some(UnhealthyRestarts { times: 2, last: at(3) }),
        not_started: Some(NotStarted {
            at: at(5),
            since: at(4),
            why: "could not start oml-asterisk-server: no space left on device".to_owned(),
            times: 2,
        }),
        foreign_sockets: [4711].into(),
        asked_at: Some(at(0)),
        hash: hash("workload"),
        container: "0123456789ab".to_owned(),
        health: Health::Healthy,
        checked_at: at(1),
        since: at(0),
    }
}

pub(super) fn status_minimal() -> Status {
    Status {
        container: "0123456789ab".to_owned(),
        health: Health::Healthy,
        since: at(0),
        ..Status::new(hash("workload"), at(1))
    }
}

pub(super) fn plan(share: Share) -> Plan {
    let policy = Some(super::policy().into());
    Plan { policy, nodes: [(node(), share)].into(), waves: vec![vec![node()]], ..plan_minimal() }
}

pub(super) fn plan_minimal() -> Plan {
    Plan {
        tenant: "acme".parse().unwrap(),
        revision: RevisionNumber(8),
        strategy: Strategy { max_parallel: 1, on_failure: OnFailure::Rollback },
        policy: None,
        nodes: [].into(),
        waves: vec![],
        absent: [].into(),
    }
}

fn node_failure() -> NodeFailure {
    NodeFailure { node: node(), component: "asterisk".parse().unwrap(), failure: failure() }
}

fn summary() -> FailureSummary {
    let message = "does not answer".to_owned();
    let failed = FailedComponent { component: "asterisk".parse().unwrap(), node: node(), message };
    FailureSummary { named: vec![failed], more: 2 }
}

pub(super) fn rollout() -> Rollout {
    let why = PauseReason::RollbackFailed { change: summary(), rollback: summary() };
    Rollout {
        from: Some(RevisionNumber(7)),
        waves: vec![vec![node()]],
        state: State::Paused { why, returning: true },
        failures: vec![node_failure()],
        moved: [node()].into(),
        inherited: [node()].into(),
        ..rollout_minimal()
    }
}

pub(super) fn rollout_minimal() -> Rollout {
    Rollout {
        from: None,
        to: RevisionNumber(8),
        waves: vec![],
        state: State::Progressing { wave: 0 },
        since: at(0),
        failures: vec![],
        moved: [].into(),
        inherited: [].into(),
    }
}

pub(super) fn outcome() -> RolloutOutcome {
    let state = State::RolledBack { why: summary() };
    RolloutOutcome { state, at: at(6), failures: vec![node_failure()] }
}

pub(super) fn outcome_minimal() -> RolloutOutcome {
    RolloutOutcome { state: State::Completed, at: at(6), failures: vec![] }
}

pub(super) fn revision() -> Revision {
    let change = Change {
        node: node(),
        component: "asterisk".parse().unwrap(),
        kind: ChangeKind::Replace,
        from: "230204.01".to_owned(),
        to: "230215.01".to_owned(),
        note: "environment TZ".to_owned(),
    };
    let removed = Change {
        component: "exporter".parse().unwrap(),
        kind: ChangeKind::Remove,
        from: String::new(),
        to: String::new(),
        note: String::new(),
        ..change.clone()
    };
    Revision {
        why: "new voice release".to_owned(),
        kind: RevisionKind::SetVersion,
        changes: vec![change, removed],
        ..revision_minimal()
    }
}

pub(super) fn revision_minimal() -> Revision {
    Revision {
        number: RevisionNumber(8),
        spec_yaml: "tenant: acme\n".to_owned(),
        at: at(0),
        who: "ana".to_owned(),
        why: String::new(),
        kind: RevisionKind::Apply,
        changes: vec![],
        plan: hash("plan"),
        catalog: None,
    }
}

/// Updates in every stage.
pub(super) fn updates() -> SavedUpdates {
    let (since, calls_cut) = (at(7), Some(2));
    let count = Some(Count { active: Some(2), unreadable: "it hangs".to_owned(), at: at(8) });
    let drained_since = Some(at(6));
    let backoff = Backoff {
        message: "no room".to_owned(),
        about: Some("the disk".to_owned()),
        failures: 3,
        refusals: 2,
        retry_at: at(9),
    };
    let update = |component: &str, last_good: LastGood, stage: Stage, backoff: Option<Backoff>| {
        let begun = InstanceUpdate::new(hash("desired"));
        (component.parse().unwrap(), InstanceUpdate { last_good, stage, backoff, ..begun })
    };
    let previous = || LastGood::Previous(hash("previous"));
    let failed = LastGood::PreviousFailed(hash("previous"));
    let updates = [
        update("blank", LastGood::Current, Stage::Preparing, None),
        update("asterisk", LastGood::Current, Stage::Preparing, Some(backoff)),
        update("dialer", LastGood::Current, Stage::Draining { since, count }, None),
        update("kamailio", previous(), Stage::Switching { since, calls_cut, drained_since }, None),
        update("nginx", LastGood::None, Stage::Soaking { since, calls_cut: None }, None),
        update("postgres", LastGood::Current, Stage::Committed { calls_cut }, None),
        update("redis", failed, Stage::Failed { failure: failure(), calls_cut }, None),
        update(
            "rtpengine",
            previous(),
            Stage::RolledBack { failure: failure_minimal(), calls_cut },
            None,
        ),
    ];
    let mut updates: BTreeMap<ComponentName, InstanceUpdate> = updates.into();
    let revival = Backoff {
        message: "no room".to_owned(),
        about: None,
        failures: 1,
        refusals: 1,
        retry_at: at(9),
    };
    for update in updates.values_mut().filter(|update| update.backoff.is_some()) {
        update.revival = Some(revival.clone());
    }
    let boot = "9b2b5f0e-6a2b-4f0c-9a53-2f4d7c3f7a10".to_owned();
    SavedUpdates {
        unreadable: [].into(),
        mark: ClockMark { boot, booted_at_ms: 1_764_000_000_000 },
        updates,
        ..SavedUpdates::default()
    }
}

pub(super) fn acme_record() -> AcmeRecord {
    let directory = "https://acme.example.com/directory".to_owned();
    AcmeRecord {
        account: Some(AcmeAccount {
            directory: directory.clone(),
            contact: "it@example.com".to_owned(),
            url: "https://acme.example.com/account/7".to_owned(),
        }),
        order: Some(AcmeOrder {
            url: "https://acme.example.com/order/9".to_owned(),
            directory,
            names: vec!["pbx.example.com".to_owned()],
            key: 4,
            begun: at(60),
        }),
        failures: 2,
        failed: Some(AcmeFailure {
            at: at(61),
            reason: "the directory refused pbx.example.com".to_owned(),
        }),
        not_before: at(661),
        limited_until: at(3661),
        asked: true,
        given: Some(AcmeGiven { version: 2, at: at(0) }),
        ..acme_record_minimal()
    }
}

pub(super) fn acme_record_minimal() -> AcmeRecord {
    // The example of RFC 7638 §3.1.
    AcmeRecord::new(3, "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs".parse().unwrap())
}

pub(super) fn secret() -> SecretRecord {
    let version = |number: u64, has_lines: bool| SealedVersion {
        mark: format!("{number:032x}").parse().unwrap(),
        at: at(number),
        who: "maria".to_owned(),
        key: "0123456789abcdef".to_owned(),
        sealed: "bm9uY2Ugc2VhbGVkIHRhZw==".to_owned(),
        has_lines,
        certificate: None,
    };
    SecretRecord { last: 12, versions: [(2, version(2, false)), (12, version(12, true))].into() }
}
