use super::*;
use crate::document::instance::Protocol;

fn published(first: u16, last: u16, container: u16) -> Published {
    let host = PortRange { first, last, protocol: Protocol::Udp };
    Published { host, container, address: None }
}

fn created() -> ContainerOptions {
    let published = vec![published(20_000, 20_003, 30_000)];
    ContainerOptions {
        network: Network::Bridge { published },
        user: Some("1000".to_owned()),
        ulimits: [("nofile".to_owned(), Ulimit { soft: 1, hard: 2 })].into(),
        ..ContainerOptions::default()
    }
}

fn found(options: ContainerOptions) -> FoundOptions {
    FoundOptions { options, networks: ["bridge".to_owned()].into(), has_log_files: true }
}

fn changes(found: &FoundOptions) -> Vec<String> {
    altered(&created(), found).iter().map(ToString::to_string).collect()
}

#[test]
fn ports_that_the_engine_shows_one_by_one_are_the_range_that_was_published() {
    let each = (0..4).rev().map(|n| published(20_000 + n, 20_000 + n, 30_000 + n)).collect();
    let shown = ContainerOptions { network: Network::Bridge { published: each }, ..created() };
    assert_eq!(changes(&found(shown)), [""; 0]);
}

#[test]
fn what_the_image_or_the_engine_decided_is_no_difference() {
    let shown = ContainerOptions {
        entrypoint: vec!["/entry".to_owned()],
        stop_signal: Some("SIGQUIT".to_owned()),
        shm_bytes: Some(64 << 20),
        ..created()
    };
    assert_eq!(changes(&found(shown)), [""; 0]);
}

#[test]
fn every_right_of_the_host_is_compared_also_where_none_was_given() {
    let device = |path: &str| Device {
        host: path.to_owned(),
        container: path.to_owned(),
        access: "rwm".to_owned(),
    };
    let shown = ContainerOptions {
        network: Network::Host,
        privileged: true,
        cap_add: ["SYS_ADMIN".parse().unwrap()].into(),
        cap_drop: ["KILL".parse().unwrap()].into(),
        devices: vec![device("/dev/net/tun")],
        tmpfs: vec![Tmpfs { path: "/run".to_owned(), bytes_max: Some(8) }],
        sysctls: [("kernel.sem".to_owned(), "1".to_owned())].into(),
        extra_hosts: [("db".to_owned(), "10.0.0.5".to_owned())].into(),
        user: Some("0".to_owned()),
        ulimits: [("nofile".to_owned(), Ulimit { soft: 1, hard: 1 })].into(),
        ..ContainerOptions::default()
    };
    assert_eq!(
        changes(&found(shown)),
        [
            "has user 0, not 1000",
            "has network host, not bridge",
            "has ports none, not 20000-20003:30000-30003/udp",
            "has privileged true, not none",
            "has cap_add SYS_ADMIN, not none",
            "has cap_drop KILL, not none",
            "has devices /dev/net/tun:/dev/net/tun:rwm, not none",
            "has ulimits nofile=1:1, not nofile=1:2",
            "has tmpfs /run:8, not none",
            "has sysctls kernel.sem=1, not none",
            "has extra_hosts db=10.0.0.5, not none",
        ]
    );
}

#[test]
fn a_container_that_was_taken_off_its_network_or_put_on_another_one_is_noticed() {
    let off = FoundOptions { networks: BTreeSet::new(), ..found(created()) };
    assert_eq!(changes(&off), ["has the networks none, not bridge"]);
    let more = ["bridge".to_owned(), "lan".to_owned()].into();
    let more = FoundOptions { networks: more, ..found(created()) };
    assert_eq!(changes(&more), ["has the networks bridge lan, not bridge"]);
}

#[test]
fn the_limits_of_the_output_are_compared_only_where_it_is_in_files() {
    let log = LogLimits { file_bytes_max: Some(50 << 20), files_max: Some(5) };
    let created = ContainerOptions { log, ..created() };
    let shown = found(ContainerOptions { log: LogLimits::default(), ..created.clone() });
    assert_eq!(altered(&created, &shown).len(), 2);
    let elsewhere = FoundOptions { has_log_files: false, ..shown };
    assert_eq!(altered(&created, &elsewhere), []);
}
