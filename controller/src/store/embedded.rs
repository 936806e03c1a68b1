//! The store on the local disk, in a sled database.
//!
//! Five rules make sled safe, each learnt from a failure: there is one writer;
//! every commit is flushed; we sync sled's file ourselves before a commit is
//! acknowledged; values are small; a write that hangs ends the process. A folder
//! with missing, damaged or foreign files is refused with the name of the file,
//! and is never treated as an empty store.

use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::{mpsc, oneshot};
use tokio::task::spawn_blocking;

use self::engine::{Engine, Failure};
use self::header::Header;
use self::watchdog::Watchdog;
use self::writer::{Request, Writer};
use super::nudge::Subscriptions;
use super::{
    ChangeSignal, Commit, RawKey, Result, Store, StoreError, Versioned, Write, check_limits,
};

mod engine;
mod header;
mod layout;
mod lock;
mod watchdog;
mod writer;

/// The options of an open store. The defaults are right outside of tests.
#[derive(Debug, Clone)]
pub struct Options {
    /// A commit that puts a value is refused when the disk has fewer free bytes than
    /// this.
    pub reserve_size_bytes: u64,
    /// A commit that takes longer than this ends the process.
    pub write_limit: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self { reserve_size_bytes: 32 << 20, write_limit: Duration::from_secs(10) }
    }
}

/// The number of commits that may be queued for the writer before senders have to wait.
const QUEUE_LEN_MAX: usize = 64;

/// The error of opening or making a store.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("{} does not exist, so the folder is not a store; make one with `omlcontroller init`", file.display())]
    Missing { file: PathBuf },
    #[error("{} is not empty; a store can be made only in a new or empty folder", dir.display())]
    NotEmpty { dir: PathBuf },
    #[error("{} is in use by another process; stop that process first", file.display())]
    Locked { file: PathBuf },
    #[error("{} is missing or cut short; restore a backup with `omlcontroller restore FILE`", file.display())]
    CutShort { file: PathBuf },
    #[error("{} does not belong to this store: {reason}", file.display())]
    Foreign { file: PathBuf, reason: &'static str },
    #[error("{} has format {found}, and this release reads formats up to {}; install a newer release", file.display(), header::FORMAT)]
    Newer { file: PathBuf, found: u32 },
    #[error("{} is damaged: {reason}; restore a backup with `omlcontroller restore FILE`", file.display())]
    Damaged { file: PathBuf, reason: String },
    #[error("cannot use {}", file.display())]
    Io { file: PathBuf, source: io::Error },
}

impl OpenError {
    fn io(file: &Path, source: io::Error) -> Self {
        Self::Io { file: file.to_owned(), source }
    }

    fn from_sled(dir: &Path, error: sled::Error) -> Self {
        let file = dir.join("db");
        match error {
            sled::Error::Io(source) => Self::Io { file, source },
            other @ (sled::Error::CollectionNotFound(_)
            | sled::Error::Unsupported(_)
            | sled::Error::ReportableBug(_)
            | sled::Error::Corruption { .. }) => Self::Damaged { file, reason: other.to_string() },
        }
    }
}

/// Makes an empty store in a new or empty folder. Only `omlcontroller init` and
/// `omlcontroller restore` do this; opening a folder never makes a store in it.
///
/// # Errors
/// Returns [`OpenError::NotEmpty`] if the folder holds anything, or the error of
/// the file that cannot be written.
pub fn create(dir: &Path, cluster: &str) -> Result<(), OpenError> {
    let io = |source| OpenError::io(dir, source);
    DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(io)?;
    if dir.read_dir().map_err(io)?.next().is_some() {
        return Err(OpenError::NotEmpty { dir: dir.to_owned() });
    }
    Engine::create(dir, cluster)?;
    Header::create(dir, cluster)?;
    let synced = std::fs::File::open(dir).and_then(|folder| folder.sync_all());
    synced.map_err(io)
}

/// A store on the local disk, open in this process only.
#[derive(Debug)]
pub struct Embedded {
    shared: Arc<Shared>,
    queue: mpsc::Sender<Request>,
    writer: JoinHandle<Header>,
    cluster: String,
}

/// The state that readers and the writer share.
#[derive(Debug)]
struct Shared {
    dir: PathBuf,
    /// Locked for writing until a commit is durable, so that no reader sees it earlier.
    state: RwLock<State>,
    nudges: Subscriptions,
}

#[derive(Debug)]
enum State {
    Open(Engine),
    /// The disk was full in the middle of a write, for this reason. Reads and
    /// writes fail until a commit can open the database again.
    Full(String),
    /// All reads and writes fail, for this reason.
    Stopped(String),
}

