//! A model of a host with the loop on it.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use oml_common::document::Verbatim;
use oml_common::document::assignment::{
    Assignment, AssignmentDocument, ChangePolicy, Content, Desired, OnDeadline,
};
use oml_common::document::host_policy::FoundPolicy;
use oml_common::document::instance::{ActiveProbe, InstanceDocument, Port, Protocol};
use oml_common::document::report::{HostUsage, InstanceReport, Phase, Report};
use oml_common::id::{ComponentName, Generation, RevisionNumber};
use oml_sim::{ActiveState, Behaviour, Daemon, Verb};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{interval, sleep, timeout};

use crate::agent::{Agent, Inputs, empty_report};
use crate::cache::{Cache, NotOwn};
use crate::documents;
use crate::fixtures::{self, ModelHost, digest};
use crate::host::Host;
use crate::paths::Slot;

/// Longer than anything takes, in time that passes at once.
const LIMIT: Duration = Duration::from_secs(3600);

pub(super) struct Bench {
    pub(super) host: ModelHost,
    assignments: watch::Sender<Option<AssignmentDocument>>,
    reports: watch::Sender<Arc<Report>>,
    /// Grows when the session has written secrets.
    pub(super) secrets: watch::Sender<u64>,
    agent: Option<JoinHandle<()>>,
}

pub(super) fn name(text: &str) -> ComponentName {
    text.parse().unwrap()
}

fn instance(version: &str) -> InstanceDocument {
    fixtures::document("asterisk", version)
}

impl Bench {
    pub(super) fn new() -> Self {
        let host = ModelHost::new();
        let (assignments, _) = watch::channel(None);
        let (reports, _) = watch::channel(Arc::new(empty_report(host.simulated.now())));
        let (secrets, _) = watch::channel(0);
        let mut bench = Self { host, assignments, reports, secrets, agent: None };
        bench.start();
        bench
    }

    /// Version 1 runs and was kept.
    pub(super) async fn settled() -> Self {
        let mut bench = Self::new();
        bench.offer("1", Behaviour::Good);
        bench.desire(&["1"]);
        bench.until_ready("1").await;
        bench
    }

    /// The same, and another version is desired.
    pub(super) async fn upgrading(version: &str, behaviour: Behaviour) -> Self {
        let mut bench = Self::settled().await;
        bench.upgrade(version, behaviour);
        bench
    }

    /// Version 1 runs and was kept, and so many calls are up; version 2 is good.
    pub(super) async fn with_calls(count: u64) -> Self {
        let mut bench = Self::new();
        bench.offer("1", Behaviour::Good);
        bench.offer("2", Behaviour::Good);
        bench.desire_counted("1", OnDeadline::Wait);
        bench.until_ready("1").await;
        bench.set_calls(count);
        bench
    }

    /// Begins a loop over what is there.
    pub(super) fn start(&mut self) {
        self.start_with(None);
    }

    /// The same, where the cached assignment is not acted on for that reason.
    pub(super) fn start_without_assignment(&mut self, why: NotOwn) {
        self.assignments.send_replace(None);
        self.start_with(Some(why));
    }

    fn start_with(&mut self, unused_assignment: Option<NotOwn>) {
        let (_, session_error) = watch::channel(None);
        let inputs = Inputs {
            assignment: self.assignments.subscribe(),
            statuses: self.host.statuses.clone(),
            session_error,
            unused_assignment,
            secrets: self.secrets.subscribe(),
            policy: watch::channel(FoundPolicy::default()).0,
            usage: Box::new(HostUsage::default),
            passes: Arc::default(),
            alive: Box::new(|_report| {}),
        };
        let host = Host {
            min_free: crate::disk::MinFree::default(),
            docker: Arc::new(self.host.docker()),
            systemd: Arc::new(self.host.systemd()),
            paths: self.host.paths.clone(),
            clock: self.host.simulated.clock(),
            statuses: self.host.statuses.clone(),
        };
        let agent =
            Agent::new(host, Cache::new(&self.host.paths, ""), inputs, self.reports.clone());
        self.agent = Some(tokio::spawn(agent.run()));
    }

    /// Ends the loop where it stands, as a crash would.
    pub(super) fn stop(&mut self) {
        if let Some(agent) = self.agent.take() {
            agent.abort();
        }
    }

    pub(super) fn offer(&self, version: &str, behaviour: Behaviour) {
        self.host.offer(&digest(version), behaviour);
    }

    /// The program ends by itself.
    pub(super) fn end_by_itself(&self, code: i64) {
        let running = self.host.running(&name("asterisk")).unwrap();
        self.host.host.end_by_itself(&running.id, code);
    }

