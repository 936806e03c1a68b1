//! Runs on a model of a host: each ends in one result, which is on the disk before it is reported, and
//! none is repeated.

use oml_common::document::instance::Instance;
use oml_common::document::operation::OperationCommand;
use oml_sim::{Behaviour, Container, Daemon, Verb};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::*;
use crate::disk::MinFree;
use crate::fixtures::{self, ModelHost};
use crate::runtime::{ContainerEngine as _, ContainerInstance, PullProgress, UnitManager as _};

const LIMIT: Duration = Duration::from_secs(3_600);

/// A host whose agent runs operations.
struct Bench {
    host: ModelHost,
    line: RunLine,
    task: JoinHandle<()>,
}

fn id(number: u64) -> RunId {
    RunId { epoch: 1, number }
}

fn order(number: u64, component: &str) -> Verbatim<RunOrder> {
    Verbatim::seal(RunOrder {
        id: id(number),
        operation: "check".parse().unwrap(),
        instance: fixtures::document(component, "1"),
        run: OperationCommand {
            command: vec!["check".to_owned()],
            entrypoint: Vec::new(),
            env: [].into(),
            deadline_ms: 60_000,
        },
    })
}

impl Bench {
    /// A host with an image whose program behaves like that.
    async fn new(behaviour: Behaviour) -> Self {
        let host = ModelHost::new();
        host.offer(&fixtures::digest("1"), behaviour);
        let document = fixtures::document("asterisk", "1");
        let (progress, _) = watch::channel(PullProgress::default());
        let instance = ContainerInstance::of(&document).unwrap();
        host.docker().pull(instance, &progress).await.unwrap();
        let (line, task) = agent(&host);
        Self { host, line, task }
    }

    /// Kills the agent and starts it again.
    fn restart(&mut self) {
        self.task.abort();
        (self.line, self.task) = agent(&self.host);
    }

    async fn order(&self, order: Verbatim<RunOrder>) {
        self.line.orders.send(order).await.unwrap();
    }

    /// Waits for the end of a run, and returns its output and its result.
    async fn ended(&self, number: u64) -> (Vec<String>, RunResult) {
        let mut changes = self.line.board.changes();
        let mut output = Vec::new();
        let ended = async {
            loop {
                match self.line.board.next(10) {
                    None => changes.changed().await.unwrap(),
                    Some(message) if message.id != id(number) => {}
                    Some(RunMessage { lines, result: None, .. }) => output.extend(lines),
                    Some(RunMessage { lines, result: Some(result), .. }) => {
                        output.extend(lines);
                        return result;
                    }
                }
            }
        };
        let result = timeout(LIMIT, ended).await.unwrap();
        (output, result)
    }

    async fn until_container_runs(&self) {
        self.until_containers(|containers| containers.iter().any(Container::is_running)).await;
    }

    async fn until_containers(&self, are_so: impl Fn(&[Container]) -> bool) {
        let mut changes = self.host.host.container_changes();
        let until = async {
            while !are_so(&self.host.host.containers()) {
                changes.changed().await.unwrap();
            }
        };
        timeout(LIMIT, until).await.unwrap();
    }

    /// Waits until the program of a run has written its result.
    async fn until_written(&self, number: u64) {
        let mut changes = self.host.host.unit_changes();
        let written = async {
            while runs::read_result(&self.host.paths, id(number)).unwrap().is_none() {
                changes.changed().await.unwrap();
            }
        };
        timeout(LIMIT, written).await.unwrap();
    }

    fn starts(&self) -> u64 {
        self.host.host.containers().iter().map(|container| container.starts).sum()
    }
}

fn agent(host: &ModelHost) -> (RunLine, JoinHandle<()>) {
    let its = Host {
        docker: Arc::new(host.docker()),
        systemd: Arc::new(host.systemd()),
        paths: host.paths.clone(),
        clock: host.simulated.clock(),
        statuses: host.statuses.clone(),
        min_free: MinFree::default(),
    };
    let (operations, line) = Operations::new(its, Some("acme".parse().unwrap()));
    (line, tokio::spawn(operations.run()))
}

