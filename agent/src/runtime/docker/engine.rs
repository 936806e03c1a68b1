//! The engine's verbs, each bounded in time and with an error that says what
//! was tried. Decides nothing; agent and supervisors share it.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bollard::Docker as Client;
use bollard::models::{ContainerCreateBody, ContainerSummary};
use bollard::query_parameters::{
    CreateContainerOptionsBuilder, ListContainersOptions, ListContainersOptionsBuilder,
    RemoveContainerOptionsBuilder, RenameContainerOptionsBuilder, StopContainerOptionsBuilder,
    WaitContainerOptionsBuilder,
};
use futures_util::StreamExt as _;
use oml_common::decide::observed::ContainerState;

use super::exec::Unfinished;
use super::failure;
use super::time;
use crate::runtime::RuntimeError;

/// An answer that takes longer is none.
const CALL_LIMIT: Duration = Duration::from_secs(20);
/// Beyond a container's own grace.
const STOP_MARGIN: Duration = Duration::from_secs(20);

/// The engine behind a socket. Every call opens its own connection, so a
/// restarted engine needs no care.
#[derive(Debug, Clone)]
pub struct Engine {
    socket: PathBuf,
    pub(super) unfinished: Unfinished,
    /// Stands in for the socket.
    #[cfg(any(test, feature = "sim"))]
    pub(super) model: Option<oml_sim::Host>,
}

/// A container, as far as a decision needs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inspected {
    pub state: ContainerState,
    /// Why it could not be started, in the engine's words; often empty.
    pub error: String,
}

/// How a wait for a container's end ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Waited {
    /// The container ended with this status.
    Ended(i64),
    /// The engine went away; nothing is known of the container.
    Lost,
}

impl Engine {
    /// The engine behind this socket; it may be away.
    #[must_use]
    pub fn at(socket: &Path) -> Self {
        Self {
            socket: socket.to_owned(),
            unfinished: Unfinished::default(),
            #[cfg(any(test, feature = "sim"))]
            model: None,
        }
    }

    /// The engine of a model of a host.
    #[cfg(any(test, feature = "sim"))]
    #[must_use]
    pub fn of_model(host: oml_sim::Host) -> Self {
        Self { model: Some(host), ..Self::at(Path::new("")) }
    }

    /// Whether the program of a container answers, where no network is in
    /// question; none where a probe has to find out.
    #[cfg(any(test, feature = "sim"))]
    pub(crate) async fn answers(&self, id: &str) -> Option<bool> {
        let host = self.model.as_ref()?;
        Some(super::model::answers(host, id).await)
    }

    /// A client for one call. The version in a request's path is left out by
    /// the client library, so the engine answers in its own.
    pub(super) fn client(&self, limit: Duration) -> Result<Client, RuntimeError> {
        let socket = self.socket.to_string_lossy();
        let client = Client::connect_with_unix(
            &socket,
            limit.as_secs().max(1),
            bollard::API_DEFAULT_VERSION,
        )
        .map_err(|error| failure::of("reach", "the engine", error))?;
        Ok(client.with_request_modifier(super::login::as_url_safe))
    }

    /// Every container, whosever it is, running or not.
    pub async fn containers(&self) -> Result<Vec<ContainerSummary>, RuntimeError> {
        #[cfg(any(test, feature = "sim"))]
        if let Some(host) = &self.model {
            return super::model::list(host).await;
        }
        self.list(ListContainersOptionsBuilder::new().all(true).build()).await
    }

    /// Every container with that label, running or not: far cheaper than all.
    pub(super) async fn labelled(
        &self,
        label: String,
    ) -> Result<Vec<ContainerSummary>, RuntimeError> {
        #[cfg(any(test, feature = "sim"))]
        if let Some(host) = &self.model {
            let (key, value) = label.split_once('=').unwrap_or((&label, ""));
            let mut found = super::model::list(host).await?;
            found.retain(|container| {
                let labels = container.labels.as_ref();
                labels.and_then(|labels| labels.get(key)).is_some_and(|found| found == value)
            });
            return Ok(found);
        }
        let filters = HashMap::from([("label", vec![label])]);
        self.list(ListContainersOptionsBuilder::new().all(true).filters(&filters).build()).await
    }

