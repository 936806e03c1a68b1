//! The calls of systemd's manager that this agent makes. [`super::bus::Bus`] makes
//! them over D-Bus; a model of a host can answer them in its place.

use async_trait::async_trait;
use zbus::{DeserializeDict, OwnedObjectPath, Type};

use crate::runtime::RuntimeError;

/// The properties of every unit.
#[derive(Debug, Clone, Default, DeserializeDict, Type)]
#[zbus(signature = "dict", rename_all = "PascalCase")]
pub(super) struct UnitProperties {
    pub(super) load_state: Option<String>,
    pub(super) active_state: Option<String>,
    pub(super) fragment_path: Option<String>,
    pub(super) drop_in_paths: Option<Vec<String>>,
    /// "enabled", "disabled" …
    pub(super) unit_file_state: Option<String>,
    pub(super) need_daemon_reload: Option<bool>,
    pub(super) active_enter_timestamp: Option<u64>,
    pub(super) active_exit_timestamp: Option<u64>,
    pub(super) inactive_enter_timestamp: Option<u64>,
    pub(super) inactive_exit_timestamp: Option<u64>,
    /// The job it has, by number and object; 0 for none.
    pub(super) job: Option<(u32, OwnedObjectPath)>,
}

/// The additional properties of a service.
#[derive(Debug, Clone, Default, DeserializeDict, Type)]
#[zbus(signature = "dict")]
pub(super) struct ServiceProperties {
    #[zbus(rename = "Result")]
    pub(super) result: Option<String>,
    #[zbus(rename = "NRestarts")]
    pub(super) restarts: Option<u32>,
    #[zbus(rename = "ExecMainCode")]
    pub(super) main_code: Option<i32>,
    #[zbus(rename = "ExecMainStatus")]
    pub(super) main_status: Option<i32>,
}

/// A unit as systemd has it in memory.
#[derive(Debug, Clone, Default)]
pub(super) struct Loaded {
    pub(super) path: String,
    pub(super) unit: UnitProperties,
    pub(super) service: ServiceProperties,
}

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
