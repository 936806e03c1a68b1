//! The model of a host in the place of the engine's socket. Everything above it
//! is the same code.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bollard::auth::DockerCredentials;
use bollard::models::{
    ContainerConfig, ContainerCreateBody, ContainerSummary, ContainerSummaryStateEnum,
    EndpointSettings, NetworkSettings, PortMap,
};
use oml_common::decide::drift::{ContainerSettings, FoundContainer, FoundOptions};
use oml_common::decide::exit::asks_for_end;
use oml_common::decide::observed::ContainerState;
use oml_common::document::instance::Container;
use oml_common::id::TenantId;
use oml_common::time::Timestamp;
use oml_sim::{EngineError, EventAction, Fault, HostModel, Image, NewContainer};
use tokio::sync::watch;

use super::Docker;
use super::calls::{EngineCalls, EngineInfo};
use super::create::sysctls::ApiVersion;
use super::create::{made, options};
use crate::paths::Paths;
use crate::runtime::{
    ContainerCalls, ContainerEvents, ExecOutput, Inspected, PullProgress, RuntimeError, Waited,
};

/// Turns an error of the model into the one that the engine's answer would be.
fn failure(verb: &'static str, object: &str) -> impl FnOnce(EngineError) -> RuntimeError {
    move |error| {
        let transient = match &error {
            EngineError::Fault(Fault::Away) => {
                let detail = format!("{verb} {object}: it was taken away");
                return RuntimeError::Unavailable { daemon: "docker", detail };
            }
            EngineError::Fault(Fault::Refused { transient, .. })
            | EngineError::Pull { transient, .. } => *transient,
            EngineError::Conflict(_) => true,
            EngineError::NoContainer(_) | EngineError::NoImage(_) | EngineError::NoCommand => false,
        };
        let detail = error.to_string();
        RuntimeError::Refused { verb, object: object.to_owned(), detail, transient }
    }
}

fn summary(container: oml_sim::Container) -> ContainerSummary {
    let state = match container.state {
        oml_sim::ContainerState::Created => ContainerSummaryStateEnum::CREATED,
        oml_sim::ContainerState::Running { .. } if container.is_paused => {
            ContainerSummaryStateEnum::PAUSED
        }
        oml_sim::ContainerState::Running { .. } => ContainerSummaryStateEnum::RUNNING,
        oml_sim::ContainerState::Exited { .. } => ContainerSummaryStateEnum::EXITED,
    };
    ContainerSummary {
        id: Some(container.id),
        names: Some(vec![format!("/{}", container.name)]),
        image_id: Some(container.image.clone()),
        image: Some(container.image),
        labels: Some(container.labels.into_iter().collect()),
        created: i64::try_from(container.created_ms / 1000).ok(),
        state: Some(state),
        ..ContainerSummary::default()
    }
}

fn state(state: &oml_sim::ContainerState) -> ContainerState {
    match state {
        oml_sim::ContainerState::Created => ContainerState::Created,
        oml_sim::ContainerState::Running { since_ms } => {
            ContainerState::Running { since: Timestamp(*since_ms) }
        }
        oml_sim::ContainerState::Exited { code, at_ms, out_of_memory } => ContainerState::Exited {
            code: *code,
            at: Timestamp(*at_ms),
            out_of_memory: *out_of_memory,
        },
    }
}

/// Returns what the model keeps of a request, to show it again as an engine does.
fn kept(body: &ContainerCreateBody) -> String {
    // Without it the model would show a container with other options, which a test would notice.
    serde_json::to_string(body).unwrap_or_default()
}

/// Returns what a container was created with, with the networks to which an engine connects it.
fn shown(kept: &str) -> (FoundOptions, FoundContainer) {
    let body: ContainerCreateBody = serde_json::from_str(kept).unwrap_or_default();
    let config = ContainerConfig {
        entrypoint: body.entrypoint,
        cmd: body.cmd,
        env: body.env,
        user: body.user,
        stop_signal: body.stop_signal,
        ..ContainerConfig::default()
    };
    let host = body.host_config.unwrap_or_default();
    let made = made::found(&host, &config);
    let network = host.network_mode.iter().map(|name| (name.clone(), EndpointSettings::default()));
    let networks = Some(network.collect());
    let networks = NetworkSettings { networks, ..NetworkSettings::default() };
    (options::found(host, config, Some(networks)), made)
}

