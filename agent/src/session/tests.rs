//! Sessions with a stub of a controller: what is kept, refused, reported, renewed.

use std::time::Duration;

use oml_common::document::Verbatim;
use oml_common::document::assignment::{Assignment, Content};
use oml_common::document::host_policy::HostPolicy;
use oml_common::id::Generation;
use oml_daemon::env::Clock;
use oml_daemon::proxy::Proxies;
use oml_proto::v1::{SecretValue, SecretValues, agent_message};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::stub::{Authority, Port, Stub};
use super::*;
use crate::agent::empty_report;
use crate::identity::KeyRequest;
use crate::paths::Paths;

const LIMIT: Duration = Duration::from_secs(20);
const HOUR: Duration = Duration::from_secs(3600);

/// A host whose session runs.
struct Bench {
    authority: Arc<Authority>,
    controller: Stub,
    assignment: watch::Receiver<Option<AssignmentDocument>>,
    reports: watch::Sender<Arc<Report>>,
    state: watch::Receiver<SessionState>,
    error: watch::Receiver<Option<String>>,
    files: IdentityFiles,
    cache: Cache,
    session: JoinHandle<()>,
    policies: watch::Sender<FoundPolicy>,
    /// Grows when secrets were written.
    secrets: watch::Receiver<u64>,
    _ports: Vec<Port>,
    folder: tempfile::TempDir,
}

/// How old the certificate is, how long it lives on, and who listens where.
struct Setting {
    age: Duration,
    life: Duration,
    dead_controllers: usize,
    /// From when on it is valid at all, if that is not yet so.
    ahead: Option<Duration>,
    /// The host's clock, if it is not right.
    clock: Option<Clock>,
}

/// The machine of the host.
const MACHINE: &str = "0123456789abcdef0123456789abcdef";
const PLAIN: Setting =
    Setting { age: Duration::ZERO, life: HOUR, dead_controllers: 0, ahead: None, clock: None };

/// Returns the settings of a host with these controllers and this enrolment service.
fn settings(controllers: Vec<String>, enrollment: String) -> Settings {
    Settings {
        controllers,
        enrollment: vec![enrollment],
        address: None,
        metrics_listen: None,
        log: String::new(),
        min_free: crate::disk::MinFree::default(),
        registries: std::collections::BTreeMap::new(),
        proxies: Proxies::default(),
        left_out: oml_common::text::problem::Problems::default(),
    }
}

impl Bench {
    async fn new(setting: Setting) -> Self {
        let authority = Authority::new();
        let controller = Stub::new(&authority);
        Self::with(setting, authority, controller).await
    }

    async fn with(setting: Setting, authority: Arc<Authority>, controller: Stub) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let paths = Paths::below(folder.path());
        let files = IdentityFiles::new(&paths);
        let request = KeyRequest::new().unwrap();
        let issued = authority.sign(&request.csr, setting.age, setting.life);
        let issued = match setting.ahead {
            None => issued,
            Some(ahead) => authority.sign_ahead(&request.csr, ahead),
        };
        files.keep(&issued, &request.key_pem).unwrap();
        let ports = vec![controller.serve_agents().await, controller.serve_enrollment().await];
        // Nothing listens on port 1.
        let mut controllers = vec!["127.0.0.1:1".to_owned(); setting.dead_controllers];
        controllers.push(ports[0].address.to_string());
        let settings = settings(controllers, ports[1].address.to_string());
        let (assignments, assignment) = watch::channel(None);
        let (reports, reported) = watch::channel(Arc::new(empty_report(Clock::system().now())));
        let (state_sender, state) = watch::channel(SessionState::default());
        let (error_sender, error) = watch::channel(None);
        let (secrets_sender, secrets) = watch::channel(0);
        let (policies, policy) = watch::channel(FoundPolicy::default());
        let cache = Cache::new(&paths, "");
        // No test here gives orders.
        let runs = RunLine { orders: tokio::sync::mpsc::channel(1).0, board: Arc::default() };
        let session = Session {
            settings: Arc::new(settings),
            files: files.clone(),
            cache: cache.clone(),
            env: Env::system().with_clock(setting.clock.unwrap_or_else(Clock::system)),
            process: "process-1".to_owned(),
            facts: HostFacts::simulated(MACHINE, "127.0.0.1".parse().unwrap()),
            assignments,
            reports: reported,
            secrets: secrets_sender,
            paths: paths.clone(),
            state: state_sender,
            policy,
            error: error_sender,
            runs,
            dial: dial_over_tls(Clock::system(), Proxies::default()),
        };
        let session = tokio::spawn(session.run());
        Self {
            authority,
            controller,
            assignment,
            reports,
            state,
            error,
            files,
            cache,
            session,
            policies,
            secrets,
            _ports: ports,
            folder,
        }
    }

    fn send(&self, number: u64, node: &str, revision: u64) {
        let document = assignment(number, node, revision).text().to_owned();
        self.controller.document.send_replace(document.into_bytes());
    }

    async fn until_applied(&mut self, number: u64) {
        let held = |a: &Option<AssignmentDocument>| {
            a.as_ref().is_some_and(|a| a.generation.number == number)
        };
        timeout(LIMIT, self.assignment.wait_for(held)).await.unwrap().unwrap();
    }

    async fn until_error(&mut self, words: &str) {
        let is_reported = |t: &Option<String>| t.as_ref().is_some_and(|t| t.contains(words));
        timeout(LIMIT, self.error.wait_for(is_reported)).await.unwrap().unwrap();
    }

    async fn until_heard(&self, wanted: impl Fn(&agent_message::Kind) -> bool) {
        let mut received = self.controller.received.subscribe();
        let found = received.wait_for(|received| received.iter().any(&wanted));
        timeout(LIMIT, found).await.unwrap().unwrap();
    }
}

