//! The calls of the engine's API that this agent makes. [`super::Engine`] makes them over
//! the engine's socket; a model of a host can answer them in its place.

use std::path::PathBuf;
use std::time::Duration;

use async_trait::async_trait;
use bollard::auth::DockerCredentials;
use bollard::models::{ContainerCreateBody, ContainerSummary};
use oml_common::document::instance::Container;
use oml_common::time::Timestamp;
use tokio::sync::watch;

use super::create::sysctls::ApiVersion;
use crate::runtime::{ContainerCalls, PullProgress, RuntimeError};

/// The settings of the engine.
#[derive(Debug, Clone, Default)]
pub(super) struct EngineInfo {
    /// The default log driver.
    pub(super) log_driver: String,
    /// The storage driver, whose name is also that of its folder.
    pub(super) driver: String,
    /// The folder of images and containers.
    pub(super) root: Option<PathBuf>,
    /// Its images are in containerd's store, which has a folder of its own.
    pub(super) has_containerd_store: bool,
}

/// The calls of the engine. Each is bounded in time, and its error names the call. No call
/// makes a decision.
#[async_trait]
pub(super) trait EngineCalls: ContainerCalls + std::fmt::Debug {
    /// Lists every container on the host, ours or not, running or not.
    async fn containers(&self) -> Result<Vec<ContainerSummary>, RuntimeError>;

    /// Lists every container whose label `key` is `value`, running or not. This costs the
    /// engine far less than a list of all.
    async fn labelled(&self, key: &str, value: &str)
    -> Result<Vec<ContainerSummary>, RuntimeError>;

    /// Creates a container and returns its id.
    async fn create(&self, name: &str, body: ContainerCreateBody) -> Result<String, RuntimeError>;

    /// Renames a container.
    async fn rename(&self, id: &str, name: &str) -> Result<(), RuntimeError>;

    /// Removes a container that does not run, but not its volumes. One that does not exist is
    /// no error.
    async fn remove(&self, id: &str) -> Result<(), RuntimeError>;

    /// Reads the last lines that a container's program wrote since that time, oldest first.
    async fn log_tail(&self, id: &str, since: Timestamp) -> Result<Vec<String>, RuntimeError>;

    /// Lists the names, with their digests, of all images that are completely present.
    async fn image_names(&self) -> Result<Vec<String>, RuntimeError>;

    /// Reads the id of the image of that name; none if there is no such image.
    async fn image_id(&self, name: &str) -> Result<Option<String>, RuntimeError>;

    /// Pulls an image. Gives up when the registry sends nothing for `silence_max`.
    async fn pull(
        &self,
        container: &Container,
        login: Option<DockerCredentials>,
        silence_max: Duration,
        progress: &watch::Sender<PullProgress>,
    ) -> Result<(), RuntimeError>;

    /// Reads the settings of the engine.
    async fn info(&self) -> Result<EngineInfo, RuntimeError>;

    /// Reads the newest version of the API that the engine speaks, in which it answers; none if it says none.
    async fn api_version(&self) -> Result<Option<ApiVersion>, RuntimeError>;

    /// Increments the counter at every change of a container. Never returns.
    async fn watch(&self, counter: &watch::Sender<u64>);
}