    /// The program of version 1 ends again and again until its unit gives up, and
    /// would answer after that.
    pub(super) async fn fail_for_good(&self) {
        let log = Vec::new();
        self.offer("1", Behaviour::ExitsAtOnce { code: 1, log });
        self.end_by_itself(1);
        let has_failed = |_: &Report| {
            let units = self.host.host.units();
            units.iter().any(|(_, unit)| unit.active == ActiveState::Failed)
        };
        self.until_report(has_failed).await;
        self.offer("1", Behaviour::Good);
    }

    pub(super) fn refuse(&self, version: &str, detail: &str) {
        self.host.refuse(&digest(version), detail, true);
    }

    pub(super) fn set_calls(&self, count: u64) {
        self.host.answer_exec(&["count"], 0, &format!("{count} active calls\n"));
    }

    /// Another version can be had, and is desired.
    pub(super) fn upgrade(&mut self, version: &str, behaviour: Behaviour) {
        self.offer(version, behaviour);
        self.desire(&[version]);
    }

    /// The same, until that call is held up on the way to it.
    pub(super) async fn upgrade_held(
        &mut self,
        version: &str,
        behaviour: Behaviour,
        daemon: Daemon,
        verb: Verb,
    ) {
        self.host.host.hold(daemon, verb);
        let before = self.host.count(daemon, verb);
        self.upgrade(version, behaviour);
        self.until_report(|_| self.host.count(daemon, verb) > before).await;
    }

    pub(super) fn desire(&mut self, versions: &[&str]) {
        let instances = versions.iter().map(|version| instance(version)).collect();
        self.assign(instances, OnDeadline::Wait);
    }

    /// That version is desired, and the same one of another component.
    pub(super) fn desire_with(&mut self, version: &str, other: &str) {
        let instances = vec![instance(version), fixtures::document(other, version)];
        self.assign(instances, OnDeadline::Wait);
    }

    /// That alone is desired.
    pub(super) fn desire_document(&mut self, instance: InstanceDocument) {
        self.assign(vec![instance], OnDeadline::Wait);
    }

    /// That version is desired in a unit of that name.
    pub(super) fn desire_in_unit(&mut self, version: &str, unit: &str) {
        let instance = instance(version).edited(|it| it.unit = unit.parse().unwrap());
        self.assign(vec![instance], OnDeadline::Wait);
    }

    /// That version is desired by a document that takes a newer agent.
    pub(super) fn desire_unreadable(&mut self, version: &str) {
        let own_name = "\"kind\":\"container\"";
        let with_unknown_field = format!("{own_name},\"colour\":\"blue\"");
        let present = self.assignments.borrow().clone();
        self.desire(&[version]);
        let text = self.assignments.borrow().as_ref().unwrap().text().to_owned();
        let text = text.replace(own_name, &with_unknown_field);
        // The readable one was never received: nobody has looked at the channel since.
        self.assignments.send_replace(present);
        self.assignments.send_replace(Some(AssignmentDocument::read(&text).unwrap()));
    }

    pub(super) fn desire_counted(&mut self, version: &str, on_deadline: OnDeadline) {
        self.desire_counted_by("count", version, on_deadline);
    }

    /// Calls are counted by that command.
    pub(super) fn desire_counted_by(
        &mut self,
        command: &str,
        version: &str,
        on_deadline: OnDeadline,
    ) {
        let (before, noun) = ("active calls".to_owned(), "calls".to_owned());
        self.desire_counted_as(
            ActiveProbe::single(vec![command.to_owned()], before, noun),
            version,
            on_deadline,
        );
    }

    /// Calls are counted in that way.
    pub(super) fn desire_counted_as(
        &mut self,
        active: ActiveProbe,
        version: &str,
        on_deadline: OnDeadline,
    ) {
        let active = Some(active);
        self.assign(
            vec![instance(version).edited(|instance| instance.active = active)],
            on_deadline,
        );
    }

    /// The component listens on a UDP port, and nothing counts its calls.
    pub(super) fn desire_media(&mut self, version: &str) {
        let ports = vec![Port { number: 22_222, protocol: Protocol::Udp }];
        let media = instance(version).edited(|instance| instance.ports = ports);
        self.assign(vec![media], OnDeadline::Wait);
    }

