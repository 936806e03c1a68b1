use super::*;
use crate::document::instance::{Check, HttpDetails, SipTransport, WebSocketDetails};

const TEXT: &str = include_str!("../../fixtures/instance.json");
const UNIT: &str = include_str!("../../fixtures/instance_minimal.json");
/// The names of all kinds of checks in documents.
const KINDS: [&str; 12] = [
    "http",
    "tcp",
    "sip-options",
    "redis",
    "postgres",
    "exec",
    "unit-active",
    "rtpengine",
    "gearman",
    "rabbitmq",
    "http-detailed",
    "sip-stream",
];

#[test]
fn a_document_is_held_by_what_it_says_itself() {
    for text in [TEXT, UNIT] {
        let whole = InstanceDocument::read(text).unwrap();
        let held = HeldInstance::read(text).unwrap();
        assert_eq!(held.workload.hash, whole.workload_hash());
        assert_eq!(held.workload.version.as_ref(), whole.version());
        assert_eq!(held.workload.name, whole.container().map(|c| c.name.clone()));
        assert_eq!(held.probe.as_ref(), Some(&whole.probe));
        assert_eq!(held.counting, Counting::from(whole.active.clone()));
        assert_eq!(held.restart_unhealthy, whole.restart_unhealthy);
        assert_eq!((&held.timing, &held.unit), (&whole.timing, &whole.unit));
        assert_eq!(held.may_carry_calls, whole.may_carry_calls());
        assert_eq!((held.text(), &held.hash()), (whole.text(), whole.hash()));
        assert_eq!(held.whole().unwrap(), whole);
    }
}

#[test]
fn a_workload_of_a_later_release_is_held_and_not_created() {
    let later =
        TEXT.replace("\"kind\":\"container\"", "\"kind\":\"container\",\"colour\":\"blue\"");
    let held = HeldInstance::read(&later).unwrap();
    assert_ne!(held.workload.hash, HeldInstance::read(TEXT).unwrap().workload.hash);
    assert!(held.workload.version.is_some());
    assert!(held.whole().is_err());
    let microvm = TEXT.replace("\"kind\":\"container\"", "\"kind\":\"microvm\"");
    assert!(HeldInstance::read(&microvm).is_ok());
}

#[test]
fn a_later_version_and_garbage_are_refused() {
    let later = TEXT.replacen("\"version\":1", "\"version\":2", 1);
    assert!(matches!(HeldInstance::read(&later), Err(ReadError::Newer { found: 2, .. })));
    for garbage in ["", "{", "{}", "{\"version\":1}"] {
        assert!(HeldInstance::read(garbage).is_err(), "{garbage}");
    }
}

#[test]
fn what_listens_on_a_udp_port_or_on_one_of_a_later_release_may_carry_calls() {
    let read = |ports: &str| {
        let text =
            UNIT.replacen("{\"version\":1,", &format!("{{\"version\":1,\"ports\":{ports},"), 1);
        let held = HeldInstance::read(&text).unwrap().may_carry_calls;
        // A whole document that this release can read says the same.
        let whole = InstanceDocument::read(&text);
        assert!(whole.is_ok_and(|whole| whole.may_carry_calls() == held) || ports.contains("sctp"));
        held
    };
    assert!(!read("[]"));
    assert!(!read(r#"[{"number":80,"protocol":"tcp"}]"#));
    assert!(read(r#"[{"number":80,"protocol":"tcp"},{"number":5060,"protocol":"udp"}]"#));
    assert!(read(r#"[{"number":5060,"protocol":"sctp"}]"#));
    assert!(read(r#"[],"ranges":[{"first":20000,"last":20100,"protocol":"udp"}]"#));
    assert!(!read(r#"[],"ranges":[{"first":20000,"last":20100,"protocol":"tcp"}]"#));
}

#[test]
fn a_probe_of_a_later_release_is_none() {
    let checks: [Check; KINDS.len()] = [
        Check::Http { port: 80, path: "/".to_owned(), tls: false },
        Check::Tcp { port: 80 },
        Check::SipOptions { port: 5060 },
        Check::Redis { port: 6379 },
        Check::Postgres { port: 5432, user: "oml".to_owned() },
        Check::Exec { command: vec!["true".to_owned()] },
        Check::UnitActive,
        Check::Rtpengine { port: 22222 },
        Check::Gearman { port: 4730 },
        Check::Rabbitmq { port: 5672 },
        Check::HttpDetailed {
            port: 80,
            path: "/".to_owned(),
            tls: true,
            details: HttpDetails { statuses: vec![401], ..HttpDetails::default() },
        },
        Check::SipStream {
            port: 8089,
            transport: SipTransport::Wss,
            details: WebSocketDetails::default(),
        },
    ];
    let whole = InstanceDocument::read(TEXT).unwrap();
    for (check, kind) in checks.into_iter().zip(KINDS) {
        let text = whole.edited(|instance| instance.probe.check = check).text().to_owned();
        assert!(HeldInstance::read(&text).unwrap().probe.is_some(), "{kind}");
        let named = format!("\"kind\":\"{kind}\"");
        assert!(text.contains(&named), "{named} is not in {text}");
        let later = HeldInstance::read(&text.replace(&named, "\"kind\":\"ng-ping\"")).unwrap();
        assert_eq!((later.probe.clone(), later.probe_timeout_ms()), (None, LATER_TIMEOUT_MS));
        let often = text.replace("\"interval_ms\":10000", "\"interval_ms\":\"often\"");
        assert_eq!(HeldInstance::read(&often).unwrap().probe, None);
    }
}

/// Its agents would leave out a field that they do not know, and ask wrongly. They hold the health of
/// a kind that they do not know.
#[test]
fn a_check_of_a_kind_that_release_0_1_0_knows_has_the_fields_of_that_release() {
    let of_0_1_0 = [
        (Check::Http { port: 80, path: "/".to_owned(), tls: false }, "kind path port tls"),
        (Check::Tcp { port: 80 }, "kind port"),
        (Check::SipOptions { port: 5060 }, "kind port"),
        (Check::Redis { port: 6379 }, "kind port"),
        (Check::Postgres { port: 5432, user: "oml".to_owned() }, "kind port user"),
        (Check::Exec { command: Vec::new() }, "command kind"),
        (Check::UnitActive, "kind"),
    ];
    for ((check, fields), kind) in of_0_1_0.into_iter().zip(KINDS) {
        let serde_json::Value::Object(written) = serde_json::to_value(&check).unwrap() else {
            panic!("{kind}")
        };
        let names: std::collections::BTreeSet<&str> = written.keys().map(String::as_str).collect();
        assert_eq!(names.into_iter().collect::<Vec<_>>().join(" "), fields, "{kind}");
        assert_eq!(written["kind"], kind);
    }
}
