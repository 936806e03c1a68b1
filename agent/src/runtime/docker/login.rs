//! Logins to registries: which one a repository needs, and the header that
//! carries it.

use std::path::PathBuf;

use bollard::BollardRequest;
use bollard::auth::DockerCredentials;
use oml_common::document::instance::RegistryLogin;
use oml_common::id::{DOCKER_HUB, Repository};
use oml_common::text::secret::secret;

use crate::files;
use crate::paths::Paths;
use crate::runtime::{ContainerInstance, RuntimeError};

/// The login with which images are pulled from a registry that wants one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PullLogin {
    /// The registry's key ([`oml_common::id::registry_key`]).
    pub registry: String,
    pub user: String,
    /// Holds the password; read again for every pull.
    pub password_file: PathBuf,
}

/// The login with which the image of an instance is pulled: that of its tenant, else that of this
/// host, if one is known.
pub(super) fn of(
    instance: ContainerInstance<'_>,
    logins: &[PullLogin],
    paths: &Paths,
) -> Result<Option<DockerCredentials>, RuntimeError> {
    let container = instance.as_pulled();
    let repository = &container.repository;
    match &instance.document().pull_login {
        Some(login) => of_tenant(login, repository, paths).map(Some),
        None => find(logins, repository),
    }
}

fn of_tenant(
    login: &RegistryLogin,
    repository: &Repository,
    paths: &Paths,
) -> Result<DockerCredentials, RuntimeError> {
    let RegistryLogin { user, password: secret } = login;
    let read = files::read_if_there(&paths.kept_secret(&secret.name, &secret.mark));
    let password = read.map_err(|error| refused(repository, error.to_string()))?;
    let password = password
        .ok_or_else(|| refused(repository, format!("the controller has not sent {secret} yet")))?;
    Ok(credentials(user, &password, repository))
}

/// The login for a repository, if one is known.
fn find(
    logins: &[PullLogin],
    repository: &Repository,
) -> Result<Option<DockerCredentials>, RuntimeError> {
    let registry = repository.registry();
    let Some(login) = logins.iter().find(|login| login.registry == registry) else {
        return Ok(None);
    };
    let refused = |detail: String| refused(repository, detail);
    let path = &login.password_file;
    let password = files::read_if_there(path)
        .map_err(|error| refused(error.to_string()))?
        .ok_or_else(|| refused(format!("the password file {} is missing", path.display())))?;
    let password = secret(&password)
        .map_err(|error| refused(format!("the password file {} {error}", path.display())))?;
    Ok(Some(credentials(&login.user, password, repository)))
}

fn credentials(user: &str, password: &str, repository: &Repository) -> DockerCredentials {
    DockerCredentials {
        username: Some(user.to_owned()),
        password: Some(password.to_owned()),
        serveraddress: Some(server_address(&repository.registry()).to_owned()),
        ..DockerCredentials::default()
    }
}

fn refused(repository: &Repository, detail: String) -> RuntimeError {
    let object = repository.to_string();
    RuntimeError::Refused { verb: "pull", object, detail, transient: true }
}

/// Returns the address that the engine compares with the host which it asks. With images in
/// containerd's store it ignores the login of Docker Hub under any other address than this one.
fn server_address(registry: &str) -> &str {
    if registry == DOCKER_HUB { "https://index.docker.io/v1/" } else { registry }
}

/// The engine reads the login in the URL-safe alphabet (RFC 4648 §5) and takes
/// anything else for no login at all; the client library writes the other one.
pub(super) fn as_url_safe(mut request: BollardRequest) -> BollardRequest {
    if let Some(value) = request.headers_mut().get_mut("x-registry-auth")
        && let Ok(text) = value.to_str()
        && let Ok(safe) = text.replace('+', "-").replace('/', "_").parse()
    {
        *value = safe;
    }
    request
}

#[cfg(test)]
mod tests;