fn exits(code: i64) -> Behaviour {
    Behaviour::ExitsAtOnce { code, log: vec!["one".to_owned(), "two\u{1b}[2J".to_owned()] }
}

fn succeeded() -> RunResult {
    let (outcome, ended) = (RunOutcome::Exited { status: 0 }, Timestamp(1));
    RunResult { outcome, started: None, ended, reason: String::new(), last_lines: Vec::new() }
}

#[tokio::test(start_paused = true)]
async fn a_run_gives_its_output_and_its_status_and_leaves_no_container() {
    for code in [0, 3] {
        let bench = Bench::new(exits(code)).await;
        bench.order(order(1, "asterisk")).await;
        let (output, result) = bench.ended(1).await;
        assert_eq!(result.outcome, RunOutcome::Exited { status: code });
        assert_eq!(output[0], "one");
        assert_eq!(result.last_lines[0], "one");
        assert_eq!(runs::read_result(&bench.host.paths, id(1)).unwrap(), Some(result));
        assert_eq!(bench.host.host.containers(), []);
    }
}

#[tokio::test(start_paused = true)]
async fn one_that_takes_too_long_is_stopped_at_its_deadline() {
    let bench = Bench::new(Behaviour::Good).await;
    bench.order(order(1, "asterisk")).await;
    let (_, result) = bench.ended(1).await;
    assert_eq!(result.outcome, RunOutcome::DeadlineExceeded);
    assert_eq!(bench.host.host.containers(), []);
}

#[tokio::test(start_paused = true)]
async fn one_that_cannot_be_stopped_at_its_deadline_says_so_and_is_stopped_later() {
    let bench = Bench::new(Behaviour::Good).await;
    bench.host.refuse_once(Daemon::Engine, Verb::Stop, false);
    bench.order(order(1, "asterisk")).await;
    let (_, result) = bench.ended(1).await;
    assert_eq!(result.outcome, RunOutcome::DeadlineExceeded);
    let reason = &result.reason;
    assert!(reason.starts_with("its container could not be stopped yet: "), "{reason}");
    bench.until_containers(<[_]>::is_empty).await;
}

#[tokio::test(start_paused = true)]
async fn a_container_that_is_not_removed_at_the_first_try_is_removed_later() {
    let bench = Bench::new(exits(0)).await;
    for _ in 0..3 {
        bench.host.refuse_once(Daemon::Engine, Verb::Remove, true);
    }
    bench.order(order(1, "asterisk")).await;
    let (_, result) = bench.ended(1).await;
    assert_eq!(result.outcome, RunOutcome::Exited { status: 0 });
    assert_eq!(bench.host.host.containers().len(), 1);
    bench.until_containers(<[_]>::is_empty).await;
}

#[tokio::test(start_paused = true)]
async fn a_run_that_ended_while_the_agent_was_away_leaves_no_container() {
    let mut bench = Bench::new(Behaviour::DiesAfter { after_ms: 5_000 }).await;
    bench.order(order(1, "asterisk")).await;
    bench.until_container_runs().await;
    bench.task.abort();
    bench.until_written(1).await;
    assert_eq!(bench.host.host.containers().len(), 1);
    bench.restart();
    let (_, result) = bench.ended(1).await;
    assert_eq!(result.outcome, RunOutcome::Exited { status: 1 });
    assert_eq!(bench.host.host.containers(), []);
}

#[tokio::test(start_paused = true)]
async fn a_run_goes_on_while_the_agent_is_restarted_and_is_reported_afterwards() {
    let mut bench = Bench::new(Behaviour::DiesAfter { after_ms: 5_000 }).await;
    bench.order(order(1, "asterisk")).await;
    bench.until_container_runs().await;
    bench.restart();
    let (_, result) = bench.ended(1).await;
    assert_eq!(result.outcome, RunOutcome::Exited { status: 1 });
    bench.restart();
    let (_, again) = bench.ended(1).await;
    assert_eq!(again, result);
}

