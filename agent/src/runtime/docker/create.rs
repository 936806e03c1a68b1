//! Builds the request for the container of an instance.

use std::path::{Path, PathBuf};

use bollard::models::{
    ContainerCreateBody, HealthConfig, HostConfig, Mount, MountType, RestartPolicy,
    RestartPolicyNameEnum,
};
use oml_common::document::instance::{Container, Volume};
use oml_common::id::ContentHash;

use super::{label, mounts};
use crate::container_files::{PlacedFile, placed_of};
use crate::paths::Paths;
use crate::reloaded_files;
use crate::runtime::{ContainerInstance, RuntimeError};

pub(super) mod made;
pub(super) mod options;
mod rights;
mod secrets;
pub(super) mod sysctls;

/// What a request needs to know of its host.
#[derive(Debug, Clone)]
pub(super) struct Local {
    /// The workload in whose folder the files are: for a run of an operation, that of its component.
    pub(super) files_of: ContentHash,
    /// The engine's name for the image.
    pub(super) image: String,
    /// The image's id.
    pub(super) image_id: Option<String>,
    /// The log driver that the engine uses when a request names none.
    pub(super) log_driver: String,
    /// The folder of its images and containers.
    pub(super) root: Option<PathBuf>,
}

/// Builds the request for the container of the instance. Secrets are read here, so that a
/// missing one is reported before anything is stopped.
pub(super) fn body(
    instance: ContainerInstance<'_>,
    paths: &Paths,
    local: Local,
) -> Result<ContainerCreateBody, RuntimeError> {
    let container = instance.container();
    mounts::check(container, paths, local.root.as_deref())?;
    rights::check(container, paths)?;
    let environment = environment(container, paths)?;
    let host_config = host_config(instance, paths, &local)?;
    let mut body = ContainerCreateBody {
        image: Some(local.image),
        env: Some(environment),
        cmd: (!container.command.is_empty()).then(|| container.command.clone()),
        labels: Some(label::labels(instance, local.image_id.as_deref())),
        // A stop by hand then has the same grace as ours.
        stop_timeout: i64::try_from(instance.document().timing.stop_grace_ms.div_ceil(1000)).ok(),
        // We ask ourselves; a second opinion inside the engine only costs.
        healthcheck: Some(HealthConfig {
            test: Some(vec!["NONE".to_owned()]),
            ..HealthConfig::default()
        }),
        host_config: Some(host_config),
        ..ContainerCreateBody::default()
    };
    options::add(&container.options, &mut body);
    Ok(body)
}

fn host_config(
    instance: ContainerInstance<'_>,
    paths: &Paths,
    local: &Local,
) -> Result<HostConfig, RuntimeError> {
    let container = instance.container();
    let files = placed_of(paths, instance.document(), &local.files_of);
    let mut mounts: Vec<Mount> = container.volumes.iter().map(mount).collect();
    mounts.extend(secrets::mounts(container, paths)?);
    mounts.extend(files.iter().map(file_mount));
    let reloaded = reloaded_files::placed_of(paths, instance.document(), &local.files_of);
    mounts.extend(reloaded.iter().map(|it| bind(&it.path, &it.place)));
    let memory = container.memory_bytes_max.and_then(|bytes| i64::try_from(bytes).ok());
    Ok(HostConfig {
        // Only systemd restarts it.
        restart_policy: Some(RestartPolicy {
            name: Some(RestartPolicyNameEnum::NO),
            maximum_retry_count: None,
        }),
        memory,
        // The same number: the limit holds with swap too.
        memory_swap: memory,
        pids_limit: Some(container.pids_limit.0.get().into()),
        // With nothing said, the engine's own default holds, which may be as strict.
        security_opt: (!container.may_gain_privileges)
            .then(|| vec!["no-new-privileges".to_owned()]),
        mounts: Some(mounts),
        log_config: options::log_config(&local.log_driver, container.options.log),
        ..HostConfig::default()
    })
}

fn mount(volume: &Volume) -> Mount {
    let is_folder = volume.source.starts_with('/');
    Mount {
        target: Some(volume.target.clone()),
        source: Some(volume.source.clone()),
        typ: Some(if is_folder { MountType::BIND } else { MountType::VOLUME }),
        read_only: Some(volume.read_only),
        ..Mount::default()
    }
}

/// The engine must not make a folder in the place of a file that is missing, so it is no volume.
fn file_mount(PlacedFile { file, place }: &PlacedFile<'_>) -> Mount {
    bind(&file.path, place)
}

fn bind(path: &str, place: &Path) -> Mount {
    Mount {
        target: Some(path.to_owned()),
        source: Some(place.to_string_lossy().into_owned()),
        typ: Some(MountType::BIND),
        read_only: Some(true),
        ..Mount::default()
    }
}

fn environment(container: &Container, paths: &Paths) -> Result<Vec<String>, RuntimeError> {
    let plain = container.env.iter().map(|(name, value)| format!("{name}={value}"));
    let mut environment: Vec<String> = plain.collect();
    environment.extend(secrets::environment(container, paths)?);
    Ok(environment)
}

#[cfg(test)]
mod tests;
