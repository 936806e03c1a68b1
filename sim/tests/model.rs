//! The model behaves as the daemons it stands for.
#![expect(clippy::unwrap_used, reason = "a test fails where it stands")]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use oml_sim::{
    ActiveState, Behaviour, Call, Container, ContainerState, Daemon, EngineError, EventAction,
    ExecAnswer, ExitCause, Fault, HostModel, HostSettings, Image, JobEvent, NewContainer, Process,
    Programs, Registry, Signal, Verb, WaitEnd,
};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::time::{Instant, timeout};

const UNIT: &str = "asterisk.service";
const FILE: &str = "[Unit]\nStartLimitIntervalSec=300\nStartLimitBurst=3\n[Service]\nType=notify\n\
                    ExecStart=/usr/bin/omlagent supervise asterisk\nKillSignal=SIGUSR2\n\
                    Restart=always\nRestartSec=1s\nTimeoutStartSec=5000ms\nTimeoutStopSec=2s\n";

#[derive(Default)]
struct Stage(Mutex<Behaviour>);

impl Programs for Stage {
    fn behaviour(&self, _: &Container) -> Behaviour {
        self.0.lock().unwrap().clone()
    }

    fn exec(&self, container: &Container, command: &[String]) -> ExecAnswer {
        ExecAnswer { exit_code: 0, stdout: format!("{} in {}", command.join(" "), container.name) }
    }
}

struct World {
    host: HostModel,
    stage: Arc<Stage>,
    started: UnboundedReceiver<Process>,
    folder: tempfile::TempDir,
}

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let stage = Arc::new(Stage::default());
        let (launched, started) = unbounded_channel();
        let begin = Instant::now();
        let host = HostModel::new(HostSettings {
            registry: Registry::with_everything(),
            programs: stage.clone(),
            unit_files: folder.path().to_owned(),
            storage: None,
            now_ms: Arc::new(move || u64::try_from(begin.elapsed().as_millis()).unwrap()),
            launch: Arc::new(move |process| launched.send(process).unwrap()),
        });
        Self { host, stage, started, folder }
    }

    fn behaves(&self, behaviour: Behaviour) {
        *self.stage.0.lock().unwrap() = behaviour;
    }

    fn write_unit(&self, text: &str) {
        std::fs::write(self.folder.path().join(UNIT), text).unwrap();
    }

    async fn container(&self, name: &str) -> String {
        let image = Image { repository: "oml/asterisk".into(), digest: "sha256:1".into() };
        self.host.pull(&image, |_, _| {}).await.unwrap();
        let image = "oml/asterisk@sha256:1".to_owned();
        let new = NewContainer { name: name.into(), image, ..NewContainer::default() };
        self.host.create_container(new).await.unwrap()
    }

    async fn process(&mut self) -> Process {
        timeout(Duration::from_secs(60), self.started.recv()).await.unwrap().unwrap()
    }

    async fn active(&self) -> ActiveState {
        self.host.load_unit(UNIT).await.unwrap().active
    }
}

async fn pass_time(time: Duration) {
    tokio::time::sleep(time).await;
}

fn actions(events: Vec<oml_sim::Event>) -> Vec<EventAction> {
    events.into_iter().map(|event| event.action).collect()
}

#[tokio::test(start_paused = true)]
async fn a_good_program_answers_after_a_while_and_stops_when_asked() {
    let world = World::new();
    let id = world.container("asterisk").await;
    world.host.start_container(&id).await.unwrap();
    assert!(!world.host.answers(&id));
    pass_time(Duration::from_secs(1)).await;
    assert!(world.host.answers(&id));
    world.host.stop_container(&id, 10_000).await.unwrap();
    assert_eq!(world.host.wait_container(&id).await, Ok(WaitEnd::Ended(0)));
    let events = world.host.events(&id, 0, 10_000).await.unwrap();
    use EventAction::{Create, Die, Kill, Start, Stop};
    assert_eq!(actions(events), [Create, Start, Kill, Die, Stop]);
}

