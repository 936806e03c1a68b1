//! The calls of systemd's manager that this agent makes. [`super::bus::Bus`] makes
//! them over D-Bus; a model of a host can answer them in its place.

use async_trait::async_trait;
use zbus::{DeserializeDict, OwnedObjectPath, Type};

use super::journal::LogSpan;
use crate::runtime::RuntimeError;

/// A condition or an assertion: its name, whether it has a `|` and whether a `!`, its parameter, and
/// its last result, which is negative if it did not hold and 0 if it was not tested.
pub(super) type TestProperty = (String, bool, bool, String, i32);

/// The properties of every unit.
#[derive(Debug, Clone, Default, DeserializeDict, Type)]
#[zbus(signature = "dict", rename_all = "PascalCase")]
pub(super) struct UnitProperties {
    /// The unit's own name, also where it was loaded by an alias.
    pub(super) id: Option<String>,
    pub(super) load_state: Option<String>,
    pub(super) active_state: Option<String>,
    pub(super) sub_state: Option<String>,
    /// Names the life of the unit, and the lines that it wrote to the journal.
    #[zbus(rename = "InvocationID")]
    pub(super) invocation_id: Option<Vec<u8>>,
    pub(super) fragment_path: Option<String>,
    pub(super) drop_in_paths: Option<Vec<String>>,
    /// "enabled", "disabled" …
    pub(super) unit_file_state: Option<String>,
    pub(super) need_daemon_reload: Option<bool>,
    pub(super) active_enter_timestamp: Option<u64>,
    pub(super) active_exit_timestamp: Option<u64>,
    pub(super) inactive_enter_timestamp: Option<u64>,
    pub(super) inactive_exit_timestamp: Option<u64>,
    /// The same four times since boot, which no setting of the clock moves.
    #[zbus(rename = "ActiveEnterTimestampMonotonic")]
    pub(super) active_enter_monotonic: Option<u64>,
    #[zbus(rename = "ActiveExitTimestampMonotonic")]
    pub(super) active_exit_monotonic: Option<u64>,
    #[zbus(rename = "InactiveEnterTimestampMonotonic")]
    pub(super) inactive_enter_monotonic: Option<u64>,
    #[zbus(rename = "InactiveExitTimestampMonotonic")]
    pub(super) inactive_exit_monotonic: Option<u64>,
    /// The conditions of the unit held when they were tested last; also false before the first test.
    pub(super) condition_result: Option<bool>,
    /// When they were tested last, since boot; 0 if never.
    #[zbus(rename = "ConditionTimestampMonotonic")]
    pub(super) condition_monotonic: Option<u64>,
    /// Each of them; no signal says it.
    pub(super) conditions: Option<Vec<TestProperty>>,
    /// The same three of its assertions.
    pub(super) assert_result: Option<bool>,
    #[zbus(rename = "AssertTimestampMonotonic")]
    pub(super) assert_monotonic: Option<u64>,
    pub(super) asserts: Option<Vec<TestProperty>>,
    /// The unit's job, by number and object; the number is 0 if there is none.
    pub(super) job: Option<(u32, OwnedObjectPath)>,
}

/// The additional properties of a service.
#[derive(Debug, Clone, Default, DeserializeDict, Type)]
#[zbus(signature = "dict")]
pub(super) struct ServiceProperties {
    /// "simple", "notify" …; no signal says it.
    #[zbus(rename = "Type")]
    pub(super) kind: Option<String>,
    #[zbus(rename = "Result")]
    pub(super) result: Option<String>,
    #[zbus(rename = "NRestarts")]
    pub(super) restarts: Option<u32>,
    #[zbus(rename = "ExecMainCode")]
    pub(super) main_code: Option<i32>,
    #[zbus(rename = "ExecMainStatus")]
    pub(super) main_status: Option<i32>,
    /// The main process; 0 if none runs.
    #[zbus(rename = "MainPID")]
    pub(super) main_pid: Option<u32>,
    #[zbus(rename = "ExecMainStartTimestamp")]
    pub(super) main_start: Option<u64>,
    /// When the main process ended; 0 while it runs, or if systemd knows none.
    #[zbus(rename = "ExecMainExitTimestamp")]
    pub(super) main_exit: Option<u64>,
    #[zbus(rename = "ExecMainExitTimestampMonotonic")]
    pub(super) main_exit_monotonic: Option<u64>,
    /// The last line that the program sent to systemd.
    #[zbus(rename = "StatusText")]
    pub(super) status_text: Option<String>,
}

/// The properties of a job.
#[derive(Debug, Clone, Default, DeserializeDict, Type)]
#[zbus(signature = "dict", rename_all = "PascalCase")]
pub(super) struct JobProperties {
    /// "start", "restart", "stop" …
    pub(super) job_type: Option<String>,
    /// "waiting" or "running".
    pub(super) state: Option<String>,
}

/// A unit as systemd has it in memory.
#[derive(Debug, Clone, Default)]
pub(super) struct Loaded {
    pub(super) path: String,
    pub(super) unit: UnitProperties,
    pub(super) service: ServiceProperties,
    /// Those of its job, if it has one; a signal does not say them.
    pub(super) job: JobProperties,
}

/// A unit that has no file, runs one program once, and goes when it ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TransientUnit {
    pub(super) description: String,
    /// The program, which says when it has started, and its arguments.
    pub(super) command: Vec<String>,
    /// The time from the stop signal to the kill.
    pub(super) stop_ms: u64,
    /// The longest time that it may run.
    pub(super) runtime_ms: u64,
}

/// The calls of systemd's manager, each on one unit. They decide nothing.
#[async_trait]
pub(super) trait UnitCalls: std::fmt::Debug + Send + Sync + 'static {
    /// Stops the unit if it runs, starts it again and returns the job.
    async fn restart(&self, unit: &str) -> Result<OwnedObjectPath, RuntimeError>;

    /// Stops a unit and returns the job.
    async fn stop(&self, unit: &str) -> Result<OwnedObjectPath, RuntimeError>;

    /// Starts a transient unit and returns the job. One of that name that runs is an error.
    async fn start_transient(
        &self,
        unit: &str,
        transient: &TransientUnit,
    ) -> Result<OwnedObjectPath, RuntimeError>;

    /// Kills the main process of a unit. If none runs, that is no error.
    async fn kill_main_process(&self, unit: &str) -> Result<(), RuntimeError>;

    /// Resets the failed state of a unit and its count of recent starts.
    async fn forget_failure(&self, unit: &str) -> Result<(), RuntimeError>;

    /// Reads all unit files again.
    async fn reload(&self) -> Result<(), RuntimeError>;

    /// Makes a unit start at boot and returns true if it did not before. One that has nothing to
    /// enable, such as a static one, stays as it is.
    async fn enable(&self, unit: &str) -> Result<bool, RuntimeError>;

    /// Makes a unit no longer start at boot.
    async fn disable(&self, unit: &str) -> Result<(), RuntimeError>;

    /// Returns the state of a unit, which systemd loads for it if necessary.
    async fn load(&self, name: &str) -> Result<Loaded, RuntimeError>;

    /// Returns the last lines that a unit's program wrote in that life; none if they cannot be read.
    async fn log_tail(&self, unit: &str, life: &LogSpan) -> Vec<String>;
}
