//! Builds the request for the container of an instance.

use std::collections::HashMap;

use bollard::models::{
    ContainerCreateBody, HealthConfig, HostConfig, HostConfigLogConfig, Mount, MountType,
    RestartPolicy, RestartPolicyNameEnum,
};
use oml_common::document::instance::{Container, InstanceDocument, Volume};

use super::label;
use crate::files;
use crate::paths::Paths;
use crate::runtime::RuntimeError;

/// Settings that depend on the engine of the host.
#[derive(Debug, Clone)]
pub(super) struct Local {
    /// Its name for the image.
    pub(super) image: String,
    /// The image's id.
    pub(super) image_id: Option<String>,
    /// The log driver it uses when none is asked for.
    pub(super) log_driver: String,
}

/// Builds the request for the container of the instance. Secrets are read here, so that a
/// missing one is reported before anything is stopped.
pub(super) fn body(
    instance: &InstanceDocument,
    container: &Container,
    paths: &Paths,
    local: Local,
) -> Result<ContainerCreateBody, RuntimeError> {
    Ok(ContainerCreateBody {
        image: Some(local.image),
        env: Some(environment(container, paths)?),
        cmd: (!container.command.is_empty()).then(|| container.command.clone()),
        labels: Some(label::labels(instance, container, local.image_id.as_deref())),
        // A stop by hand then has the same grace as ours.
        stop_timeout: i64::try_from(instance.timing.stop_grace_ms.div_ceil(1000)).ok(),
        // We ask ourselves; a second opinion inside the engine only costs.
        healthcheck: Some(HealthConfig {
            test: Some(vec!["NONE".to_owned()]),
            ..HealthConfig::default()
        }),
        host_config: Some(host_config(container, &local.log_driver)),
        ..ContainerCreateBody::default()
    })
}

fn host_config(container: &Container, log_driver: &str) -> HostConfig {
    let memory = container.memory_bytes_max.and_then(|bytes| i64::try_from(bytes).ok());
    HostConfig {
        network_mode: Some("host".to_owned()),
        // systemd restarts, nobody else.
        restart_policy: Some(RestartPolicy {
            name: Some(RestartPolicyNameEnum::NO),
            maximum_retry_count: None,
        }),
        memory,
        // The same number: the limit holds with swap too.
        memory_swap: memory,
        mounts: Some(container.volumes.iter().map(mount).collect()),
        log_config: log_config(log_driver),
        ..HostConfig::default()
    }
}

/// The host's own log driver, bounded where it is one that writes files.
fn log_config(driver: &str) -> Option<HostConfigLogConfig> {
    if !matches!(driver, "json-file" | "local") {
        return None;
    }
    let bounds = [("max-size", "10m"), ("max-file", "3")];
    let config = bounds.map(|(key, value)| (key.to_owned(), value.to_owned()));
    Some(HostConfigLogConfig { typ: Some(driver.to_owned()), config: Some(HashMap::from(config)) })
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

fn environment(container: &Container, paths: &Paths) -> Result<Vec<String>, RuntimeError> {
    let mut environment: Vec<String> =
        container.env.iter().map(|(name, value)| format!("{name}={value}")).collect();
    for (name, secret) in &container.secrets {
        let path = paths.secret(secret);
        let refused = |detail: String| RuntimeError::Refused {
            verb: "create",
            object: container.name.to_string(),
            detail,
            // It may be put there at any time, and nothing was stopped.
            transient: true,
        };
        let value = files::read_if_there(&path)
            .map_err(|error| refused(error.to_string()))?
            .ok_or_else(|| refused(format!("the secret {} is missing", path.display())))?;
        environment.push(format!("{name}={}", value.trim_end_matches('\n')));
    }
    Ok(environment)
}

#[cfg(test)]
mod tests;
