//! Tries what tests do to hosts: they restart them, cut their power or network, and stop processes.

use std::time::Duration;

use oml_lab::{Lab, LabSpec, Output};

const LIMIT: Duration = Duration::from_secs(60);

#[test]
fn hosts_survive_reboots_power_cuts_partitions_and_paused_processes() {
    let name = format!("faults-{}", std::process::id());
    let Some(lab) = Lab::up_or_skip(&LabSpec::new(&name, &["one", "two"])).unwrap() else { return };
    let (one, two) = (lab.host("one").unwrap(), lab.host("two").unwrap());
    lab.log_in(one).unwrap();
    one.exec_ok(&["docker", "pull", "--quiet", "registry.lab:5000/omnileads/small:v1"]).unwrap();
    one.push("/var/lib/kept/file", b"kept", 0o600).unwrap();

    one.reboot().unwrap();
    assert_eq!(one.read("/var/lib/kept/file").unwrap(), "kept");
    one.exec_ok(&["docker", "image", "inspect", "registry.lab:5000/omnileads/small:v1"]).unwrap();

    one.power_cut().unwrap();
    assert!(!one.is_up().unwrap());
    assert!(one.exec(&["true"]).is_err());
    one.boot().unwrap();
    assert_eq!(one.read("/var/lib/kept/file").unwrap(), "kept");

    let ping = ["ping", "-c1", "-W1", "one"];
    two.wait_until(LIMIT, &ping, Output::is_success).unwrap();
    one.partition().unwrap();
    assert!(!two.exec(&ping).unwrap().is_success());
    one.heal().unwrap();
    two.wait_until(LIMIT, &ping, Output::is_success).unwrap();

    one.pause("dockerd").unwrap();
    let state = ["ps", "-C", "dockerd", "-o", "state="];
    one.wait_until(LIMIT, &state, |output| output.stdout.starts_with('T')).unwrap();
    one.resume("dockerd").unwrap();
    one.wait_until(LIMIT, &state, |output| output.stdout.starts_with('S')).unwrap();

    assert!(one.pause("nothing-of-that").is_err());
    let same_name = Lab::up(&LabSpec::new(&name, &["three"])).unwrap_err();
    assert!(same_name.to_string().contains("is running already"), "{same_name}");
    lab.down().unwrap();
}
