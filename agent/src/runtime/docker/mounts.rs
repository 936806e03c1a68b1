//! Checks the folders of this host that a container mounts, with the links in their paths.
//!
//! The catalog is checked by the text of its paths; only the host knows where a link leads and
//! where its engine keeps containers.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use oml_common::decide::mount::{PROTECTED, reaches};
use oml_common::document::instance::Container;

use crate::paths::Paths;
use crate::runtime::RuntimeError;

/// Refuses a container that would reach what is protected on this host.
pub(super) fn check(
    container: &Container,
    paths: &Paths,
    engine_root: Option<&Path>,
) -> Result<(), RuntimeError> {
    let own = [&paths.state, &paths.run, &paths.config, &paths.units, &paths.docker_socket];
    let named = own.into_iter().map(PathBuf::as_path).chain(engine_root);
    let named: Vec<&Path> = PROTECTED.iter().map(Path::new).chain(named).collect();
    let protected: Vec<String> =
        named.iter().flat_map(|path| [text(path), text(&resolved(path))]).collect();
    for volume in container.volumes.iter().filter(|volume| volume.source.starts_with('/')) {
        let real = text(&resolved(Path::new(&volume.source)));
        let found = [&volume.source, &real]
            .into_iter()
            .find_map(|path| reaches(path, protected.iter().map(String::as_str)));
        if let Some(found) = found {
            let source = &volume.source;
            let way = if *source == real { String::new() } else { format!(", which is {real}") };
            let detail = format!("it would mount {source}{way}, and so reach {found}");
            return Err(refused(container, detail));
        }
    }
    Ok(())
}

fn refused(container: &Container, detail: String) -> RuntimeError {
    let object = container.name.to_string();
    RuntimeError::Refused { verb: "create", object, detail, transient: false }
}

fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

/// Returns a path with the links followed in as much of it as exists.
fn resolved(path: &Path) -> PathBuf {
    let mut rest: Vec<OsString> = Vec::new();
    let mut known = path;
    loop {
        if let Ok(real) = known.canonicalize() {
            return rest.iter().rev().fold(real, |path, part| path.join(part));
        }
        let (Some(parent), Some(name)) = (known.parent(), known.file_name()) else {
            return path.to_owned();
        };
        rest.push(name.to_owned());
        known = parent;
    }
}

#[cfg(test)]
mod tests;
