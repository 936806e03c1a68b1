//! Tests of documents: the bytes of every kind, and what happens to fields and versions
//! that another release wrote.

use std::collections::BTreeMap;
use std::num::NonZeroU32;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::assignment::{Assignment, ChangePolicy, Content, Desired, OnDeadline};
use super::instance::{
    ActiveProbe, Check, Container, Instance, MetricsEndpoint, PackagedUnit, PidsLimit, Port, Probe,
    Protocol, RestartUnhealthy, Timing, Volume, Workload,
};
use super::*;
use crate::id::{ContentHash, Digest, Generation, RevisionNumber};

mod golden;
mod held;
mod later;
mod strict;
mod values;

fn digest() -> Digest {
    format!("sha256:{}", ContentHash::of(b"image")).parse().unwrap()
}

fn probe(check: Check) -> Probe {
    Probe { check, address: None, interval_ms: 10_000, timeout_ms: 2_000, failures_max: 3 }
}

fn timing() -> Timing {
    Timing { start_timeout_ms: 30_000, stop_grace_ms: 10_000 }
}

/// A container with every field set but its options, which `golden::options` has.
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
            kept_secrets: BTreeMap::new(),
            volumes: vec![Volume {
                source: "asterisk_conf".to_owned(),
                target: "/etc/asterisk".to_owned(),
                read_only: true,
            }],
            command: vec!["asterisk".to_owned(), "-f".to_owned()],
            memory_bytes_max: Some(1 << 30),
            pids_limit: PidsLimit(NonZeroU32::new(16_384).unwrap()),
            may_gain_privileges: true,
            options: Default::default(),
        })),
        pull_from: None,
        pull_login: None,
        after: vec!["postgres".parse().unwrap()],
        ports: vec![Port { number: 5060, protocol: Protocol::Udp }],
        ranges: Vec::new(),
        probe: Probe {
            address: Some("192.0.2.10".parse().unwrap()),
            ..probe(Check::SipOptions { port: 5060 })
        },
        active: Some(ActiveProbe::single(
            vec!["asterisk".to_owned(), "-rx".to_owned()],
            "active call".to_owned(),
            "calls".to_owned(),
        )),
        timing: timing(),
        restart_unhealthy: RestartUnhealthy { after_ms: Some(600_000), cuts_calls: true },
        metrics: Some(MetricsEndpoint { port: 7088, path: "/metrics".to_owned() }),
        checks: Vec::new(),
        preparations: Vec::new(),
        migrations: Vec::new(),
        reload: None,
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
        restart_unhealthy: Default::default(),
        metrics: None,
        ..full()
    }
}

fn policy() -> ChangePolicy {
    let (on_deadline, forward_only) = (OnDeadline::Wait, false);
    ChangePolicy { soak_ms: 10_000, drain_deadline_ms: 3_600_000, on_deadline, forward_only }
}

fn share() -> Share {
    let desired = |instance: Instance| {
        let component = instance.component.clone();
        (component, Desired { instance: Verbatim::seal(instance), policy: policy() })
    };
    [full(), minimal()].into_iter().map(desired).collect()
}

fn assignment() -> Assignment {
    Assignment {
        generation: Generation { epoch: 1, number: 42 },
        tenant: "acme".parse().unwrap(),
        node: "acme-voice".parse().unwrap(),
        content: Content {
            revision: RevisionNumber(8),
            policy: Some(policy().into()),
            share: share(),
        },
    }
}

#[test]
fn the_hashes_that_are_known_by_their_value_are_pinned() {
    assert_eq!(
        full().workload_hash().as_str(),
        "37d99d1e34b8b0f2a63b16c71fe9b2eb551f5f626128390f52e0b68fec166b1f"
    );
    assert_eq!(
        minimal().workload_hash().as_str(),
        "fcd47729960837276b2f9226793d680d6e6de3b4dd8e49e44ea5cf9146fd9a6a"
    );
    assert_eq!(
        share().hash().as_str(),
        "d7baad566f17c689e33eacdeb52c3a7ce8a2831da383b35c17290ebde5be6159"
    );
}

#[test]
fn a_container_whose_document_says_nothing_is_confined_as_in_the_first_release() {
    let written = write(&full());
    let silent = written.replace(",\"pids_limit\":16384,\"may_gain_privileges\":true", "");
    assert_ne!(silent, written);
    let instance: Instance = read(&silent).unwrap();
    let container = instance.container().unwrap();
    assert_eq!((container.pids_limit.0.get(), container.may_gain_privileges), (4096, false));
    assert_eq!(write(&instance), silent, "what is the default is not written");
}

#[test]
fn an_instance_needs_the_features_that_it_asks_for() {
    let words = |instance: Instance| {
        instance.needs().into_iter().map(Feature::as_str).collect::<Vec<_>>().join(" ")
    };
    let all = "container container-command memory-limit volumes host-secrets probe-sip-options \
               active-count probe-address";
    assert_eq!(words(full()), all);
    assert_eq!(words(minimal()), "packaged-unit probe-unit-active");
}

