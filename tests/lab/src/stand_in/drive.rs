//! The form in which MinIO keeps a single drive, and what its releases say of a drive in another form. The releases are
//! known by the dates in their tags, `RELEASE.2023-09-27T15-22-50Z` or `20230927`; a tag without one is a new release.
//!
//! | rule | source |
//! |---|---|
//! | `.minio.sys/format.json` says the form: its `version` is 1, and its `format` is the name of what follows | minio/minio@0903596e `cmd/format-meta.go` |
//! | `xl-single`, version 3: an object is a folder with `xl.meta` | minio/minio@0083d494 `cmd/format-erasure.go`, `newFormatErasureV3` |
//! | `fs`, version 2: an object is a file | minio/minio@08e820fb `cmd/format-fs.go` |
//! | an empty drive gets `xl-single`, before June 2022 `fs` | minio/minio#14970, minio/docs#493 |
//! | before June 2022 only `fs` is known: `format.json file: expected format-type: fs, found: xl-single` | `initFormatFS` of the same file; minio/minio#10925 has the whole line |
//! | `fs` is known until October 2022, and then refused with advice | `formatGetBackendErasureVersion` of the same file; minio/docs#624; OpenCTI-Platform/docker#79 has the whole line |
//! | a version of `xl` that is not known: `unknown format version` | `formatErasureMigrate` of the same file; that its line is that of the rule above was not read |
//!
//! The content of `xl.meta` is the object as it is, which is not what MinIO writes.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::rules::Refusal;
use super::{FAILED, failed};

/// The folder of what MinIO knows of the drive.
const SYSTEM: &str = ".minio.sys";
/// The name of the file that makes a folder an object.
const META: &str = "xl.meta";
/// The version of the file itself.
const FILE_VERSION: &str = "1";
const FS_VERSION: &str = "2";
const XL_VERSION: &str = "3";
/// The day of the first release that makes drives of the form `xl-single`: `RELEASE.2022-06-02T02-11-04Z`.
const FIRST_XL_SINGLE: u32 = 20_220_602;
/// The day of the first release that knows no `fs` any more: `RELEASE.2022-10-29T06-21-33Z`.
const FIRST_WITHOUT_FS: u32 = 20_221_029;
const ADVICE: &str = "to migrate to a supported backend visit \
     https://min.io/docs/minio/linux/operations/install-deploy-manage/migrate-fs-gateway.html";

/// The form in which objects are kept.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Drive {
    /// Every object is a file.
    Fs,
    /// Every object is a folder with one file.
    #[default]
    XlSingle,
}

/// The file `format.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Format {
    version: String,
    format: String,
    #[serde(default)]
    id: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    fs: Option<FsFormat>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    xl: Option<XlFormat>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct FsFormat {
    version: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct XlFormat {
    version: String,
    this: String,
    sets: Vec<Vec<String>>,
    #[serde(rename = "distributionAlgo")]
    distribution: String,
}

impl Drive {
    /// Finds the form of the drive in a folder, as the release with this tag does: it gives an empty one its own form, and
    /// refuses one that it does not know.
    pub(super) fn open(folder: &Path, tag: &str) -> Result<Self, Refusal> {
        let file = folder.join(SYSTEM).join("format.json");
        let found = match fs::read_to_string(&file) {
            Ok(text) => Some(serde_json::from_str(&text).map_err(failed("read format.json"))?),
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(error) => return Err(failed("read format.json")(error)),
        };
        let day = day_of(tag);
        match found {
            Some(format) => Self::known(&format, folder, day)
                .map_err(|words| Refusal { code: FAILED, words: format!("ERROR {words}") }),
            None => {
                let drive = if day < FIRST_XL_SINGLE { Self::Fs } else { Self::XlSingle };
                drive.write(&file).map_err(failed("write format.json"))?;
                Ok(drive)
            }
        }
    }

    /// Returns the form that a file says, or what a release of this day says of it.
    fn known(format: &Format, folder: &Path, day: u32) -> Result<Self, String> {
        let name = format.format.as_str();
        if day < FIRST_XL_SINGLE && name != "fs" {
            return Err(format!(
                "Unable to initialize backend: format.json file: expected format-type: fs, found: {name}"
            ));
        }
        let drive = folder.display();
        let unusable = |why: String| {
            Err(format!("Unable to use the drive {drive}: {why}: Invalid arguments specified"))
        };
        if format.version != FILE_VERSION {
            let found = &format.version;
            return unusable(format!(
                "Drive {drive}: format.Version expected: {FILE_VERSION}, got: {found}"
            ));
        }
        match name {
            "fs" if day < FIRST_WITHOUT_FS => Ok(Self::Fs),
            "xl" | "xl-single" => match &format.xl {
                Some(xl) if xl.version == XL_VERSION => Ok(Self::XlSingle),
                Some(XlFormat { version, .. }) => {
                    unusable(format!("Disk {drive}: unknown format version {version}"))
                }
                None => unusable(format!("Disk {drive}: unknown format version ")),
            },
            other => unusable(format!(
                "Drive {drive}: found backend type {other}, expected xl or xl-single - {ADVICE}"
            )),
        }
    }

    /// Writes the file of a new drive, which appears whole.
    fn write(self, file: &Path) -> io::Result<()> {
        let (fs, xl) = match self {
            Self::Fs => (Some(FsFormat { version: FS_VERSION.to_owned() }), None),
            Self::XlSingle => (None, Some(XlFormat::single(unique()?))),
        };
        let name = if fs.is_some() { "fs" } else { "xl-single" };
        let (version, format) = (FILE_VERSION.to_owned(), name.to_owned());
        let format = Format { version, format, id: unique()?, fs, xl };
        let text = serde_json::to_string(&format)?;
        fs::create_dir_all(file.parent().unwrap_or(Path::new("/")))?;
        let new = file.with_extension("new");
        fs::write(&new, text)?;
        fs::rename(&new, file)
    }

    /// Returns the file of the object whose key leads to a path.
    pub(super) fn file(self, object: &Path) -> PathBuf {
        match self {
            Self::Fs => object.to_owned(),
            Self::XlSingle => object.join(META),
        }
    }

    /// Removes an object.
    pub(super) fn remove(self, object: &Path) -> io::Result<()> {
        fs::remove_file(self.file(object))?;
        match self {
            Self::Fs => Ok(()),
            Self::XlSingle => match fs::remove_dir(object) {
                // Other objects have its key as the beginning of theirs.
                Err(error) if error.kind() == ErrorKind::DirectoryNotEmpty => Ok(()),
                removed => removed,
            },
        }
    }
}

impl XlFormat {
    fn single(this: String) -> Self {
        let sets = vec![vec![this.clone()]];
        let (version, distribution) = (XL_VERSION.to_owned(), "SIPMOD+PARITY".to_owned());
        Self { version, this, sets, distribution }
    }
}

/// Returns the day of a release as a number, such as 20230927; of a tag without a day, the last one.
fn day_of(tag: &str) -> u32 {
    let digits: String = tag
        .trim_start_matches("RELEASE.")
        .chars()
        .filter(|letter| *letter != '-')
        .take_while(char::is_ascii_digit)
        .take(8)
        .collect();
    digits.parse().ok().filter(|_| digits.len() == 8).unwrap_or(u32::MAX)
}

/// Returns a UUID, which the kernel makes.
fn unique() -> io::Result<String> {
    Ok(fs::read_to_string("/proc/sys/kernel/random/uuid")?.trim().to_owned())
}

#[cfg(test)]
mod tests;
