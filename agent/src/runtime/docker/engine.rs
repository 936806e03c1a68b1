//! The calls of the engine behind a socket: Docker, or what speaks its API.

use std::collections::HashMap;
use std::time::Duration;

use async_trait::async_trait;
use bollard::auth::DockerCredentials;
use bollard::models::{ContainerCreateBody, ContainerInspectResponse, ContainerSummary};
use bollard::query_parameters::{
    CreateContainerOptionsBuilder, KillContainerOptionsBuilder, ListContainersOptions,
    ListContainersOptionsBuilder, RemoveContainerOptionsBuilder, RenameContainerOptionsBuilder,
    StopContainerOptionsBuilder, WaitContainerOptionsBuilder,
};
use futures_util::StreamExt as _;
use oml_common::decide::drift::ContainerSettings;
use oml_common::document::instance::Container;
use oml_common::time::Timestamp;
use tokio::sync::watch;

use super::calls::{EngineCalls, EngineInfo};
use super::create::sysctls::ApiVersion;
use super::create::{made, options};
use super::socket::Engine;
use super::{events, exec, failure, images, messages, time};
use crate::runtime::{
    ContainerCalls, ContainerEvents, ExecOutput, Inspected, LIST_LIMIT, PullProgress, RuntimeError,
    Waited,
};

/// The time limit of a call.
const CALL_LIMIT: Duration = Duration::from_secs(20);
/// The time limit of a stop beyond the grace of the container.
const STOP_MARGIN: Duration = Duration::from_secs(20);

/// Reads the settings that somebody can change.
fn settings(found: ContainerInspectResponse, is_paused: bool) -> ContainerSettings {
    let (host, config) = (found.host_config.unwrap_or_default(), found.config.unwrap_or_default());
    let made = Some(made::found(&host, &config));
    let policy = host.restart_policy.as_ref().and_then(|policy| policy.name);
    let is_set = |number: Option<i64>| number.is_some_and(|number| number > 0);
    ContainerSettings {
        is_paused,
        restart_policy: policy.map(|name| name.to_string()).unwrap_or_default(),
        memory_bytes_max: host.memory.and_then(|b| u64::try_from(b).ok()).filter(|b| *b > 0),
        has_cpu_limit: is_set(host.nano_cpus)
            || is_set(host.cpu_quota)
            || host.cpuset_cpus.as_ref().is_some_and(|cpus| !cpus.is_empty()),
        options: options::found(host, config, found.network_settings),
        made,
    }
}

impl Engine {
    async fn list(
        &self,
        options: ListContainersOptions,
    ) -> Result<Vec<ContainerSummary>, RuntimeError> {
        let client = self.client(LIST_LIMIT)?;
        failure::within(LIST_LIMIT, "list", "containers", client.list_containers(Some(options)))
            .await
    }
}

#[async_trait]
impl ContainerCalls for Engine {
    async fn inspect(&self, id: &str) -> Result<Option<Inspected>, RuntimeError> {
        let client = self.client(CALL_LIMIT)?;
        let call = client.inspect_container(id, None);
        let answer = failure::within_if_there(CALL_LIMIT, "inspect", id, call).await?;
        let Some(found) = answer else { return Ok(None) };
        let state = found.state.clone().unwrap_or_default();
        let error = state.error.clone().unwrap_or_default();
        let started = time::timestamp(state.started_at.as_deref());
        let started = (started != Timestamp(0)).then_some(started);
        let is_paused = state.paused == Some(true);
        let settings = settings(found, is_paused);
        Ok(Some(Inspected { state: time::state(&state), started, error, settings }))
    }

    async fn start(&self, id: &str) -> Result<(), RuntimeError> {
        let client = self.client(CALL_LIMIT)?;
        failure::within(CALL_LIMIT, "start", id, client.start_container(id, None)).await
    }

    async fn stop(&self, id: &str, grace_ms: u64) -> Result<(), RuntimeError> {
        let seconds = i32::try_from(grace_ms.div_ceil(1000)).unwrap_or(i32::MAX);
        let options = StopContainerOptionsBuilder::new().t(seconds).build();
        let limit = Duration::from_millis(grace_ms) + STOP_MARGIN;
        let client = self.client(limit)?;
        let call = client.stop_container(id, Some(options));
        failure::within_if_there(limit, "stop", id, call).await.map(|_| ())
    }

    async fn signal(&self, id: &str, signal: &str) -> Result<(), RuntimeError> {
        let options = KillContainerOptionsBuilder::new().signal(signal).build();
        let client = self.client(CALL_LIMIT)?;
        let call = client.kill_container(id, Some(options));
        failure::within(CALL_LIMIT, "signal", id, call).await
    }