#[test]
fn an_address_of_a_probe_is_written_only_if_there_is_one() {
    let mut instance = Instance { probe: probe(Check::SipOptions { port: 5060 }), ..full() };
    let silent = write(&instance);
    assert!(!silent.contains("address"), "{silent}");
    assert!(!instance.needs().contains(&Feature::ProbeAddress));
    instance.probe.address = Some("10.0.0.5".to_owned());
    let written = write(&instance);
    assert!(written.contains(",\"address\":\"10.0.0.5\","), "{written}");
    assert_eq!(read::<Instance>(&written).unwrap(), instance);
    assert!(instance.needs().contains(&Feature::ProbeAddress));
    assert_eq!(instance.workload_hash(), full().workload_hash(), "nothing is replaced for it");
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
fn an_unknown_field_beside_an_instance_is_passed_on_and_counts_for_the_hash() {
    let written = write(&assignment());
    let policy = "\"soak_ms\":10000,";
    let sent = written.replace(policy, &format!("{policy}\"wait_for_moon\":true,"));
    let sent = sent.replacen("{\"instance\":", "{\"colour\": \"blue\",\"instance\":", 1);
    let read = Verbatim::<Assignment>::read(&sent).unwrap();
    let share = &read.content.share;
    assert_eq!((share.instances.len(), share.unreadable.len()), (2, 0));
    // A controller writes the share of a plan into an assignment.
    assert_eq!(write(&*read), sent);
    let entry = |name: &str| share.instances[&name.parse().unwrap()].text();
    let hash = |name: &str| ContentHash::of(entry(name).as_bytes());
    assert!(entry("asterisk").contains("moon") && entry("asterisk").contains("blue"));
    let lines = ["asterisk", "exporter"].map(|name| format!("{name} {}\n", hash(name)));
    assert_eq!(share.hash(), ContentHash::of(lines.concat().as_bytes()));
    assert_ne!(share.hash(), assignment().content.share.hash());
}

#[test]
fn a_share_has_one_hash_however_much_of_it_can_be_read() {
    let sent = write(&assignment()).replace("sip-options", "carrier-pigeon");
    let read = Verbatim::<Assignment>::read(&sent).unwrap();
    assert_eq!(read.content.share.unreadable.len(), 1);
    assert_eq!(write(&*read), sent);
    // The release that wrote it reads all of it, and computes the same.
    let entries: BTreeMap<String, Box<RawValue>> =
        serde_json::from_str(&serde_json::to_string(&read.content.share).unwrap()).unwrap();
    let hash = |text: &RawValue| ContentHash::of(text.get().as_bytes());
    let lines: String =
        entries.iter().map(|(name, text)| format!("{name} {}\n", hash(text))).collect();
    assert_eq!(read.content.share.hash(), ContentHash::of(lines.as_bytes()));
}

#[test]
fn an_instance_of_a_later_version_holds_that_instance_and_no_other() {
    let text = Verbatim::seal(full()).text().to_owned();
    let newer = text.replacen("\"version\":1", "\"version\":2", 1);
    let sent = write(&assignment()).replace(&text, &newer);
    let read = Verbatim::<Assignment>::read(&sent).unwrap();
    let held = &read.content.share.unreadable[&"asterisk".parse().unwrap()];
    assert!(held.why.contains("an instance document has version 2"), "{}", held.why);
    assert_eq!(read.content.share.instances.len(), 1);
}

/// A kind whose second version has the unit in the name of its field.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Pause {
    length_ms: u64,
}

impl Document for Pause {
    const KIND: &'static str = "a pause";
    const VERSION: Option<u32> = Some(2);

    fn from_version(version: u32, text: &str) -> serde_json::Result<Self> {
        #[derive(Deserialize)]
        struct FirstPause {
            seconds: u64,
        }
        match version {
            1 => serde_json::from_str(text)
                .map(|FirstPause { seconds }| Self { length_ms: seconds * 1000 }),
            _ => serde_json::from_str(text),
        }
    }

    fn version_needed(&self) -> Option<u32> {
        Some(if self.length_ms.is_multiple_of(1000) { 1 } else { 2 })
    }

    fn to_version(&self, version: Option<u32>) -> serde_json::Result<String> {
        match version {
            Some(1) => serde_json::to_string(&BTreeMap::from([("seconds", self.length_ms / 1000)])),
            _ => serde_json::to_string(self),
        }
    }
}

#[test]
fn a_document_of_an_earlier_version_is_read_by_that_version_and_converted() {
    let pause = Pause { length_ms: 3000 };
    assert_eq!(read::<Pause>("{\"version\":1,\"seconds\":3}").unwrap(), pause);
    assert_eq!(read::<Pause>("{\"version\":2,\"length_ms\":3000}").unwrap(), pause);
    assert!(read::<Pause>("{\"version\":2,\"seconds\":3}").is_err());
    assert!(matches!(
        read::<Pause>("{\"version\":3,\"seconds\":3}"),
        Err(ReadError::Newer { found: 3, known: 2, .. })
    ));
}

#[test]
fn a_document_is_written_in_the_lowest_version_that_can_carry_it() {
    for (length_ms, text) in
        [(3000, "{\"version\":1,\"seconds\":3}"), (3500, "{\"version\":2,\"length_ms\":3500}")]
    {
        let pause = Pause { length_ms };
        assert_eq!(write(&pause), text);
        assert_eq!(read::<Pause>(text).unwrap(), pause);
        assert_eq!(Verbatim::seal(pause).text(), text);
    }
}

#[test]
fn reading_a_text_that_is_no_document_never_panics() {
    for text in ["", "null", "[]", "{}", "{\"version\":1}", "{\"version\":-1}", "\u{0}"] {
        assert!(read::<Instance>(text).is_err(), "{text:?}");
        assert!(Verbatim::<Assignment>::read(text).is_err(), "{text:?}");
    }
}
