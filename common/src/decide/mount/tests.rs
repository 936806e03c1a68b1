//! Which mounts are refused, however their path is written.

use super::*;

#[test]
fn a_path_has_one_form() {
    for (written, form) in [
        ("/", "/"),
        ("//", "/"),
        ("/../..", "/"),
        ("/etc/", "/etc"),
        ("//etc//./omnileads/", "/etc/omnileads"),
        ("/var/lib/../../etc", "/etc"),
        ("/var/run/docker.sock", "/run/docker.sock"),
        ("/var/runner", "/var/runner"),
    ] {
        assert_eq!(normalised(written), form, "{written}");
    }
}

#[test]
fn what_is_protected_is_reached_by_itself_from_above_and_from_inside() {
    let protected = |source: &str| reaches(source, PROTECTED.iter().copied());
    for source in [
        "/",
        "//",
        "/etc",
        "/etc/",
        "//etc//",
        "/var/lib/../../etc",
        "/etc/omlagent",
        "/etc/omlagent/secrets",
        "/run",
        "/var/run",
        "/var/run/",
        "/var/run/docker.sock",
        "/var",
        "/var/lib",
        "/var/lib/docker/volumes",
        "/usr/lib",
        "/lib/systemd/system",
        "/proc",
        "/sys/kernel",
        "/run/dbus/system_bus_socket",
    ] {
        assert!(protected(source).is_some(), "{source}");
    }
    for source in [
        "/etc/omnileads/certs",
        "/etc/omlagents",
        "/etc/localtime",
        "/var/lib/dockerfiles",
        "/var/lib/omnileads",
        "/run/postgresql",
        "/srv",
    ] {
        assert_eq!(protected(source), None, "{source}");
    }
}
