//! Starts the agent's own unit, once the host has an identity.

use std::time::Duration;

use tokio::time::timeout;
use zbus::{Connection, OwnedObjectPath, proxy};

const LIMIT: Duration = Duration::from_secs(30);
const UNIT: &str = "omlagent.service";

#[proxy(
    interface = "org.freedesktop.systemd1.Manager",
    default_service = "org.freedesktop.systemd1",
    default_path = "/org/freedesktop/systemd1"
)]
trait Manager {
    fn restart_unit(&self, name: &str, mode: &str) -> zbus::Result<OwnedObjectPath>;
}

/// Why the agent was not started. The host is enrolled all the same.
#[derive(Debug, thiserror::Error)]
#[error("the host is enrolled, but {UNIT} could not be started; try `systemctl start {UNIT}`")]
pub struct StartError(#[source] zbus::Error);

/// Asks systemd to start the agent, anew if it runs with an older identity.
///
/// # Errors
/// When systemd does not answer or refuses.
pub async fn start_agent() -> Result<(), StartError> {
    let ask = async {
        let connection = Connection::system().await?;
        ManagerProxy::new(&connection).await?.restart_unit(UNIT, "replace").await
    };
    match timeout(LIMIT, ask).await {
        Ok(asked) => asked.map(|_job| ()).map_err(StartError),
        Err(_elapsed) => Err(StartError(zbus::Error::Failure("no answer in time".to_owned()))),
    }
}
