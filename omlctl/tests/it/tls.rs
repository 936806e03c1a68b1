//! How certificates and their keys reach the controller, and what is printed of them.

use oml_proto::v1::{
    CertificateOrder, ChangeReply, GetTlsReply, NewSecretValue, PhaseName, RolloutState,
    StatusReply, TenantStatus, TlsCertificate,
};

use crate::fake::{Answer, Script, Then};
use crate::world::{World, instance, rollout, status, upgrade};

const CHAIN: &str = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
const KEY: &str = "-----BEGIN PRIVATE KEY-----\nc2VzYW1l\n-----END PRIVATE KEY-----\n";
/// What nothing prints.
const NEEDLE: &str = "c2VzYW1l";

fn certificate() -> TlsCertificate {
    TlsCertificate {
        version: 2,
        names: vec!["pbx.example.com".to_owned()],
        expires_ms: 1_795_536_000_000,
        used_by: vec!["nginx".to_owned()],
        warning: "the certificate of acme expires in 3d 0h; replace it".to_owned(),
        ..TlsCertificate::default()
    }
}

fn changed() -> Script {
    let reply = ChangeReply { certificate: Some(certificate()), ..upgrade() };
    Script { changes: [Answer::Reply(reply)].into(), ..Script::default() }
}

fn given(world: &World) -> Vec<(String, String)> {
    let text = |value: &Option<NewSecretValue>| value.clone().unwrap_or_default().value;
    let script = world.script.lock().unwrap();
    script.certificates.iter().map(|it| (text(&it.certificate), text(&it.key))).collect()
}

#[test]
fn a_certificate_and_its_key_are_read_from_files_and_the_key_is_not_printed() {
    let world = World::new(changed());
    let (chain, key) = (world.write("chain.pem", CHAIN), world.write("key.pem", KEY));
    let words = ["tls", "set", "tenant=acme", "--certificate", &chain, "--key", &key, "--no-wait"];
    let ran = world.run(&words);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert_eq!(given(&world), [(CHAIN.to_owned(), KEY.to_owned())]);
    assert!(
        ran.stdout.contains("certificate version 2 for pbx.example.com, until 20"),
        "{}",
        ran.stdout
    );
    assert!(!(ran.stdout + &ran.stderr).contains(NEEDLE));
    let words = ["tls", "set", "tenant=acme", "--certificate", "/none.pem", "--key", &key];
    let ran = world.run(&words);
    assert!(ran.code == 2 && ran.stderr.contains("cannot read /none.pem"), "{}", ran.stderr);
    assert_eq!(given(&world).len(), 1, "nothing was sent");
}

#[test]
fn both_files_that_cannot_be_read_are_named_at_once() {
    let world = World::new(changed());
    let files = ["--certificate", "/nowhere/chain.pem", "--key", "/nowhere/key.pem"];
    let ran = world.run(&[&["tls", "set", "tenant=acme"][..], &files[..]].concat());
    assert_eq!((ran.code, ran.stdout.as_str()), (2, ""));
    for path in ["/nowhere/chain.pem", "/nowhere/key.pem"] {
        assert!(ran.stderr.contains(path), "{path}: {}", ran.stderr);
    }
    assert_eq!(given(&world), []);
}

#[test]
fn both_may_come_on_standard_input() {
    let world = World::new(changed());
    let both = format!("{CHAIN}{KEY}");
    let ran = world.run_with(&["tls", "set", "tenant=acme", "--no-wait", "-o", "json"], &both);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert_eq!(given(&world), [(both.clone(), both)]);
    assert!(ran.stdout.contains("\"expires_ms\": 1795536000000"), "{}", ran.stdout);
    assert!(!(ran.stdout + &ran.stderr).contains(NEEDLE));
}

#[test]
fn a_certificate_that_nothing_uses_yet_is_kept_and_not_waited_for() {
    let nothing = ChangeReply { revision: 0, changed: false, changes: Vec::new(), ..upgrade() };
    let reply = ChangeReply { certificate: Some(certificate()), ..nothing };
    let world = World::new(Script { changes: [Answer::Reply(reply)].into(), ..Script::default() });
    let ran = world.run_with(&["tls", "set", "tenant=acme"], CHAIN);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let expected = "version 2 of the certificate is kept; acme uses it when a document with \
                    tls: {mode: custom} is applied\n";
    assert_eq!(ran.stderr, expected);
}