impl Bench {
    /// Ends what is connected; the ports stay.
    async fn restart_controller(&mut self) {
        let sessions = self.state.borrow().sessions;
        self.controller.ends.send_modify(|ends| *ends += 1);
        let again = |state: &SessionState| state.sessions > sessions;
        timeout(LIMIT, self.state.wait_for(again)).await.unwrap().unwrap();
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        self.session.abort();
    }
}

fn assignment(number: u64, node: &str, revision: u64) -> AssignmentDocument {
    let mut content = Content::default();
    content.revision.0 = revision;
    Verbatim::seal(Assignment {
        generation: Generation { epoch: 1, number },
        tenant: "acme".parse().unwrap(),
        node: node.parse().unwrap(),
        content,
    })
}

fn secrets(version: u64, value: &str) -> SecretValues {
    let (name, mark) = ("redis".to_owned(), format!("{version:032x}"));
    let value = SecretValue { name, version, mark, value: value.to_owned(), mounted: false };
    SecretValues { values: vec![value] }
}

fn written(bench: &Bench, version: u64) -> Option<String> {
    let paths = Paths::below(bench.folder.path());
    let mark = format!("{version:032x}").parse().unwrap();
    crate::files::read_if_there(&paths.kept_secret(&"redis".parse().unwrap(), &mark)).unwrap()
}

#[tokio::test]
async fn secrets_are_written_before_the_loop_hears_of_them_and_what_cannot_be_read_is_left_out() {
    let mut bench = Bench::new(PLAIN).await;
    bench.send(4, "voice-1", 1);
    bench.until_applied(4).await;
    let mut sent = secrets(2, "sesame");
    let unreadable = SecretValue { mark: "later".to_owned(), ..sent.values[0].clone() };
    let wrong = SecretValue { value: "a\0b".to_owned(), ..sent.values[0].clone() };
    sent.values.splice(0..0, [unreadable, wrong]);
    bench.controller.secrets.send_replace(sent);
    timeout(LIMIT, bench.secrets.wait_for(|written| *written == 1)).await.unwrap().unwrap();
    assert_eq!(written(&bench, 2).as_deref(), Some("sesame"));
    assert_eq!(bench.error.borrow().as_deref(), None);
}

#[tokio::test]
async fn secrets_that_cannot_be_written_are_written_later_and_end_no_session() {
    let mut bench = Bench::new(PLAIN).await;
    bench.send(4, "voice-1", 1);
    bench.until_applied(4).await;
    // In the way of the folder.
    let obstacle = bench.folder.path().join("var/lib/omlagent/secrets");
    std::fs::write(&obstacle, "").unwrap();
    bench.controller.secrets.send_replace(secrets(1, "sesame"));
    // An assignment that follows is taken, so the secrets were tried before it.
    bench.send(5, "voice-1", 2);
    bench.until_applied(5).await;
    assert_eq!(*bench.secrets.borrow(), 0);
    std::fs::remove_file(&obstacle).unwrap();
    timeout(LIMIT, bench.secrets.wait_for(|written| *written == 1)).await.unwrap().unwrap();
    assert_eq!(written(&bench, 1).as_deref(), Some("sesame"));
    assert_eq!(bench.state.borrow().sessions, 1);
}

#[tokio::test]
async fn an_assignment_is_on_disk_before_it_counts() {
    let mut bench = Bench::new(PLAIN).await;
    bench.send(4, "voice-1", 1);
    bench.until_applied(4).await;
    assert_eq!(bench.cache.assignment(None), Ok(Some(assignment(4, "voice-1", 1))));
}

