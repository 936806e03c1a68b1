//! The files of the catalog that are mounted into containers.
//!
//! Every workload has a folder of its own below that of its instance, so that a rollback finds the
//! files of the version before. A container has the file itself mounted and not its name, so a file
//! that exists is written again in place: one that was renamed over it would not be seen inside.

use std::fs::{self, DirBuilder, File, Metadata, OpenOptions, Permissions};
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::os::unix::fs::{
    DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _, fchown, lchown,
};
use std::path::{Path, PathBuf};

use nix::libc::{O_NOFOLLOW, O_NONBLOCK};
use nix::unistd::geteuid;
use oml_common::decide::difference::{FileChange, FileChangeKind};
use oml_common::document::instance::{ContainerFile, Instance};
use oml_common::id::{ComponentName, ContentHash};
use zeroize::Zeroizing;

use crate::file_rights::may_give_files;
use crate::files::FileError;
use crate::paths::Paths;
use crate::reserve;

/// Only root enters the folders of files: some have passwords of a program's own.
const FOLDER_MODE: u32 = 0o700;
/// Nobody else reads a file before it has its owner.
const UNFINISHED_MODE: u32 = 0o600;
/// The permissions in a mode (chmod(2)).
const PERMISSIONS: u32 = 0o7777;
/// The letters of a file's own name that are kept in its name on the host.
const NAME_CHARS_MAX: usize = 80;

/// What a file should be.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FileSpec<'a> {
    pub(crate) mode: u32,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    pub(crate) text: &'a str,
}

impl<'a> From<&'a ContainerFile> for FileSpec<'a> {
    fn from(file: &'a ContainerFile) -> Self {
        let ContainerFile { path: _, mode, uid, gid, text } = file;
        Self { mode: *mode, uid: *uid, gid: *gid, text }
    }
}

/// A file of a workload and its place on this host.
pub struct PlacedFile<'a> {
    pub file: &'a ContainerFile,
    pub place: PathBuf,
}

/// Returns the files of an instance with their places, which are the same for the same workload.
#[must_use]
pub fn placed<'a>(paths: &Paths, instance: &'a Instance) -> Vec<PlacedFile<'a>> {
    placed_of(paths, instance, &instance.workload_hash())
}

/// Returns the files of an instance with their places in the folder of that workload.
#[must_use]
pub fn placed_of<'a>(
    paths: &Paths,
    instance: &'a Instance,
    workload: &ContentHash,
) -> Vec<PlacedFile<'a>> {
    let files = instance.container().map(|it| it.options.files.as_slice()).unwrap_or_default();
    let folder = paths.files_of(&instance.component, workload);
    let place = |(number, file): (usize, &'a ContainerFile)| PlacedFile {
        file,
        place: folder.join(name(number, &file.path)),
    };
    files.iter().enumerate().map(place).collect()
}

/// Returns the name of a file in the folder of its workload.
pub(crate) fn name(number: usize, path: &str) -> String {
    let own = path.rsplit('/').next().unwrap_or_default();
    let is_plain = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    let own: String = own.chars().filter(is_plain).take(NAME_CHARS_MAX).collect();
    format!("{number}-{own}")
}

