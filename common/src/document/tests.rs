//! The format of documents does not change by accident: the text and the hash of every
//! kind are pinned. Also what happens to fields that another release wrote.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::assignment::{Assignment, ChangePolicy, Content, Desired, OnDeadline};
use super::instance::{
    ActiveProbe, Check, Container, Instance, MetricsEndpoint, PackagedUnit, Port, Probe, Protocol,
    Timing, Volume, Workload,
};
use super::*;
use crate::id::{ContentHash, Digest, Generation, RevisionNumber};

fn digest() -> Digest {
    format!("sha256:{}", ContentHash::of(b"image")).parse().unwrap()
}

fn probe(check: Check) -> Probe {
    Probe { check, interval_ms: 10_000, timeout_ms: 2_000, failures_max: 3 }
}

fn timing() -> Timing {
    Timing { start_timeout_ms: 30_000, stop_grace_ms: 10_000 }
}

/// A container with every field set.
fn full() -> Instance {
    Instance {
        tenant: "acme".parse().unwrap(),
        component: "asterisk".parse().unwrap(),
        unit: "asterisk.service".parse().unwrap(),
        workload: Verbatim::seal(Workload::Container(Container {
            name: "oml-asterisk-server".parse().unwrap(),
            version: "230204.01".parse().unwrap(),
            repository: "docker.io/omnileads/asterisk".parse().unwrap(),
            digest: digest(),
            env: [("TZ".parse().unwrap(), "America/Argentina/Cordoba".to_owned())].into(),
            secrets: [("PGPASSWORD".parse().unwrap(), "postgres".parse().unwrap())].into(),
            volumes: vec![Volume {
                source: "asterisk_conf".to_owned(),
                target: "/etc/asterisk".to_owned(),
                read_only: true,
            }],
            command: vec!["asterisk".to_owned(), "-f".to_owned()],
            memory_bytes_max: Some(1 << 30),
        })),
        after: vec!["postgres".parse().unwrap()],
        ports: vec![Port { number: 5060, protocol: Protocol::Udp }],
        probe: probe(Check::SipOptions { port: 5060 }),
        active: Some(ActiveProbe {
            command: vec!["asterisk".to_owned(), "-rx".to_owned()],
            before: "active call".to_owned(),
            noun: "calls".to_owned(),
        }),
        timing: timing(),
        metrics: Some(MetricsEndpoint { port: 7088, path: "/metrics".to_owned() }),
    }
}

/// A packaged unit with no optional field set.
fn minimal() -> Instance {
    Instance {
        unit: "prometheus-node-exporter.service".parse().unwrap(),
        component: "exporter".parse().unwrap(),
        workload: Verbatim::seal(Workload::Unit(PackagedUnit { drop_in: String::new() })),
        after: Vec::new(),
        ports: Vec::new(),
        probe: probe(Check::UnitActive),
        active: None,
        metrics: None,
        ..full()
    }
}

fn share() -> Share {
    let policy = ChangePolicy {
        soak_ms: 10_000,
        drain_deadline_ms: 3_600_000,
        on_deadline: OnDeadline::Wait,
    };
    let desired = |instance: Instance| {
        let component = instance.component.clone();
        (component, Desired { instance: Verbatim::seal(instance), policy: policy.clone() })
    };
    [full(), minimal()].into_iter().map(desired).collect()
}

fn assignment() -> Assignment {
    Assignment {
        generation: Generation { epoch: 1, number: 42 },
        tenant: "acme".parse().unwrap(),
        node: "acme-voice".parse().unwrap(),
        content: Content { revision: RevisionNumber(8), share: share() },
    }
}

/// Checks that the value is written as in the fixture, has the pinned hash, and can be
/// read and written again as the same bytes.
fn check_pinned<T: Document + std::fmt::Debug>(value: T, fixture: &str, hash: &str) {
    let written = Verbatim::seal(value);
    assert_eq!(written.text(), fixture.trim_end(), "{} is written differently", T::KIND);
    assert_eq!(written.hash().as_str(), hash, "{} has another hash", T::KIND);
    let read = Verbatim::<T>::read(written.text()).unwrap();
    assert_eq!(write(&*read), written.text(), "{} does not read what it writes", T::KIND);
}

#[test]
fn every_kind_is_written_in_the_bytes_that_are_pinned() {
    check_pinned(
        full(),
        include_str!("v1/fixtures/instance_full.json"),
        "85066e311e6f43cdb40335995a20cf01d57c22f71bba8b77d7033f42d9b1ab0c",
    );
    check_pinned(
        minimal(),
        include_str!("v1/fixtures/instance_minimal.json"),
        "e1ffa6c40b48c9d03637ebb8dea47fbbb6cc6f0a300bb7f5e4c9941cdbf364bf",
    );
    check_pinned(
        assignment(),
        include_str!("v1/fixtures/assignment.json"),
        "49069c5cceab2101f29a7e62eb06123d0ecededc7da898ee270326b8779bfb18",
    );
}

