//! Boots hosts with different releases of Debian in one lab.

use oml_lab::{Debian, Lab, LabSpec};

#[test]
fn the_hosts_of_one_lab_run_the_releases_that_were_chosen() {
    let name = format!("releases-{}", std::process::id());
    let spec = LabSpec::new(&name, &["usual", "other"]);
    let spec = spec.with_host_on("other", Debian::Trixie).unwrap();
    let Some(lab) = Lab::up_or_skip(&spec).unwrap() else { return };
    for (host, release, docker) in [("usual", "12", "20.10."), ("other", "13", "26.1.")] {
        let host = lab.host(host).unwrap();
        let system = host.read("/etc/os-release").unwrap();
        assert!(system.contains(&format!("VERSION_ID=\"{release}\"")), "{system}");
        let version = host.exec_ok(&["docker", "version", "--format", "{{.Server.Version}}"]);
        let version = version.unwrap();
        assert!(version.starts_with(docker), "{version}");
        let state = host.exec_ok(&["systemctl", "is-system-running"]).unwrap();
        assert_eq!(state.trim(), "running", "{}", host.console());
    }
}
