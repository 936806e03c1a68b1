//! The life of a container from its start to its end.

use std::time::Duration;

use super::{
    Container, ContainerSettings, ContainerState, EngineError, EventAction, Image, NewContainer,
};
use crate::{Behaviour, Daemon, HostModel, Verb};

/// The time from the start of a program to its first answer.
const ANSWER: Duration = Duration::from_secs(1);
/// The time from the start to the end of a program that ends at once.
const EXIT: Duration = Duration::from_millis(200);
/// The time from the stop signal to the end of a program.
const STOP: Duration = Duration::from_millis(300);
/// The exit code of a killed program.
const KILLED: i64 = 137;
/// The signal of `docker kill`.
const KILL_SIGNAL: &str = "SIGKILL";
/// The signal of `docker stop`, unless the container has another one.
const STOP_SIGNAL: &str = "SIGTERM";

/// The calls of the engine's clients.
impl HostModel {
    /// Starts a container. One that runs already is no error.
    ///
    /// # Errors
    /// No such container, or a fault that was asked for.
    pub async fn start_container(&self, id: &str) -> Result<(), EngineError> {
        self.enter(Daemon::Engine, Verb::Start).await?;
        let container = self.state().engine.find(id)?.clone();
        if container.is_running() {
            return Ok(());
        }
        if let Some(port) = self.state().engine.taken_port(&container) {
            let why = format!("Bind for 0.0.0.0:{port} failed: port is already allocated");
            return Err(EngineError::Conflict(why));
        }
        let behaviour = self.settings().programs.behaviour(&container);
        let now_ms = self.now_ms();
        let (id, start) = self.state().engine.start(id, now_ms, behaviour.clone())?;
        let end = match behaviour {
            Behaviour::ExitsAtOnce { code, .. } => Some((EXIT, code)),
            Behaviour::DiesAfter { after_ms } => Some((Duration::from_millis(after_ms), 1)),
            Behaviour::Good
            | Behaviour::Hangs
            | Behaviour::AnswersAfter { .. }
            | Behaviour::UnhealthyAfter { .. } => None,
        };
        if let Some((pause, code)) = end {
            self.later(pause, move |host| host.end_started(&id, start, code));
        }
        self.notify(Daemon::Engine);
        Ok(())
    }

    /// Stops a container with its grace. One that is stopped or does not exist is no error.
    ///
    /// # Errors
    /// A fault that was asked for.
    pub async fn stop_container(&self, id: &str, grace_ms: u64) -> Result<(), EngineError> {
        self.enter(Daemon::Engine, Verb::Stop).await?;
        let Some(container) = self.running(id) else { return Ok(()) };
        self.note_signal(&container.id, container.stopped_by());
        tokio::time::sleep(STOP.min(Duration::from_millis(grace_ms))).await;
        // A program that hangs ignores the stop signal too, and is killed.
        let code = if container.behaviour == Behaviour::Hangs { KILLED } else { 0 };
        self.end_started(&container.id, container.starts, code);
        self.note_event(&container.id, EventAction::Stop);
        Ok(())
    }

    /// Sends a signal to the program of a running container. The programs of the model end by the
    /// signal that stops their container, unless they hang, and go on with every other one.
    ///
    /// # Errors
    /// It does not run, or a fault that was asked for.
    pub async fn signal_container(&self, id: &str, signal: &str) -> Result<(), EngineError> {
        self.enter(Daemon::Engine, Verb::Signal).await?;
        let found = self.state().engine.find(id)?.clone();
        if !found.is_running() {
            return Err(EngineError::Conflict(format!("container {id} is not running")));
        }
        self.note_signal(&found.id, signal);
        if signal != found.stopped_by() {
            self.state().engine.find(id)?.signals.push(signal.to_owned());
        } else if found.behaviour != Behaviour::Hangs {
            self.later(STOP, move |host| host.end_started(&found.id, found.starts, 0));
        }
        Ok(())
    }

