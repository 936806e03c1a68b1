//! Reads the status files of the supervisors whenever one is written.
//!
//! A file that cannot be read counts as missing, so the health of its instance becomes
//! unknown.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
#[cfg(any(test, feature = "sim"))]
use std::sync::Arc;
use std::time::Duration;

use oml_common::document::status::Status;
use oml_common::id::ComponentName;
use oml_common::text::error::chain;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tracing::{info, warn};

use self::folder_watch::{Change, FolderWatch, WatchError};
use self::looks::Looks;
use crate::documents;
use crate::paths::Paths;

mod folder_watch;
mod looks;

/// The latest status of every supervisor.
pub type Statuses = BTreeMap<ComponentName, Status>;

/// The time between two looks at the files while their folder is not watched.
const LOOK_PERIOD: Duration = Duration::from_secs(1);
/// The number of looks before the next attempt to watch the folder.
const LOOKS: u32 = 60;

/// Follows the status files of a host for as long as it lives.
pub struct StatusFiles {
    /// Holds the watch.
    task: JoinHandle<()>,
}

impl Drop for StatusFiles {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl StatusFiles {
    /// Starts to follow the files, and reads those that exist. Where the folder cannot be
    /// watched, the files are read every second.
    ///
    /// # Errors
    /// A folder that cannot be created.
    pub fn watch(paths: &Paths) -> io::Result<(Self, watch::Receiver<Statuses>)> {
        Self::watch_with(paths, FolderWatch::begin)
    }

    fn watch_with(
        paths: &Paths,
        begin: impl Begin,
    ) -> io::Result<(Self, watch::Receiver<Statuses>)> {
        std::fs::create_dir_all(paths.statuses())?;
        let (statuses, receiver) = watch::channel(Statuses::new());
        let follower = Follower::new(paths, statuses);
        let begun = follower.begin(&begin).inspect_err(|_error| follower.read_all_again());
        Ok((Self { task: tokio::spawn(follower.keep(begin, begun)) }, receiver))
    }
}

/// A function that begins to watch a folder.
trait Begin: Fn(&Path) -> Result<FolderWatch, WatchError> + Send + Sync + 'static {}

impl<F: Fn(&Path) -> Result<FolderWatch, WatchError> + Send + Sync + 'static> Begin for F {}

/// The statuses of a host whose supervisors run in this process, so that no file system has
/// to be watched.
#[cfg(any(test, feature = "sim"))]
#[derive(Clone)]
pub struct StatusFeed(Arc<Follower>);

#[cfg(any(test, feature = "sim"))]
impl StatusFeed {
    /// Starts with the files that exist.
    #[must_use]
    pub fn new(paths: &Paths) -> (Self, watch::Receiver<Statuses>) {
        let (statuses, receiver) = watch::channel(read_all(paths).unwrap_or_default());
        (Self(Arc::new(Follower::new(paths, statuses))), receiver)
    }

    /// Reads the status file of a component, which was just written.
    pub fn written(&self, component: &ComponentName) {
        self.0.read_again(component.clone());
    }
}

struct Follower {
    paths: Paths,
    statuses: watch::Sender<Statuses>,
}

impl Follower {
    fn new(paths: &Paths, statuses: watch::Sender<Statuses>) -> Self {
        Self { paths: paths.clone(), statuses }
    }

    /// Watches the folder, which is created if it is missing, and reads the files in it.
    fn begin(&self, begin: &impl Begin) -> Result<FolderWatch, WatchError> {
        let folder = self.paths.statuses();
        std::fs::create_dir_all(&folder)?;
        let watch = begin(&folder)?;
        // Read after the watch began, so that no change is missed in between.
        self.read_all_again();
        Ok(watch)
    }

    /// Follows the files by a watch wherever there is one.
    async fn keep(self, begin: impl Begin, mut begun: Result<FolderWatch, WatchError>) {
        loop {
            let ended = match begun {
                Ok(watch) => self.follow(watch).await,
                Err(error) => Err(error),
            };
            begun = match ended {
                Ok(()) => {
                    warn!("the folder of status files was removed or renamed; watching it again");
                    self.begin(&begin)
                }
                Err(error) => {
                    warn!(
                        error = chain(&error),
                        "cannot watch the status files; reading them every second instead"
                    );
                    Ok(self.look_until_watched(&begin).await)
                }
            };
        }
    }

    /// Reads the files that the watch names, until their folder is lost.
    async fn follow(&self, watch: FolderWatch) -> Result<(), WatchError> {
        loop {
            for change in watch.changes().await? {
                match change {
                    Change::File(name) => self.read_file_again(Path::new(&name)),
                    Change::Any => self.read_all_again(),
                    Change::Lost => return Ok(()),
                }
            }
        }
    }

    /// Reads the files that were written since the last look, until their folder can be watched.
    async fn look_until_watched(&self, begin: &impl Begin) -> FolderWatch {
        let (mut looks, mut problem) = (Looks::default(), None);
        loop {
            for _look in 0..LOOKS {
                tokio::time::sleep(LOOK_PERIOD).await;
                let (changed, found) =
                    match looks.next(&self.paths.statuses(), &self.statuses.borrow()) {
                        Ok(changed) => (changed, None),
                        Err(error) => (Vec::new(), Some(error.to_string())),
                    };
                if let Some(error) = found.as_ref().filter(|_| found != problem) {
                    warn!(error, "cannot list status files");
                }
                problem = found;
                changed.into_iter().for_each(|name| self.read_again(name));
            }
            if let Ok(watch) = self.begin(begin) {
                info!("the status files are watched again");
                return watch;
            }
        }
    }

    fn read_all_again(&self) {
        if let Some(all) = read_all(&self.paths) {
            self.statuses.send_replace(all);
        }
    }

    /// Reads a file again if its name is that of a status.
    fn read_file_again(&self, name: &Path) {
        if let Some(component) = component_of(name) {
            self.read_again(component);
        }
    }

    fn read_again(&self, name: ComponentName) {
        let status = read_one(&self.paths, &name);
        self.statuses.send_if_modified(|statuses| match status {
            Some(status) => {
                let before = statuses.insert(name.clone(), status);
                before.as_ref() != statuses.get(&name)
            }
            None => statuses.remove(&name).is_some(),
        });
    }
}

/// Reads every status; none if the folder cannot be listed.
fn read_all(paths: &Paths) -> Option<Statuses> {
    let folder = paths.statuses();
    let entries = std::fs::read_dir(&folder)
        .and_then(Iterator::collect::<std::io::Result<Vec<_>>>)
        .inspect_err(|error| {
            warn!(folder = %folder.display(), %error, "cannot list status files");
        })
        .ok()?;
    let names = entries.iter().filter_map(|entry| component_of(&entry.path()));
    Some(names.filter_map(|name| Some((name.clone(), read_one(paths, &name)?))).collect())
}

fn read_one(paths: &Paths, component: &ComponentName) -> Option<Status> {
    documents::read_status(paths, component).unwrap_or_else(|error| {
        warn!(%component, error = chain(&error), "cannot read status");
        None
    })
}

fn component_of(path: &Path) -> Option<ComponentName> {
    let is_status = path.extension().is_some_and(|extension| extension == "json");
    path.file_stem().filter(|_| is_status)?.to_str()?.parse().ok()
}

#[cfg(test)]
mod tests;
