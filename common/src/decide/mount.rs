//! Decides which files and folders of a host a container may mount.

/// What a container must not reach. Through any of these it could start other containers,
/// units or programs of the host, or read its secrets, and so escape every limit.
pub const PROTECTED: &[&str] = &[
    "/etc/docker",
    "/etc/omlagent",
    "/etc/omlcontroller",
    "/etc/systemd",
    "/lib/systemd",
    "/proc",
    "/run/containerd",
    "/run/dbus",
    "/run/docker",
    "/run/docker.sock",
    "/run/omlagent",
    "/run/podman",
    "/run/systemd/generator",
    "/run/systemd/private",
    "/run/systemd/system",
    "/run/systemd/transient",
    "/sys",
    "/usr/lib/systemd",
    "/usr/local/lib/systemd",
    "/var/lib/containerd",
    "/var/lib/containers",
    "/var/lib/docker",
    "/var/lib/omlagent",
    "/var/lib/omlcontroller",
];

/// The folders that the agent's unit hides or replaces (`ProtectHome=`, `PrivateTmp=`). It
/// cannot see where a link in them leads, so nothing in them is mounted.
pub const HIDDEN: &[&str] = &["/home", "/root", "/run/user", "/tmp", "/var/tmp"];

/// Returns an absolute path in the one form in which paths are compared: without empty parts,
/// `.` and `..`, and with `/run` for `/var/run`, which is a link to it. Links are not followed.
#[must_use]
pub fn normalised(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    if parts.starts_with(&["var", "run"]) {
        parts.remove(0);
    }
    format!("/{}", parts.join("/"))
}

/// Returns the first of the protected paths that a mount of `source` would reach: the path
/// itself, anything in it, or a folder that contains it.
#[must_use]
pub fn reaches<'p>(source: &str, protected: impl IntoIterator<Item = &'p str>) -> Option<&'p str> {
    let source = normalised(source);
    protected.into_iter().find(|path| {
        let path = normalised(path);
        is_within(&source, &path) || is_within(&path, &source)
    })
}

/// Whether a path is a folder or in it. Both are normalised.
pub(crate) fn is_within(path: &str, folder: &str) -> bool {
    let Some(rest) = path.strip_prefix(folder) else { return false };
    folder == "/" || rest.is_empty() || rest.starts_with('/')
}

#[cfg(test)]
mod tests;
