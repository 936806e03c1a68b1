//! What systemd is told: that the controller is ready, how it stands, and that
//! it is alive as long as its store answers.

use std::time::Duration;

use oml_common::text::error::chain;
use sd_notify::NotifyState;
use tokio::time::{sleep, timeout};

use crate::ops::status::Status;

/// How often the status line is renewed where no watchdog sets the pace.
const STATUS_PERIOD: Duration = Duration::from_secs(30);
/// A store that takes longer does not answer.
const STORE_LIMIT: Duration = Duration::from_secs(5);

/// The controller serves.
pub fn ready(status: &str) {
    tell(&[NotifyState::Ready, NotifyState::Status(status)]);
}

/// The controller stops.
pub fn stopping() {
    tell(&[NotifyState::Stopping]);
}

/// Keeps systemd up to date for ever.
pub async fn keep_notified(status: Status) {
    let watchdog = sd_notify::watchdog_enabled();
    // Twice as often as asked, so that one late line is no death.
    let period = watchdog.map_or(STATUS_PERIOD, |limit| limit / 2);
    loop {
        sleep(period).await;
        match timeout(STORE_LIMIT, status.check_store()).await {
            Ok(Ok(())) => tell(&[NotifyState::Watchdog]),
            Ok(Err(error)) => {
                let error = chain(&error);
                tracing::error!(%error, "the store cannot be read");
                tell(&[NotifyState::Status(&format!("the store cannot be read: {error}"))]);
                continue;
            }
            Err(_elapsed) => {
                tracing::error!("the store does not answer");
                continue;
            }
        }
        if let Ok(Ok(line)) = timeout(STORE_LIMIT, status_line(&status)).await {
            tell(&[NotifyState::Status(&line)]);
        }
    }
}

/// How everything stands, in a line.
///
/// # Errors
/// The store cannot be read.
pub async fn status_line(status: &Status) -> crate::ops::Result<String> {
    let status = status.read(None).await?;
    let nodes = || status.iter().flat_map(|tenant| tenant.nodes.values());
    let connected = nodes().filter(|node| node.snapshot.presence.connected).count();
    let (tenants, nodes) = (status.len(), nodes().count());
    Ok(format!("{tenants} tenants, {nodes} nodes, {connected} connected"))
}

fn tell(state: &[NotifyState<'_>]) {
    // Without systemd there is nobody to tell.
    if let Err(error) = sd_notify::notify(state) {
        tracing::debug!(%error, "systemd was not told");
    }
}
