//! The model of the container engine: images, containers and events.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use tokio::time::Instant;

use crate::{Behaviour, Daemon, ExecAnswer, HostModel, Image, Verb};

mod error;
mod event;
mod follow;
mod life;
mod look;

pub use error::EngineError;
pub use event::{Event, EventAction};

/// The time that a pull takes.
const PULL: Duration = Duration::from_secs(4);
/// The time that the creation of a container takes.
const CREATE: Duration = Duration::from_millis(200);
/// The size of every image in bytes.
const IMAGE_BYTES: u64 = 1_000_000;

/// The state of a container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ContainerState {
    /// It was never started.
    Created,
    Running {
        /// The time of the start, in milliseconds since the epoch.
        since_ms: u64,
    },
    /// It has ended.
    Exited {
        code: i64,
        /// The time of the end, in milliseconds since the epoch.
        at_ms: u64,
        /// The kernel killed it because memory ran out.
        out_of_memory: bool,
    },
}

/// A container as the engine holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Container {
    pub id: String,
    pub name: String,
    /// The image that it was created from, as the request named it.
    pub image: String,
    pub labels: BTreeMap<String, String>,
    /// Named volumes that are mounted.
    pub volumes: Vec<String>,
    /// Its program's environment, as `NAME=VALUE`.
    pub environment: Vec<String>,
    /// The largest number of its processes and threads.
    pub pids_limit: Option<i64>,
    pub security_options: Vec<String>,
    /// The ports of the host that lead to it while it runs, such as `80/tcp`.
    pub published: BTreeSet<String>,
    /// The signal by which it is stopped; none is `SIGTERM`.
    pub stop_signal: Option<String>,
    /// The time of its creation, in milliseconds since the epoch.
    pub created_ms: u64,
    pub state: ContainerState,
    /// Its program is frozen.
    pub is_paused: bool,
    pub settings: ContainerSettings,
    /// The lines that its program wrote.
    pub log: Vec<String>,
    /// The signals that were sent to its program and did not ask it to end.
    pub signals: Vec<String>,
    /// The time of its last start, on a clock that is never set.
    started: Option<Instant>,
    /// Counts its starts, so that what was due for an earlier one is void.
    pub starts: u64,
    /// The behaviour of its program since the last start.
    behaviour: Behaviour,
}

/// The settings of a container that can be changed while it exists.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ContainerSettings {
    /// The engine's own restarts: "no", "always" …
    pub restart_policy: String,
    /// The limit of its memory in bytes; 0 for none.
    pub memory_bytes_max: u64,
    /// Everything else of its request, in the words of the engine's clients.
    pub options: String,
}

/// The request for a container.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NewContainer {
    pub name: String,
    /// The image, as `REPOSITORY@DIGEST`.
    pub image: String,
    pub labels: BTreeMap<String, String>,
    /// Named volumes that are mounted.
    pub volumes: Vec<String>,
    /// Its program's environment, as `NAME=VALUE`.
    pub environment: Vec<String>,
    /// The largest number of its processes and threads.
    pub pids_limit: Option<i64>,
    pub security_options: Vec<String>,
    /// The ports of the host that lead to it while it runs, such as `80/tcp`.
    pub published: BTreeSet<String>,
    /// The signal by which it is stopped; none is `SIGTERM`.
    pub stop_signal: Option<String>,
    pub settings: ContainerSettings,
}

/// The result of waiting for the end of a container.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WaitEnd {
    /// The container ended with this status.
    Ended(i64),
    /// The engine went away; nothing is known of the container.
    Lost,
}

#[derive(Debug, Default)]
pub(crate) struct Engine {
    pub(crate) images: BTreeSet<Image>,
    pub(crate) containers: Vec<Container>,
    events: VecDeque<Event>,
    /// The containers that the list shows as running although they have ended.
    stale: BTreeSet<String>,
    /// The volumes that were ever created; none is ever removed.
    volumes: BTreeSet<String>,
}

impl Engine {
    fn find(&mut self, id: &str) -> Result<&mut Container, EngineError> {
        let found = self.containers.iter_mut().find(|c| c.id == id || c.name == id);
        found.ok_or_else(|| EngineError::NoContainer(id.to_owned()))
    }