    /// Returns true if the program of a running container answers now.
    #[must_use]
    pub fn answers(&self, id: &str) -> bool {
        let Some(container) = self.running(id).filter(|it| !it.is_paused) else { return false };
        let Some(age) = container.started.map(|started| started.elapsed()) else { return false };
        match container.behaviour {
            Behaviour::Good | Behaviour::DiesAfter { .. } => age >= ANSWER,
            Behaviour::AnswersAfter { after_ms } => age >= Duration::from_millis(after_ms),
            Behaviour::UnhealthyAfter { after_ms } => {
                age >= ANSWER && age < Duration::from_millis(after_ms)
            }
            Behaviour::ExitsAtOnce { .. } | Behaviour::Hangs => false,
        }
    }
}

/// Manual actions on the host, and events of it.
impl HostModel {
    /// Runs `docker stop`.
    ///
    /// # Errors
    /// As [`HostModel::stop_container`].
    pub async fn stop_by_hand(&self, id: &str) -> Result<(), EngineError> {
        self.stop_container(id, 10_000).await
    }

    /// Runs `docker kill`.
    pub fn kill_by_hand(&self, id: &str) {
        if let Some(container) = self.running(id) {
            self.note_signal(&container.id, KILL_SIGNAL);
            self.end_started(&container.id, container.starts, KILLED);
        }
    }

    /// Runs `docker rm --force`.
    pub fn remove_by_hand(&self, id: &str) {
        self.kill_by_hand(id);
        self.forget_container(id);
    }

    /// Runs `docker system prune --all --force`.
    pub fn prune_by_hand(&self) {
        let is_running =
            |container: &Container| matches!(container.state, ContainerState::Running { .. });
        let containers = self.state().engine.containers.clone();
        for stopped in containers.iter().filter(|container| !is_running(container)) {
            self.forget_container(&stopped.id);
        }
        let used: Vec<&str> =
            containers.iter().filter(|it| is_running(it)).map(|it| it.image.as_str()).collect();
        let name = |image: &Image| format!("{}@{}", image.repository, image.digest);
        self.state().engine.images.retain(|image| used.contains(&name(image).as_str()));
        self.notify(Daemon::Engine);
    }

    /// Ends the program of a container, as if by itself.
    pub fn end_by_itself(&self, id: &str, code: i64) {
        if let Some(container) = self.running(id) {
            self.end_started(&container.id, container.starts, code);
        }
    }

    /// Ends the program of a container while the engine's disk is full: its list goes on showing
    /// the container as running until it is started again, and its history has no event of the end.
    pub fn end_on_full_disk(&self, id: &str, code: i64) {
        let now_ms = self.now_ms();
        let mut state = self.state();
        state.engine.stale.insert(id.to_owned());
        if let Ok(container) = state.engine.find(id) {
            container.end(code, now_ms);
        }
        drop(state);
        self.notify(Daemon::Engine);
    }

    /// Writes a line to the log of a container, as its program would.
    pub fn print(&self, id: &str, line: &str) {
        if let Ok(container) = self.state().engine.find(id) {
            container.log.push(line.to_owned());
        }
    }

    /// Creates and starts a container, as `docker run` does.
    pub fn run_by_hand(&self, new: NewContainer) {
        let now_ms = self.now_ms();
        let mut state = self.state();
        let id = format!("{:064x}", state.next_serial());
        state.engine.insert(id.clone(), now_ms, new);
        // It exists, because it was just added.
        let _started = state.engine.start(&id, now_ms, Behaviour::Good).is_ok();
        drop(state);
        self.notify(Daemon::Engine);
    }

    /// Runs `docker commit` of a container and `docker run` of the image under that name: the
    /// copy inherits the labels. Returns its id.
    ///
    /// # Errors
    /// No such container.
    pub fn copy_by_hand(&self, id: &str, name: &str) -> Result<String, EngineError> {
        let original = self.state().engine.find(id)?.clone();
        let image = format!("copy-of-{}", original.name);
        self.run_by_hand(NewContainer {
            name: name.to_owned(),
            image,
            labels: original.labels,
            environment: original.environment,
            ..NewContainer::default()
        });
        Ok(self.state().engine.find(name)?.id.clone())
    }

