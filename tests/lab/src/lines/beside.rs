//! The stand-ins of an image that has a real program too. They need Debian 12 and the real program an older system, so they
//! are started by the loader of Debian 12 with its libraries.

use std::fs;
use std::path::Path;

use crate::contract::{Contract, Runs};
use crate::debian::write;
use crate::error::{LabError, Result};
use crate::oci;
use crate::stand_in::{PROGRAM, RULES, rules_of};

use super::{FOLDER, LineImage, links, write_files};

/// The folder of the loader. The program takes the loader for itself, so its rules are there too.
const LOADER_FOLDER: &str = "oml/lib";
/// The loader's names on the processors that the lab knows.
const LOADERS: [&str; 2] = ["ld-linux-x86-64.so.2", "ld-linux-aarch64.so.1"];
/// What the program needs of Debian 12.
const LIBRARIES: [&str; 2] = ["libc.so.6", "libgcc_s.so.1"];

/// The files that every such image is made of.
pub(super) struct Parts<'a> {
    /// The program of the stand-ins.
    pub(super) program: &'a Path,
    /// The folder of Debian 12.
    pub(super) bookworm: &'a Path,
}

/// Packs the stand-ins of an image with what they need of Debian 12.
pub(super) fn layer(
    image: &LineImage<'_>,
    tag: &str,
    folder: &Path,
    parts: &Parts<'_>,
) -> Result<oci::Layer> {
    let folder = folder.join("beside");
    let tree = folder.join("tree");
    write_programs(&tree, image, tag)?;
    let program = tree.join(FOLDER).join(PROGRAM);
    fs::copy(parts.program, &program).map_err(LabError::io("copy the program to", &program))?;
    copy_libraries(&tree, parts.bookworm)?;
    oci::pack(&tree, &folder)
}

/// Writes the rules of the stand-ins and a script for each of their commands.
pub(super) fn write_programs(tree: &Path, image: &LineImage<'_>, tag: &str) -> Result<()> {
    let contracts: Vec<&Contract> = image
        .contracts
        .iter()
        .copied()
        .filter(|contract| contract.runs == Some(Runs::StandIn))
        .collect();
    write(&tree.join(LOADER_FOLDER).join(RULES), &rules_of(&contracts, tag)?, 0o644)?;
    write_files(tree, &contracts)?;
    for place in links(&contracts) {
        let name = place.rsplit('/').next().unwrap_or_default();
        let script = format!(
            "#!/bin/sh\nexec /{LOADER_FOLDER}/loader --library-path /{LOADER_FOLDER} --argv0 {name} \
             /{FOLDER}/{PROGRAM} \"$@\"\n"
        );
        write(&tree.join(place), &script, 0o755)?;
    }
    Ok(())
}

fn copy_libraries(tree: &Path, bookworm: &Path) -> Result<()> {
    let from = bookworm.join("usr/lib").join(format!("{}-linux-gnu", std::env::consts::ARCH));
    let loader = LOADERS.iter().map(|name| from.join(name)).find(|path| path.exists());
    let loader =
        loader.ok_or_else(|| LabError::Invalid(format!("{} has no loader", from.display())))?;
    let to = tree.join(LOADER_FOLDER);
    let libraries = LIBRARIES.iter().map(|name| (from.join(name), *name));
    for (path, name) in libraries.chain([(loader, "loader")]) {
        fs::copy(&path, to.join(name)).map_err(LabError::io("copy", &path))?;
    }
    Ok(())
}
