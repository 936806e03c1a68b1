//! One file of a secret: whether somebody edited it, and how it is written again.

use std::fs::{self, OpenOptions, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

use nix::libc::{O_NOFOLLOW, O_NONBLOCK};
use oml_common::id::ContentHash;
use zeroize::Zeroizing;

use crate::files::{self, FileError};

/// How a file of a secret was found.
pub(super) enum State {
    Missing,
    /// It has the value that the controller sent, which is this.
    Right(Zeroizing<String>),
    /// It has another value, or cannot be read.
    Edited,
}

/// Compares a file with the hash of what was sent.
pub(super) fn state(path: &Path, sum: &ContentHash) -> State {
    match files::read_if_there(path).map(|text| text.map(Zeroizing::new)) {
        Ok(None) => State::Missing,
        Ok(Some(text)) if ContentHash::of(text.as_bytes()) == *sum => State::Right(text),
        Ok(Some(_)) | Err(_) => State::Edited,
    }
}

/// Writes a file of a secret again: in place if that is possible, because a container has the file
/// mounted and not its name.
pub(super) fn rewrite(path: &Path, text: &[u8], mode: u32) -> Result<(), FileError> {
    match in_place(path, text, mode) {
        Ok(()) => Ok(()),
        Err(_in_its_place) => files::write_durably(path, text, mode),
    }
}

fn in_place(path: &Path, text: &[u8], mode: u32) -> io::Result<()> {
    if !fs::symlink_metadata(path)?.is_file() {
        return Err(io::Error::from(io::ErrorKind::InvalidData));
    }
    // Even root does not write what its owner may not, without a capability for it.
    fs::set_permissions(path, Permissions::from_mode(mode | 0o200))?;
    let mut file =
        OpenOptions::new().write(true).custom_flags(O_NOFOLLOW | O_NONBLOCK).open(path)?;
    file.write_all(text)?;
    file.set_len(u64::try_from(text.len()).unwrap_or(u64::MAX))?;
    file.set_permissions(Permissions::from_mode(mode))?;
    file.sync_all()
}
