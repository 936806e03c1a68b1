//! The calls of systemd's manager that this agent makes. [`super::bus::Bus`] makes
//! them over D-Bus; a model of a host can answer them in its place.

use async_trait::async_trait;
use zbus::OwnedObjectPath;

use super::bus::Loaded;
use crate::runtime::RuntimeError;

/// systemd's verbs, each on one unit. They decide nothing.
#[async_trait]
pub(super) trait UnitCalls: std::fmt::Debug + Send + Sync + 'static {
    /// Stops what runs of a unit and starts it again; gives the job.
    async fn restart(&self, unit: &str) -> Result<OwnedObjectPath, RuntimeError>;

    /// Stops a unit; gives the job.
    async fn stop(&self, unit: &str) -> Result<OwnedObjectPath, RuntimeError>;

    /// Kills the main process of a unit; one that does not run is fine.
    async fn kill_main_process(&self, unit: &str) -> Result<(), RuntimeError>;

    /// Forgets that a unit failed, and how often it was started lately.
    async fn forget_failure(&self, unit: &str) -> Result<(), RuntimeError>;

    /// Reads all unit files again.
    async fn reload(&self) -> Result<(), RuntimeError>;

    /// Makes a unit start at boot; tells whether that is new.
    async fn enable(&self, unit: &str) -> Result<bool, RuntimeError>;

    /// Makes a unit start at boot no longer.
    async fn disable(&self, unit: &str) -> Result<(), RuntimeError>;

    /// A unit's state, loading the unit if it is not.
    async fn load(&self, name: &str) -> Result<Loaded, RuntimeError>;
}
