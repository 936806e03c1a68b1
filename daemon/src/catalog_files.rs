//! Reads the texts of a catalog from the folder of catalogs. Nothing outside of it is read.

use std::fs::Metadata;
use std::io::{self, Read as _};
use std::path::{Component, Path, PathBuf};

use crate::regular_file;
use oml_common::document::catalog::{CATALOG_FILE, CatalogSources};
use oml_common::text::yaml::DOCUMENT_BYTES_MAX;

/// How many folders up the folder of catalogs is searched for.
const UP_MAX: usize = 8;

/// Where a catalog is: the folder of catalogs, and its name in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    pub folder: PathBuf,
    pub name: String,
}

impl Place {
    /// Finds the folder of catalogs by the path of a catalog: a file, a folder, or the file in the
    /// folder.
    ///
    /// # Errors
    /// Returns an error if there is no such folder, or it has no file of a catalog.
    pub fn of(path: &Path) -> io::Result<Self> {
        let is_folder = path.is_dir();
        let path = match is_folder {
            // Such as `.`, which has no name.
            true => path.canonicalize()?,
            false => path.to_owned(),
        };
        let own = |path: &Path| -> io::Result<(PathBuf, String)> {
            let name = path.file_name().and_then(|name| name.to_str());
            let name = name.ok_or_else(|| io::Error::other("it has no name that can be read"))?;
            let folder = match path.parent() {
                Some(folder) if folder != Path::new("") => folder,
                Some(_) | None => Path::new("."),
            };
            Ok((folder.to_owned(), name.to_owned()))
        };
        let (folder, name) = own(&path)?;
        if is_folder && path.join(CATALOG_FILE).symlink_metadata().is_err() {
            return Err(io::Error::other(format!("it has no {CATALOG_FILE}")));
        }
        if is_folder || name != CATALOG_FILE {
            return Ok(Self { folder, name });
        }
        let (folder, name) = own(&folder.canonicalize()?)?;
        Ok(Self { folder, name })
    }

    /// Returns the places of the same file if the folder of catalogs is further up, the nearest
    /// first.
    fn further_up(&self) -> Vec<Self> {
        let mut places = Vec::new();
        let Ok(mut folder) = self.folder.canonicalize() else { return places };
        let mut name = self.name.clone();
        while places.len() < UP_MAX {
            let Some(own) = folder.file_name().and_then(|own| own.to_str()) else { break };
            name = format!("{own}/{name}");
            folder.pop();
            places.push(Self { folder: folder.clone(), name: name.clone() });
        }
        places
    }
}

/// Reads the texts of a catalog or a part by its place alone. The folder of catalogs, by which a part
/// names what it includes, may be further up: it is the one in which the part has the fewest mistakes.
///
/// # Errors
/// Returns an error if its first text cannot be read.
pub fn read_alone(place: &Place) -> io::Result<CatalogSources> {
    let mistakes = |sources: &CatalogSources| sources.catalog().err().map_or(0, |all| all.0.len());
    let mut best = read(place)?;
    let mut fewest = if best.is_part() { mistakes(&best) } else { 0 };
    for place in place.further_up() {
        if fewest == 0 {
            break;
        }
        // A folder that cannot be read is not the one.
        let Ok(sources) = read(&place) else { continue };
        if mistakes(&sources) < fewest {
            fewest = mistakes(&sources);
            best = sources;
        }
    }
    Ok(best)
}

/// Reads every text of a catalog. One that cannot be read is noted with the reason; only without the
/// first one there is no catalog.
///
/// # Errors
/// Returns an error if the first text cannot be read.
pub fn read(place: &Place) -> io::Result<CatalogSources> {
    let mut sources = CatalogSources::new(&place.name);
    let first = sources.first().to_owned();
    let text = match first == place.name {
        true => read_text(&place.folder.join(&first))?,
        false => read_inside(&place.folder, &first).map_err(|error| explained(place, error))?,
    };
    sources.put(&first, Ok(text));
    loop {
        let missing = sources.missing();
        if missing.is_empty() {
            return Ok(sources);
        }
        for path in missing {
            let text = read_inside(&place.folder, &path).map_err(|error| error.to_string());
            sources.put(&path, text);
        }
    }
}

/// Says of a folder without a document what is missing: the folder itself is there.
fn explained(place: &Place, error: io::Error) -> io::Error {
    let is_missing = error.kind() == io::ErrorKind::NotFound;
    match is_missing && place.folder.join(&place.name).is_dir() {
        true => io::Error::other(format!("it has no {CATALOG_FILE}")),
        false => error,
    }
}

/// Reads a text below a folder. No part of its path may be a link, which could lead out of it.
fn read_inside(folder: &Path, path: &str) -> io::Result<String> {
    let mut full = folder.to_owned();
    for part in Path::new(path).components() {
        let Component::Normal(part) = part else {
            return Err(io::Error::other("it is outside of the folder of catalogs"));
        };
        full.push(part);
        if full.symlink_metadata()?.is_symlink() {
            let message = format!("{} is a symbolic link", full.display());
            return Err(io::Error::other(message));
        }
    }
    read_text(&full)
}

/// Reads a text of bounded length. A pipe or a device would never end.
///
/// # Errors
/// Returns an error if it is no file, cannot be read, or is no text in UTF-8.
pub fn read_text(path: &Path) -> io::Result<String> {
    check_kind(&path.metadata()?)?;
    let mut text = String::new();
    // One byte too many is refused by the reader of documents.
    let limit = u64::try_from(DOCUMENT_BYTES_MAX).unwrap_or(u64::MAX).saturating_add(1);
    regular_file::open(path)?.take(limit).read_to_string(&mut text)?;
    Ok(text)
}

fn check_kind(metadata: &Metadata) -> io::Result<()> {
    match metadata.is_file() {
        true => Ok(()),
        false if metadata.is_dir() => Err(io::Error::other("it is a folder")),
        false => Err(io::Error::other("it is not a file")),
    }
}
