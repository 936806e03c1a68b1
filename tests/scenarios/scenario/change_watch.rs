//! The operator who waits for the end of a change: the real `WatchChange` of the controller's
//! API, read to its end as `omlctl` reads it, and compared with what became of the rollout.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use oml_common::document::rollout::{Rollout, State};
use oml_common::id::{RevisionNumber, TenantId};
use oml_proto::v1;
use oml_proto::v1::fleet_client::FleetClient;
use tokio::task::AbortHandle;
use tonic::Status;
use tonic::transport::Channel;
use v1::ChangeOutcome;

/// A change that an operator watches, until this is dropped.
pub(super) struct ChangeWatch {
    revision: RevisionNumber,
    heard: Arc<Mutex<Heard>>,
    reader: AbortHandle,
}

/// What the controller has said about a change.
#[derive(Debug, Clone, Default)]
pub(super) struct Heard {
    pub(super) verdict: Option<v1::Verdict>,
    /// The end of the stream; none while it goes on.
    pub(super) end: Option<Result<(), Status>>,
}

impl ChangeWatch {
    pub(super) fn start(channel: Channel, tenant: &TenantId, revision: RevisionNumber) -> Self {
        let heard: Arc<Mutex<Heard>> = Arc::default();
        let request = v1::WatchChangeRequest { tenant: tenant.to_string(), revision: revision.0 };
        let hears = Arc::clone(&heard);
        let reader = tokio::spawn(async move {
            let end = read(channel, request, &hears).await;
            lock(&hears).end = Some(end);
        });
        Self { revision, heard, reader: reader.abort_handle() }
    }

    /// Returns what is wrong about what the controller has said so far, if anything is. The
    /// last change is the one that made the rollout.
    pub(super) fn check(&self, rollout: &Rollout) -> Result<(), String> {
        check(self.revision, &lock(&self.heard), rollout)
    }
}

impl Drop for ChangeWatch {
    fn drop(&mut self) {
        self.reader.abort();
    }
}

fn lock(heard: &Mutex<Heard>) -> MutexGuard<'_, Heard> {
    heard.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn read(
    channel: Channel,
    request: v1::WatchChangeRequest,
    heard: &Mutex<Heard>,
) -> Result<(), Status> {
    let mut messages = FleetClient::new(channel).watch_change(request).await?.into_inner();
    while let Some(message) = messages.message().await? {
        lock(heard).verdict = message.verdict;
    }
    Ok(())
}

/// Checks what was said about a change when nothing has happened for a while. The stream of a
/// change goes on as long as the rollout does, and ends with the verdict on it.
pub(super) fn check(
    revision: RevisionNumber,
    heard: &Heard,
    rollout: &Rollout,
) -> Result<(), String> {
    let Heard { verdict, end } = heard;
    let wrong = || Err(format!("the watch of revision {revision} ({rollout:?}) says {heard:?}"));
    let Some(verdict) = verdict else { return wrong() };
    let is_open = match end {
        None => true,
        Some(Ok(())) => false,
        Some(Err(_refused)) => return wrong(),
    };
    let (outcome, in_effect) = match rollout.state {
        State::Progressing { .. } | State::RollingBack { .. } | State::Superseded => {
            (ChangeOutcome::Waiting, None)
        }
        State::Completed => (ChangeOutcome::Done, Some(rollout.to)),
        State::RolledBack { .. } => (ChangeOutcome::RolledBack, rollout.from),
        State::Paused { .. } => (ChangeOutcome::Failed, None),
    };
    let is_over = outcome != ChangeOutcome::Waiting;
    let is_right = if rollout.to == revision {
        let in_effect = in_effect.unwrap_or_default().0;
        verdict.outcome() == outcome && verdict.in_effect == in_effect && is_open != is_over
    } else {
        // An earlier change may have ended before a later one began. It does not wait for more
        // when that has ended too.
        is_open == (verdict.outcome() == ChangeOutcome::Waiting) && !(is_open && is_over)
    };
    if is_right { Ok(()) } else { wrong() }
}
