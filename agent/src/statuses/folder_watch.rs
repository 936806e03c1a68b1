//! A watch of one folder by inotify(7).

use std::ffi::OsString;
use std::io;
use std::os::fd::{AsFd as _, AsRawFd, RawFd};
use std::path::Path;

use nix::errno::Errno;
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify, InotifyEvent};
use tokio::io::unix::AsyncFd;

/// Files are written under another name and renamed, so that a file is complete when it gets its name.
const EVENTS: AddWatchFlags = AddWatchFlags::IN_MOVED_TO
    .union(AddWatchFlags::IN_MOVED_FROM)
    .union(AddWatchFlags::IN_DELETE)
    .union(AddWatchFlags::IN_DELETE_SELF)
    .union(AddWatchFlags::IN_MOVE_SELF);
/// The events after which the watch sees nothing more of the folder.
const END: AddWatchFlags = AddWatchFlags::IN_DELETE_SELF
    .union(AddWatchFlags::IN_MOVE_SELF)
    .union(AddWatchFlags::IN_UNMOUNT)
    .union(AddWatchFlags::IN_IGNORED);

/// What has changed in a watched folder.
pub(super) enum Change {
    /// A file with this name was written or removed.
    File(OsString),
    /// The kernel has lost events, so that any file may have changed.
    Any,
    /// The folder itself was removed, renamed or unmounted.
    Lost,
}

/// A folder that is watched for as long as this exists.
pub(super) struct FolderWatch(AsyncFd<Instance>);

struct Instance(Inotify);

impl AsRawFd for Instance {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_fd().as_raw_fd()
    }
}

impl FolderWatch {
    /// Begins to watch a folder. No change after this is missed.
    pub(super) fn begin(folder: &Path) -> Result<Self, WatchError> {
        let inotify = Inotify::init(InitFlags::IN_CLOEXEC | InitFlags::IN_NONBLOCK)
            .map_err(WatchError::of_instance)?;
        inotify.add_watch(folder, EVENTS).map_err(WatchError::of_watch)?;
        #[expect(
            deprecated,
            reason = "its successor is unsafe, for values that close their descriptor early, which this does not"
        )]
        let readable = AsyncFd::new(Instance(inotify))?;
        Ok(Self(readable))
    }

    /// Waits for the next changes.
    pub(super) async fn changes(&self) -> Result<Vec<Change>, WatchError> {
        loop {
            let mut ready = self.0.readable().await?;
            let read = ready.try_io(|watch| Ok(watch.get_ref().0.read_events()?));
            // It was not readable after all if there is no result.
            if let Ok(events) = read {
                return Ok(events?.into_iter().filter_map(change).collect());
            }
        }
    }
}

fn change(event: InotifyEvent) -> Option<Change> {
    if event.mask.intersects(END) {
        return Some(Change::Lost);
    }
    if event.mask.contains(AddWatchFlags::IN_Q_OVERFLOW) {
        return Some(Change::Any);
    }
    event.name.map(Change::File)
}

/// The reason why a folder cannot be watched.
#[derive(Debug, thiserror::Error)]
pub(super) enum WatchError {
    #[error(
        "all inotify instances of this host are in use; to allow more, run: \
         sysctl fs.inotify.max_user_instances=1024"
    )]
    NoInstance,
    #[error(
        "all inotify watches of this host are in use; to allow more, run: \
         sysctl fs.inotify.max_user_watches=524288"
    )]
    NoWatch,
    #[error(transparent)]
    Other(#[from] io::Error),
}

impl WatchError {
    fn of_instance(error: Errno) -> Self {
        if error == Errno::EMFILE { Self::NoInstance } else { Self::Other(error.into()) }
    }

    fn of_watch(error: Errno) -> Self {
        if error == Errno::ENOSPC { Self::NoWatch } else { Self::Other(error.into()) }
    }
}
