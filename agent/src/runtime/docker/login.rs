//! Logins to registries: which one a repository needs, and the header that
//! carries it.

use std::path::PathBuf;

use bollard::BollardRequest;
use bollard::auth::DockerCredentials;
use oml_common::id::{DOCKER_HUB, Repository};
use oml_common::text::secret::secret;

use crate::files;
use crate::runtime::RuntimeError;

/// The login with which images are pulled from a registry that wants one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PullLogin {
    /// The registry's key ([`oml_common::id::registry_key`]).
    pub registry: String,
    pub user: String,
    /// Holds the password; read again for every pull.
    pub password_file: PathBuf,
}

/// The login for a repository, if one is known.
pub(super) fn find(
    logins: &[PullLogin],
    repository: &Repository,
) -> Result<Option<DockerCredentials>, RuntimeError> {
    let registry = repository.registry();
    let Some(login) = logins.iter().find(|login| login.registry == registry) else {
        return Ok(None);
    };
    let refused = |detail: String| RuntimeError::Refused {
        verb: "pull",
        object: repository.to_string(),
        detail,
        transient: true,
    };
    let path = &login.password_file;
    let password = files::read_if_there(path)
        .map_err(|error| refused(error.to_string()))?
        .ok_or_else(|| refused(format!("the password file {} is missing", path.display())))?;
    let password = secret(&password)
        .map_err(|error| refused(format!("the password file {} {error}", path.display())))?;
    Ok(Some(DockerCredentials {
        username: Some(login.user.clone()),
        password: Some(password.to_owned()),
        serveraddress: Some(server_address(&registry).to_owned()),
        ..DockerCredentials::default()
    }))
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
