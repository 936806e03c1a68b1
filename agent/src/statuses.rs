//! Reads the status files of the supervisors whenever one is written.
//!
//! A file that cannot be read counts as missing, so the health of its instance becomes
//! unknown.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use notify::event::{CreateKind, EventKind, ModifyKind, RemoveKind, RenameMode};
use notify::{Event, RecommendedWatcher, RecursiveMode, Watcher as _};
use oml_common::document::status::Status;
use oml_common::id::ComponentName;
use oml_common::text::error::chain;
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;
use tracing::warn;

use crate::documents;
use crate::paths::Paths;

/// The latest status of every supervisor.
pub type Statuses = BTreeMap<ComponentName, Status>;

/// The time before another attempt to watch a folder that was lost.
const WATCH_PAUSE: Duration = Duration::from_secs(1);

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
    /// Starts to follow the files, and reads those that exist.
    ///
    /// # Errors
    /// A folder that cannot be created or watched.
    pub fn watch(paths: &Paths) -> notify::Result<(Self, watch::Receiver<Statuses>)> {
        let (statuses, receiver) = watch::channel(Statuses::new());
        let follower = Arc::new(Follower::new(paths, statuses));
        let watcher = follower.begin()?;
        Ok((Self { task: tokio::spawn(follower.keep(watcher)) }, receiver))
    }
}

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
    /// Woken when the watch sees nothing more.
    lost: Notify,
}

impl Follower {
    fn new(paths: &Paths, statuses: watch::Sender<Statuses>) -> Self {
        Self { paths: paths.clone(), statuses, lost: Notify::new() }
    }

    /// Watches the folder, which is created if it is missing, and reads the files in it.
    fn begin(self: &Arc<Self>) -> notify::Result<RecommendedWatcher> {
        let folder = self.paths.statuses();
        std::fs::create_dir_all(&folder).map_err(notify::Error::io)?;
        let follower = Arc::clone(self);
        let mut watcher = notify::recommended_watcher(move |event| follower.apply(event))?;
        watcher.watch(&folder, RecursiveMode::NonRecursive)?;
        // Read after the watch began, so that no change is missed in between.
        if let Some(all) = read_all(&self.paths) {
            self.statuses.send_replace(all);
        }
        Ok(watcher)
    }

    /// Holds the watch, and begins another one when the folder was lost.
    async fn keep(self: Arc<Self>, mut watcher: RecommendedWatcher) {
        loop {
            self.lost.notified().await;
            warn!("the folder of status files was removed or renamed; watching it again");
            drop(watcher);
            watcher = loop {
                match self.begin() {
                    Ok(watcher) => break watcher,
                    Err(error) => warn!(error = chain(&error), "cannot watch the status files"),
                }
                tokio::time::sleep(WATCH_PAUSE).await;
            };
        }
    }

    fn apply(&self, event: notify::Result<Event>) {
        match event {
            Ok(event) if self.is_lost(&event) => self.lost.notify_one(),
            // The kernel has lost events.
            Ok(event) if event.need_rescan() => {
                if let Some(all) = read_all(&self.paths) {
                    self.statuses.send_replace(all);
                }
            }
            Ok(event) if is_complete(event.kind) => {
                for name in event.paths.iter().filter_map(|path| component_of(path)) {
                    self.read_again(name);
                }
            }
            Ok(_) => {}
            Err(error) => warn!(error = chain(&error), "status watch failed"),
        }
    }

    /// Returns true if the watched folder itself was removed or renamed.
    fn is_lost(&self, event: &Event) -> bool {
        let is_gone =
            matches!(event.kind, EventKind::Remove(_) | EventKind::Modify(ModifyKind::Name(_)));
        is_gone && event.paths.contains(&self.paths.statuses())
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

/// Returns true if a file is complete after this event. Files are written under another
/// name and renamed.
fn is_complete(kind: EventKind) -> bool {
    matches!(
        kind,
        EventKind::Modify(ModifyKind::Name(RenameMode::To | RenameMode::Both))
            | EventKind::Remove(RemoveKind::File)
            | EventKind::Create(CreateKind::Any)
    )
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
