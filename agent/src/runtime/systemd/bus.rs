//! The part of systemd's D-Bus interface that is used (org.freedesktop.systemd1(5)).

use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::Mutex;
use zbus::{Connection, OwnedObjectPath, Variant, connection, proxy};

use super::calls::{
    JobProperties, Loaded, ServiceProperties, TransientUnit, UnitCalls, UnitProperties,
};
use super::journal::{self, LogSpan};
use super::transient;
use crate::runtime::RuntimeError;

/// The mode in which a new job replaces a queued one of the unit, as with `systemctl`.
pub(super) const MODE: &str = "replace";
/// The mode in which a transient unit is refused whose name has an unfinished job.
const TRANSIENT_MODE: &str = "fail";
const SIGKILL: i32 = nix::libc::SIGKILL;

/// The longest time for a call. systemd answers in milliseconds, or something is wrong.
const CALL_LIMIT: Duration = Duration::from_secs(10);
pub(super) const UNIT: &str = "org.freedesktop.systemd1.Unit";
pub(super) const SERVICE: &str = "org.freedesktop.systemd1.Service";
const JOB: &str = "org.freedesktop.systemd1.Job";

/// A change that enabling or disabling made, as its kind, the link and the link's target.
type Change = (String, String, String);

#[proxy(
    interface = "org.freedesktop.systemd1.Manager",
    default_service = "org.freedesktop.systemd1",
    default_path = "/org/freedesktop/systemd1"
)]
pub(super) trait Manager {
    fn subscribe(&self) -> zbus::Result<()>;
    fn reload(&self) -> zbus::Result<()>;
    fn load_unit(&self, name: &str) -> zbus::Result<OwnedObjectPath>;
    fn restart_unit(&self, name: &str, mode: &str) -> zbus::Result<OwnedObjectPath>;
    fn start_transient_unit(
        &self,
        name: &str,
        mode: &str,
        properties: &[(&str, Variant<'_>)],
        beside: &[(&str, Vec<(&str, Variant<'_>)>)],
    ) -> zbus::Result<OwnedObjectPath>;
    fn stop_unit(&self, name: &str, mode: &str) -> zbus::Result<OwnedObjectPath>;
    fn kill_unit(&self, name: &str, whom: &str, signal: i32) -> zbus::Result<()>;
    fn reset_failed_unit(&self, name: &str) -> zbus::Result<()>;
    fn get_unit_file_state(&self, file: &str) -> zbus::Result<String>;
    fn enable_unit_files(
        &self,
        files: &[&str],
        runtime: bool,
        force: bool,
    ) -> zbus::Result<(bool, Vec<Change>)>;
    fn disable_unit_files(&self, files: &[&str], runtime: bool) -> zbus::Result<Vec<Change>>;
}

/// Reads all properties of an object in one call; the structs keep those that they name.
#[proxy(
    interface = "org.freedesktop.DBus.Properties",
    default_service = "org.freedesktop.systemd1"
)]
trait AllProperties {
    #[zbus(name = "GetAll")]
    fn unit(&self, interface: &str) -> zbus::Result<UnitProperties>;
    #[zbus(name = "GetAll")]
    fn service(&self, interface: &str) -> zbus::Result<ServiceProperties>;
    #[zbus(name = "GetAll")]
    fn job(&self, interface: &str) -> zbus::Result<JobProperties>;
}

/// The connection for calls, which is opened when it is needed and again after it broke.
#[derive(Debug, Default)]
pub(super) struct Bus {
    connection: Mutex<Option<Connection>>,
}

/// Opens a connection to the system bus.
pub(super) async fn connect() -> Result<Connection, zbus::Error> {
    let opening = connection::Builder::system().method_timeout(CALL_LIMIT).build();
    tokio::time::timeout(CALL_LIMIT, opening)
        .await
        .unwrap_or_else(|_| Err(zbus::Error::Failure("the bus does not answer".to_owned())))
}

impl Bus {
    /// Returns systemd's manager on an open connection.
    pub(super) async fn manager(&self) -> Result<ManagerProxy<'static>, RuntimeError> {
        let connection = self.connection().await?;
        ManagerProxy::new(&connection).await.map_err(|error| failure("reach", "systemd", error))
    }

    /// Returns the own name of a unit. systemd enables and disables no unit by an alias.
    async fn own_name(&self, unit: &str) -> Result<String, RuntimeError> {
        Ok(self.load(unit).await?.unit.id.unwrap_or_else(|| unit.to_owned()))
    }

    async fn connection(&self) -> Result<Connection, RuntimeError> {
        let mut held = self.connection.lock().await;
        if let Some(connection) = held.as_ref().filter(|connection| !connection.is_closed()) {
            return Ok(connection.clone());
        }
        let fresh = connect().await.map_err(|error| failure("reach", "systemd", error))?;
        *held = Some(fresh.clone());
        Ok(fresh)
    }
}

#[async_trait]
impl UnitCalls for Bus {
    async fn restart(&self, unit: &str) -> Result<OwnedObjectPath, RuntimeError> {
        let manager = self.manager().await?;
        manager.restart_unit(unit, MODE).await.map_err(|error| failure("start", unit, error))
    }

    async fn stop(&self, unit: &str) -> Result<OwnedObjectPath, RuntimeError> {
        let manager = self.manager().await?;
        manager.stop_unit(unit, MODE).await.map_err(|error| failure("stop", unit, error))
    }

    async fn start_transient(
        &self,
        unit: &str,
        transient: &TransientUnit,
    ) -> Result<OwnedObjectPath, RuntimeError> {
        let manager = self.manager().await?;
        let properties = transient::properties(transient);
        let started = manager.start_transient_unit(unit, TRANSIENT_MODE, &properties, &[]).await;
        started.map_err(|error| failure("start", unit, error))
    }

    async fn kill_main_process(&self, unit: &str) -> Result<(), RuntimeError> {
        let manager = self.manager().await?;
        match manager.kill_unit(unit, "main", SIGKILL).await {
            Err(error) if !matches!(error_name(&error), Some("NoSuchProcess" | "NoSuchUnit")) => {
                Err(failure("kill", unit, error))
            }
            Ok(()) | Err(_) => Ok(()),
        }
    }

    async fn forget_failure(&self, unit: &str) -> Result<(), RuntimeError> {
        let manager = self.manager().await?;
        match manager.reset_failed_unit(unit).await {
            Err(error) if error_name(&error) != Some("NoSuchUnit") => {
                Err(failure("reset", unit, error))
            }
            Ok(()) | Err(_) => Ok(()),
        }
    }

    async fn reload(&self) -> Result<(), RuntimeError> {
        let manager = self.manager().await?;
        manager.reload().await.map_err(|error| failure("re-read", "the unit files", error))
    }

    async fn enable(&self, unit: &str) -> Result<bool, RuntimeError> {
        let failed = |error| failure("enable", unit, error);
        let name = self.own_name(unit).await?;
        let manager = self.manager().await?;
        let state = manager.get_unit_file_state(&name).await.map_err(failed)?;
        if is_enabled_or_cannot_be(&state) {
            return Ok(false);
        }
        manager.enable_unit_files(&[&name], false, false).await.map_err(failed)?;
        Ok(true)
    }

    async fn disable(&self, unit: &str) -> Result<(), RuntimeError> {
        let name = self.own_name(unit).await?;
        let manager = self.manager().await?;
        let disabled = manager.disable_unit_files(&[&name], false).await;
        disabled.map(drop).map_err(|error| failure("disable", unit, error))
    }

    async fn load(&self, name: &str) -> Result<Loaded, RuntimeError> {
        let failed = |error| failure("read", name, error);
        let path = self.manager().await?.load_unit(name).await.map_err(failed)?;
        let connection = self.connection().await?;
        let properties = AllPropertiesProxy::builder(&connection)
            .path(path.clone())
            .build()
            .await
            .map_err(failed)?;
        let unit = properties.unit(UNIT).await.map_err(failed)?;
        let service = properties.service(SERVICE).await.map_err(failed)?;
        let job = match unit.job.as_ref().filter(|(number, _)| *number != 0) {
            Some((_, job)) => job_at(&connection, job).await.map_err(failed)?,
            None => JobProperties::default(),
        };
        Ok(Loaded { path: path.to_string(), unit, service, job })
    }

    async fn log_tail(&self, unit: &str, life: &LogSpan) -> Vec<String> {
        journal::log_tail(unit, life).await
    }
}

/// Reads a job, which may have ended meanwhile.
async fn job_at(
    connection: &Connection,
    path: &OwnedObjectPath,
) -> Result<JobProperties, zbus::Error> {
    let properties = AllPropertiesProxy::builder(connection).path(path.clone()).build().await?;
    match properties.job(JOB).await {
        Err(error) if refusal(&error).is_some() => Ok(JobProperties::default()),
        job => job,
    }
}

/// Returns the D-Bus name of the error, if it has one.
pub(super) fn error_name(error: &zbus::Error) -> Option<&str> {
    let zbus::Error::MethodError(name, _, _) = error else { return None };
    Some(name.as_str().trim_start_matches("org.freedesktop.systemd1."))
}

/// Turns an error of the bus into ours.
pub(super) fn failure(verb: &'static str, object: &str, error: zbus::Error) -> RuntimeError {
    let Some(detail) = refusal(&error) else {
        let detail = format!("{verb} {object}: {error}");
        return RuntimeError::Unavailable { daemon: "systemd", detail };
    };
    let is_final = error_name(&error).is_some_and(is_final);
    RuntimeError::Refused { verb, object: object.to_owned(), detail, transient: !is_final }
}

/// Returns true if another try gets the same answer until somebody changes the unit or its links.
fn is_final(name: &str) -> bool {
    matches!(
        name,
        "NoSuchUnit"
            | "UnitMasked"
            | "BadUnitSetting"
            | "LoadFailed"
            | "UnitExists"
            | "UnitLinked"
            | "UnitGenerated"
    )
}

/// Returns true if a unit file in this state is enabled for good, or says of nothing how it would be
/// (systemctl(1), `is-enabled`).
pub(super) fn is_enabled_or_cannot_be(state: &str) -> bool {
    matches!(state, "enabled" | "static" | "indirect" | "generated" | "transient")
}

/// Returns systemd's message if the error is its answer and not the lack of one.
fn refusal(error: &zbus::Error) -> Option<String> {
    if let zbus::Error::MethodError(_, detail, _) = error {
        return Some(detail.clone().unwrap_or_else(|| error.to_string()));
    }
    let zbus::Error::FDO(refusal) = error else { return None };
    (!is_away(refusal)).then(|| refusal.to_string())
}

/// Returns true if the bus says that systemd is not there. While systemd executes itself again
/// (`systemctl daemon-reexec`) the bus tries to start it as it starts other services, and cannot.
fn is_away(refusal: &zbus::fdo::Error) -> bool {
    use zbus::fdo::Error;
    matches!(
        refusal,
        Error::ServiceUnknown(_)
            | Error::NameHasNoOwner(_)
            | Error::NoReply(_)
            | Error::NoServer(_)
            | Error::Timeout(_)
            | Error::TimedOut(_)
            | Error::Disconnected(_)
            | Error::SpawnExecFailed(_)
            | Error::SpawnForkFailed(_)
            | Error::SpawnChildExited(_)
            | Error::SpawnChildSignaled(_)
            | Error::SpawnFailed(_)
            | Error::SpawnFailedToSetup(_)
            | Error::SpawnConfigInvalid(_)
            | Error::SpawnServiceNotValid(_)
            | Error::SpawnServiceNotFound(_)
            | Error::SpawnPermissionsInvalid(_)
            | Error::SpawnFileInvalid(_)
            | Error::SpawnNoMemory(_)
    )
}

#[cfg(test)]
mod tests;