#[test]
fn the_hashes_that_are_known_by_their_value_are_pinned() {
    assert_eq!(
        full().workload_hash().as_str(),
        "037203b9d9fe0f10738c35e85c4f6ac440e352e53ee0a0762df7bcf2fa174501"
    );
    assert_eq!(
        minimal().workload_hash().as_str(),
        "fcd47729960837276b2f9226793d680d6e6de3b4dd8e49e44ea5cf9146fd9a6a"
    );
    assert_eq!(
        share().hash().as_str(),
        "88b06a881028195e66522f98d700a803bb4041318df5d02a181ec2b025e265ea"
    );
}

/// A copy of the container's document with a field that a later release may add.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
enum LaterWorkload {
    Container(LaterContainer),
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct LaterContainer {
    name: String,
    version: String,
    repository: String,
    digest: String,
    #[serde(default, skip_serializing_if = "is_default")]
    env: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "is_default")]
    secrets: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "is_default")]
    volumes: Vec<Volume>,
    #[serde(default, skip_serializing_if = "is_default")]
    command: Vec<String>,
    #[serde(default, skip_serializing_if = "is_default")]
    memory_bytes_max: Option<u64>,
    #[serde(default, skip_serializing_if = "is_default")]
    shared_memory_bytes: Option<u64>,
}

fn later() -> LaterContainer {
    let instance = full();
    let LaterWorkload::Container(container) =
        serde_json::from_str(instance.workload.text()).unwrap();
    container
}

/// The instance with that workload, as the later release writes it.
fn with_workload(workload: &LaterWorkload) -> String {
    let instance = full();
    let text = Verbatim::seal(full()).text().to_owned();
    text.replace(instance.workload.text(), &serde_json::to_string(workload).unwrap())
}

#[test]
fn a_field_that_holds_its_default_moves_no_hash() {
    let written = serde_json::to_string(&LaterWorkload::Container(later())).unwrap();
    assert_eq!(written, full().workload.text());
    assert_eq!(ContentHash::of(written.as_bytes()), full().workload_hash());
}

#[test]
fn an_unknown_field_of_a_workload_holds_that_instance_and_no_other() {
    let newer =
        LaterWorkload::Container(LaterContainer { shared_memory_bytes: Some(1), ..later() });
    let old = Verbatim::seal(full());
    let sent = write(&assignment()).replace(old.text(), &with_workload(&newer));
    let read = Verbatim::<Assignment>::read(&sent).unwrap();
    let share = &read.content.share;
    assert_eq!(share.instances.keys().map(|name| name.as_str()).collect::<Vec<_>>(), ["exporter"]);
    let held = &share.unreadable[&"asterisk".parse().unwrap()];
    assert!(held.why.contains("shared_memory_bytes"), "{}", held.why);
    let workload = serde_json::to_string(&newer).unwrap();
    assert_eq!(held.workload_hash(), Some(ContentHash::of(workload.as_bytes())));
    // It is passed on in its bytes and still counts as something that should run.
    assert!(serde_json::to_string(share).unwrap().contains(&workload));
    assert!(share.contains(&"asterisk".parse().unwrap()));
}

#[test]
fn an_unknown_kind_of_probe_holds_that_instance_and_no_other() {
    let sent = write(&assignment()).replace("sip-options", "carrier-pigeon");
    let read = Verbatim::<Assignment>::read(&sent).unwrap();
    let held = &read.content.share.unreadable[&"asterisk".parse().unwrap()];
    assert!(held.why.contains("carrier-pigeon"), "{}", held.why);
}

#[test]
fn unknown_fields_outside_a_workload_are_ignored_and_passed_on() {
    let text = Verbatim::seal(full()).text().replacen('{', "{\"colour\":\"blue\",", 1);
    let read = Verbatim::<Instance>::read(&text).unwrap();
    assert_eq!(read.workload, full().workload);
    assert_eq!(read.text(), text);
    assert_eq!(serde_json::to_string(&read).unwrap(), text);
}

#[test]
fn a_document_of_a_later_version_or_without_one_is_refused() {
    let text = write(&full());
    let newer = read::<Instance>(&text.replacen("\"version\":1", "\"version\":2", 1));
    assert!(matches!(newer, Err(ReadError::Newer { found: 2, known: 1, .. })), "{newer:?}");
    let foreign = read::<Instance>(&text.replacen("\"version\":1,", "", 1));
    assert!(matches!(foreign, Err(ReadError::Foreign { .. })), "{foreign:?}");
}

#[test]
fn reading_a_text_that_is_no_document_never_panics() {
    for text in ["", "null", "[]", "{}", "{\"version\":1}", "{\"version\":-1}", "\u{0}"] {
        assert!(read::<Instance>(text).is_err(), "{text:?}");
        assert!(Verbatim::<Assignment>::read(text).is_err(), "{text:?}");
    }
}