/// Returns the ports of the host that lead to a container.
fn published(bindings: PortMap) -> BTreeSet<String> {
    let ports = bindings.into_iter().flat_map(|(inside, bindings)| {
        let protocol = inside.split_once('/').map_or("tcp", |(_, protocol)| protocol).to_owned();
        let hosts = bindings.unwrap_or_default().into_iter().filter_map(|it| it.host_port);
        hosts.map(move |host| format!("{host}/{protocol}"))
    });
    ports.collect()
}

/// The model of a host in the place of an engine's socket.
#[derive(Debug)]
struct Model(HostModel);

impl Docker {
    /// The engine of a model of a host of that tenant.
    #[must_use]
    pub fn of_model(host: HostModel, paths: Paths, tenant: Option<TenantId>) -> Self {
        Self::over(Arc::new(Model(host)), paths, Vec::new(), tenant)
    }
}

#[async_trait]
impl ContainerCalls for Model {
    async fn inspect(&self, id: &str) -> Result<Option<Inspected>, RuntimeError> {
        let found = self.0.inspect_container(id).await.map_err(failure("inspect", id))?;
        Ok(found.map(|found| {
            let state = state(&found.state);
            let started = match state {
                ContainerState::Created => None,
                ContainerState::Running { since } => Some(since),
                // The model does not keep when it was started; its end is no earlier.
                ContainerState::Exited { at, .. } => Some(at),
            };
            let (options, mut made) = shown(&found.settings.options);
            made.limits.pids_max = found.pids_limit;
            let settings = ContainerSettings {
                is_paused: found.is_paused,
                restart_policy: found.settings.restart_policy,
                memory_bytes_max: Some(found.settings.memory_bytes_max).filter(|bytes| *bytes > 0),
                has_cpu_limit: false,
                options,
                made: Some(made).filter(|_| !found.settings.options.is_empty()),
            };
            Inspected { state, started, error: String::new(), settings }
        }))
    }

    async fn start(&self, id: &str) -> Result<(), RuntimeError> {
        self.0.start_container(id).await.map_err(failure("start", id))
    }

    async fn stop(&self, id: &str, grace_ms: u64) -> Result<(), RuntimeError> {
        self.0.stop_container(id, grace_ms).await.map_err(failure("stop", id))
    }

    async fn signal(&self, id: &str, signal: &str) -> Result<(), RuntimeError> {
        self.0.signal_container(id, signal).await.map_err(failure("signal", id))
    }

    async fn last_lines(&self, id: &str, since: Timestamp) -> Result<Vec<String>, RuntimeError> {
        const LINES_MAX: usize = 5;
        let mut lines = self.log_tail(id, since).await?;
        Ok(lines.split_off(lines.len().saturating_sub(LINES_MAX)))
    }

    async fn follow(
        &self,
        id: &str,
        skip: u64,
        line: &(dyn Fn(String) + Send + Sync),
    ) -> Result<(), RuntimeError> {
        let skip = usize::try_from(skip).unwrap_or(usize::MAX);
        self.0.follow_log(id, skip, line).await.map_err(failure("read the log of", id))
    }

    async fn wait(&self, id: &str) -> Result<Waited, RuntimeError> {
        match self.0.wait_container(id).await.map_err(failure("wait for", id))? {
            oml_sim::WaitEnd::Ended(code) => Ok(Waited::Ended(code)),
            oml_sim::WaitEnd::Lost => Ok(Waited::Lost),
        }
    }

    /// Commands of the model end at once.
    async fn exec(
        &self,
        id: &str,
        command: &[String],
        _limit: Duration,
    ) -> Result<ExecOutput, RuntimeError> {
        let answer = self.0.exec(id, command).await.map_err(failure("run a command in", id))?;
        let stderr = String::new();
        Ok(ExecOutput { exit_code: answer.exit_code, stdout: answer.stdout, stderr })
    }

    async fn container_events(
        &self,
        id: &str,
        since: Timestamp,
        until: Timestamp,
    ) -> Result<ContainerEvents, RuntimeError> {
        let containers = self.0.containers();
        let found = containers.into_iter().find(|container| container.id == id);
        let stop_signal = found.and_then(|container| container.stop_signal);
        let events = self.0.events(id, since.0, until.0).await;
        let mut container_events = ContainerEvents::default();
        for event in events.map_err(failure("read the events of", id))? {
            match event.action {
                EventAction::Die => container_events.ended = true,
                EventAction::Stop => container_events.stopped = true,
                EventAction::Kill => {
                    let signal = Some(event.signal.as_str()).filter(|signal| !signal.is_empty());
                    container_events.killed |= asks_for_end(signal, stop_signal.as_deref());
                }
                EventAction::Destroy => container_events.removed = true,
                EventAction::Create | EventAction::Start | EventAction::Rename => {}
            }
        }
        Ok(container_events)
    }
}