    /// Adds a container that was never started, and its volumes.
    fn insert(&mut self, id: String, now_ms: u64, new: NewContainer) {
        let NewContainer {
            name,
            image,
            labels,
            volumes,
            environment,
            pids_limit,
            security_options,
            published,
            stop_signal,
            settings,
        } = new;
        self.note(now_ms, &id, EventAction::Create);
        self.volumes.extend(volumes.iter().cloned());
        self.containers.push(Container {
            id,
            name,
            image,
            labels,
            volumes,
            environment,
            pids_limit,
            security_options,
            published,
            stop_signal,
            created_ms: now_ms,
            state: ContainerState::Created,
            is_paused: false,
            settings,
            log: Vec::new(),
            started: None,
            signals: Vec::new(),
            starts: 0,
            behaviour: Behaviour::default(),
        });
    }

    /// Starts the program of a container, and returns its id and the number of the start.
    fn start(
        &mut self,
        id: &str,
        now_ms: u64,
        behaviour: Behaviour,
    ) -> Result<(String, u64), EngineError> {
        let container = self.find(id)?;
        container.state = ContainerState::Running { since_ms: now_ms };
        container.started = Some(Instant::now());
        container.starts += 1;
        if let Behaviour::ExitsAtOnce { log, .. } = &behaviour {
            container.log.extend(log.iter().cloned());
        }
        container.behaviour = behaviour;
        let (id, start) = (container.id.clone(), container.starts);
        self.stale.remove(&id);
        self.note(now_ms, &id, EventAction::Start);
        Ok((id, start))
    }

    /// Returns the first port of a container that leads to another one that runs.
    fn taken_port(&self, container: &Container) -> Option<&String> {
        let others = self.containers.iter().filter(|it| it.id != container.id && it.is_running());
        let mut taken = others.flat_map(|other| &other.published);
        taken.find(|port| container.published.contains(*port))
    }

    fn is_free(&self, name: &str) -> Result<(), EngineError> {
        match self.containers.iter().find(|container| container.name == name) {
            None => Ok(()),
            Some(holder) => Err(EngineError::Conflict(format!(
                "the container name {name:?} is in use by container {}",
                holder.id
            ))),
        }
    }
}

impl Container {
    /// Returns true if it runs.
    #[must_use]
    pub fn is_running(&self) -> bool {
        matches!(self.state, ContainerState::Running { .. })
    }
}

/// The calls of the engine's clients.
impl HostModel {
    /// Lists every container, running or not, oldest first.
    ///
    /// # Errors
    /// A requested fault.
    pub async fn list_containers(&self) -> Result<Vec<Container>, EngineError> {
        self.enter(Daemon::Engine, Verb::Read).await?;
        Ok(self.state().engine.listed())
    }

    /// Finds a container by its id or name; none if it does not exist.
    ///
    /// # Errors
    /// A requested fault.
    pub async fn inspect_container(&self, id: &str) -> Result<Option<Container>, EngineError> {
        self.enter(Daemon::Engine, Verb::Read).await?;
        Ok(self.state().engine.find(id).ok().cloned())
    }

    /// Lists the images that are completely present.
    ///
    /// # Errors
    /// A requested fault.
    pub async fn list_images(&self) -> Result<Vec<Image>, EngineError> {
        self.enter(Daemon::Engine, Verb::Read).await?;
        Ok(self.state().engine.images.iter().cloned().collect())
    }

    /// Pulls an image and reports the bytes on the way, done and in all.
    ///
    /// # Errors
    /// A fault that was asked for, or what the registry says.
    pub async fn pull(
        &self,
        image: &Image,
        progress: impl Fn(u64, u64),
    ) -> Result<(), EngineError> {
        progress(0, IMAGE_BYTES);
        self.enter(Daemon::Engine, Verb::Pull).await?;
        let refused = |refusal: crate::registry::Refusal| EngineError::Pull {
            detail: refusal.detail,
            transient: refusal.transient,
        };
        if !self.state().engine.images.contains(image) {
            tokio::time::sleep(PULL).await;
            self.settings().registry.give(&image.digest).map_err(refused)?;
            self.state().engine.images.insert(image.clone());
        }
        progress(IMAGE_BYTES, IMAGE_BYTES);
        Ok(())
    }

