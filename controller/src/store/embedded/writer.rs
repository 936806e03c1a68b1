//! The one thread that writes. A commit is answered after it is on the disk.

use std::io;
use std::sync::{Arc, PoisonError};

use nix::sys::statvfs::statvfs;
use tokio::sync::{mpsc, oneshot};

use super::engine::{Engine, Failure};
use super::header::Header;
use super::watchdog::Watchdog;
use super::{Shared, State};
use crate::store::{Commit, Result, StoreError, Write, WriteAction};

/// A commit and who waits for it.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) writes: Vec<Write>,
    pub(super) reply: oneshot::Sender<Result<Commit>>,
}

/// The writer's own state.
#[derive(Debug)]
pub(super) struct Writer {
    shared: Arc<Shared>,
    header: Header,
    reserve_size_bytes: u64,
}

impl Writer {
    pub(super) fn new(shared: Arc<Shared>, header: Header, reserve_size_bytes: u64) -> Self {
        Self { shared, header, reserve_size_bytes }
    }

    /// Writes until the store is closed.
    pub(super) fn run(mut self, mut requests: mpsc::Receiver<Request>, watchdog: &Watchdog) {
        while let Some(Request { writes, reply }) = requests.blocking_recv() {
            let done = watchdog.over(|| self.commit(&writes));
            if done.is_ok() {
                self.shared.nudges.nudge(writes.iter().map(|write| &write.key));
            }
            // Whoever asked may have stopped waiting; the commit stands.
            let _nobody_waits = reply.send(done);
        }
    }

    fn commit(&mut self, writes: &[Write]) -> Result<Commit> {
        let shared = Arc::clone(&self.shared);
        let mut state = shared.state.write().unwrap_or_else(PoisonError::into_inner);
        if let State::Full(reason) = &*state {
            let reason = reason.clone();
            *state = State::Open(self.open_again(&reason)?);
        }
        let engine = match &mut *state {
            State::Open(engine) => engine,
            State::Full(reason) | State::Stopped(reason) => {
                return Err(shared.stopped(reason.clone()));
            }
        };
        if writes.is_empty() {
            return Ok(Commit { version: engine.version() });
        }
        if writes.iter().any(|write| matches!(write.change, WriteAction::Put(_))) {
            self.check_room()?;
        }
        let wanted = engine.version() + 1;
        let version = match engine.commit(writes) {
            Ok(version) => version,
            Err(Failure::Refused(error)) => return Err(error),
            Err(Failure::Broken(error)) => {
                self.recover(&mut state, wanted, &error)?;
                wanted
            }
        };
        self.header.note_committed(version);
        Ok(Commit { version })
    }

    /// Refuses before the disk is full, so that sled never meets a full one.
    fn check_room(&self) -> Result<()> {
        let dir = &self.shared.dir;
        let found = statvfs(dir.as_path()).map_err(|error| {
            self.shared.stopped(format!("cannot ask for the free space: {error}"))
        })?;
        let free = found.blocks_available().saturating_mul(found.fragment_size());
        if free >= self.reserve_size_bytes {
            return Ok(());
        }
        let (free, reserve) = (free >> 10, self.reserve_size_bytes >> 10);
        Err(StoreError::Full {
            dir: dir.clone(),
            reason: format!("{free} KiB are free on its disk, {reserve} KiB are kept in reserve"),
        })
    }

    /// After a failed write. A full disk is looked at again from the file: the
    /// commit is there whole, or not at all. Any other failure stops the store,
    /// because what the page cache says of a failed disk is not what it holds.
    fn recover(&self, state: &mut State, wanted: u64, error: &io::Error) -> Result<()> {
        let dir = &self.shared.dir;
        let reason = format!("a write failed: {error}");
        tracing::error!(store = %dir.display(), %error, "the store could not write");
        if error.kind() != io::ErrorKind::StorageFull {
            *state = State::Stopped(reason.clone());
            return Err(self.shared.stopped(reason));
        }
        // The old engine lets go of its file before a new one opens it.
        *state = State::Full(reason.clone());
        let engine = self.open_again(&reason)?;
        let found = engine.version();
        *state = State::Open(engine);
        if found == wanted {
            return Ok(());
        }
        Err(StoreError::Full { dir: dir.clone(), reason })
    }

    fn open_again(&self, reason: &str) -> Result<Engine> {
        Engine::open(&self.shared.dir, &self.header).map_err(|error| {
            self.shared.stopped(format!("{reason}, and it could not be opened again: {error}"))
        })
    }
}