#[tokio::test]
async fn an_older_different_foreign_or_unreadable_assignment_is_refused_and_reported() {
    let mut bench = Bench::new(PLAIN).await;
    bench.send(4, "voice-1", 1);
    bench.until_applied(4).await;
    bench.send(3, "voice-1", 1);
    bench.until_error("older than 1.4").await;
    bench.send(4, "voice-1", 2);
    bench.until_error("different content").await;
    bench.send(5, "voice-2", 1);
    bench.until_error("not for this node").await;
    bench.controller.document.send_replace(b"\xff".to_vec());
    bench.until_error("cannot read an assignment").await;
    assert_eq!(bench.cache.assignment(None), Ok(Some(assignment(4, "voice-1", 1))));
    bench.send(5, "voice-1", 2);
    bench.until_applied(5).await;
    assert_eq!(*bench.error.borrow(), None);
}

#[tokio::test]
async fn an_assignment_that_cannot_be_kept_waits_and_ends_no_session() {
    let mut bench = Bench::new(PLAIN).await;
    bench.send(4, "voice-1", 1);
    bench.until_applied(4).await;
    // In the way of every write.
    let obstacle = bench.folder.path().join("var/lib/omlagent/assignment.json.tmp");
    std::fs::create_dir_all(obstacle.join("full")).unwrap();
    bench.send(5, "voice-1", 2);
    bench.until_error("cannot save assignment 1.5; it is not in force: could not write").await;
    assert_eq!(bench.assignment.borrow().as_ref().unwrap().generation.number, 4);
    std::fs::remove_dir_all(&obstacle).unwrap();
    bench.until_applied(5).await;
    assert_eq!(*bench.error.borrow(), None);
    assert_eq!(bench.state.borrow().sessions, 1);
}

#[tokio::test]
async fn it_says_hello_and_reports_what_changes() {
    let bench = Bench::new(PLAIN).await;
    bench
        .until_heard(|kind| {
            matches!(kind, agent_message::Kind::Hello(hello)
                if hello.address == "127.0.0.1" && hello.machine_id == MACHINE)
        })
        .await;
    let mut report = empty_report(Clock::system().now());
    report.revision.0 = 9;
    bench.reports.send_replace(Arc::new(report));
    bench
        .until_heard(
            |kind| matches!(kind, agent_message::Kind::Report(report) if report.revision == 9),
        )
        .await;
}

#[tokio::test]
async fn it_greets_again_when_the_host_allows_something_else() {
    let bench = Bench::new(PLAIN).await;
    let allows = |kind: &agent_message::Kind, privileged| {
        matches!(kind, agent_message::Kind::Hello(hello)
            if hello.policy.as_ref().is_some_and(|policy| policy.privileged == privileged))
    };
    bench.until_heard(|kind| allows(kind, false)).await;
    let policy = HostPolicy { privileged: true, ..HostPolicy::default() };
    bench.policies.send_replace(FoundPolicy { policy, ..FoundPolicy::default() });
    bench.until_heard(|kind| allows(kind, true)).await;
    assert_eq!(bench.state.borrow().failures, 0);
}

#[tokio::test]
async fn it_moves_on_from_a_controller_that_does_not_answer() {
    let mut bench = Bench::new(Setting { dead_controllers: 2, ..PLAIN }).await;
    bench.send(1, "voice-1", 1);
    bench.until_applied(1).await;
    assert!(bench.state.borrow().connected_to.is_some());
}

#[tokio::test]
async fn a_controller_of_another_authority_is_not_trusted() {
    let stranger = Stub::new(&Authority::new());
    let mut bench = Bench::with(PLAIN, Authority::new(), stranger).await;
    timeout(LIMIT, bench.state.wait_for(|state| state.failures >= 2)).await.unwrap().unwrap();
    assert_eq!(bench.state.borrow().sessions, 0);
    assert!(bench.controller.received.borrow().is_empty());
}

#[tokio::test]
async fn a_certificate_is_renewed_with_a_new_key_and_shown_at_once() {
    let late = Setting { age: 10 * HOUR, life: HOUR, ..PLAIN };
    let mut bench = Bench::new(late).await;
    let old = bench.files.load().unwrap().unwrap();
    let twice = |state: &SessionState| state.sessions >= 2 && state.connected_to.is_some();
    timeout(LIMIT, bench.state.wait_for(twice)).await.unwrap().unwrap();
    let new = bench.files.load().unwrap().unwrap();
    assert_ne!(new.credentials.key_pem, old.credentials.key_pem);
    assert_eq!(*bench.controller.renewals.borrow(), 1);
}

