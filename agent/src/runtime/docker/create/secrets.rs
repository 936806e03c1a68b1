//! Puts secrets into the request for a container: those of the host and those that the controller
//! sent.

use std::collections::BTreeSet;
use std::path::Path;

use bollard::models::{Mount, MountType};
use oml_common::document::instance::{Container, KeptSecret};
use oml_common::id::EnvName;
use oml_common::text::secret::secret;
use zeroize::Zeroizing;

use crate::files;
use crate::paths::Paths;
use crate::runtime::RuntimeError;

/// Returns the variables of the environment that are secrets, or the paths of mounted ones.
pub(super) fn environment(
    container: &Container,
    paths: &Paths,
) -> Result<Vec<String>, RuntimeError> {
    let mut environment = Vec::new();
    for (name, file) in &container.secrets {
        environment.push(of_host(container, name, &paths.secret(file))?);
    }
    for (name, secret) in &container.kept_secrets {
        environment.push(match &secret.file {
            Some(file) => format!("{name}={file}"),
            None => kept(container, name, secret, paths)?,
        });
    }
    Ok(environment)
}

/// Returns the mounts of the secrets that are files. What several variables name is mounted once:
/// the engine refuses two mounts at one place.
pub(super) fn mounts(container: &Container, paths: &Paths) -> Result<Vec<Mount>, RuntimeError> {
    let secrets: BTreeSet<&KeptSecret> = container.kept_secrets.values().collect();
    let mounted = secrets.into_iter().filter_map(|secret| {
        let target = secret.file.clone()?;
        let source = paths.mounted_secret(&secret.name, &secret.mark);
        if !source.is_file() {
            return Some(Err(not_here(container, secret)));
        }
        Some(Ok(Mount {
            target: Some(target),
            source: Some(source.display().to_string()),
            typ: Some(MountType::BIND),
            read_only: Some(true),
            ..Mount::default()
        }))
    });
    mounted.collect()
}

fn of_host(container: &Container, name: &EnvName, path: &Path) -> Result<String, RuntimeError> {
    let value = files::read_if_there(path)
        .map_err(|error| refused(container, error.to_string()))?
        .ok_or_else(|| refused(container, format!("the secret {} is missing", path.display())))?;
    let value = secret(&value)
        .map_err(|error| refused(container, format!("the secret {} {error}", path.display())))?;
    Ok(format!("{name}={value}"))
}

fn kept(
    container: &Container,
    name: &EnvName,
    secret: &KeptSecret,
    paths: &Paths,
) -> Result<String, RuntimeError> {
    let read = files::read_if_there(&paths.kept_secret(&secret.name, &secret.mark));
    let value = read.map_err(|error| refused(container, error.to_string()))?.map(Zeroizing::new);
    let value = value.ok_or_else(|| not_here(container, secret))?;
    Ok(format!("{name}={}", *value))
}

fn not_here(container: &Container, secret: &KeptSecret) -> RuntimeError {
    refused(container, format!("the controller has not sent {secret} yet"))
}

fn refused(container: &Container, detail: String) -> RuntimeError {
    RuntimeError::Refused {
        verb: "create",
        object: container.name.to_string(),
        detail,
        // It may come at any time, and nothing was stopped.
        transient: true,
    }
}
