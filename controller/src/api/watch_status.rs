//! The status now and after every change. A slow reader misses states in
//! between, never the last.

use std::time::Duration;

use oml_common::id::TenantId;
use oml_common::time::Timestamp;
use oml_proto::v1;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, sleep_until};
use tonic::Status;

use crate::ops::status;
use crate::shutdown::ShutdownSignal;
use crate::wire;

/// Least time between two replies: what changes meanwhile is in the later one.
pub(super) const REPLY_INTERVAL: Duration = Duration::from_millis(20);

type Replies = mpsc::Sender<Result<v1::StatusReply, Status>>;

/// Sends until the reader is gone, its certificate ends or the controller stops.
pub(super) async fn watch(
    status: status::Status,
    tenant: Option<TenantId>,
    expires: Timestamp,
    replies: Replies,
    mut shutdown: ShutdownSignal,
) {
    let life = Duration::from_millis(expires.since_ms(status.now()));
    // Every arm only observes.
    let ended = tokio::select! {
        biased;
        () = sleep(life) => Err(Status::unauthenticated("the certificate has ended")),
        () = shutdown.requested() => {
            Err(Status::unavailable("the controller is stopping"))
        }
        ended = send_all(&status, tenant.as_ref(), &replies) => ended,
    };
    if let Err(status) = ended {
        // A reader that is gone needs no reason.
        let _gone = replies.try_send(Err(status));
    }
}

async fn send_all(
    reader: &status::Status,
    tenant: Option<&TenantId>,
    replies: &Replies,
) -> Result<(), Status> {
    let mut changes = reader.changes(tenant);
    loop {
        // The place first, the status then: what is sent is never older than its place.
        let Ok(place) = replies.reserve().await else { return Ok(()) };
        let status = reader.read(tenant).await.map_err(|error| wire::status_of(&error))?;
        place.send(Ok(wire::status(status, reader.now())));
        sleep_until(Instant::now() + REPLY_INTERVAL).await;
        // Cancel-safe: a nudge that is not returned is not needed any more.
        tokio::select! {
            biased;
            () = changes.next() => {}
            () = replies.closed() => return Ok(()),
        }
    }
}
