//! Streams that send a message now and after every change. A slow reader misses
//! messages in between, but never the last one.

use std::ops::ControlFlow;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, sleep_until};
use tonic::Status;

use crate::ops;
use crate::ops::status::StatusChanges;
use crate::policy;
use crate::shutdown::ShutdownSignal;
use crate::wire;

/// The least time between two messages. A change in between is part of the later one.
const MESSAGE_INTERVAL: Duration = Duration::from_millis(20);

/// A message of a stream: the last one is a break.
pub(super) type Message<M> = ControlFlow<M, M>;

/// The stream of one reader.
pub(super) struct Watch<M> {
    /// The lifetime that the reader's certificate has left.
    pub(super) life: Duration,
    pub(super) messages: mpsc::Sender<Result<M, Status>>,
    pub(super) shutdown: ShutdownSignal,
}

impl<M> Watch<M> {
    /// Sends what `read` returns, now and after every change, until it returns the last
    /// message, the reader is gone, its certificate expires or the controller stops.
    pub(super) async fn run<R>(mut self, changes: StatusChanges, read: impl Fn() -> R)
    where
        R: Future<Output = ops::Result<Message<M>>>,
    {
        // Every arm only observes.
        let ended = tokio::select! {
            biased;
            () = sleep(self.life) => Err(policy::expired()),
            () = self.shutdown.requested() => {
                Err(Status::unavailable("the controller is stopping"))
            }
            ended = send_all(&self.messages, changes, read) => ended,
        };
        if let Err(status) = ended {
            // A reader that is gone needs no reason.
            let _gone = self.messages.try_send(Err(status));
        }
    }
}

async fn send_all<M, R>(
    messages: &mpsc::Sender<Result<M, Status>>,
    mut changes: StatusChanges,
    read: impl Fn() -> R,
) -> Result<(), Status>
where
    R: Future<Output = ops::Result<Message<M>>>,
{
    loop {
        // The place is reserved before the read, so that no message waits and gets old.
        let Ok(place) = messages.reserve().await else { return Ok(()) };
        match read().await.map_err(|error| wire::status_of(&error))? {
            Message::Continue(message) => place.send(Ok(message)),
            Message::Break(last) => {
                place.send(Ok(last));
                return Ok(());
            }
        }
        sleep_until(Instant::now() + MESSAGE_INTERVAL).await;
        // This is safe to cancel: a nudge that is not returned is not needed any more.
        tokio::select! {
            biased;
            () = changes.next() => {}
            () = messages.closed() => return Ok(()),
        }
    }
}
