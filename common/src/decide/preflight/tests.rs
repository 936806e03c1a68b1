use super::*;
use crate::decide::observed::ContainerState;
use crate::document::Verbatim;
use crate::document::instance::{
    Check, Container, Instance, PackagedUnit, PidsLimit, Probe, Protocol, Timing, Workload,
};
use crate::id::Digest;
use crate::time::Timestamp;

fn hash(text: &str) -> ContentHash {
    ContentHash::of(text.as_bytes())
}

fn digest() -> Digest {
    format!("sha256:{}", "1".repeat(64)).parse().unwrap()
}

fn container(workload: &str, state: ContainerState) -> ObservedContainer {
    ObservedContainer {
        id: workload.to_owned(),
        name: workload.to_owned(),
        hash: hash(workload),
        version: "1".parse().unwrap(),
        digest: digest(),
        created: Timestamp(0),
        state,
    }
}

fn tcp(number: u16) -> Port {
    Port { number, protocol: Protocol::Tcp }
}

fn udp(number: u16) -> Port {
    Port { number, protocol: Protocol::Udp }
}

fn document(component: &str, workload: Workload, ports: &[Port]) -> InstanceDocument {
    Verbatim::seal(Instance {
        tenant: "acme".parse().unwrap(),
        component: component.parse().unwrap(),
        unit: format!("{component}.service").parse().unwrap(),
        workload: Verbatim::seal(workload),
        pull_from: None,
        pull_login: None,
        after: Vec::new(),
        ports: ports.to_vec(),
        ranges: Vec::new(),
        probe: Probe {
            check: Check::UnitActive,
            address: None,
            interval_ms: 10_000,
            timeout_ms: 2_000,
            failures_max: 3,
        },
        active: None,
        timing: Timing { start_timeout_ms: 30_000, stop_grace_ms: 10_000 },
        restart_unhealthy: Default::default(),
        checks: Vec::new(),
        preparations: Vec::new(),
        migrations: Vec::new(),
        reload: None,
        metrics: None,
    })
}

fn in_container(component: &str, ports: &[Port]) -> InstanceDocument {
    let workload = Workload::Container(Container {
        name: format!("oml-{component}").parse().unwrap(),
        version: "1".parse().unwrap(),
        repository: format!("docker.io/omnileads/{component}").parse().unwrap(),
        digest: digest(),
        env: [].into(),
        secrets: [].into(),
        kept_secrets: [].into(),
        volumes: Vec::new(),
        command: Vec::new(),
        pids_limit: PidsLimit::default(),
        may_gain_privileges: false,
        options: Default::default(),
        memory_bytes_max: None,
    });
    document(component, workload, ports)
}

fn packaged(component: &str, ports: &[Port]) -> InstanceDocument {
    document(component, Workload::Unit(PackagedUnit { drop_in: String::new() }), ports)
}

#[test]
fn a_container_that_exists_needs_no_checks() {
    let running = container("1", ContainerState::Running { since: Timestamp(1) });
    let created = container("2", ContainerState::Created);
    assert_eq!(checks(&[&running, &created], &hash("2")), Checks::Nothing);
    assert_eq!(checks(&[&running], &hash("1")), Checks::Nothing);
}

#[test]
fn the_disk_is_checked_only_if_a_running_version_would_be_stopped() {
    let running = container("1", ContainerState::Running { since: Timestamp(1) });
    let created = container("0", ContainerState::Created);
    let disk = Checks::DiskAndPorts { running: hash("1") };
    assert_eq!(checks(&[&created, &running], &hash("2")), disk);
    assert_eq!(checks(&[&created], &hash("2")), Checks::Ports);
    assert_eq!(checks(&[], &hash("2")), Checks::Ports);
}

fn ranges<const N: usize>(ports: [Port; N]) -> [PortRange; N] {
    ports.map(PortRange::from)
}

fn udp_range(first: u16, last: u16) -> PortRange {
    PortRange { first, last, protocol: Protocol::Udp }
}

#[test]
fn a_change_that_only_adds_ports_gives_up_none() {
    let gives_up = |running: &[PortRange], desired: &[PortRange]| gives_up_a_port(running, desired);
    assert!(!gives_up(&ranges([tcp(80)]), &ranges([tcp(80), tcp(81)])));
    assert!(!gives_up(&[], &ranges([tcp(80)])));
    assert!(gives_up(&ranges([tcp(80)]), &ranges([tcp(81)])));
    assert!(gives_up(&ranges([tcp(80)]), &ranges([udp(80)])));
    assert!(!gives_up(&[udp_range(10, 20)], &[udp_range(5, 20)]));
    assert!(gives_up(&[udp_range(10, 20)], &[udp_range(10, 19)]));
}

#[test]
fn a_port_is_taken_if_a_program_listens_on_it_that_is_not_ours() {
    let listening = [tcp(80), tcp(81), udp(82)].into();
    let taken = |wanted: &[PortRange], own: &[PortRange]| {
        first_taken(wanted, &listening, &own.iter().copied().collect())
    };
    let both = ranges([tcp(80), tcp(81)]);
    assert_eq!(taken(&both, &ranges([tcp(80)])), Some(tcp(81)));
    assert_eq!(taken(&both, &both), None);
    assert_eq!(taken(&ranges([tcp(82), tcp(83)]), &[]), None);
    assert_eq!(taken(&[udp_range(70, 90)], &[]), Some(udp(82)));
    assert_eq!(taken(&[udp_range(70, 90)], &[udp_range(80, 85)]), None);
    assert_eq!(taken(&[udp_range(83, 90)], &[]), None);
}

#[test]
fn only_a_range_of_udp_in_the_network_of_the_host_need_not_be_free() {
    let needed = |instance: &InstanceDocument| {
        needed_ports(instance).iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
    };
    let range = |protocol| PortRange { first: 5_300, last: 5_400, protocol };
    let document = in_container("media", &[udp(5060)]).edited(|instance| {
        instance.ranges = vec![
            range(Protocol::Udp),
            range(Protocol::Tcp),
            PortRange { last: 5_300, ..range(Protocol::Udp) },
        ];
    });
    assert_eq!(needed(&document), "5060/udp 5300-5400/tcp 5300/udp");
    let published = document.edited(|instance| {
        instance.workload = instance.workload.edited(|workload| {
            let Workload::Container(container) = workload else { return };
            container.options.network = Network::Bridge { published: Vec::new() };
        });
    });
    assert_eq!(needed(&published), "5060/udp 5300-5400/udp 5300-5400/tcp 5300/udp");
}

#[test]
fn ports_are_ours_by_the_labels_of_what_runs_and_by_the_documents_of_what_may_run() {
    let labelled = [in_container("web", &[tcp(80)])];
    let current = [
        in_container("web", &[tcp(81)]),
        in_container("database", &[tcp(5432)]),
        packaged("exporter", &[tcp(9100)]),
    ];
    let running = ["web".parse().unwrap()].into();
    let owners = PortOwners { running: &running, labelled: &labelled, current: &current };
    let own = own_ports(owners);
    let expected = ranges([tcp(80), tcp(81), tcp(9100)]).into();
    assert_eq!(own, expected, "the database does not run");
}