    fn assign(&mut self, instances: Vec<InstanceDocument>, on_deadline: OnDeadline) {
        let forward_only = false;
        let policy =
            ChangePolicy { soak_ms: 5_000, drain_deadline_ms: 60_000, on_deadline, forward_only };
        let number = self.assignments.borrow().as_ref().map_or(1, |a| a.generation.number + 1);
        let desired = |instance: InstanceDocument| {
            (instance.component.clone(), Desired { instance, policy: policy.clone() })
        };
        self.assignments.send_replace(Some(Verbatim::seal(Assignment {
            generation: Generation { epoch: 1, number },
            tenant: "acme".parse().unwrap(),
            node: "voice-1".parse().unwrap(),
            content: Content {
                revision: RevisionNumber(number),
                policy: Some(policy.clone().into()),
                share: instances.into_iter().map(desired).collect(),
            },
        })));
    }

    pub(super) async fn until_report(&self, wanted: impl Fn(&Report) -> bool) -> Arc<Report> {
        let mut reports = self.reports.subscribe();
        let found = timeout(LIMIT, async {
            loop {
                let report = reports.borrow_and_update().clone();
                if wanted(&report) {
                    return report;
                }
                // Ages are reported without a mark, so it is looked at now and then.
                let _marked = timeout(Duration::from_secs(1), reports.changed()).await;
            }
        });
        match found.await {
            Ok(report) => report,
            Err(_elapsed) => panic!("it never came; the last report: {:#?}", self.reports.borrow()),
        }
    }

    /// The instance once it is as wanted, under the assignment that holds now.
    pub(super) async fn until(&self, wanted: impl Fn(&InstanceReport) -> bool) -> InstanceReport {
        let applied = self.assignments.borrow().as_ref().map(|a| a.generation);
        let found = |report: &Report| {
            report.applied == applied
                && report.instances.get(&name("asterisk")).is_some_and(&wanted)
        };
        self.until_report(found).await.instances[&name("asterisk")].clone()
    }

    pub(super) async fn until_ready(&self, version: &str) -> InstanceReport {
        let version = Some(version.parse().unwrap());
        self.until(|report| report.phase == Phase::Ready && report.version == version).await
    }

    pub(super) async fn until_soaking(&self) {
        self.until(|report| matches!(report.phase, Phase::Soaking { .. })).await;
    }

    /// The instance once the desired version was given up and `version` runs again.
    pub(super) async fn until_returned(&self, version: &str) -> InstanceReport {
        let report = self.until(|report| report.phase == Phase::RolledBack).await;
        assert_eq!(report.version, Some(version.parse().unwrap()));
        report
    }

    pub(super) async fn until_applied(&self) {
        self.until(|_report| true).await;
    }

    pub(super) async fn until_document(&self, version: &str) {
        let found = |_: &Report| self.document(Slot::Current).as_deref() == Some(version);
        self.until_report(found).await;
    }

    /// Somebody sets the host's clock.
    pub(super) fn set_clock(&self, by_ms: i64) {
        self.host.simulated.set_clock(by_ms);
    }

    /// The agent that is begun next finds that the host was booted since.
    pub(super) fn boot(&self) {
        self.host.simulated.reboot();
    }

    pub(super) async fn pass_time(&self, seconds: u64) {
        sleep(Duration::from_secs(seconds)).await;
    }

    /// Wakes the loop ten times a second until dropped, and changes nothing.
    pub(super) async fn keep_busy(&self) {
        let mut turns = interval(Duration::from_millis(100));
        loop {
            turns.tick().await;
            self.assignments.send_modify(|_same| {});
        }
    }

    /// Versions of which there is a container.
    pub(super) fn versions(&self) -> Vec<String> {
        self.host.versions(&name("asterisk"))
    }

    /// The record of changes cannot be written: a folder stands in the file's
    /// place, which no rename can replace.
    pub(super) fn block_record(&self) {
        std::fs::remove_file(self.record()).unwrap();
        std::fs::create_dir_all(self.record().join("full")).unwrap();
    }

    pub(super) fn remove_record(&self) {
        std::fs::remove_file(self.record()).unwrap();
    }

    pub(super) fn free_record(&self) {
        std::fs::remove_dir_all(self.record()).unwrap();
    }

    fn record(&self) -> PathBuf {
        self.host.paths.state.join("updates.json")
    }

    pub(super) fn garble(&self, slot: Slot, garbage: &[u8]) {
        std::fs::write(self.host.paths.document(&name("asterisk"), slot), garbage).unwrap();
    }

    /// The text of a document of asterisk.
    pub(super) fn text(&self, slot: Slot) -> String {
        std::fs::read_to_string(self.host.paths.document(&name("asterisk"), slot)).unwrap()
    }

    pub(super) fn document(&self, slot: Slot) -> Option<String> {
        let document = documents::read(&self.host.paths, &name("asterisk"), slot).unwrap()?;
        document.version().map(ToString::to_string)
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        self.stop();
    }
}
