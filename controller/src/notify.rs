//! Notifications to systemd (sd_notify(3)): that the controller is ready, its status
//! line, and the watchdog as long as its store responds.

use std::time::Duration;

use oml_common::text::error::chain;
use sd_notify::NotifyState;
use tokio::time::{sleep, timeout};

use crate::ops::reader::StatusReader;

/// The interval of the status line if systemd has no watchdog for this service.
const STATUS_PERIOD: Duration = Duration::from_secs(30);
/// The time limit for a response of the store.
const STORE_LIMIT: Duration = Duration::from_secs(5);

/// Reports that the controller accepts connections.
pub fn ready(status: &str) {
    send(&[NotifyState::Ready, NotifyState::Status(status)]);
}

/// Reports that the controller is shutting down.
pub fn stopping() {
    send(&[NotifyState::Stopping]);
}

/// Sends the watchdog notification and the status line at a fixed interval, until it is
/// dropped.
pub async fn keep_notified(status: StatusReader) {
    let watchdog = sd_notify::watchdog_enabled();
    // Half of systemd's limit, so that one late notification does not end the process.
    let period = watchdog.map_or(STATUS_PERIOD, |limit| limit / 2);
    loop {
        sleep(period).await;
        match timeout(STORE_LIMIT, status.check_store()).await {
            Ok(Ok(())) => send(&[NotifyState::Watchdog]),
            Ok(Err(error)) => {
                let error = chain(&error);
                tracing::error!(%error, "the store cannot be read");
                send(&[NotifyState::Status(&format!("the store cannot be read: {error}"))]);
                continue;
            }
            Err(_elapsed) => {
                tracing::error!("the store does not respond");
                continue;
            }
        }
        if let Ok(Ok(line)) = timeout(STORE_LIMIT, status_line(&status)).await {
            send(&[NotifyState::Status(&line)]);
        }
    }
}

/// Returns the number of tenants, nodes and connected nodes as one line.
///
/// # Errors
/// Returns an error if the store cannot be read.
pub async fn status_line(status: &StatusReader) -> crate::ops::Result<String> {
    let status = status.read(None).await?.tenants;
    let nodes = || status.iter().flat_map(|tenant| tenant.nodes.values());
    let connected = nodes().filter(|node| node.snapshot.presence.connected).count();
    let (tenants, nodes) = (status.len(), nodes().count());
    Ok(format!("{tenants} tenants, {nodes} nodes, {connected} connected"))
}

fn send(state: &[NotifyState<'_>]) {
    // Without systemd this sends nothing and succeeds.
    if let Err(error) = sd_notify::notify(state) {
        tracing::debug!(%error, "cannot notify systemd");
    }
}
