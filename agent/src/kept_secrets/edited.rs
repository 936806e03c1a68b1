//! Finds the secrets of which somebody edited a file. A note beside them says by its hash what the controller
//! sent; a secret without one says nothing.

use std::collections::BTreeSet;

use oml_common::document;
use oml_common::document::host_notes::SecretNote;
use oml_common::document::instance::KeptSecret;
use oml_common::id::{SecretMark, SecretName};
use oml_common::text::error::chain;
use tracing::debug;

use super::file::{State, rewrite, state};
use super::{KEPT_MODE, MOUNTED_MODE, make_folder_of};
use crate::files::{self, FileError};
use crate::paths::Paths;
use crate::reserve;

/// The secrets of which somebody edited a file.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct EditedSecrets {
    /// Nobody on this host knows what the controller sent.
    pub left: BTreeSet<KeptSecret>,
    /// They were written again, and are returned once.
    pub put_right: BTreeSet<KeptSecret>,
}

/// Looks at the files of these secrets. A file that somebody edited is written again if the secret has
/// another one that is right.
#[must_use]
pub fn find_edited<'a>(
    paths: &Paths,
    secrets: impl IntoIterator<Item = &'a KeptSecret>,
) -> EditedSecrets {
    let mut found = EditedSecrets::default();
    for secret in secrets {
        let Some(known) = read_note(paths, &secret.name, &secret.mark) else { continue };
        let is_right = put_right(paths, secret, &known).unwrap_or_else(|error| {
            // It is tried again at the next look.
            debug!(%secret, error = chain(&error), "cannot write an edited secret again");
            Some(false)
        });
        if is_right == Some(false) {
            found.left.insert(secret.clone());
        } else if is_right.is_some() || known.was_edited {
            found.put_right.insert(secret.clone());
        }
    }
    found
}

/// Forgets that somebody edited a secret, once that was taken over for the report.
///
/// # Errors
/// An error of the file system.
pub fn forget_edit(paths: &Paths, secret: &KeptSecret) -> Result<(), FileError> {
    let Some(known) = read_note(paths, &secret.name, &secret.mark) else { return Ok(()) };
    note(paths, &secret.name, &secret.mark, |_| SecretNote { was_edited: false, ..known.clone() })
}

/// Writes the note of a secret, if it is to say something else.
pub(super) fn note(
    paths: &Paths,
    name: &SecretName,
    mark: &SecretMark,
    wanted: impl Fn(Option<&SecretNote>) -> SecretNote,
) -> Result<(), FileError> {
    let known = read_note(paths, name, mark);
    let wanted = wanted(known.as_ref());
    if known.as_ref() == Some(&wanted) {
        return Ok(());
    }
    let path = paths.secret_note(name, mark);
    make_folder_of(&path)?;
    let text = document::write(&wanted);
    reserve::release_and_retry(paths, || files::write_durably(&path, text.as_bytes(), KEPT_MODE))
}

/// Reads the note of a secret. One that cannot be read says nothing.
fn read_note(paths: &Paths, name: &SecretName, mark: &SecretMark) -> Option<SecretNote> {
    let text = files::read_if_there(&paths.secret_note(name, mark)).ok().flatten()?;
    document::read(&text).ok()
}

/// Returns whether the edited files of a secret were written again; none if there is none.
fn put_right(
    paths: &Paths,
    secret: &KeptSecret,
    known: &SecretNote,
) -> Result<Option<bool>, FileError> {
    let files = [
        (paths.kept_secret(&secret.name, &secret.mark), KEPT_MODE),
        (paths.mounted_secret(&secret.name, &secret.mark), MOUNTED_MODE),
    ];
    let (mut value, mut edited) = (None, Vec::new());
    for (path, mode) in files {
        match state(&path, &known.sum) {
            State::Missing => {}
            State::Right(text) => value = Some(text),
            State::Edited => edited.push((path, mode)),
        }
    }
    if edited.is_empty() {
        return Ok(None);
    }
    let Some(value) = value else { return Ok(Some(false)) };
    for (path, mode) in edited {
        reserve::release_and_retry(paths, || rewrite(&path, value.as_bytes(), mode))?;
    }
    Ok(Some(true))
}