#[tokio::test(start_paused = true)]
async fn a_program_that_is_started_again_does_not_die_of_its_earlier_start() {
    let world = World::new();
    world.behaves(Behaviour::DiesAfter { after_ms: 5_000 });
    let id = world.container("asterisk").await;
    world.host.start_container(&id).await.unwrap();
    pass_time(Duration::from_secs(3)).await;
    world.host.stop_container(&id, 10_000).await.unwrap();
    world.behaves(Behaviour::Good);
    world.host.start_container(&id).await.unwrap();
    pass_time(Duration::from_secs(60)).await;
    assert!(world.host.answers(&id));
}

#[tokio::test(start_paused = true)]
async fn a_status_that_prevents_a_restart_fails_the_unit_at_once() {
    let mut world = World::new();
    world.write_unit(&format!("{FILE}RestartPreventExitStatus=77 78\n"));
    world.host.start_unit(UNIT).await.unwrap();
    world.process().await.exit(1);
    world.process().await.exit(78);
    pass_time(Duration::from_secs(60)).await;
    assert_eq!(world.active().await, ActiveState::Failed);
    assert_eq!(world.host.load_unit(UNIT).await.unwrap().restarts, 1);
}

#[tokio::test(start_paused = true)]
async fn a_wait_is_lost_with_the_engine_and_the_container_runs_on() {
    let world = World::new();
    let id = world.container("asterisk").await;
    world.host.start_container(&id).await.unwrap();
    let host = world.host.clone();
    let waited = tokio::spawn({
        let id = id.clone();
        async move { host.wait_container(&id).await }
    });
    pass_time(Duration::from_secs(1)).await;
    world.host.restart_engine(true);
    assert_eq!(waited.await.unwrap(), Ok(WaitEnd::Lost));
    assert_eq!(world.host.list_containers().await, Err(EngineError::Fault(Fault::Away)));
    pass_time(Duration::from_secs(3)).await;
    assert!(world.host.list_containers().await.unwrap()[0].is_running());
}

#[tokio::test(start_paused = true)]
async fn names_are_unique_and_a_running_container_is_not_removed() {
    let world = World::new();
    let id = world.container("asterisk").await;
    let other = world.container("asterisk-next").await;
    let renamed = world.host.rename_container(&other, "asterisk").await;
    assert!(matches!(renamed, Err(EngineError::Conflict(_))));
    world.host.start_container(&id).await.unwrap();
    assert!(matches!(world.host.remove_container(&id).await, Err(EngineError::Conflict(_))));
    world.host.remove_by_hand(&id);
    assert_eq!(world.host.inspect_container(&id).await.unwrap(), None);
}

#[tokio::test(start_paused = true)]
async fn an_image_comes_only_from_a_registry_that_answers() {
    let world = World::new();
    let image = Image { repository: "oml/redis".into(), digest: "sha256:2".into() };
    world.host.settings().registry.set_away(true);
    let pulled = world.host.pull(&image, |_, _| {}).await;
    assert!(matches!(pulled, Err(EngineError::Pull { transient: true, .. })));
    let new = NewContainer { image: "oml/redis@sha256:2".into(), ..NewContainer::default() };
    assert!(matches!(world.host.create_container(new).await, Err(EngineError::NoImage(_))));
    world.host.settings().registry.set_away(false);
    world.host.pull(&image, |_, _| {}).await.unwrap();
    assert_eq!(world.host.list_images().await.unwrap(), [image]);
}

#[tokio::test(start_paused = true)]
async fn a_held_call_goes_on_when_it_is_released() {
    let world = World::new();
    let id = world.container("asterisk").await;
    world.host.hold(Daemon::Engine, Verb::Start);
    let host = world.host.clone();
    let started = tokio::spawn({
        let id = id.clone();
        async move { host.start_container(&id).await }
    });
    pass_time(Duration::from_secs(60)).await;
    assert_eq!(world.host.containers()[0].state, ContainerState::Created);
    world.host.release(Daemon::Engine, Verb::Start);
    started.await.unwrap().unwrap();
    assert!(world.host.containers()[0].is_running());
}

