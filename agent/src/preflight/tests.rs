//! What is looked at before anything is stopped.

use std::sync::Arc;

use oml_common::decide::step::Step;
use oml_common::decide::update::{NotDone, Outcome};
use oml_common::document::Verbatim;
use oml_common::document::instance::{Check, Container, Instance, Protocol, Workload};
use oml_common::id::Digest;
use oml_sim::{Behaviour, Daemon, Verb};
use tokio::sync::watch;

use super::*;
use crate::disk::MinFree;
use crate::execute::Work;
use crate::fixtures::{self, ModelHost};
use crate::runtime::PullProgress;

const TCP: &str = "\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 00000000:1F91 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 20513 1
   1: 0100007F:1F92 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 20514 1
   2: 3500007F:0035 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 20515 1
   3: 0100007F:1F93 0100007F:C350 01 00000000:00000000 00:00000000 00000000     0        0 20516 1
";
const UDP6: &str = "\
  sl  local_address                         remote_address                        st tx_queue rx_queue
   0: 00000000000000000000000000000000:13C4 00000000000000000000000000000000:0000 07 00000000:00000000
   1: 00000000000000000000000000000000:13C5 0000000000000000FFFF00000100007F:0035 01 00000000:00000000
";

struct Bench {
    model: ModelHost,
    host: Host,
}

fn port(text: &str) -> Port {
    let (number, protocol) = text.split_once('/').unwrap();
    let protocol = if protocol == "tcp" { Protocol::Tcp } else { Protocol::Udp };
    Port { number: number.parse().unwrap(), protocol }
}

/// The image of every version, so that the second needs no pull.
fn digest() -> Digest {
    fixtures::digest("any")
}

fn instance(version: &str, ports: &[&str]) -> InstanceDocument {
    let container = Container { digest: digest(), ..fixtures::container("web", version) };
    Verbatim::seal(Instance {
        workload: Verbatim::seal(Workload::Container(container)),
        ports: ports.iter().map(|text| port(text)).collect(),
        ..fixtures::instance("web", version)
    })
}

impl Bench {
    fn new() -> Self {
        let model = ModelHost::new();
        model.offer(&digest(), Behaviour::Good);
        let host = Host {
            docker: Arc::new(model.docker()),
            systemd: Arc::new(model.systemd()),
            paths: model.paths.clone(),
            clock: model.simulated.clock(),
            statuses: model.statuses.clone(),
            min_free: MinFree { engine_bytes: 0, state_bytes: 0 },
        };
        Self { model, host }
    }

    fn listen(&self, table: &str, text: &str) {
        std::fs::write(self.host.paths.proc.join("net").join(table), text).unwrap();
    }

    async fn perform(&self, instance: &InstanceDocument, step: Step) -> Outcome {
        let desired = Some(instance.clone());
        let (component, desired_hash) = (instance.component.clone(), instance.workload_hash());
        let work = Work::new(component, desired, desired_hash, step);
        self.host.perform(&work, &watch::channel(PullProgress::default()).0).await
    }