/// Writes the files of an instance that are not as they should be.
///
/// # Errors
/// An error of the file system.
pub fn ensure(paths: &Paths, instance: &Instance) -> Result<(), FileError> {
    let placed = placed(paths, instance);
    let files: Vec<(FileSpec<'_>, &Path)> =
        placed.iter().map(|it| (it.file.into(), it.place.as_path())).collect();
    put_all_right(paths, &paths.files_of(&instance.component, &instance.workload_hash()), &files)
}

/// Writes those files of a folder that are not as they should be.
///
/// # Errors
/// An error of the file system.
pub(crate) fn put_all_right(
    paths: &Paths,
    folder: &Path,
    files: &[(FileSpec<'_>, &Path)],
) -> Result<(), FileError> {
    if files.is_empty() {
        return Ok(());
    }
    make_folder(folder)?;
    for (file, place) in files {
        if let Some(kind) = change(*file, place) {
            reserve::release_and_retry(paths, || put_right(*file, place, &kind))?;
        }
    }
    sync(folder)
}

/// Returns what somebody changed in the files of an instance.
#[must_use]
pub fn changes(paths: &Paths, instance: &Instance) -> Vec<FileChange> {
    let changed = |PlacedFile { file, place }: PlacedFile<'_>| {
        Some(FileChange { path: file.path.clone(), kind: change(file.into(), &place)? })
    };
    placed(paths, instance).into_iter().filter_map(changed).collect()
}

/// Removes the files of all workloads of a component except these.
///
/// # Errors
/// An error of the file system.
pub fn remove(
    paths: &Paths,
    component: &ComponentName,
    keep: &[ContentHash],
) -> Result<(), FileError> {
    let folder = paths.files(component);
    let listed = match fs::read_dir(&folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        listed => listed.and_then(Iterator::collect::<io::Result<Vec<_>>>),
    };
    for entry in listed.map_err(FileError::of("list", &folder))? {
        let is_kept = keep.iter().any(|hash| entry.file_name() == hash.as_str());
        if is_kept {
            continue;
        }
        let path = entry.path();
        let removed = match path.is_dir() && !path.is_symlink() {
            true => fs::remove_dir_all(&path),
            false => fs::remove_file(&path),
        };
        removed.map_err(FileError::of("remove", &path))?;
    }
    if keep.is_empty() {
        return fs::remove_dir(&folder).map_err(FileError::of("remove the folder", &folder));
    }
    sync(&folder)
}

/// Removes the files of one workload of a component, if there are any.
///
/// # Errors
/// An error of the file system.
pub(crate) fn remove_of(
    paths: &Paths,
    component: &ComponentName,
    workload: &ContentHash,
) -> Result<(), FileError> {
    let folder = paths.files_of(component, workload);
    match fs::remove_dir_all(&folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        removed => removed.map_err(FileError::of("remove the folder", &folder)),
    }
}

/// Returns the second name of the file that was made at this place. The container has that file mounted, also if
/// another one has its first name now.
fn second_name(place: &Path) -> PathBuf {
    place.with_extension("made~")
}

/// Whether another file is at this place than the one that was made there.
fn is_another(place: &Path) -> bool {
    let inode = |path: &Path| fs::symlink_metadata(path).ok().map(|it| (it.dev(), it.ino()));
    let made = inode(&second_name(place));
    made.is_some_and(|made| inode(place).is_some_and(|found| found != made))
}

/// Returns how a file on this host differs from what it should be.
pub(crate) fn change(file: FileSpec<'_>, place: &Path) -> Option<FileChangeKind> {
    let found = match look(file, place) {
        Ok(found) => found,
        Err(error) if error.kind() == ErrorKind::NotFound => return Some(FileChangeKind::Removed),
        // A link in its place leads elsewhere, and nothing but a file has its content.
        Err(error) => return Some(FileChangeKind::Replaced { why: error.to_string() }),
    };
    let (is_mode, is_owner) = (found.mode & PERMISSIONS, (found.uid, found.gid));
    let was_owner = (file.uid, file.gid);
    if is_another(place) {
        let why = "it is not the one that the container has".to_owned();
        Some(FileChangeKind::Replaced { why })
    } else if !found.has_text {
        Some(FileChangeKind::Edited)
    } else if is_owner != was_owner {
        Some(FileChangeKind::Owner { is: is_owner, was: was_owner })
    } else if is_mode != file.mode {
        Some(FileChangeKind::Mode { is: is_mode, was: file.mode })
    } else {
        None
    }
}

/// What is found of a file.
struct Found {
    has_text: bool,
    mode: u32,
    uid: u32,
    gid: u32,
}

fn look(file: FileSpec<'_>, place: &Path) -> io::Result<Found> {
    let (opened, metadata) = open(place)?;
    if !metadata.is_file() {
        return Err(io::Error::new(ErrorKind::InvalidData, "it is no file"));
    }
    let wanted = file.text.as_bytes();
    let mut text = Zeroizing::new(Vec::with_capacity(wanted.len()));
    // One byte more shows that there is too much.
    let limit = u64::try_from(wanted.len()).unwrap_or(u64::MAX).saturating_add(1);
    opened.take(limit).read_to_end(&mut text)?;
    let has_text = *text == wanted;
    Ok(Found { has_text, mode: metadata.mode(), uid: metadata.uid(), gid: metadata.gid() })
}

/// Opens a file to read it, with what is known of it before. The agent has no capability to read what only another user
/// may, but it may take the file back for that moment.
fn open(place: &Path) -> io::Result<(File, Metadata)> {
    let read = || OpenOptions::new().read(true).custom_flags(O_NOFOLLOW | O_NONBLOCK).open(place);
    match read() {
        Err(error) if error.kind() == ErrorKind::PermissionDenied && may_give_files() => {
            let before = fs::symlink_metadata(place)?;
            lchown(place, Some(geteuid().as_raw()), None)?;
            let opened = read();
            lchown(place, Some(before.uid()), None)?;
            Ok((opened?, before))
        }
        opened => {
            let opened = opened?;
            let metadata = opened.metadata()?;
            Ok((opened, metadata))
        }
    }
}

fn put_right(file: FileSpec<'_>, place: &Path, change: &FileChangeKind) -> Result<(), FileError> {
    match change {
        FileChangeKind::Edited | FileChangeKind::Mode { .. } => {
            rewrite(file, place).map_err(FileError::of("write", place))
        }
        FileChangeKind::Owner { .. } if may_give_files() => {
            rewrite(file, place).map_err(FileError::of("write", place))
        }
        FileChangeKind::Removed => make(file, place),
        // A file that was given away cannot be written without a capability for it.
        FileChangeKind::Owner { .. } | FileChangeKind::Replaced { .. } => {
            let removed = match place.is_dir() && !place.is_symlink() {
                true => fs::remove_dir_all(place),
                false => fs::remove_file(place),
            };
            removed.map_err(FileError::of("remove", place))?;
            make(file, place)
        }
    }
}

/// Writes a file that exists in place.
fn rewrite(file: FileSpec<'_>, place: &Path) -> io::Result<()> {
    take_back(place)?;
    // Even root does not write what its owner may not, without a capability for it.
    fs::set_permissions(place, Permissions::from_mode(file.mode | UNFINISHED_MODE))?;
    let mut opened =
        OpenOptions::new().write(true).custom_flags(O_NOFOLLOW | O_NONBLOCK).open(place)?;
    opened.write_all(file.text.as_bytes())?;
    opened.set_len(u64::try_from(file.text.len()).unwrap_or(u64::MAX))?;
    finish(file, &opened)
}

/// Makes a file that was given to another user one of this process, which may then write it.
fn take_back(place: &Path) -> io::Result<()> {
    let own = geteuid().as_raw();
    match fs::symlink_metadata(place)?.uid() == own {
        true => Ok(()),
        false => lchown(place, Some(own), None),
    }
}

/// Writes a file that is not at its place: the one that was made there before, if there is one, else a new one.
fn make(file: FileSpec<'_>, place: &Path) -> Result<(), FileError> {
    let made = second_name(place);
    if fs::symlink_metadata(&made).is_ok_and(|it| it.is_file()) {
        return name_again(file, place, &made).map_err(FileError::of("write", place));
    }
    make_new(file, place)
}

/// Gives a file that was made its first name again, and its text.
fn name_again(file: FileSpec<'_>, place: &Path, made: &Path) -> io::Result<()> {
    // Without a capability for it, only its owner gives a file another name (`fs.protected_hardlinks`, proc(5)).
    take_back(made)?;
    let temporary = place.with_extension("tmp~");
    forget(&temporary)?;
    fs::hard_link(made, &temporary)?;
    fs::rename(&temporary, place)?;
    rewrite(file, place)
}

/// Removes a file, which may be gone.
fn forget(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Writes a new file. It has its name only when it is complete.
fn make_new(file: FileSpec<'_>, place: &Path) -> Result<(), FileError> {
    let temporary = place.with_extension("tmp~");
    let written = (|| {
        forget(&temporary)?;
        let made = second_name(place);
        forget(&made)?;
        let mut options = OpenOptions::new();
        let options = options.write(true).create_new(true).mode(UNFINISHED_MODE);
        let mut opened = options.open(&temporary)?;
        opened.write_all(file.text.as_bytes())?;
        fs::hard_link(&temporary, made)?;
        finish(file, &opened)?;
        fs::rename(&temporary, place)
    })();
    if written.is_err() {
        // On a full disk its beginning takes room that others need.
        let _gone = [fs::remove_file(&temporary), fs::remove_file(second_name(place))];
    }
    written.map_err(FileError::of("write", place))
}

/// Gives a file its permissions and its owner, and makes it survive a power cut. The owner comes last,
/// because only an owner changes the permissions without a capability for it.
fn finish(file: FileSpec<'_>, opened: &File) -> io::Result<()> {
    opened.set_permissions(Permissions::from_mode(file.mode))?;
    let metadata = opened.metadata()?;
    if (metadata.uid(), metadata.gid()) != (file.uid, file.gid) {
        fchown(opened, Some(file.uid), Some(file.gid))?;
    }
    opened.sync_all()
}

fn make_folder(folder: &Path) -> Result<(), FileError> {
    let made = DirBuilder::new().recursive(true).mode(FOLDER_MODE).create(folder);
    made.map_err(FileError::of("make the folder", folder))
}

fn sync(folder: &Path) -> Result<(), FileError> {
    File::open(folder)
        .and_then(|folder| folder.sync_all())
        .map_err(FileError::of("sync the folder", folder))
}

#[cfg(test)]
mod tests;
