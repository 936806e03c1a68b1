//! A host in memory with the loop on it.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use oml_common::document::Verbatim;
use oml_common::document::assignment::{
    Assignment, AssignmentDocument, ChangePolicy, Content, Desired, OnDeadline,
};
use oml_common::document::instance::{ActiveProbe, InstanceDocument};
use oml_common::document::report::{HostUsage, InstanceReport, Phase, Report};
use oml_common::id::{ComponentName, Generation, RevisionNumber};
use oml_common::time::Timestamp;
use oml_daemon::env::Clock;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};

use crate::agent::{Agent, Inputs, empty_report};
use crate::cache::Cache;
use crate::documents;
use crate::fixtures::{self, digest};
use crate::host::Host;
use crate::paths::{Paths, Slot};
use crate::runtime::fake::{Behaviour, Daemon, FakeHost, Verb};
use crate::statuses::Statuses;

/// Longer than anything takes, in time that passes at once.
const LIMIT: Duration = Duration::from_secs(3600);

pub(super) struct Bench {
    pub(super) host: FakeHost,
    pub(super) paths: Paths,
    clock: Clock,
    clock_set_ms: Arc<AtomicI64>,
    began: Instant,
    assignments: watch::Sender<Option<AssignmentDocument>>,
    statuses: watch::Sender<Statuses>,
    reports: watch::Sender<Arc<Report>>,
    agent: Option<JoinHandle<()>>,
    _folder: tempfile::TempDir,
}

pub(super) fn name(text: &str) -> ComponentName {
    text.parse().unwrap()
}

fn instance(version: &str) -> InstanceDocument {
    fixtures::document("asterisk", version)
}

/// The host's clock runs with the time of the tests, unless it is set.
fn clock(boot: &str, began: Instant, set_ms: &Arc<AtomicI64>) -> Clock {
    let passed = move || u64::try_from(began.elapsed().as_millis()).unwrap();
    let set_ms = Arc::clone(set_ms);
    let now =
        move || Timestamp(1_700_000_000_000 + passed()).shifted_ms(set_ms.load(Ordering::Relaxed));
    Clock::of(boot, now, passed)
}

impl Bench {
    pub(super) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let paths = Paths::below(folder.path());
        let (began, clock_set_ms) = (Instant::now(), Arc::default());
        let clock = clock("one", began, &clock_set_ms);
        let host = FakeHost::new(paths.clone(), clock.clone());
        let (assignments, _) = watch::channel(None);
        let (statuses, _) = watch::channel(Statuses::new());
        let (reports, _) = watch::channel(Arc::new(empty_report(clock.now())));
        tokio::spawn(supervise(host.clone(), paths.clone(), clock.clone(), statuses.clone()));
        let agent = None;
        let mut bench = Self {
            host,
            paths,
            clock,
            clock_set_ms,
            began,
            assignments,
            statuses,
            reports,
            agent,
            _folder: folder,
        };
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
        let (_, session_trouble) = watch::channel(None);
        let inputs = Inputs {
            assignment: self.assignments.subscribe(),
            statuses: self.statuses.subscribe(),
            session_trouble,
            usage: Box::new(HostUsage::default),
            passes: Arc::default(),
            alive: Box::new(|_report| {}),
        };
        let host = Host {
            min_free: crate::disk::MinFree::default(),
            docker: Arc::new(self.host.docker()),
            systemd: Arc::new(self.host.systemd()),
            paths: self.paths.clone(),
            clock: self.clock.clone(),
        };
        let agent = Agent::new(host, Cache::new(&self.paths), inputs, self.reports.clone());
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
        (version, behaviour): (&str, Behaviour),
        (daemon, verb): (Daemon, Verb),
    ) {
        self.host.hold(daemon, verb);
        let before = self.host.count(daemon, verb);
        self.upgrade(version, behaviour);
        self.until_report(|_| self.host.count(daemon, verb) > before).await;
    }

    pub(super) fn desire(&mut self, versions: &[&str]) {
        let instances = versions.iter().map(|version| instance(version)).collect();
        self.assign(instances, OnDeadline::Wait);
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
        let active = Some(ActiveProbe { command: vec![command.to_owned()], before, noun });
        self.assign(
            vec![instance(version).edited(|instance| instance.active = active)],
            on_deadline,
        );
    }

    fn assign(&mut self, instances: Vec<InstanceDocument>, on_deadline: OnDeadline) {
        let policy = ChangePolicy { soak_ms: 5_000, drain_deadline_ms: 60_000, on_deadline };
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
                // Ages are told without a mark, so it is looked at now and then.
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
        self.clock_set_ms.fetch_add(by_ms, Ordering::Relaxed);
    }

    /// The agent that is begun next finds that the host was booted since.
    pub(super) fn boot(&mut self) {
        self.clock = clock("two", self.began, &self.clock_set_ms);
    }

    pub(super) async fn pass_time(&self, seconds: u64) {
        sleep(Duration::from_secs(seconds)).await;
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

    pub(super) fn free_record(&self) {
        std::fs::remove_dir_all(self.record()).unwrap();
    }

    fn record(&self) -> PathBuf {
        self.paths.state.join("updates.json")
    }

    pub(super) fn garble(&self, slot: Slot, garbage: &[u8]) {
        std::fs::write(self.paths.document(&name("asterisk"), slot), garbage).unwrap();
    }

    pub(super) fn document(&self, slot: Slot) -> Option<String> {
        let document = documents::read(&self.paths, &name("asterisk"), slot).unwrap()?;
        document.version().map(ToString::to_string)
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Tells what the supervisors' files say, and keeps them fresh, as their probes do.
async fn supervise(host: FakeHost, paths: Paths, clock: Clock, statuses: watch::Sender<Statuses>) {
    use crate::runtime::ContainerEngine as _;
    let mut changes = host.docker().changes();
    loop {
        let component = name("asterisk");
        let mut status = documents::read_status(&paths, &component).unwrap();
        if let Some(status) = &mut status {
            status.checked_at = clock.now();
        }
        let told = status.map(|status| (component, status)).into_iter().collect();
        statuses.send_replace(told);
        let _nudged = timeout(Duration::from_secs(10), changes.changed()).await;
    }
}