    /// Creates a container and returns its id. It is not started.
    ///
    /// # Errors
    /// A name that is taken, an image that is not there, or a fault that was asked for.
    pub async fn create_container(&self, new: NewContainer) -> Result<String, EngineError> {
        self.enter(Daemon::Engine, Verb::Create).await?;
        tokio::time::sleep(CREATE).await;
        let now_ms = self.now_ms();
        let mut state = self.state();
        state.engine.is_free(&new.name)?;
        let of_image =
            |image: &Image| new.image == format!("{}@{}", image.repository, image.digest);
        if !state.engine.images.iter().any(of_image) {
            return Err(EngineError::NoImage(new.image));
        }
        let id = format!("{:064x}", state.next_serial());
        state.engine.insert(id.clone(), now_ms, new);
        drop(state);
        self.notify(Daemon::Engine);
        Ok(id)
    }

    /// Renames a container.
    ///
    /// # Errors
    /// A name that is taken, no such container, or a fault that was asked for.
    pub async fn rename_container(&self, id: &str, name: &str) -> Result<(), EngineError> {
        self.enter(Daemon::Engine, Verb::Rename).await?;
        let now_ms = self.now_ms();
        let mut state = self.state();
        state.engine.is_free(name)?;
        name.clone_into(&mut state.engine.find(id)?.name);
        state.engine.note(now_ms, id, EventAction::Rename);
        drop(state);
        self.notify(Daemon::Engine);
        Ok(())
    }

    /// Removes a container that does not run. One that does not exist is no error.
    ///
    /// # Errors
    /// It runs, or a fault that was asked for.
    pub async fn remove_container(&self, id: &str) -> Result<(), EngineError> {
        self.enter(Daemon::Engine, Verb::Remove).await?;
        match self.state().engine.find(id) {
            Ok(container) if container.is_running() => {
                let why = format!("container {id} is running: stop it before it is removed");
                return Err(EngineError::Conflict(why));
            }
            Ok(_) => {}
            Err(_) => return Ok(()),
        }
        self.forget_container(id);
        Ok(())
    }

    /// Reads the lines that a container's program wrote.
    ///
    /// # Errors
    /// No such container, or a fault that was asked for.
    pub async fn container_log(&self, id: &str) -> Result<Vec<String>, EngineError> {
        self.enter(Daemon::Engine, Verb::Logs).await?;
        Ok(self.state().engine.find(id)?.log.clone())
    }

    /// Runs a command in a running container.
    ///
    /// # Errors
    /// It does not run, there is no command, or a fault that was asked for.
    pub async fn exec(&self, id: &str, command: &[String]) -> Result<ExecAnswer, EngineError> {
        self.enter(Daemon::Engine, Verb::Exec).await?;
        if command.is_empty() {
            return Err(EngineError::NoCommand);
        }
        let container = self.state().engine.find(id)?.clone();
        if !container.is_running() {
            return Err(EngineError::Conflict(format!("container {id} is not running")));
        }
        Ok(self.settings().programs.exec(&container, command))
    }

    /// Returns the events of a container from `since_ms` to `until_ms`, oldest first. If
    /// `until_ms` is in the future, the call waits for it.
    ///
    /// # Errors
    /// A requested fault.
    pub async fn events(
        &self,
        id: &str,
        since_ms: u64,
        until_ms: u64,
    ) -> Result<Vec<Event>, EngineError> {
        let ahead_ms = until_ms.saturating_sub(self.now_ms());
        tokio::time::sleep(Duration::from_millis(ahead_ms)).await;
        self.enter(Daemon::Engine, Verb::Read).await?;
        let state = self.state();
        let within =
            |event: &&Event| event.id == id && event.at_ms >= since_ms && event.at_ms <= until_ms;
        Ok(state.engine.events.iter().filter(within).cloned().collect())
    }
}
