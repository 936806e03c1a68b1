//! Boots one real host, uses it, and checks that taking it down leaves nothing behind.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use oml_lab::{Fault, Lab, LabSpec, Output};

/// Describes a lab whose name contains the process id, so that two test runs never use the same name.
fn spec(test: &str, hosts: &[&str]) -> LabSpec {
    LabSpec::new(&format!("{test}-{}", std::process::id()), hosts)
}

#[test]
fn a_host_runs_a_container_from_the_registry_and_leaves_nothing_behind() {
    let Some(lab) = Lab::up_or_skip(&spec("one", &["alone"])).unwrap() else {
        return;
    };
    let host = lab.host("alone").unwrap();
    let registry = lab.registry().unwrap();
    let image = format!("{}/omnileads/small:v1", registry.name());
    assert_eq!(host.exec_ok(&["systemctl", "is-system-running"]).unwrap().trim(), "running");

    let refused = host.exec(&["docker", "pull", &image]).unwrap();
    assert!(refused.stderr.contains("no basic auth credentials"), "{refused:?}");

    let login = fs::read(registry.login_file()).unwrap();
    host.push("/root/.docker/config.json", &login, 0o600).unwrap();
    host.exec_ok(&[
        "docker",
        "run",
        "--detach",
        "--name=it",
        "--network=host",
        "--memory=64m",
        &image,
    ])
    .unwrap();
    let url = format!("http://{}:8080/", host.address());
    let answer = host
        .wait_until(Duration::from_secs(60), &["curl", "-sf", &url], Output::is_success)
        .unwrap();
    assert_eq!(answer.stdout, "v1\n");

    let (folder, [_, second, third, _]) = (lab.folder(), lab.gateway().unwrap().octets());
    lab.down().unwrap();
    assert!(!folder.exists());
    assert_nothing_left(folder.to_str().unwrap(), &format!("oml-{second:02x}{third:02x}"));
}

#[test]
fn the_faulty_proxy_makes_pulls_fail_and_recovers() {
    let Some(lab) = Lab::up_or_skip(&spec("faulty", &["alone"])).unwrap() else {
        return;
    };
    let host = lab.host("alone").unwrap();
    let registry = lab.registry().unwrap();
    let mut faulty = lab.faulty_registry().unwrap();
    let login = fs::read(registry.login_file()).unwrap();
    host.push("/root/.docker/config.json", &login, 0o600).unwrap();
    let image = format!("{}/omnileads/small:v1", registry.faulty_name());
    let pull = ["docker", "pull", "--quiet", image.as_str()];
    let faults = [
        (Fault::Refuse, "connection refused"),
        (Fault::Unauthorized, "unauthorized"),
        (Fault::ServerError, "500"),
        (Fault::CutAfter(100_000), "EOF"),
    ];
    for (fault, expected) in faults {
        faulty.set(fault).unwrap();
        let output = host.exec(&pull).unwrap();
        assert!(!output.is_success() && output.stderr.contains(expected), "{fault:?}: {output:?}");
    }
    faulty.set(Fault::Pass).unwrap();
    host.exec_ok(&pull).unwrap();
}

/// Asserts that no mount, process, interface or cgroup contains the lab's folder or id in its name.
// The attribute only marks this as test code for the lints.
#[cfg(test)]
fn assert_nothing_left(folder: &str, id: &str) {
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
    assert!(!mounts.contains(folder), "{mounts}");
    for entry in fs::read_dir("/proc").unwrap() {
        let line = fs::read(entry.unwrap().path().join("cmdline")).unwrap_or_default();
        assert!(!String::from_utf8_lossy(&line).contains(folder));
    }
    let mut places: Vec<PathBuf> = vec!["/sys/class/net".into(), "/sys/fs/cgroup".into()];
    places.extend(fs::read_dir("/sys/fs/cgroup").unwrap().map(|entry| entry.unwrap().path()));
    for place in places.iter().filter(|place| place.is_dir()) {
        for entry in fs::read_dir(place).unwrap() {
            let name = entry.unwrap().file_name();
            assert!(!name.to_string_lossy().contains(id), "{name:?} in {}", place.display());
        }
    }
}