#[tokio::test(start_paused = true)]
async fn a_loop_that_never_waits_is_held_and_named() {
    let world = World::new();
    let looping = async {
        loop {
            world.host.list_containers().await.unwrap();
        }
    };
    // A client that waits may ask as often.
    for _ in 0..20_000 {
        pass_time(Duration::from_millis(1)).await;
        world.host.list_containers().await.unwrap();
    }
    assert_eq!(world.host.stuck(), None);
    let played: Result<(), _> = timeout(Duration::from_secs(60), looping).await;
    assert!(played.is_err(), "it goes on");
    assert_eq!(world.host.stuck(), Some(Call { daemon: Daemon::Engine, verb: Verb::Read }));
}

#[tokio::test(start_paused = true)]
async fn a_start_job_ends_when_the_main_process_is_ready() {
    let mut world = World::new();
    world.write_unit(FILE);
    let mut ends = world.host.job_ends();
    let job = world.host.restart_unit(UNIT).await.unwrap();
    let process = world.process().await;
    assert_eq!(process.command(), ["/usr/bin/omlagent", "supervise", "asterisk"]);
    assert_eq!(world.active().await, ActiveState::Activating);
    process.notifier().status("healthy");
    process.notifier().ready();
    assert_eq!(ends.recv().await.unwrap(), job.0);
    let state = world.host.load_unit(UNIT).await.unwrap();
    assert_eq!((state.active, state.job), (ActiveState::Active, None));
    assert_eq!((state.status_text.as_str(), state.result.as_str()), ("healthy", "success"));
}

#[tokio::test(start_paused = true)]
async fn a_process_that_ends_is_started_again_until_the_limit() {
    let mut world = World::new();
    world.write_unit(FILE);
    world.host.start_unit(UNIT).await.unwrap();
    for _start in 0..3 {
        world.process().await.exit(1);
    }
    pass_time(Duration::from_secs(2)).await;
    let state = world.host.load_unit(UNIT).await.unwrap();
    assert_eq!(state.active, ActiveState::Failed);
    assert_eq!(state.result, "start-limit-hit");
    assert_eq!(state.exit, Some(ExitCause::Exited(1)));
    // Forgotten, it can be started once more.
    world.host.reset_failed(UNIT).await.unwrap();
    world.host.start_unit(UNIT).await.unwrap();
    world.process().await.notifier().ready();
    assert_eq!(world.active().await, ActiveState::Activating, "the process was dropped");
}

#[tokio::test(start_paused = true)]
async fn a_start_that_takes_too_long_is_ended_and_tried_again() {
    let mut world = World::new();
    world.write_unit(FILE);
    world.host.start_unit(UNIT).await.unwrap();
    let mut process = world.process().await;
    process.notifier().extend(Duration::from_secs(20));
    let begin = Instant::now();
    assert_eq!(process.signal().await, Signal::Stop);
    assert_eq!(begin.elapsed().as_secs(), 20);
    process.exit(0);
    assert_eq!(world.host.load_unit(UNIT).await.unwrap().result, "timeout");
    world.process().await.notifier().ready();
}

#[tokio::test(start_paused = true)]
async fn a_stop_rests_the_unit_and_kills_a_process_that_does_not_obey() {
    let mut world = World::new();
    world.write_unit(FILE);
    world.host.start_unit(UNIT).await.unwrap();
    let mut process = world.process().await;
    process.notifier().ready();
    world.host.systemctl("stop", UNIT).unwrap();
    assert_eq!(process.signal().await, Signal::Stop);
    assert_eq!(world.active().await, ActiveState::Deactivating);
    process.exit(0);
    let state = world.host.load_unit(UNIT).await.unwrap();
    assert_eq!((state.active, state.result.as_str()), (ActiveState::Inactive, "success"));
    world.host.systemctl("start", UNIT).unwrap();
    let process = world.process().await;
    world.host.systemctl("stop", UNIT).unwrap();
    assert!(process.killed().wait_for(|killed| *killed).await.is_ok());
    drop(process);
    assert_eq!(world.active().await, ActiveState::Failed);
}

