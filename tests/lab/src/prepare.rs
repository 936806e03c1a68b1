//! Prepares this machine: it installs packages and builds base systems, images and the registry's content. The results
//! are kept, so a second call only checks that they exist.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use crate::cache::Cache;
use crate::error::{LabError, Result};
use crate::images::{self, ALL, Image};
use crate::own_address::own_address;
use crate::preflight::{preflight, require_root};
use crate::progress::log;
use crate::push::Client;
use crate::recipes::{BOOKWORM, STORE, TOOLS};
use crate::registry::{self, Served};
use crate::release::Debian;

/// The prepared files that every lab is made from.
#[derive(Debug, Clone)]
pub struct Prepared {
    /// The layers of a host's root, the topmost first, by the release of Debian.
    hosts: BTreeMap<Debian, Vec<PathBuf>>,
    pub(crate) registry_program: PathBuf,
    /// The folder with the registry's content.
    pub(crate) store: PathBuf,
}

impl Prepared {
    /// Returns the layers of a host's root with this release, the topmost first.
    pub(crate) fn layers(&self, release: Debian) -> Result<&[PathBuf]> {
        let layers = self.hosts.get(&release).map(Vec::as_slice);
        layers.ok_or_else(|| LabError::Invalid(format!("no host with {release} was prepared")))
    }
}

/// Announces what will change, installs the missing packages, and builds the images and the systems of hosts with these
/// releases.
pub fn prepare(releases: &[Debian]) -> Result<Prepared> {
    require_root()?;
    let mut prepared = prepare_usual(releases)?;
    for release in releases.iter().filter(|release| **release != Debian::default()) {
        // A second process waits here and then finds everything built.
        let cache = release.open_cache()?;
        prepared.hosts.insert(*release, release.build(&cache)?);
    }
    Ok(prepared)
}

/// Prepares everything but the hosts with another release than the usual one.
fn prepare_usual(releases: &[Debian]) -> Result<Prepared> {
    // A second process waits here and then finds nothing left to install.
    let cache = Cache::open()?;
    let found = preflight(releases)?;
    if found.changes_anything() {
        for line in found.announcement().lines() {
            log(line);
        }
    }
    found.install()?;
    let has_usual = releases.contains(&Debian::default());
    let stamp = images::stamp_of_all();
    if !cache.path(STORE, &stamp).exists() {
        build_systems(&cache, has_usual)?;
    }
    let registry_program = TOOLS.build(&cache, &BOOKWORM)?.join("usr/bin/docker-registry");
    let store =
        cache.entry(STORE, &stamp, |folder| fill_store(&cache, &registry_program, folder))?;
    let mut hosts = BTreeMap::new();
    if has_usual {
        hosts.insert(Debian::default(), Debian::default().build(&cache)?);
    }
    Ok(Prepared { hosts, registry_program, store: store.join("store") })
}

/// Builds the systems of all images in parallel, and that of a usual host if it is wanted. The two that take longest are
/// started first.
fn build_systems(cache: &Cache, has_host: bool) -> Result<()> {
    let mut jobs: Vec<Box<dyn Fn() -> Result<()> + Sync + '_>> = Vec::new();
    if has_host {
        jobs.push(Box::new(|| Debian::default().build(cache).map(drop)));
    }
    let mut images: Vec<&Image> = ALL.iter().collect();
    images.sort_by_key(|image| !image.has_own_system());
    for image in images {
        jobs.push(Box::new(move || images::base_layers(image, cache).map(drop)));
    }
    in_parallel(&jobs, |job| job())
}

/// Pushes every image into a temporary registry that listens on the loopback address only.
fn fill_store(cache: &Cache, program: &Path, folder: &Path) -> Result<()> {
    let address = own_address();
    let client = Client { address, login: None };
    let scratch = folder.join("scratch");
    let store = folder.join("store");
    let served = Served { folder, store: &store, address, passwords: None, tls: None };
    let served = served.start(program);
    let pushed = served.and_then(|()| {
        in_parallel(&ALL, |image| {
            let base = images::base_layers(image, cache)?;
            image.push(&client, &base, &scratch)
        })
    });
    // The registry is stopped even if it did not answer in time.
    let stopped = registry::stop(folder);
    pushed?;
    stopped?;
    crate::cache::discard(&scratch)
}

/// Runs all jobs, at most four and at most one per processor at the same time, and returns the first error after all are done.
fn in_parallel<T: Sync>(jobs: &[T], step: impl Fn(&T) -> Result<()> + Sync) -> Result<()> {
    let workers = thread::available_parallelism().map_or(2, usize::from).min(4);
    let next = AtomicUsize::new(0);
    let work = || {
        let mut done = Ok(());
        while let Some(job) = jobs.get(next.fetch_add(1, Ordering::Relaxed)) {
            done = done.and(step(job));
        }
        done
    };
    thread::scope(|scope| {
        let threads: Vec<_> = (0..workers).map(|_| scope.spawn(work)).collect();
        threads
            .into_iter()
            .map(|thread| {
                thread.join().unwrap_or_else(|_| Err(LabError::Invalid("a worker panicked".into())))
            })
            .fold(Ok(()), Result::and)
    })
}
