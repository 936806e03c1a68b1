//! The registry that an image repository belongs to, as Docker reads it.

use super::Repository;

/// The registry of every repository that names none.
pub const DOCKER_HUB: &str = "docker.io";

/// The addresses that people write for Docker Hub.
const DOCKER_HUB_ADDRESSES: [&str; 3] = [DOCKER_HUB, "index.docker.io", "registry-1.docker.io"];

/// What the address of a registry has to look like.
pub const REGISTRY_RULE: &str =
    "the address of a registry, such as docker.io or registry.example.com:5000";

/// Reads the address under which people configure a registry, and returns its key as
/// [`registry_key`] spells it; `None` for what is no address of a registry.
#[must_use]
pub fn registry_of_address(address: &str) -> Option<String> {
    let key = registry_key(address);
    let is_one = format!("{key}/image").parse::<Repository>().is_ok();
    is_one.then_some(key)
}

/// Returns true if the name of an image can begin with this key. What has neither a dot nor a port
/// and is not `localhost` is a namespace there, so that no image is ever of that registry.
#[must_use]
pub fn can_be_named(key: &str) -> bool {
    format!("{key}/image").parse::<Repository>().is_ok_and(|image| image.names_registry())
}

/// Returns the one spelling of a registry's address: `host` or `host:port` in lower case. A
/// scheme and a path, with which `docker login` writes some addresses, are left out, and every
/// address of Docker Hub becomes [`DOCKER_HUB`].
#[must_use]
pub fn registry_key(address: &str) -> String {
    let address = address.trim();
    let without_scheme = address.split_once("://").map_or(address, |(_, rest)| rest);
    let host = without_scheme.split('/').next().unwrap_or_default().to_ascii_lowercase();
    match DOCKER_HUB_ADDRESSES.contains(&host.as_str()) {
        true => DOCKER_HUB.to_owned(),
        false => host,
    }
}

impl Repository {
    /// Returns the key of the registry, as [`registry_key`] spells it.
    #[must_use]
    pub fn registry(&self) -> String {
        self.split().0.map_or_else(|| DOCKER_HUB.to_owned(), registry_key)
    }

    /// Returns the image's name within the registry. An image of Docker Hub without a
    /// namespace is in `library`.
    #[must_use]
    pub fn name(&self) -> String {
        let (address, name) = self.split();
        let is_short = match address {
            None | Some(DOCKER_HUB | "index.docker.io") => !name.contains('/'),
            Some(_) => false,
        };
        if is_short { format!("library/{name}") } else { name.to_owned() }
    }

    /// Returns true if it says which registry it is of. Every other one is of Docker Hub, or is
    /// a part of a name.
    #[must_use]
    pub fn names_registry(&self) -> bool {
        self.split().0.is_some()
    }

    /// Returns the repository in its one spelling, with the registry's key and the whole name:
    /// `docker.io/library/postgres` for `index.docker.io/postgres`.
    #[must_use]
    pub fn spelled_out(&self) -> String {
        format!("{}/{}", self.registry(), self.name())
    }

    /// Returns what is behind the registry, as it was written.
    #[must_use]
    pub fn path(&self) -> &str {
        self.split().1
    }

    /// Splits off the registry's address: the first segment, if it cannot be part of a name.
    fn split(&self) -> (Option<&str>, &str) {
        let is_address = |part: &str| part.contains(['.', ':']) || part == "localhost";
        match self.as_str().split_once('/') {
            Some((first, name)) if is_address(first) => (Some(first), name),
            Some(_) | None => (None, self.as_str()),
        }
    }
}