#[tokio::test(start_paused = true)]
async fn changed_files_count_only_after_a_reload() {
    let world = World::new();
    world.write_unit(FILE);
    // One that nothing wants would not stay loaded.
    world.host.enable_unit(UNIT, true).await.unwrap();
    assert!(!world.host.load_unit(UNIT).await.unwrap().needs_reload);
    world.write_unit(&FILE.replace("5000ms", "9000ms"));
    assert!(world.host.load_unit(UNIT).await.unwrap().needs_reload);
    world.host.reload_units().await.unwrap();
    assert!(!world.host.load_unit(UNIT).await.unwrap().needs_reload);
    world.host.mask(UNIT);
    assert_eq!(world.host.load_unit(UNIT).await.unwrap().load_state, "masked");
    assert!(world.host.start_unit(UNIT).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn after_a_reboot_the_enabled_units_start() {
    let mut world = World::new();
    world.write_unit(FILE);
    world.host.enable_unit(UNIT, true).await.unwrap();
    world.host.start_unit(UNIT).await.unwrap();
    let process = world.process().await;
    let id = world.container("asterisk").await;
    world.host.start_container(&id).await.unwrap();
    world.host.reboot();
    assert!(*process.killed().borrow());
    assert!(!world.host.containers()[0].is_running());
    world.process().await.notifier().ready();
}

/// Returns the result of the next job that ends.
async fn result(events: &mut tokio::sync::broadcast::Receiver<JobEvent>) -> &'static str {
    loop {
        if let JobEvent::Ended { result, .. } = events.recv().await.unwrap() {
            return result;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_restart_whose_condition_does_not_hold_only_stops_and_its_job_is_done() {
    let mut world = World::new();
    let path = world.folder.path().join("disk");
    world.host.enable_unit(UNIT, true).await.unwrap();
    for (line, said) in [("ConditionPathExists", "done"), ("AssertPathExists", "assert")] {
        std::fs::write(&path, "").unwrap();
        world.write_unit(&format!("{FILE}[Unit]\n{line}={}\n", path.display()));
        world.host.reload_units().await.unwrap();
        pass_time(Duration::from_secs(1)).await;
        world.host.start_unit(UNIT).await.unwrap();
        let process = world.process().await;
        process.notifier().ready();
        std::fs::remove_file(&path).unwrap();
        let mut events = world.host.job_events();
        world.host.restart_unit(UNIT).await.unwrap();
        process.exit(0);
        assert_eq!(result(&mut events).await, said);
        let state = world.host.load_unit(UNIT).await.unwrap();
        assert_eq!(state.active, ActiveState::Inactive);
        let (conditions, assertions) = (state.conditions, state.assertions);
        let is_condition = said == "done";
        assert_eq!((conditions.held, assertions.held), (!is_condition, is_condition), "{line}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_unit_is_not_started_whose_required_unit_fails_and_is_where_its_condition_does_not_hold()
{
    for (line, said) in [("AssertPathExists", "dependency"), ("ConditionPathExists", "done")] {
        let mut world = World::new();
        let required = world.folder.path().join("disk.service");
        std::fs::write(required, format!("[Unit]\n{line}=/nowhere/at/all\n")).unwrap();
        world.write_unit(&format!("[Unit]\nRequires=disk.service\n{FILE}"));
        let mut events = world.host.job_events();
        world.host.start_unit(UNIT).await.unwrap();
        let process = if said == "done" { Some(world.process().await) } else { None };
        if let Some(process) = &process {
            process.notifier().ready();
        }
        assert_eq!(result(&mut events).await, said);
        let is_up = world.active().await == ActiveState::Active;
        assert_eq!(is_up, said == "done");
    }
}

#[tokio::test(start_paused = true)]
async fn a_restart_by_systemd_itself_tests_the_conditions_again() {
    let mut world = World::new();
    let path = world.folder.path().join("disk");
    std::fs::write(&path, "").unwrap();
    world.write_unit(&format!("{FILE}[Unit]\nConditionPathExists={}\n", path.display()));
    world.host.enable_unit(UNIT, true).await.unwrap();
    world.host.start_unit(UNIT).await.unwrap();
    let process = world.process().await;
    process.notifier().ready();
    std::fs::remove_file(&path).unwrap();
    process.exit(1);
    assert_eq!(world.active().await, ActiveState::Activating);
    pass_time(Duration::from_secs(2)).await;
    let state = world.host.load_unit(UNIT).await.unwrap();
    assert_eq!((state.active, state.result.as_str()), (ActiveState::Inactive, "exit-code"));
    assert!(!state.conditions.held && state.restarts == 1, "{state:?}");
}