    async fn list(
        &self,
        options: ListContainersOptions,
    ) -> Result<Vec<ContainerSummary>, RuntimeError> {
        let client = self.client(CALL_LIMIT)?;
        failure::within(CALL_LIMIT, ("list", "containers"), client.list_containers(Some(options)))
            .await
    }

    /// One container; none if it does not exist.
    pub async fn inspect(&self, id: &str) -> Result<Option<Inspected>, RuntimeError> {
        #[cfg(any(test, feature = "sim"))]
        if let Some(host) = &self.model {
            return super::model::inspect(host, id).await;
        }
        let client = self.client(CALL_LIMIT)?;
        let call = client.inspect_container(id, None);
        let answer = failure::within_if_there(CALL_LIMIT, ("inspect", id), call).await?;
        let Some(found) = answer else { return Ok(None) };
        let state = found.state.unwrap_or_default();
        let error = state.error.clone().unwrap_or_default();
        Ok(Some(Inspected { state: time::state(&state), error }))
    }

    /// Makes a container and gives its id.
    pub async fn create(
        &self,
        name: &str,
        body: ContainerCreateBody,
    ) -> Result<String, RuntimeError> {
        #[cfg(any(test, feature = "sim"))]
        if let Some(host) = &self.model {
            return super::model::create(host, name, body).await;
        }
        let options = CreateContainerOptionsBuilder::new().name(name).build();
        let client = self.client(CALL_LIMIT)?;
        let call = client.create_container(Some(options), body);
        failure::within(CALL_LIMIT, ("create", name), call).await.map(|created| created.id)
    }

    /// Starts a container; running already is fine.
    pub async fn start(&self, id: &str) -> Result<(), RuntimeError> {
        #[cfg(any(test, feature = "sim"))]
        if let Some(host) = &self.model {
            return super::model::start(host, id).await;
        }
        let client = self.client(CALL_LIMIT)?;
        failure::within(CALL_LIMIT, ("start", id), client.start_container(id, None)).await
    }

    /// Stops a container with its grace; stopped or gone already is fine.
    pub async fn stop(&self, id: &str, grace_ms: u64) -> Result<(), RuntimeError> {
        #[cfg(any(test, feature = "sim"))]
        if let Some(host) = &self.model {
            return super::model::stop(host, id, grace_ms).await;
        }
        let seconds = i32::try_from(grace_ms.div_ceil(1000)).unwrap_or(i32::MAX);
        let options = StopContainerOptionsBuilder::new().t(seconds).build();
        let limit = Duration::from_millis(grace_ms) + STOP_MARGIN;
        let client = self.client(limit)?;
        let call = client.stop_container(id, Some(options));
        failure::within_if_there(limit, ("stop", id), call).await.map(|_| ())
    }

    /// Waits without limit for a container's end.
    pub async fn wait(&self, id: &str) -> Result<Waited, RuntimeError> {
        #[cfg(any(test, feature = "sim"))]
        if let Some(host) = &self.model {
            return super::model::wait(host, id).await;
        }
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

    /// Gives a container another name.
    pub async fn rename(&self, id: &str, name: &str) -> Result<(), RuntimeError> {
        #[cfg(any(test, feature = "sim"))]
        if let Some(host) = &self.model {
            return super::model::rename(host, id, name).await;
        }
        let options = RenameContainerOptionsBuilder::new().name(name).build();
        let client = self.client(CALL_LIMIT)?;
        failure::within(CALL_LIMIT, ("rename", id), client.rename_container(id, options)).await
    }

    /// Removes a container that does not run, never its volumes; gone already is fine.
    pub async fn remove(&self, id: &str) -> Result<(), RuntimeError> {
        #[cfg(any(test, feature = "sim"))]
        if let Some(host) = &self.model {
            return super::model::remove(host, id).await;
        }
        let options = RemoveContainerOptionsBuilder::new().v(false).force(false).build();
        let client = self.client(CALL_LIMIT)?;
        let call = client.remove_container(id, Some(options));
        failure::within_if_there(CALL_LIMIT, ("remove", id), call).await.map(|_| ())
    }
}
