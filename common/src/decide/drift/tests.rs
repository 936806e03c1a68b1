use super::*;
use crate::decide::difference::FileChangeKind;
use crate::decide::observed::{
    ActiveState, ContainerState, Observed, ObservedContainer, ObservedDocument, ObservedUnit,
};
use crate::decide::reconcile::{Busy, Lack};
use crate::decide::update::{NotDone, Outcome};
use crate::document::assignment::{Assignment, ChangePolicy, Content, Desired, OnDeadline};
use crate::id::{Generation, RevisionNumber};
use crate::testing::{plan_of, spec_with};
use crate::time::Timestamp;

/// A host on which version 1 of the voice server runs as it should.
struct DriftHost {
    assignment: Assignment,
    observed: Observed,
    updates: BTreeMap<ComponentName, InstanceUpdate>,
    /// The step that is being done.
    busy: Option<Step>,
    log: DriftLog,
    now: u64,
}

fn voice() -> ComponentName {
    "voice".parse().unwrap()
}

fn instance(version: &str) -> InstanceDocument {
    let plan = plan_of(&spec_with("voice", version), 1).unwrap();
    plan.nodes[&"n2".parse().unwrap()].instances[&voice()].instance.clone()
}

fn assignment(version: &str) -> Assignment {
    assigned(instance(version))
}

fn assigned(instance: InstanceDocument) -> Assignment {
    let on_deadline = OnDeadline::Wait;
    let policy =
        ChangePolicy { soak_ms: 0, drain_deadline_ms: 0, on_deadline, forward_only: false };
    let share = [(voice(), Desired { instance, policy })];
    Assignment {
        generation: Generation { epoch: 1, number: 1 },
        tenant: "acme".parse().unwrap(),
        node: "n2".parse().unwrap(),
        content: Content {
            revision: RevisionNumber(1),
            policy: None,
            share: share.into_iter().collect(),
        },
    }
}

impl DriftHost {
    fn new() -> Self {
        let instance = instance("1");
        let container = instance.container().unwrap();
        let seen = ObservedInstance {
            containers: vec![ObservedContainer {
                id: "c0ffee".to_owned(),
                name: container.name.to_string(),
                hash: instance.workload_hash(),
                version: container.version.clone(),
                digest: container.digest.clone(),
                created: Timestamp(0),
                state: ContainerState::Running { since: Timestamp(0) },
            }],
            document: Some(ObservedDocument {
                hash: instance.hash().clone(),
                workload: instance.workload_hash(),
                probe: None,
                reloaded: None,
                on_disk: true,
            }),
            ..ObservedInstance::default()
        };
        let observed = Observed { instances: [(voice(), seen)].into() };
        let (updates, log) = Default::default();
        let (assignment, busy) = (assignment("1"), None);
        let mut host = Self { assignment, observed, updates, busy, log, now: 0 };
        host.look();
        host
    }

    fn seen(&mut self) -> &mut ObservedInstance {
        self.observed.instances.get_mut(&voice()).unwrap()
    }