#[tokio::test(start_paused = true)]
async fn an_order_that_comes_again_is_reported_and_not_run_again() {
    let mut bench = Bench::new(exits(0)).await;
    bench.order(order(1, "asterisk")).await;
    bench.ended(1).await;
    let starts = bench.host.count(Daemon::Engine, Verb::Start);
    bench.order(order(1, "asterisk")).await;
    bench.ended(1).await;
    bench.restart();
    bench.order(order(1, "asterisk")).await;
    bench.ended(1).await;
    assert_eq!(bench.host.count(Daemon::Engine, Verb::Start), starts);
}

#[tokio::test(start_paused = true)]
async fn a_run_of_the_tenant_before_is_no_answer_to_an_order_of_this_one() {
    let mut bench = Bench::new(exits(3)).await;
    bench.task.abort();
    let instance = fixtures::instance("asterisk", "1");
    let instance = Verbatim::seal(Instance { tenant: "before".parse().unwrap(), ..instance });
    for number in [1, 2] {
        let of_other = order(number, "asterisk").edited(|order| order.instance = instance.clone());
        runs::write_order(&bench.host.paths, &of_other).unwrap();
        runs::write_result(&bench.host.paths, id(number), &succeeded()).unwrap();
    }
    bench.restart();
    bench.order(order(1, "asterisk")).await;
    let (_, result) = bench.ended(1).await;
    assert_eq!(result.outcome, RunOutcome::Exited { status: 3 });
    assert_eq!(runs::read_result(&bench.host.paths, id(1)).unwrap(), Some(result));
}

#[tokio::test(start_paused = true)]
async fn an_order_is_kept_in_the_bytes_in_which_it_came() {
    let mut bench = Bench::new(exits(3)).await;
    let text = order(1, "asterisk").text().to_owned();
    let text = format!("{},\"of_a_later_release\":true}}", text.strip_suffix('}').unwrap());
    let given = || Verbatim::<RunOrder>::read(&text).unwrap();
    bench.order(given()).await;
    let (_, result) = bench.ended(1).await;
    assert_eq!(result.outcome, RunOutcome::Exited { status: 3 });
    // So a release that knows the field finds the same order, and reports what became of it.
    let kept = runs::read_order(&bench.host.paths, id(1)).unwrap().unwrap();
    assert_eq!(kept.text(), text);
    bench.restart();
    bench.order(given()).await;
    assert_eq!(bench.ended(1).await.1, result);
}

#[tokio::test(start_paused = true)]
async fn another_order_of_a_known_number_is_refused() {
    let bench = Bench::new(exits(0)).await;
    bench.order(order(1, "asterisk")).await;
    bench.ended(1).await;
    let other = RunOrder { operation: "other".parse().unwrap(), ..(*order(1, "asterisk")).clone() };
    bench.order(Verbatim::seal(other)).await;
    let (_, result) = bench.ended(1).await;
    assert_eq!((result.outcome, result.reason.as_str()), (RunOutcome::NotStarted, OTHER_ORDER));
}

#[tokio::test(start_paused = true)]
async fn a_run_that_a_reboot_ended_was_interrupted_and_is_not_repeated() {
    let mut bench = Bench::new(Behaviour::Good).await;
    bench.order(order(1, "asterisk")).await;
    bench.until_container_runs().await;
    bench.task.abort();
    bench.host.host.reboot();
    bench.restart();
    let (_, result) = bench.ended(1).await;
    assert_eq!(result.outcome, RunOutcome::Interrupted);
    assert!(result.reason.contains("restarted"), "{result:?}");
    bench.restart();
    bench.order(order(1, "asterisk")).await;
    let (_, again) = bench.ended(1).await;
    assert_eq!(again, result);
    assert_eq!(bench.starts(), 0, "its container is gone");
}

