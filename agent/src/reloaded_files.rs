//! The files that a program takes over while it runs: files of the catalog, and secrets of the
//! controller.
//!
//! They are in the folder of their workload, each at a place that is the same for every content. A
//! container has a file mounted and not its name, and every version of a secret is a file of its own,
//! so a secret is copied there.

use std::fs;
use std::io::{self, ErrorKind};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use oml_common::decide::difference::{FileChange, FileChangeKind};
use oml_common::document::instance::{ContainerFile, Instance, KeptSecret, Reload};
use oml_common::id::ContentHash;
use zeroize::Zeroizing;

use crate::container_files::{self, FileSpec};
use crate::files::{self, FileError};
use crate::kept_secrets;
use crate::paths::Paths;

/// The mode of a secret, whose folder only root enters: the program may run as any user.
const SECRET_MODE: u32 = 0o444;

/// A file and its place on this host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReloadedFile {
    /// Its path in the container.
    pub path: String,
    pub place: PathBuf,
}

/// Returns the files of an instance with their places in the folder of that workload, which do not
/// depend on their content.
#[must_use]
pub fn placed_of(paths: &Paths, instance: &Instance, workload: &ContentHash) -> Vec<ReloadedFile> {
    let reloaded = instance.container().into_iter().flat_map(|it| &it.options.reloaded);
    let folder = paths.files_of(&instance.component, workload);
    let place = |(number, path): (usize, &String)| ReloadedFile {
        path: path.clone(),
        place: folder.join(format!("reloaded-{}", container_files::name(number, path))),
    };
    reloaded.enumerate().map(place).collect()
}

/// Writes the files of an instance that are not as they should be.
///
/// # Errors
/// An error of the file system, or a secret that the controller has not sent.
pub fn ensure(paths: &Paths, instance: &Instance) -> Result<(), FileError> {
    write(paths, instance, |_place| true)
}

/// Writes the files of an instance whose program had them before, and that are not as they should
/// be. A document that was read from a label may name secrets which the host has no longer, because
/// the program has taken over later ones. Then what is there stays: a key fits its own certificate
/// only.
///
/// # Errors
/// An error of the file system, or a secret that is neither on the host nor at its place.
pub fn ensure_again(paths: &Paths, instance: &Instance) -> Result<(), FileError> {
    match has_secrets(paths, instance) {
        true => ensure(paths, instance),
        false => add_missing(paths, instance),
    }
}

/// Writes the files of an instance that do not exist. Those that do are what its program has.
///
/// # Errors
/// As [`ensure`], of the files that do not exist.
pub fn add_missing(paths: &Paths, instance: &Instance) -> Result<(), FileError> {
    write(paths, instance, |place| !place.exists())
}

/// Whether every secret is on this host that the program of an instance takes over.
#[must_use]
pub fn has_secrets(paths: &Paths, instance: &Instance) -> bool {
    instance.reload.as_ref().is_none_or(|reload| has_all(paths, reload))
}

fn has_all(paths: &Paths, reload: &Reload) -> bool {
    let mut secrets = reload.secrets.iter();
    secrets.all(|secret| secret.file.is_none() || kept_secrets::is_here(paths, secret))
}

fn write(
    paths: &Paths,
    instance: &Instance,
    is_written: impl Fn(&Path) -> bool,
) -> Result<(), FileError> {
    let Some(reload) = &instance.reload else { return Ok(()) };
    let placed = placed_of(paths, instance, &instance.workload_hash());
    let mut contents = Vec::new();
    for ReloadedFile { path, place } in placed.iter().filter(|file| is_written(&file.place)) {
        if let Some(content) = content_at(paths, reload, path)? {
            contents.push((content, place.as_path()));
        }
    }
    let wanted = contents.iter().map(|(content, place)| (content.wanted(), *place));
    let wanted: Vec<(FileSpec<'_>, &Path)> = wanted.collect();
    let folder = paths.files_of(&instance.component, &instance.workload_hash());
    container_files::put_all_right(paths, &folder, &wanted)
}

/// Returns what somebody changed in the files of an instance. What its document on this host, which
/// may be another of the same workload, says of them is no such change. If that names a secret which
/// the host has no longer, nobody knows what they were, and only that one is gone is seen.
#[must_use]
pub fn changes(paths: &Paths, instance: &Instance, held: Option<&Reload>) -> Vec<FileChange> {
    let known = |reload: &Reload| contents(paths, reload).unwrap_or_default();
    let wanted = instance.reload.as_ref().map(known).unwrap_or_default();
    let former = held.map(known).unwrap_or_default();
    let is_known = held.is_none_or(|held| has_all(paths, held));
    let placed = placed_of(paths, instance, &instance.workload_hash());
    let changed = |ReloadedFile { path, place }: ReloadedFile| {
        let of = |contents: &[Content]| {
            let content = contents.iter().find(|it| it.path == path)?;
            Some(container_files::change(content.wanted(), &place))
        };
        let kind = of(&wanted)??;
        let is_former = of(&former) == Some(None);
        let is_seen = !is_former && (is_known || kind == FileChangeKind::Removed);
        is_seen.then(|| FileChange { path: path.clone(), kind })
    };
    placed.into_iter().filter_map(changed).collect()
}

/// The content of a file.
struct Content {
    /// Its path in the container.
    path: String,
    mode: u32,
    uid: u32,
    gid: u32,
    text: Zeroizing<String>,
}

impl Content {
    fn wanted(&self) -> FileSpec<'_> {
        let Self { path: _, mode, uid, gid, text } = self;
        FileSpec { mode: *mode, uid: *uid, gid: *gid, text }
    }
}

fn contents(paths: &Paths, reload: &Reload) -> Result<Vec<Content>, FileError> {
    reload.places().filter_map(|path| content_at(paths, reload, path).transpose()).collect()
}

/// Reads the content of the file at a place in the container; none if no file is there.
fn content_at(paths: &Paths, reload: &Reload, path: &str) -> Result<Option<Content>, FileError> {
    if let Some(file) = reload.files.iter().find(|file| file.path == path) {
        return Ok(Some(of_file(file)));
    }
    let secret = reload.secrets.iter().find(|secret| secret.file.as_deref() == Some(path));
    secret.map_or(Ok(None), |secret| of_secret(paths, secret))
}

fn of_file(file: &ContainerFile) -> Content {
    let ContainerFile { path, mode, uid, gid, text } = file;
    let (path, text) = (path.clone(), Zeroizing::new(text.clone()));
    Content { path, mode: *mode, uid: *uid, gid: *gid, text }
}

/// Reads a secret that the controller sent; none if it has no place in the container.
fn of_secret(paths: &Paths, secret: &KeptSecret) -> Result<Option<Content>, FileError> {
    let Some(path) = secret.file.clone() else { return Ok(None) };
    let source = paths.mounted_secret(&secret.name, &secret.mark);
    let text = files::read_if_there(&source)?.ok_or_else(|| {
        let why = format!("the controller has not sent {secret} yet");
        FileError::of("read", &source)(io::Error::new(ErrorKind::NotFound, why))
    })?;
    let text = Zeroizing::new(text);
    let found = fs::metadata(&source).map_err(FileError::of("look at", &source))?;
    let (uid, gid) = (found.uid(), found.gid());
    Ok(Some(Content { path, mode: SECRET_MODE, uid, gid, text }))
}

#[cfg(test)]
mod tests;