impl Embedded {
    /// Opens the store in `dir` for this process only, and reads all of it once to check
    /// it. A store that another process has open is refused after two seconds.
    pub async fn open(dir: &Path, options: Options) -> Result<Self, OpenError> {
        let folder = dir.to_owned();
        let opened = spawn_blocking(move || Self::open_blocking(folder, options)).await;
        // sled panics on some damaged files instead of returning an error.
        opened.unwrap_or_else(|_panic| {
            let reason = "the storage engine panicked while reading it".into();
            Err(OpenError::Damaged { file: dir.join("db"), reason })
        })
    }

    fn open_blocking(dir: PathBuf, options: Options) -> Result<Self, OpenError> {
        let header = Header::open(&dir)?;
        let engine = Engine::open(&dir, &header)?;
        let cluster = header.cluster.clone();
        let io = |source| OpenError::io(&dir, source);
        let shown = dir.display().to_string();
        let watchdog = Watchdog::start(options.write_limit, move |reason| {
            tracing::error!(
                store = shown,
                reason,
                "the store does not respond; ending the process"
            );
            std::process::exit(1);
        });
        let watchdog = watchdog.map_err(io)?;
        let shared = Arc::new(Shared {
            dir: dir.clone(),
            state: RwLock::new(State::Open(engine)),
            nudges: Subscriptions::default(),
        });
        let (queue, requests) = mpsc::channel(QUEUE_LEN_MAX);
        let writer = Writer::new(Arc::clone(&shared), header, options.reserve_size_bytes);
        let builder = thread::Builder::new().name("store-writer".into());
        let writer = builder.spawn(move || writer.run(requests, &watchdog)).map_err(io)?;
        Ok(Self { shared, queue, writer, cluster })
    }

    /// Returns the id of the cluster that the store was made for.
    #[must_use]
    pub fn cluster(&self) -> &str {
        &self.cluster
    }

    /// Returns the id of the cluster that the store in `dir` was made for. It
    /// reads only the header, because opening the store would write into it.
    pub fn cluster_in(dir: &Path) -> Result<String, OpenError> {
        Ok(Header::open(dir)?.cluster.clone())
    }

    /// Closes the store and unlocks its folder. This is not needed for safety:
    /// every acknowledged commit is already durable.
    pub async fn close(self) {
        let Self { shared, queue, writer, cluster: _ } = self;
        drop(queue);
        let closed = spawn_blocking(move || {
            let header = writer.join();
            shared.stop("it was closed");
            // The database is closed before the header is unlocked.
            header.is_ok()
        });
        if !closed.await.unwrap_or(false) {
            tracing::error!("the store's writer panicked");
        }
    }

    /// Runs a read on a blocking thread, because sled may read from the disk.
    async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Engine) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T> {
        let shared = Arc::clone(&self.shared);
        let done = spawn_blocking(move || shared.read(read)).await;
        done.unwrap_or_else(|error| Err(self.shared.stopped(error.to_string())))
    }
}

impl Shared {
    fn read<T>(&self, read: impl FnOnce(&Engine) -> Result<T, Failure>) -> Result<T> {
        // The writer only replaces the whole state, so it is valid even after a panic.
        match &*self.state.read().unwrap_or_else(PoisonError::into_inner) {
            State::Open(engine) => read(engine).map_err(|failure| match failure {
                Failure::Refused(error) => error,
                Failure::Broken(error) => self.stopped(format!("a read failed: {error}")),
            }),
            State::Full(reason) | State::Stopped(reason) => Err(self.stopped(reason.clone())),
        }
    }

    fn stop(&self, reason: &str) {
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        *state = State::Stopped(reason.to_owned());
    }

    fn stopped(&self, reason: String) -> StoreError {
        StoreError::Stopped { dir: self.dir.clone(), reason }
    }
}

#[async_trait]
impl Store for Embedded {
    async fn get(&self, key: &RawKey) -> Result<Option<Versioned>> {
        let key = key.clone();
        self.read(move |engine| engine.get(&key)).await
    }

    async fn list(&self, prefix: &str) -> Result<Vec<(RawKey, Versioned)>> {
        let prefix = prefix.to_owned();
        self.read(move |engine| engine.list(&prefix)).await
    }

    async fn commit(&self, writes: Vec<Write>) -> Result<Commit> {
        check_limits(&writes)?;
        let (reply, done) = oneshot::channel();
        let gone = || self.shared.stopped("its writer thread has ended".into());
        self.queue.send(Request { writes, reply }).await.map_err(|_closed| gone())?;
        done.await.map_err(|_dropped| gone())?
    }

    fn changed(&self, prefix: &str) -> ChangeSignal {
        self.shared.nudges.subscribe(prefix)
    }
}

#[cfg(test)]
mod tests;
