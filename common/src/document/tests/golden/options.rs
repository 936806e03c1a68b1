//! The bytes of what this release adds to documents: the options of a container, ranges of ports, the
//! policy of a host, and the components of a plan that do not exist. The fixtures are in `v1/fixtures/options`, so that those of what came before
//! stay as they are.

use super::*;
use crate::document::host_policy::{FoundPolicy, HostPolicy};
use crate::document::instance::{
    ContainerOptions, Device, LogLimits, Network, PortRange, Published, Tmpfs, Ulimit,
};
use crate::document::node::{AgentRecord, NodeRecord};
use crate::document::plan::Plan;

/// The pinned hashes of the fixtures.
const OPTIONS: [(&str, &str); 3] = [
    ("instance.json", "1a9e64fd2f5d58e2811abd402571db2a34241d708e320dbed5c4a5f29c0fae41"),
    ("node_record.json", "a3eb8da99468fa56abe888265fd6af07518aaa808293d9809dd779dd3d338535"),
    ("plan.json", "130568fae2d4d860a1e4710517b1103e78e8ffc85197002ff0b11d7eccba9be0"),
];

fn range(first: u16, last: u16) -> PortRange {
    PortRange { first, last, protocol: Protocol::Udp }
}

/// Every option of a container.
fn options() -> ContainerOptions {
    let published = Published {
        host: range(20_000, 20_100),
        container: 30_000,
        address: Some("192.0.2.10".to_owned()),
    };
    let (host, container) = ("/dev/net/tun".to_owned(), "/dev/tun".to_owned());
    ContainerOptions {
        entrypoint: vec!["/entry".to_owned()],
        user: Some("1000:1000".to_owned()),
        network: Network::Bridge { published: vec![published] },
        privileged: true,
        cap_add: ["NET_ADMIN".parse().unwrap()].into(),
        cap_drop: ["ALL".parse().unwrap()].into(),
        devices: vec![Device { host, container, access: "rw".to_owned() }],
        ulimits: [("nofile".to_owned(), Ulimit { soft: 1_024, hard: -1 })].into(),
        cpu_rt_runtime_us: Some(950_000),
        shm_bytes: Some(1 << 30),
        tmpfs: vec![Tmpfs { path: "/run".to_owned(), bytes_max: Some(64 << 20) }],
        sysctls: [("net.core.somaxconn".to_owned(), "1024".to_owned())].into(),
        stop_signal: Some("SIGQUIT".to_owned()),
        extra_hosts: [("db".to_owned(), "10.0.0.5".to_owned())].into(),
        log: LogLimits { file_bytes_max: Some(50 << 20), files_max: Some(5) },
        files: Vec::new(),
        reloaded: Default::default(),
    }
}

fn with_options() -> Instance {
    let workload = full().workload.edited(|workload| {
        if let Workload::Container(container) = workload {
            *container.options = options();
        }
    });
    Instance { workload, ranges: vec![range(20_000, 20_100)], ..full() }
}

fn with_policy() -> NodeRecord {
    let names = |name: &str| [name.to_owned()].into();
    let policy = HostPolicy {
        privileged: true,
        realtime: true,
        no_host_network: true,
        capabilities: ["NET_ADMIN".parse().unwrap()].into(),
        devices: names("/dev/net/tun"),
        sysctls: names("net.core.*"),
        host_paths: Some(names("/srv")),
    };
    let found = FoundPolicy { policy, problem: "line 3: unknown key".to_owned(), secrets: None };
    let agent = AgentRecord::new("0.2.0", Vec::new()).with_policy(Some(found));
    NodeRecord { agent: Some(agent), ..v::node_record_minimal() }
}

fn with_absent() -> Plan {
    let reason = "only if postgres_host is empty, and postgres_host is db.example.com".to_owned();
    Plan { absent: [("postgres".parse().unwrap(), reason)].into(), ..v::plan_minimal() }
}

#[test]
fn options_and_policies_are_written_in_the_bytes_that_are_pinned() {
    for (golden, (file, hash)) in [
        golden("instance", &with_options(), &minimal()),
        golden("node_record", &with_policy(), &v::node_record_minimal()),
        golden("plan", &with_absent(), &v::plan_minimal()),
    ]
    .iter()
    .zip(OPTIONS)
    {
        let written = &golden.full;
        assert_eq!(*written, fixture(&format!("options/{file}")), "{file} is written differently");
        assert_eq!(ContentHash::of(written.as_bytes()).as_str(), hash, "{file} has another hash");
        assert_eq!((golden.reread)(written).unwrap(), *written, "{file} is read as it was written");
    }
}

#[test]
fn an_instance_without_options_is_written_as_before() {
    let silent = full().workload.edited(|workload| {
        if let Workload::Container(container) = workload {
            *container.options = ContainerOptions::default();
        }
    });
    assert_eq!(write(&Instance { workload: silent, ..full() }), fixture("instance.json"));
}

#[test]
fn every_option_needs_its_feature() {
    let words = |instance: Instance| -> Vec<&str> {
        let needs = instance.needs();
        needs.difference(&full().needs()).map(|feature| feature.as_str()).collect()
    };
    assert_eq!(
        words(with_options()).join(" "),
        "container-entrypoint container-user network-bridge port-ranges privileged capabilities \
         devices ulimits cpu-rt-runtime shm-size tmpfs sysctls stop-signal extra-hosts log-limits"
    );
}