    fn with_log(&mut self, action: impl FnOnce(&mut DriftLog, reconcile::Input<'_>)) {
        self.now += 1;
        let unreadable = BTreeMap::new();
        let busy =
            self.busy.iter().map(|step| (voice(), Busy { step: step.clone(), bytes: (0, 0) }));
        let busy = busy.collect();
        let input = reconcile::Input {
            assignment: Some(&self.assignment),
            observed: &self.observed,
            updates: &self.updates,
            unreadable: &unreadable,
            busy: &busy,
            now: Timestamp(self.now),
        };
        action(&mut self.log, input);
    }

    fn look(&mut self) {
        self.with_log(|log, input| log.look(input));
    }

    fn begin(&mut self, step: &Step) {
        let reason = Reason::Lacks(Lack::Unit);
        self.with_log(|log, input| log.begin(&voice(), step, &reason, input));
    }

    fn reported(&self) -> Option<String> {
        self.log.of(&voice(), None).map(|drift| drift.found)
    }
}

#[test]
fn what_has_to_be_brought_back_where_nothing_had_to_be_changed_has_drifted() {
    for step in [Step::Start, Step::Create, Step::Pull] {
        let mut host = DriftHost::new();
        host.begin(&step);
        assert_eq!(host.reported().as_deref(), Some("its unit is missing"), "{step:?}");
        // It is being changed, or installed.
        let mut host = DriftHost::new();
        host.assignment = assignment("2");
        host.begin(&step);
        host.seen().document = None;
        host.begin(&step);
        assert_eq!(host.reported(), None, "{step:?}");
    }
}

/// A unit of which somebody changed that.
fn unit(by_hand: Vec<UnitChange>) -> ObservedUnit {
    ObservedUnit {
        unmet: None,
        job: None,
        hash: Some(ContentHash::of(b"unit")),
        stale: true,
        active: ActiveState::Active,
        is_exited: false,
        masked: false,
        ended: None,
        since: Timestamp(0),
        restarts: 0,
        by_hand,
        result: "success".to_owned(),
    }
}

fn disabled() -> UnitChange {
    UnitChange::Disabled { unit: "voice.service".parse().unwrap() }
}

#[test]
fn what_no_step_puts_right_now_is_reported_for_as_long_as_it_is_there() {
    for version in ["1", "2"] {
        let mut host = DriftHost::new();
        host.assignment = assignment(version);
        host.seen().unit = Some(unit(vec![disabled()]));
        for step in [None, Some(Step::Pull)] {
            host.busy = step;
            host.with_log(|log, input| log.leave(|_| false, input));
            assert_eq!(host.reported().as_deref(), Some("unit voice.service was disabled"));
        }
        let in_use = instance("1").workload_hash();
        for step in [Step::RewriteConfig, Step::Create, Step::Repair { in_use }] {
            host.busy = Some(step);
            host.with_log(|log, input| log.leave(|_| false, input));
            assert_eq!(host.reported(), None);
        }
        host.busy = Some(Step::Pull);
        host.with_log(|log, input| log.leave(|name| *name == voice(), input));
        assert_eq!(host.reported(), None);
        host.busy = None;
        host.with_log(|log, input| log.leave(|_| false, input));
        assert_eq!(host.reported().as_deref(), Some("unit voice.service was disabled"));
        host.seen().unit = Some(unit(Vec::new()));
        host.with_log(|log, input| log.leave(|_| false, input));
        assert_eq!(host.reported(), None);
    }
}

#[test]
fn what_a_repair_of_the_version_in_use_puts_right_was_changed_by_somebody() {
    let mut host = DriftHost::new();
    host.assignment = assignment("2");
    host.seen().unit = Some(unit(vec![disabled()]));
    host.seen().document.as_mut().unwrap().workload = ContentHash::of(b"edited");
    let in_use = instance("1").workload_hash();
    host.begin(&Step::Repair { in_use: in_use.clone() });
    let expected = "unit voice.service was disabled; its instance document was changed";
    assert_eq!(host.reported().as_deref(), Some(expected));
    host.seen().unit = None;
    host.seen().document.as_mut().unwrap().on_disk = false;
    host.begin(&Step::Repair { in_use });
    let expected = "its unit is missing; its instance document was removed";
    assert_eq!(host.reported().as_deref(), Some(expected));
}

#[test]
fn an_edited_unit_that_a_change_writes_was_edited_by_somebody() {
    for step in [Step::Create, Step::RollBack { previous: ContentHash::of(b"v"), runs: false }] {
        let mut host = DriftHost::new();
        host.assignment = assignment("2");
        host.seen().unit = Some(unit(vec![disabled()]));
        host.begin(&step);
        assert_eq!(host.reported().as_deref(), Some("unit voice.service was disabled"), "{step:?}");
    }
}

#[test]
fn a_change_that_is_failing_is_no_drift() {
    let mut host = DriftHost::new();
    let retry = Outcome::Retry(NotDone::HostError("docker does not answer".to_owned()));
    let update = InstanceUpdate::new(instance("1").workload_hash());
    host.updates.insert(voice(), update.after(&Step::Start, retry, Timestamp(0)));
    host.begin(&Step::Start);
    assert_eq!(host.reported(), None);
}

#[test]
fn a_document_that_was_right_before_was_changed_or_removed_by_somebody() {
    let mut host = DriftHost::new();
    host.seen().document.as_mut().unwrap().hash = ContentHash::of(b"other");
    host.look();
    host.begin(&Step::RewriteConfig);
    assert_eq!(host.reported().as_deref(), Some("its instance document was changed"));
    host.seen().document.as_mut().unwrap().on_disk = false;
    host.begin(&Step::RewriteConfig);
    assert_eq!(host.reported().as_deref(), Some("its instance document was removed"));
}

#[test]
fn a_file_of_the_catalog_that_differs_was_changed_by_somebody() {
    let mut host = DriftHost::new();
    let path = "/etc/voice.conf".to_owned();
    let mode = FileChangeKind::Mode { is: 0o666, was: 0o640 };
    let owner = FileChangeKind::Owner { is: (1, 2), was: (0, 0) };
    let changes = [mode, owner].map(|kind| FileChange { path: path.clone(), kind });
    host.seen().file_changes = changes.to_vec();
    host.begin(&Step::RewriteConfig);
    let expected = "file /etc/voice.conf has the mode 0666, not 0640; file /etc/voice.conf belongs to \
                    1:2, not 0:0";
    assert_eq!(host.reported().as_deref(), Some(expected));
}

#[test]
fn a_document_of_another_assignment_was_changed_by_nobody() {
    let mut host = DriftHost::new();
    let settings = |instance: &mut crate::document::instance::Instance| {
        instance.timing.stop_grace_ms += 1;
    };
    let desired = instance("1").edited(settings);
    host.assignment = assigned(desired);
    host.look();
    host.begin(&Step::RewriteConfig);
    assert_eq!(host.reported(), None);
}

#[test]
fn a_container_that_has_none_of_our_names_was_renamed() {
    let mut host = DriftHost::new();
    host.seen().containers[0].id = "beef".to_owned();
    host.seen().containers[0].name = "voice-server-prev".to_owned();
    host.begin(&Step::Promote);
    assert_eq!(host.reported(), None, "a switch was interrupted");
    host.seen().containers[0].name = "mine".to_owned();
    host.begin(&Step::Promote);
    assert_eq!(host.reported().as_deref(), Some("container voice-server was renamed to mine"));
}

#[test]
fn a_container_that_had_its_own_name_and_has_that_of_a_kept_one_was_renamed_unless_it_changes() {
    let mut host = DriftHost::new();
    host.seen().containers[0].name = "voice-server-prev".to_owned();
    host.look();
    host.begin(&Step::Promote);
    let expected = "container voice-server was renamed to voice-server-prev";
    assert_eq!(host.reported().as_deref(), Some(expected));
    let mut host = DriftHost::new();
    let (since, drained_since, calls_cut) = (Timestamp(0), None, None);
    let stage = Stage::Switching { since, drained_since, calls_cut };
    let update = InstanceUpdate { stage, ..InstanceUpdate::new(instance("1").workload_hash()) };
    host.updates.insert(voice(), update);
    host.look();
    host.seen().containers[0].name = "voice-server-prev".to_owned();
    host.begin(&Step::Promote);
    assert_eq!(host.reported(), None);
    let mut host = DriftHost::new();
    host.begin(&Step::RollBack { previous: ContentHash::of(b"v"), runs: false });
    host.seen().containers[0].name = "voice-server-prev".to_owned();
    host.begin(&Step::Promote);
    assert_eq!(host.reported(), None);
}

#[test]
fn what_was_put_right_is_reported_until_another_workload_takes_its_place() {
    let mut host = DriftHost::new();
    host.begin(&Step::Start);
    host.look();
    assert!(host.reported().is_some());
    host.assignment = assignment("2");
    host.look();
    assert_eq!(host.reported(), None);
}

#[test]
fn what_differs_is_reported_as_long_as_it_is_there_since_the_time_it_was_first_seen() {
    let mut host = DriftHost::new();
    host.begin(&Step::Start);
    let unit = || "voice.service".parse().unwrap();
    let drop_in = Difference::ForeignDropIn { path: "/d/own.conf".to_owned(), unit: unit() };
    host.seen().differs = vec![drop_in, Difference::MaskedUnit { unit: unit() }];
    host.look();
    let first = host.log.of(&voice(), None).unwrap();
    let expected = "/d/own.conf changes unit voice.service: not ours, left alone; unit voice.service is masked";
    assert_eq!(first.found, expected);
    host.look();
    assert_eq!(host.log.of(&voice(), None), Some(first));
    host.seen().differs.clear();
    host.look();
    assert_eq!(host.reported().as_deref(), Some("its unit is missing"));
}

#[test]
fn the_later_of_our_repair_and_the_supervisor_s_report_is_shown() {
    let mut host = DriftHost::new();
    host.begin(&Step::Start);
    let reported = |at| Some(Drift { at: Timestamp(at), found: "was stopped".to_owned() });
    assert_eq!(host.log.of(&voice(), reported(99)), reported(99));
    assert_ne!(host.log.of(&voice(), reported(0)), reported(0));
    assert_eq!(DriftLog::default().of(&voice(), reported(0)), reported(0));
}

#[test]
fn settings_that_are_those_of_the_creation_are_not_reported() {
    let voice = instance("1");
    let container = voice.container().unwrap();
    let created = ContainerSettings {
        restart_policy: "no".to_owned(),
        memory_bytes_max: container.memory_bytes_max,
        ..ContainerSettings::default()
    };
    assert_eq!(altered(container, &created), []);
    let silent = ContainerSettings { restart_policy: String::new(), ..created.clone() };
    assert_eq!(altered(container, &silent), []);
    let updated = ContainerSettings {
        is_paused: true,
        restart_policy: "always".to_owned(),
        memory_bytes_max: Some(64 << 20),
        has_cpu_limit: true,
        options: FoundOptions::default(),
        made: None,
    };
    let memory = |is_bytes, was_bytes| ContainerChange::MemoryLimit { is_bytes, was_bytes };
    let expected = [
        ContainerChange::Paused,
        ContainerChange::RestartPolicy { policy: "always".to_owned() },
        memory(Some(64 << 20), None),
        ContainerChange::CpuLimit,
    ];
    assert_eq!(altered(container, &updated), expected);
    let limited = Container { memory_bytes_max: Some(1 << 30), ..container.clone() };
    assert_eq!(altered(&limited, &created), [memory(None, Some(1 << 30))]);
}
