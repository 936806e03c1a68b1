//! The only thread that writes. It answers a commit after the commit is on the disk.

use std::io;
use std::sync::{Arc, PoisonError};

use nix::sys::statvfs::statvfs;
use tokio::sync::{mpsc, oneshot};

use super::engine::{Engine, Failure};
use super::header::Header;
use super::watchdog::Watchdog;
use super::{Shared, State};
use crate::store::{Commit, Result, StoreError, Write, WriteAction};

/// A commit, with the channel for its result.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) writes: Vec<Write>,
    pub(super) reply: oneshot::Sender<Result<Commit>>,
}

/// The state of the writer thread.
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

    /// Handles requests until the store is closed. Returns the header, which keeps the
    /// store locked until it is dropped.
    pub(super) fn run(
        mut self,
        mut requests: mpsc::Receiver<Request>,
        watchdog: &Watchdog,
    ) -> Header {
        while let Some(Request { writes, reply }) = requests.blocking_recv() {
            let done = watchdog.run(|| self.commit(&writes));
            if done.is_ok() {
                self.shared.nudges.nudge(writes.iter().map(|write| &write.key));
            }
            // The caller may have stopped waiting; the commit is done all the same.
            let _caller_gone = reply.send(done);
        }
        self.header
    }

    fn commit(&mut self, writes: &[Write]) -> Result<Commit> {
        let shared = Arc::clone(&self.shared);
        let mut state = shared.state.write().unwrap_or_else(PoisonError::into_inner);
        if let State::Full(reason) = &*state {
            let reason = reason.clone();
            *state = State::Open(self.reopen(&reason)?);
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
            self.check_free_space()?;
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
        self.header.record_committed(version);
        Ok(Commit { version })
    }

    /// Refuses a commit before the disk is full, because sled does not handle a full
    /// disk well.
    fn check_free_space(&self) -> Result<()> {
        let dir = &self.shared.dir;
        let found = statvfs(dir.as_path()).map_err(|error| {
            self.shared.stopped(format!("cannot read the free space of its disk: {error}"))
        })?;
        let free = found.blocks_available().saturating_mul(found.fragment_size());
        if free >= self.reserve_size_bytes {
            return Ok(());
        }
        let (free, reserve) = (free >> 10, self.reserve_size_bytes >> 10);
        Err(StoreError::Full {
            dir: dir.clone(),
            reason: format!("only {free} KiB free on its disk (minimum {reserve} KiB)"),
        })
    }

    /// Handles a failed write. If the disk was full, the database is opened again
    /// to see whether the file contains the commit, which is there completely or
    /// not at all. Any other failure stops the store, because the page cache may
    /// differ from what a failed disk holds.
    fn recover(&self, state: &mut State, wanted: u64, error: &io::Error) -> Result<()> {
        let dir = &self.shared.dir;
        let reason = format!("a write failed: {error}");
        tracing::error!(store = %dir.display(), %error, "cannot write to the store");
        if error.kind() != io::ErrorKind::StorageFull {
            *state = State::Stopped(reason.clone());
            return Err(self.shared.stopped(reason));
        }
        // Dropping the old engine closes its file before a new one opens it.
        *state = State::Full(reason.clone());
        let engine = self.reopen(&reason)?;
        let found = engine.version();
        *state = State::Open(engine);
        if found == wanted {
            return Ok(());
        }
        Err(StoreError::Full { dir: dir.clone(), reason })
    }

    fn reopen(&self, reason: &str) -> Result<Engine> {
        Engine::open(&self.shared.dir, &self.header).map_err(|error| {
            self.shared.stopped(format!("{reason}, and it cannot be opened again: {error}"))
        })
    }
}
