use super::*;

const TEXT: &str = include_str!("../../fixtures/instance.json");
const UNIT: &str = include_str!("../../fixtures/instance_minimal.json");

#[test]
fn a_document_is_held_by_what_it_says_itself() {
    for text in [TEXT, UNIT] {
        let whole = InstanceDocument::read(text).unwrap();
        let held = HeldInstance::read(text).unwrap();
        assert_eq!(held.workload.hash, whole.workload_hash());
        assert_eq!(held.workload.version.as_ref(), whole.version());
        assert_eq!(held.workload.name, whole.container().map(|c| c.name.clone()));
        assert_eq!((&held.probe, &held.active), (&whole.probe, &whole.active));
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
        HeldInstance::read(&text).unwrap().may_carry_calls
    };
    assert!(!read("[]"));
    assert!(!read(r#"[{"number":80,"protocol":"tcp"}]"#));
    assert!(read(r#"[{"number":80,"protocol":"tcp"},{"number":5060,"protocol":"udp"}]"#));
    assert!(read(r#"[{"number":5060,"protocol":"sctp"}]"#));
}