#[tokio::test(start_paused = true)]
async fn a_run_whose_unit_is_stopped_by_hand_was_interrupted() {
    let bench = Bench::new(Behaviour::Good).await;
    bench.order(order(1, "asterisk")).await;
    bench.until_container_runs().await;
    bench.host.systemctl("stop", "oml-run-1-1.service").await;
    let (_, result) = bench.ended(1).await;
    assert_eq!(result.outcome, RunOutcome::Interrupted);
    assert_eq!(result.reason, "its unit was stopped on the host");
    assert_eq!(bench.host.host.containers(), []);
}

#[tokio::test(start_paused = true)]
async fn a_run_whose_waiting_program_was_killed_was_interrupted_and_stopped() {
    let bench = Bench::new(Behaviour::Good).await;
    bench.order(order(1, "asterisk")).await;
    bench.until_container_runs().await;
    let begun = tokio::time::Instant::now();
    bench.host.host.kill_main_process("oml-run-1-1.service");
    let (_, result) = bench.ended(1).await;
    assert_eq!(result.outcome, RunOutcome::Interrupted);
    assert_eq!(bench.host.host.containers(), []);
    // It is announced, and not found at the next look.
    assert!(begun.elapsed() < Duration::from_secs(30), "{:?}", begun.elapsed());
}

#[tokio::test(start_paused = true)]
async fn one_run_of_a_component_at_a_time() {
    let bench = Bench::new(Behaviour::Good).await;
    bench.order(order(1, "asterisk")).await;
    bench.until_container_runs().await;
    while bench.line.board.next(10).is_some() {}
    bench.order(order(2, "asterisk")).await;
    let (_, result) = bench.ended(2).await;
    assert_eq!(result.outcome, RunOutcome::NotStarted);
    assert!(result.reason.contains("run 1-1 of the component is not over"), "{result:?}");
}

/// Writes the order of a run that belongs to an update.
fn run_of_update(bench: &Bench) -> Verbatim<RunOrder> {
    let id = RunId { epoch: RunId::OF_HOST, number: 7 };
    let order = order(1, "asterisk").edited(|order| order.id = id);
    runs::write_order(&bench.host.paths, &order).unwrap();
    order
}

#[tokio::test(start_paused = true)]
async fn a_run_of_an_update_that_a_reboot_cut_off_is_in_nobodys_way() {
    let mut bench = Bench::new(exits(0)).await;
    run_of_update(&bench);
    bench.restart();
    bench.order(order(1, "asterisk")).await;
    let (_, result) = bench.ended(1).await;
    assert_eq!(result.outcome, RunOutcome::Exited { status: 0 });
}

#[tokio::test(start_paused = true)]
async fn a_run_of_an_update_that_goes_on_is_waited_for() {
    let bench = Bench::new(Behaviour::Good).await;
    let of_update = run_of_update(&bench);
    bench.host.docker().create_run(&of_update).await.unwrap();
    bench.host.systemd().start_run(&of_update).await.unwrap();
    bench.until_container_runs().await;
    bench.order(order(1, "asterisk")).await;
    let (_, result) = bench.ended(1).await;
    assert_eq!(result.outcome, RunOutcome::NotStarted);
    assert!(result.reason.contains("run 0-7 of the component is not over"), "{result:?}");
}

#[tokio::test(start_paused = true)]
async fn an_order_whose_wait_for_systemd_hangs_keeps_no_other_from_being_taken() {
    let bench = Bench::new(exits(0)).await;
    run_of_update(&bench);
    bench.host.host.hold(Daemon::Systemd, Verb::Read);
    bench.order(order(1, "asterisk")).await;
    bench.order(order(2, "redis")).await;
    let mut changes = bench.line.board.changes();
    let known = || runs::known(&bench.host.paths, None).unwrap();
    let taken = async {
        while !known().contains_key(&id(2)) {
            changes.changed().await.unwrap();
        }
    };
    timeout(LIMIT, taken).await.unwrap();
    assert_eq!(known()[&id(1)].result, None);
    bench.host.host.release(Daemon::Systemd, Verb::Read);
    let (_, result) = bench.ended(1).await;
    assert_eq!(result.outcome, RunOutcome::Exited { status: 0 });
}