    async fn install(&self, instance: &InstanceDocument) {
        let previous = None;
        for step in [
            Step::Pull,
            Step::Create,
            Step::Switch { previous, calls_cut: Some(0), recount: false },
        ] {
            assert_eq!(self.perform(instance, step).await, Outcome::Done);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_port_of_another_program_blocks_before_anything_is_made() {
    let bench = Bench::new();
    bench.install(&instance("v1", &["8083/tcp"])).await;
    bench.listen("tcp", TCP);
    let outcome = bench.perform(&instance("v2", &["8081/tcp"]), Step::Create).await;
    assert_eq!(
        outcome,
        Outcome::Retry(NotDone::HostError("port 8081/tcp is taken by another program".to_owned()))
    );
    assert_eq!(bench.model.host.containers().len(), 1);
    bench.listen("tcp", "");
    assert_eq!(bench.perform(&instance("v2", &["8081/tcp"]), Step::Create).await, Outcome::Done);
}

#[tokio::test(start_paused = true)]
async fn a_port_of_another_program_within_a_range_blocks_before_anything_is_made() {
    let bench = Bench::new();
    bench.install(&instance("v1", &["9083/tcp"])).await;
    bench.listen("tcp", TCP);
    let range = |version: &str, first, last| {
        let range = PortRange { first, last, protocol: Protocol::Tcp };
        instance(version, &[]).edited(|instance| instance.ranges = vec![range])
    };
    let outcome = bench.perform(&range("v2", 8_000, 8_100), Step::Create).await;
    let why = "port 8081/tcp is taken by another program".to_owned();
    assert_eq!(outcome, Outcome::Retry(NotDone::HostError(why)));
    let beside = bench.perform(&range("v3", 8_090, 8_100), Step::Create).await;
    assert_eq!(beside, Outcome::Done);
}

#[tokio::test(start_paused = true)]
async fn a_udp_socket_within_a_range_blocks_nothing_in_the_network_of_the_host() {
    let bench = Bench::new();
    bench.install(&instance("v1", &["9083/tcp"])).await;
    bench.listen("udp6", UDP6);
    let range = PortRange { first: 5_000, last: 5_100, protocol: Protocol::Udp };
    let media = instance("v2", &[]).edited(|instance| instance.ranges = vec![range]);
    assert_eq!(bench.perform(&media, Step::Create).await, Outcome::Done);
    let single = bench.perform(&instance("v3", &["5060/udp"]), Step::Create).await;
    let why = "port 5060/udp is taken by another program".to_owned();
    assert_eq!(single, Outcome::Retry(NotDone::HostError(why)));
}

#[tokio::test(start_paused = true)]
async fn a_port_is_taken_by_a_program_at_any_address_that_others_reach() {
    let bench = Bench::new();
    bench.install(&instance("v1", &["8083/tcp"])).await;
    for (local, shown) in [
        ("0501000A", " at 10.0.1.5"),
        ("0100007F", " at 127.0.0.1"),
        ("00000000", ""),
        ("00000000000000000000000000000000", ""),
        ("0000000000000000FFFF00000501000A", " at 10.0.1.5"),
        ("B80D0120000000000000000005000000", " at 2001:db8::5"),
    ] {
        bench.listen("tcp", &format!("sl\n 0: {local}:1F91 00000000:0000 0A 0 0 0 0 0 1\n"));
        let outcome = bench.perform(&instance("v2", &["8081/tcp"]), Step::Create).await;
        let why = format!("port 8081/tcp is taken by another program{shown}");
        assert_eq!(outcome, Outcome::Retry(NotDone::HostError(why)), "{local}");
    }
    // The name server for the host itself, and a group.
    for (local, version) in [("3500007F", "v2"), ("FB0000E0", "v3")] {
        bench.listen("tcp", &format!("sl\n 0: {local}:1F91 00000000:0000 0A 0 0 0 0 0 1\n"));
        let instance = instance(version, &["8081/tcp"]);
        assert_eq!(bench.perform(&instance, Step::Create).await, Outcome::Done, "{local}");
    }
}

#[test]
fn only_a_program_at_the_same_address_is_in_the_way_of_a_port_that_is_bound_to_it() {
    let taken = |asked: &str, number, listening: &str| {
        let mut probe = fixtures::instance("web", "v1").probe.clone();
        probe.check = Check::Tcp { port: 8081 };
        probe.address = Some(asked.to_owned());
        let port = Port { number, protocol: Protocol::Tcp };
        let listener = Listener { port, address: listening.parse().unwrap() };
        !in_the_way([listener].into(), bound_port(&probe)).is_empty()
    };
    assert!(taken("10.0.1.5", 8081, "10.0.1.5"));
    assert!(taken("10.0.1.5", 8081, "0.0.0.0"));
    assert!(taken("127.0.0.53", 8081, "127.0.0.53"));
    for elsewhere in ["192.168.122.1", "127.0.0.1", "::1"] {
        assert!(!taken("10.0.1.5", 8081, elsewhere), "{elsewhere}");
        // Of its other ports, the address is not known.
        assert!(taken("10.0.1.5", 8088, elsewhere), "{elsewhere}");
        // A program at all addresses is asked there too, or the name says nothing.
        assert!(taken("127.0.0.1", 8081, elsewhere), "{elsewhere}");
        assert!(taken("localhost", 8081, elsewhere), "{elsewhere}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_version_that_runs_holds_its_own_ports() {
    let bench = Bench::new();
    bench.install(&instance("v1", &["8081/tcp"])).await;
    bench.listen("tcp", TCP);
    let outcome = bench.perform(&instance("v2", &["8081/tcp", "8083/tcp"]), Step::Create).await;
    assert_eq!(outcome, Outcome::Done);
}

#[tokio::test(start_paused = true)]
async fn a_full_disk_blocks_before_anything_is_made() {
    let mut bench = Bench::new();
    bench.install(&instance("v1", &[])).await;
    bench.host.min_free.state_bytes = u64::MAX;
    let Outcome::Retry(NotDone::DiskFull { error: why, about }) =
        bench.perform(&instance("v2", &[]), Step::Create).await
    else {
        panic!("it was made");
    };
    assert!(why.contains("MiB are free at ") && why.contains("/var/lib/omlagent"), "{why}");
    assert!(about.contains("/var/lib/omlagent"), "{about}");
}

#[tokio::test(start_paused = true)]
async fn an_image_that_turns_out_too_large_for_the_disk_is_not_pulled_to_its_end() {
    let mut bench = Bench::new();
    let places = bench.host.may_pull().await.unwrap();
    let (pulled, progress) = watch::channel(PullProgress::default());
    {
        let mut fits = std::pin::pin!(bench.host.until_disk_full(&places, progress.clone()));
        pulled.send_replace(PullProgress { bytes_done: 10, bytes_total: 11 });
        let waits = tokio::time::timeout(3 * CHECK_PAUSE, &mut fits).await;
        assert!(waits.is_err(), "{waits:?}");
    }
    pulled.send_replace(PullProgress { bytes_done: 10, bytes_total: u64::MAX });
    let blocked = bench.host.until_disk_full(&places, progress.clone()).await;
    assert!(matches!(blocked, Blocked::Disk(DiskFull::Bytes { .. })));
    // All of it is here and is unpacked: the disk fills up all the same.
    pulled.send_replace(PullProgress { bytes_done: 10, bytes_total: 10 });
    bench.host.min_free.engine_bytes = u64::MAX;
    let blocked = bench.host.until_disk_full(&places, progress).await;
    assert!(matches!(blocked, Blocked::Disk(DiskFull::Bytes { .. })));
}

#[tokio::test(start_paused = true)]
async fn what_is_down_may_come_back_on_a_full_disk() {
    let mut bench = Bench::new();
    let instance = instance("v1", &[]);
    assert_eq!(bench.perform(&instance, Step::Pull).await, Outcome::Done);
    bench.host.min_free = MinFree { engine_bytes: u64::MAX, state_bytes: u64::MAX };
    assert_eq!(bench.perform(&instance, Step::Create).await, Outcome::Done);
}

#[tokio::test(start_paused = true)]
async fn every_step_that_pulls_looks_for_room_first() {
    let mut bench = Bench::new();
    let old = instance("v1", &[]);
    bench.install(&old).await;
    let previous = old.workload_hash();
    bench.model.host.remove_by_hand(&bench.model.running(&old.component).unwrap().id);
    bench.model.host.prune_by_hand();
    bench.host.min_free.engine_bytes = u64::MAX;
    let switch = Step::Switch { previous: None, calls_cut: Some(0), recount: false };
    for step in [switch, Step::Start, Step::RollBack { previous, runs: false }, Step::Pull] {
        let Outcome::Retry(NotDone::DiskFull { error: why, about }) =
            bench.perform(&old, step.clone()).await
        else {
            panic!("{} pulled it", step.as_str());
        };
        assert!(why.contains("MiB are free at "), "{why}");
        assert!(about.starts_with("too few bytes are free at "), "{about}");
    }
    assert_eq!(bench.model.count(Daemon::Engine, Verb::Pull), 1);
}

#[tokio::test(start_paused = true)]
async fn ports_that_are_only_added_may_be_its_own_and_declared_late() {
    let bench = Bench::new();
    bench.install(&instance("v1", &["8083/tcp"])).await;
    bench.listen("tcp", TCP);
    let outcome = bench.perform(&instance("v2", &["8081/tcp", "8083/tcp"]), Step::Create).await;
    assert_eq!(outcome, Outcome::Done);
}

#[tokio::test]
async fn only_sockets_that_are_in_the_way_count() {
    let bench = Bench::new();
    bench.listen("tcp", TCP);
    bench.listen("udp6", UDP6);
    let found = in_the_way(listeners(&bench.host.paths.proc), None);
    assert_eq!(
        found.into_keys().collect::<Vec<_>>(),
        ["5060/udp", "8081/tcp", "8082/tcp"].map(port)
    );
}