    /// Runs `docker rename`.
    ///
    /// # Errors
    /// A name that is taken, or no such container.
    pub fn rename_by_hand(&self, id: &str, name: &str) -> Result<(), EngineError> {
        let mut state = self.state();
        state.engine.is_free(name)?;
        let container = state.engine.find(id)?;
        name.clone_into(&mut container.name);
        drop(state);
        self.note_event(id, EventAction::Rename);
        self.notify(Daemon::Engine);
        Ok(())
    }

    /// Runs `docker pause` or `unpause`.
    pub fn pause_by_hand(&self, id: &str, is_paused: bool) {
        if let Ok(container) = self.state().engine.find(id) {
            container.is_paused = is_paused;
        }
        self.notify(Daemon::Engine);
    }

    /// Runs `docker update` with a restart policy, a limit of memory in bytes and a limit of 20 processes.
    pub fn update_by_hand(&self, id: &str, restart_policy: &str, memory_bytes_max: u64) {
        if let Ok(container) = self.state().engine.find(id) {
            let restart_policy = restart_policy.to_owned();
            let options = container.settings.options.clone();
            container.settings = ContainerSettings { restart_policy, memory_bytes_max, options };
            container.pids_limit = Some(20);
        }
        self.notify(Daemon::Engine);
    }

    /// Restarts the engine. Without live-restore everything that runs ends, and
    /// the engine's history has no event of it.
    pub fn restart_engine(&self, live_restore: bool) {
        self.take_away(Daemon::Engine);
        if !live_restore {
            self.end_all_containers();
        }
        self.later(Duration::from_secs(2), |host| host.bring_back(Daemon::Engine));
    }

    pub(crate) fn end_all_containers(&self) {
        let now_ms = self.now_ms();
        for container in &mut self.state().engine.containers {
            container.end(KILLED, now_ms);
        }
        self.notify(Daemon::Engine);
    }

    pub(super) fn forget_container(&self, id: &str) {
        let now_ms = self.now_ms();
        let mut state = self.state();
        let Ok(id) = state.engine.find(id).map(|container| container.id.clone()) else { return };
        state.engine.containers.retain(|container| container.id != id);
        state.engine.note(now_ms, &id, EventAction::Destroy);
        drop(state);
        self.notify(Daemon::Engine);
    }

    fn running(&self, id: &str) -> Option<Container> {
        let mut state = self.state();
        state.engine.find(id).ok().filter(|container| container.is_running()).cloned()
    }

    fn note_event(&self, id: &str, action: EventAction) {
        let now_ms = self.now_ms();
        self.state().engine.note(now_ms, id, action);
    }

    fn note_signal(&self, id: &str, signal: &str) {
        let now_ms = self.now_ms();
        self.state().engine.note_signal(now_ms, id, signal.to_owned());
    }

    /// Ends a container, unless it was started again since.
    fn end_started(&self, id: &str, start: u64, code: i64) {
        let now_ms = self.now_ms();
        let mut state = self.state();
        let Ok(container) = state.engine.find(id) else { return };
        if container.starts != start || !container.is_running() {
            return;
        }
        container.end(code, now_ms);
        state.engine.note(now_ms, id, EventAction::Die);
        drop(state);
        self.notify(Daemon::Engine);
    }
}

impl Container {
    /// Returns the signal by which it is stopped.
    fn stopped_by(&self) -> &str {
        self.stop_signal.as_deref().unwrap_or(STOP_SIGNAL)
    }

    fn end(&mut self, code: i64, now_ms: u64) {
        if self.is_running() {
            self.is_paused = false;
            self.state = ContainerState::Exited { code, at_ms: now_ms, out_of_memory: false };
        }
    }
}