#[tokio::test(start_paused = true)]
async fn an_order_that_was_refused_is_not_begun_when_it_comes_again() {
    let mut bench = Bench::new(Behaviour::Good).await;
    bench.order(order(1, "asterisk")).await;
    bench.until_container_runs().await;
    bench.order(order(2, "asterisk")).await;
    let (_, refused) = bench.ended(2).await;
    bench.host.systemctl("stop", "oml-run-1-1.service").await;
    bench.ended(1).await;
    let starts = bench.host.count(Daemon::Engine, Verb::Start);
    bench.order(order(2, "asterisk")).await;
    assert_eq!(bench.ended(2).await.1, refused);
    bench.restart();
    bench.order(order(2, "asterisk")).await;
    assert_eq!(bench.ended(2).await.1, refused);
    assert_eq!(bench.host.count(Daemon::Engine, Verb::Start), starts);
}

#[tokio::test(start_paused = true)]
async fn a_run_whose_start_gave_no_answer_is_followed() {
    let bench = Bench::new(exits(0)).await;
    bench.host.lose_once(Daemon::Systemd, Verb::Start);
    bench.host.host.hold(Daemon::Systemd, Verb::Read);
    let mut changes = bench.line.board.changes();
    bench.order(order(1, "asterisk")).await;
    let asked = async {
        while bench.host.count(Daemon::Systemd, Verb::Start) == 0 {
            changes.changed().await.unwrap();
        }
    };
    timeout(LIMIT, asked).await.unwrap();
    // systemd got the call, although nobody heard so.
    bench.host.systemd().start_run(&order(1, "asterisk")).await.unwrap();
    bench.host.host.release(Daemon::Systemd, Verb::Read);
    let (_, result) = bench.ended(1).await;
    assert_eq!(result.outcome, RunOutcome::Exited { status: 0 });
}

#[tokio::test(start_paused = true)]
async fn one_that_systemd_never_started_was_not_started() {
    let bench = Bench::new(exits(0)).await;
    bench.host.lose_once(Daemon::Systemd, Verb::Start);
    bench.order(order(1, "asterisk")).await;
    let (_, result) = bench.ended(1).await;
    assert_eq!(result.outcome, RunOutcome::NotStarted);
    assert!(result.reason.contains("systemd did not start its unit"), "{result:?}");
    assert_eq!(bench.host.host.containers(), []);
}

#[tokio::test(start_paused = true)]
async fn what_the_engine_refuses_was_not_started_and_says_why() {
    let bench = Bench::new(exits(0)).await;
    bench.host.refuse_once(Daemon::Engine, Verb::Create, false);
    bench.order(order(1, "asterisk")).await;
    let (_, result) = bench.ended(1).await;
    assert_eq!(result.outcome, RunOutcome::NotStarted);
    assert!(result.reason.contains("could not create"), "{result:?}");
}

#[tokio::test(start_paused = true)]
async fn only_the_newest_runs_are_kept_on_the_disk() {
    let bench = Bench::new(exits(0)).await;
    for number in 1..=25 {
        bench.order(order(number, "asterisk")).await;
        bench.ended(number).await;
    }
    let mut changes = bench.line.board.changes();
    let kept = || runs::known(&bench.host.paths, None).unwrap();
    let pruned = async {
        while kept().len() > runs::KEPT_MAX {
            changes.changed().await.unwrap();
        }
    };
    timeout(LIMIT, pruned).await.unwrap();
    assert!(!kept().contains_key(&id(1)));
    bench.order(order(1, "asterisk")).await;
    let (_, result) = bench.ended(1).await;
    assert_eq!(result.outcome, RunOutcome::NotStarted, "an old number never runs again");
}