#[async_trait]
impl EngineCalls for Model {
    async fn containers(&self) -> Result<Vec<ContainerSummary>, RuntimeError> {
        let containers = self.0.list_containers().await.map_err(failure("list", "containers"))?;
        Ok(containers.into_iter().map(summary).collect())
    }

    async fn labelled(
        &self,
        key: &str,
        value: &str,
    ) -> Result<Vec<ContainerSummary>, RuntimeError> {
        let containers = self.0.list_containers().await.map_err(failure("list", "containers"))?;
        let has_label = |container: &oml_sim::Container| {
            container.labels.get(key).is_some_and(|found| found == value)
        };
        Ok(containers.into_iter().filter(has_label).map(summary).collect())
    }

    async fn create(&self, name: &str, body: ContainerCreateBody) -> Result<String, RuntimeError> {
        let options = kept(&body);
        let config = body.host_config.unwrap_or_default();
        let policy = config.restart_policy.and_then(|policy| policy.name);
        let memory = config.memory.and_then(|bytes| u64::try_from(bytes).ok());
        let settings = oml_sim::ContainerSettings {
            restart_policy: policy.map(|name| name.to_string()).unwrap_or_default(),
            memory_bytes_max: memory.unwrap_or(0),
            options,
        };
        let published = published(config.port_bindings.unwrap_or_default());
        let mounts = config.mounts.unwrap_or_default();
        let labels: HashMap<String, String> = body.labels.unwrap_or_default();
        let new = NewContainer {
            name: name.to_owned(),
            image: body.image.unwrap_or_default(),
            labels: labels.into_iter().collect(),
            volumes: mounts.into_iter().filter_map(|mount| mount.source).collect(),
            environment: body.env.unwrap_or_default(),
            pids_limit: config.pids_limit,
            security_options: config.security_opt.unwrap_or_default(),
            published,
            stop_signal: body.stop_signal,
            settings,
        };
        self.0.create_container(new).await.map_err(failure("create", name))
    }

    async fn rename(&self, id: &str, name: &str) -> Result<(), RuntimeError> {
        self.0.rename_container(id, name).await.map_err(failure("rename", id))
    }

    async fn remove(&self, id: &str) -> Result<(), RuntimeError> {
        self.0.remove_container(id).await.map_err(failure("remove", id))
    }

    /// The model keeps the lines of the last life only.
    async fn log_tail(&self, id: &str, _since: Timestamp) -> Result<Vec<String>, RuntimeError> {
        self.0.container_log(id).await.map_err(failure("read the log of", id))
    }

    async fn image_names(&self) -> Result<Vec<String>, RuntimeError> {
        let images = self.0.list_images().await.map_err(failure("list", "images"))?;
        let name = |image: Image| format!("{}@{}", image.repository, image.digest);
        Ok(images.into_iter().map(name).collect())
    }

    /// The model identifies an image by its name.
    async fn image_id(&self, name: &str) -> Result<Option<String>, RuntimeError> {
        Ok(self.image_names().await?.into_iter().find(|found| found == name))
    }

    async fn pull(
        &self,
        container: &Container,
        _login: Option<DockerCredentials>,
        _silence_max: Duration,
        progress: &watch::Sender<PullProgress>,
    ) -> Result<(), RuntimeError> {
        let image = Image {
            repository: container.repository.to_string(),
            digest: container.digest.to_string(),
        };
        let seen = |bytes_done, bytes_total| {
            progress.send_replace(PullProgress { bytes_done, bytes_total });
        };
        let object = format!("{}@{}", image.repository, image.digest);
        self.0.pull(&image, seen).await.map_err(failure("pull", &object))
    }

    async fn api_version(&self) -> Result<Option<ApiVersion>, RuntimeError> {
        // That of Debian 13.
        Ok(ApiVersion::parse("1.45"))
    }

    async fn info(&self) -> Result<EngineInfo, RuntimeError> {
        let root = self.0.settings().storage.clone();
        Ok(EngineInfo { log_driver: "json-file".to_owned(), root, ..EngineInfo::default() })
    }

    async fn watch(&self, counter: &watch::Sender<u64>) {
        let mut changes = self.0.container_changes();
        // A look may have been before that.
        counter.send_modify(|count| *count = count.wrapping_add(1));
        while changes.changed().await.is_ok() {
            counter.send_modify(|count| *count = count.wrapping_add(1));
        }
    }
}