#[tokio::test]
async fn a_clock_far_ahead_does_not_make_every_certificate_the_last_but_one() {
    let late = Setting { age: 10 * HOUR, life: HOUR, ..PLAIN };
    let authority = Authority::new();
    let controller = Stub::new(&authority);
    *controller.behind.lock().unwrap() = 10 * HOUR;
    let mut bench = Bench::with(late, authority, controller).await;
    let twice = |state: &SessionState| state.sessions >= 2 && state.connected_to.is_some();
    timeout(LIMIT, bench.state.wait_for(twice)).await.unwrap().unwrap();
    let third = bench.state.wait_for(|state| state.sessions >= 3);
    assert!(timeout(Duration::from_secs(1), third).await.is_err(), "renewed again at once");
    assert_eq!(*bench.controller.renewals.borrow(), 1);
}

/// The system's clock, set wrong by so much.
fn wrong_by(hours: i64) -> Clock {
    let right = Clock::system();
    let up = right.clone();
    Clock::of("one", move || right.now().shifted_ms(hours * 3_600_000), move || up.up_ms())
}

#[tokio::test]
async fn a_clock_that_calls_every_certificate_ended_asks_for_one_and_stays_with_it() {
    let mut bench = Bench::new(Setting { clock: Some(wrong_by(48)), ..PLAIN }).await;
    bench.send(1, "voice-1", 1);
    bench.until_applied(1).await;
    let kept = bench.files.load().unwrap().unwrap().peer;
    bench.restart_controller().await;
    bench.send(2, "voice-1", 1);
    bench.until_applied(2).await;
    assert_eq!(bench.files.load().unwrap().unwrap().peer, kept, "it has hardly begun");
    assert_eq!(*bench.controller.recoveries.borrow(), 1);
    assert_eq!(*bench.controller.renewals.borrow(), 0);
}

#[test]
fn a_new_certificate_is_renewed_by_its_life_and_not_by_the_wall_clock() {
    let authority = Authority::new();
    let request = KeyRequest::new().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let files = IdentityFiles::new(&Paths::below(folder.path()));
    let given = authority.sign(&request.csr, Duration::ZERO, 10 * HOUR);
    let identity = files.keep(&given, &request.key_pem).unwrap();
    for hours in [-30, -6, 0, 6, 30] {
        let issued = identity.peer.issued;
        let now = move || issued.shifted_ms(hours * 3_600_000);
        let at = |up_ms: u64| Clock::of("one", now, move || up_ms);
        let mut current = CurrentIdentity::loaded(identity.clone());
        current.take(identity.clone(), &at(5_000));
        let hour_ms = 3_600_000;
        for random in [0, u32::MAX] {
            let due_ms = current.renewal_in_ms(&at(5_000), random);
            assert!((5 * hour_ms - 5_000..=8 * hour_ms).contains(&due_ms), "{hours} {due_ms}");
        }
        assert_eq!(current.renewal_in_ms(&at(5_000 + 8 * hour_ms), 0), 0);
        assert!(!current.looks_ended(&at(5_000 + 9 * hour_ms)));
        assert!(current.looks_ended(&at(5_000 + 10 * hour_ms)));
    }
}

#[tokio::test]
async fn a_certificate_that_has_ended_is_replaced_by_its_key() {
    let ended = Setting { age: 10 * HOUR, life: Duration::ZERO, ..PLAIN };
    let mut bench = Bench::new(ended).await;
    bench.send(1, "voice-1", 1);
    bench.until_applied(1).await;
    assert!(bench.files.load().unwrap().unwrap().peer.expires > Clock::system().now());
}

#[tokio::test]
async fn a_certificate_that_the_controller_refuses_is_replaced_by_its_key() {
    let mut bench = Bench::new(Setting { ahead: Some(48 * HOUR), ..PLAIN }).await;
    bench.send(1, "voice-1", 1);
    bench.until_applied(1).await;
    assert!(bench.files.load().unwrap().unwrap().peer.issued <= Clock::system().now());
}

#[tokio::test]
async fn a_host_that_may_not_come_back_says_what_to_type() {
    let ended = Setting { age: 10 * HOUR, life: Duration::ZERO, ..PLAIN };
    let authority = Authority::new();
    let controller = Stub::new(&authority);
    let refusal = tonic::Status::permission_denied("the node was removed");
    *controller.refusal.lock().unwrap() = Some(refusal);
    let mut bench = Bench::with(ended, authority, controller).await;
    bench.until_error("the node was removed").await;
    bench.until_error("omlagent enroll --replace").await;
    assert!(!bench.authority.pem().is_empty());
}

#[test]
fn pauses_grow_to_a_bound_and_are_never_in_step() {
    let random = Random::system();
    let longest = (0..200).map(|_| pause(0, &random)).max().unwrap();
    assert!(longest <= Duration::from_millis(PAUSE_FIRST_MS));
    let late: Vec<Duration> = (0..200).map(|_| pause(60, &random)).collect();
    assert!(late.iter().all(|pause| *pause <= Duration::from_millis(PAUSE_LONGEST_MS)));
    assert!(late.iter().max() > late.iter().min());
}
