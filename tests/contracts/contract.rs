//! The contracts of the images of one catalog, which are data in this folder. The lab makes images from them, so it
//! reads them too (`oml_lab::contract`).

use std::fs;
use std::path::{Path, PathBuf};

use oml_common::document::catalog::Catalog;

pub(crate) use oml_lab::contract::{Contract, Line};

/// Reads the contracts of a catalog.
pub(crate) fn parse(text: &str) -> Line {
    Line::parse(text).unwrap_or_else(|error| panic!("{error}:\n{text}"))
}

/// Reads the catalog of a line, with everything that it includes.
pub(crate) fn catalog_of(line: &Line) -> Catalog {
    oml_tests::lines::catalog(&line.catalog).unwrap_or_else(|error| panic!("{error:#}"))
}

/// The folder of the contracts.
pub(crate) fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("contracts")
}

/// Reads the contracts of all catalogs.
pub(crate) fn lines() -> Vec<Line> {
    let entries = fs::read_dir(folder()).expect("the folder is there");
    let paths = entries.map(|entry| entry.expect("it can be read").path());
    let mut paths: Vec<PathBuf> =
        paths.filter(|path| path.extension().is_some_and(|it| it == "yaml")).collect();
    paths.sort();
    let read = |path: &PathBuf| fs::read_to_string(path).expect("it can be read");
    paths.iter().map(read).map(|text| parse(&text)).collect()
}