#[test]
fn a_certificate_that_nothing_uses_does_not_wait_for_another_rollout() {
    let nothing = ChangeReply { changed: false, changes: Vec::new(), ..upgrade() };
    let reply = ChangeReply { certificate: Some(certificate()), ..nothing };
    let progressing = rollout(RolloutState::Progressing, "");
    let under_way = status(9, progressing, instance("230204.01", PhaseName::Pulling));
    let world = World::new(Script {
        changes: [Answer::Reply(reply)].into(),
        watches: [(vec![under_way], Then::StaysOpen)].into(),
        ..Script::default()
    });
    let ran = world.run(&["tls", "renew", "tenant=acme"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let expected = "version 2 of the certificate is kept; no component of acme uses it\n";
    assert_eq!(ran.stderr, expected);
    assert!(world.script.lock().unwrap().watched.is_empty());
}

#[test]
fn a_certificate_that_is_ordered_comes_later_and_is_not_waited_for() {
    let nothing = ChangeReply { changed: false, changes: Vec::new(), ..upgrade() };
    let ordered_from = "https://ca.example.com/directory".to_owned();
    let reply = ChangeReply { ordered_from, ..nothing };
    let changes = [Answer::Reply(reply.clone()), Answer::Reply(reply)];
    let world = World::new(Script { changes: changes.into(), ..Script::default() });
    let ran = world.run(&["tls", "renew", "tenant=acme"]);
    let expected = "a certificate of acme is ordered from https://ca.example.com/directory; it comes later, as a \
                    revision of its own: omlctl tls show tenant=acme\n";
    assert_eq!((ran.code, ran.stderr.as_str()), (0, expected));
    let ran = world.run(&["tls", "renew", "tenant=acme", "--dry-run"]);
    let expected = "plan only: a certificate of acme would be ordered from \
                    https://ca.example.com/directory\n";
    assert_eq!((ran.code, ran.stderr.as_str()), (0, expected));
    assert!(world.script.lock().unwrap().watched.is_empty());
}

#[test]
fn the_directory_of_a_certificate_is_shown_with_its_renewal_and_what_failed() {
    let order = CertificateOrder {
        directory: "https://ca.example.com/directory".to_owned(),
        renewed_from_ms: 1_795_536_000_000,
        failure: "no certificate could be ordered for acme 3m 0s ago: refused".to_owned(),
        waits_for: "the end of the rollout".to_owned(),
    };
    let tls = GetTlsReply {
        mode: "acme".to_owned(),
        certificate: Some(certificate()),
        order: Some(order.clone()),
        ..GetTlsReply::default()
    };
    let shown = |tls: GetTlsReply| {
        let world = World::new(Script { tls, ..Script::default() });
        world.run(&["tls", "show", "tenant=acme"]).stdout
    };
    let first = shown(tls.clone());
    for line in [
        "  directory:    https://ca.example.com/directory",
        "  renewal:      from 2026-11-24 16:00:00",
        "  waits for:    the end of the rollout",
        "warning: no certificate could be ordered for acme 3m 0s ago: refused",
    ] {
        assert!(first.lines().any(|shown| shown == line), "{line}:\n{first}");
    }
    let order = CertificateOrder { renewed_from_ms: 0, ..order };
    let none = shown(GetTlsReply { order: Some(order), ..tls });
    assert!(none.contains("as soon as the directory gives a certificate"), "{none}");
}

#[test]
fn the_authority_is_printed_alone_for_browsers() {
    let tls = GetTlsReply {
        mode: "selfsigned".to_owned(),
        certificate: Some(certificate()),
        authority_pem: CHAIN.to_owned(),
        ..GetTlsReply::default()
    };
    let world = World::new(Script { tls, ..Script::default() });
    let ran = world.run(&["tls", "show", "tenant=acme", "--ca"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (0, CHAIN), "{}", ran.stderr);
    let ran = world.run(&["tls", "show", "tenant=acme"]);
    assert!(
        ran.stdout.contains("warning: the certificate of acme expires in 3d 0h"),
        "{}",
        ran.stdout
    );
    let world = World::new(Script::default());
    let ran = world.run(&["tls", "show", "tenant=acme", "--ca"]);
    assert!(ran.code == 1 && ran.stderr.contains("has no authority of its own"), "{}", ran.stderr);
}

fn running() -> StatusReply {
    status(5, rollout(RolloutState::Completed, ""), instance("230204.01", PhaseName::Ready))
}

#[test]
fn status_and_explain_warn_of_the_end_and_the_exit_code_stays() {
    let plain_reply = running();
    let mut reply = plain_reply.clone();
    let of = |tenant: TenantStatus| TenantStatus { certificate: Some(certificate()), ..tenant };
    reply.tenants = reply.tenants.into_iter().map(of).collect();
    let world = World::new(Script { status: reply, ..Script::default() });
    let plain = World::new(Script { status: plain_reply, ..Script::default() });
    for verb in ["status", "explain"] {
        let ran = world.run(&[verb, "tenant=acme"]);
        assert_eq!(ran.code, plain.run(&[verb, "tenant=acme"]).code, "{}", ran.stderr);
        let warning = "warning: the certificate of acme expires in 3d 0h; replace it";
        assert!(ran.stdout.contains(warning), "{verb}: {}", ran.stdout);
    }
    let ran = world.run(&["explain", "tenant=acme"]);
    let line = "  certificate version 2 for pbx.example.com, used by nginx: expire";
    assert!(ran.stdout.contains(line), "{}", ran.stdout);
}