    async fn last_lines(&self, id: &str, since: Timestamp) -> Result<Vec<String>, RuntimeError> {
        messages::last_lines(self, id, since).await
    }

    async fn follow(
        &self,
        id: &str,
        skip: u64,
        line: &(dyn Fn(String) + Send + Sync),
    ) -> Result<(), RuntimeError> {
        messages::follow(self, id, skip, line).await
    }

    async fn wait(&self, id: &str) -> Result<Waited, RuntimeError> {
        let options = WaitContainerOptionsBuilder::new().condition("not-running").build();
        let client = self.client(CALL_LIMIT)?;
        let mut answers = std::pin::pin!(client.wait_container(id, Some(options)));
        match answers.next().await {
            Some(Ok(answer)) => Ok(Waited::Ended(answer.status_code)),
            // The client library makes an error of every status but 0.
            Some(Err(bollard::errors::Error::DockerContainerWaitError { code, .. })) => {
                Ok(Waited::Ended(code))
            }
            Some(Err(error)) => Err(failure::of("wait for", id, error)),
            None => Ok(Waited::Lost),
        }
    }

    async fn exec(
        &self,
        id: &str,
        command: &[String],
        limit: Duration,
    ) -> Result<ExecOutput, RuntimeError> {
        exec::run(self, id, command, limit).await
    }

    async fn container_events(
        &self,
        id: &str,
        since: Timestamp,
        until: Timestamp,
    ) -> Result<ContainerEvents, RuntimeError> {
        // The engine shows the stop signal of the image where the document names none.
        let found = self.inspect(id).await?;
        let stop_signal = found.and_then(|found| found.settings.options.options.stop_signal);
        events::of(self, id, stop_signal.as_deref(), since, until).await
    }
}

#[async_trait]
impl EngineCalls for Engine {
    async fn containers(&self) -> Result<Vec<ContainerSummary>, RuntimeError> {
        self.list(ListContainersOptionsBuilder::new().all(true).build()).await
    }

    async fn labelled(
        &self,
        key: &str,
        value: &str,
    ) -> Result<Vec<ContainerSummary>, RuntimeError> {
        let filters = HashMap::from([("label", vec![format!("{key}={value}")])]);
        self.list(ListContainersOptionsBuilder::new().all(true).filters(&filters).build()).await
    }

    async fn create(&self, name: &str, body: ContainerCreateBody) -> Result<String, RuntimeError> {
        let options = CreateContainerOptionsBuilder::new().name(name).build();
        let client = self.client(CALL_LIMIT)?;
        let call = client.create_container(Some(options), body);
        let created = failure::within_sorted(CALL_LIMIT, call, |e| failure::of_create(name, e));
        created.await.map(|created| created.id)
    }

    async fn rename(&self, id: &str, name: &str) -> Result<(), RuntimeError> {
        let options = RenameContainerOptionsBuilder::new().name(name).build();
        let client = self.client(CALL_LIMIT)?;
        failure::within(CALL_LIMIT, "rename", id, client.rename_container(id, options)).await
    }

    async fn remove(&self, id: &str) -> Result<(), RuntimeError> {
        let options = RemoveContainerOptionsBuilder::new().v(false).force(false).build();
        let client = self.client(CALL_LIMIT)?;
        let call = client.remove_container(id, Some(options));
        failure::within_if_there(CALL_LIMIT, "remove", id, call).await.map(|_| ())
    }

    async fn log_tail(&self, id: &str, since: Timestamp) -> Result<Vec<String>, RuntimeError> {
        messages::log_tail(self, id, since).await
    }

    async fn image_names(&self) -> Result<Vec<String>, RuntimeError> {
        images::names(self).await
    }

    async fn image_id(&self, name: &str) -> Result<Option<String>, RuntimeError> {
        let client = self.client(CALL_LIMIT)?;
        let call = client.inspect_image(name);
        let found = failure::within_if_there(CALL_LIMIT, "inspect image", name, call).await?;
        Ok(found.and_then(|image| image.id))
    }

    async fn pull(
        &self,
        container: &Container,
        login: Option<DockerCredentials>,
        silence_max: Duration,
        progress: &watch::Sender<PullProgress>,
    ) -> Result<(), RuntimeError> {
        images::request_pull(self, container, login, silence_max, progress).await
    }

    async fn info(&self) -> Result<EngineInfo, RuntimeError> {
        images::settings(self).await
    }

    async fn api_version(&self) -> Result<Option<ApiVersion>, RuntimeError> {
        let client = self.client(CALL_LIMIT)?;
        let call = client.version();
        let found = failure::within(CALL_LIMIT, "ask for", "version", call).await?;
        Ok(found.api_version.as_deref().and_then(ApiVersion::parse))
    }

    async fn watch(&self, counter: &watch::Sender<u64>) {
        events::watch(self, counter).await;
    }
}
