//! The progress of one change, until it has ended. A slow reader misses states in
//! between, never the last, which carries the verdict.

use std::time::Duration;

use oml_common::decide::verdict::Ending;
use oml_common::id::{RevisionNumber, TenantId};
use oml_common::time::Timestamp;
use oml_proto::v1;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, sleep_until};
use tonic::Status;

use super::watch_status::REPLY_INTERVAL;
use crate::ops::status;
use crate::shutdown::ShutdownSignal;
use crate::wire;

type Replies = mpsc::Sender<Result<v1::ChangeProgress, Status>>;

/// The change that is watched.
#[derive(Debug, Clone)]
pub(super) struct Watched {
    pub(super) tenant: TenantId,
    pub(super) revision: RevisionNumber,
}

/// Sends until the change has ended, the reader is gone, its certificate ends or the
/// controller stops.
pub(super) async fn watch(
    status: status::Status,
    watched: Watched,
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
        ended = send_all(&status, &watched, &replies) => ended,
    };
    if let Err(status) = ended {
        // A reader that is gone needs no reason.
        let _gone = replies.try_send(Err(status));
    }
}

async fn send_all(
    reader: &status::Status,
    Watched { tenant, revision }: &Watched,
    replies: &Replies,
) -> Result<(), Status> {
    let mut changes = reader.changes(Some(tenant));
    loop {
        // The place first, the progress then: what is sent is never older than its place.
        let Ok(place) = replies.reserve().await else { return Ok(()) };
        let progress = reader.change_progress(tenant, *revision).await;
        let progress = progress.map_err(|error| wire::status_of(&error))?;
        let has_ended = progress.verdict.ending() != Ending::Waiting;
        place.send(Ok(wire::change_progress(progress, reader.now())));
        if has_ended {
            return Ok(());
        }
        sleep_until(Instant::now() + REPLY_INTERVAL).await;
        // Cancel-safe: a nudge that is not returned is not needed any more.
        tokio::select! {
            biased;
            () = changes.next() => {}
            () = replies.closed() => return Ok(()),
        }
    }
}
