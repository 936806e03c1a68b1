//! The calls of the engine's API that this agent makes, each on one container
//! by its id. [`super::Engine`] makes them over the engine's socket; a model of
//! a host can answer them in its place.

use std::path::PathBuf;
use std::time::Duration;

use async_trait::async_trait;
use bollard::auth::DockerCredentials;
use bollard::models::{ContainerCreateBody, ContainerSummary};
use oml_common::document::instance::Container;
use tokio::sync::watch;

use crate::runtime::{ContainerCalls, PullProgress, RuntimeError};

/// What the engine says of itself.
#[derive(Debug, Clone, Default)]
pub(super) struct EngineInfo {
    /// The log driver that it uses when none is asked for.
    pub(super) log_driver: String,
    /// Where it keeps images and containers.
    pub(super) root: Option<PathBuf>,
}

/// The engine's verbs, each bounded in time and with an error that says what was
/// tried. They decide nothing.
#[async_trait]
pub(super) trait EngineCalls: ContainerCalls + std::fmt::Debug {
    /// Every container on the host, ours or not, running or not.
    async fn containers(&self) -> Result<Vec<ContainerSummary>, RuntimeError>;

    /// Every container whose label `key` is `value`, running or not: far cheaper than all.
    async fn labelled(&self, key: &str, value: &str)
    -> Result<Vec<ContainerSummary>, RuntimeError>;

    /// Creates a container and gives its id.
    async fn create(&self, name: &str, body: ContainerCreateBody) -> Result<String, RuntimeError>;

    /// Gives a container another name.
    async fn rename(&self, id: &str, name: &str) -> Result<(), RuntimeError>;

    /// Removes a container that does not run, never its volumes; gone already is fine.
    async fn remove(&self, id: &str) -> Result<(), RuntimeError>;

    /// The last lines that a container's program wrote, oldest first.
    async fn log_tail(&self, id: &str) -> Result<Vec<String>, RuntimeError>;

    /// The names, with their digests, of all images that are completely present.
    async fn image_names(&self) -> Result<Vec<String>, RuntimeError>;

    /// Pulls an image. Gives up when the registry sends nothing for `silence_max`.
    async fn pull(
        &self,
        container: &Container,
        login: Option<DockerCredentials>,
        silence_max: Duration,
        progress: &watch::Sender<PullProgress>,
    ) -> Result<(), RuntimeError>;

    /// The engine's own settings.
    async fn info(&self) -> Result<EngineInfo, RuntimeError>;

    /// Counts up for every change of a container, for ever.
    async fn watch(&self, counter: &watch::Sender<u64>);
}
