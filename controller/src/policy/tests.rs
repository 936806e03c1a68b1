//! Tests that the table covers exactly the existing procedures, and of the check.

use std::collections::BTreeSet;

use oml_daemon::tls::Serial;

use super::*;

fn described_in_proto() -> BTreeSet<String> {
    let proto = concat!(env!("CARGO_MANIFEST_DIR"), "/../proto");
    let files = protox::compile(["oml/v1/oml.proto"], [proto]).unwrap();
    let mut procedures = BTreeSet::new();
    for file in &files.file {
        for service in &file.service {
            for method in &service.method {
                procedures.insert(format!(
                    "/{}.{}/{}",
                    file.package(),
                    service.name(),
                    method.name()
                ));
            }
        }
    }
    procedures
}

#[test]
fn every_procedure_has_exactly_one_row_and_every_row_a_procedure() {
    let rows: Vec<String> = TABLE.iter().map(|(procedure, _)| (*procedure).to_owned()).collect();
    let unique: BTreeSet<String> = rows.iter().cloned().collect();
    assert_eq!(unique.len(), rows.len(), "a procedure has two rows");
    assert_eq!(unique, described_in_proto());
}

#[test]
fn only_the_enrolment_service_may_be_called_by_anyone() {
    for (procedure, role) in TABLE {
        assert_eq!(
            *role == Role::Anyone,
            procedure.starts_with("/oml.v1.Enrollment/"),
            "{procedure}"
        );
    }
}

fn admitted(path: &str, peer: Option<Peer>, revoked: Revoked) -> Result<(), tonic::Code> {
    let mut request = Request::builder().uri(path).body(()).unwrap();
    let address = "127.0.0.1:1".parse().unwrap();
    request.extensions_mut().insert(ConnectionInfo { address, peer: peer.map(Arc::new) });
    Policy::new(Env::system(), Arc::new(revoked), RefusedCalls::default())
        .admit(&mut request)
        .map_err(|status| status.code())
}

fn peer(identity: &str) -> Peer {
    Peer {
        identity: identity.parse().unwrap(),
        serial: Serial(7),
        public_key: oml_daemon::tls::Fingerprint::of(b"key"),
        issued: Timestamp(0),
        expires: Timestamp(u64::MAX),
    }
}

#[test]
fn each_certificate_may_call_only_the_procedures_of_its_kind() {
    let identities = ["oml://operator/maria", "oml://node/acme/app1", "oml://controller"];
    for (procedure, role) in TABLE {
        let allowed: Vec<bool> = identities
            .iter()
            .map(|identity| admitted(procedure, Some(peer(identity)), Revoked::default()).is_ok())
            .collect();
        let expected = match role {
            Role::Operator => [true, false, false],
            Role::Node => [false, true, false],
            Role::Anyone => [true, true, true],
        };
        assert_eq!(allowed, expected, "{procedure}");
        let without = admitted(procedure, None, Revoked::default());
        assert_eq!(without.is_ok(), *role == Role::Anyone, "{procedure}");
    }
}

#[test]
fn a_revoked_certificate_is_refused_on_an_open_connection() {
    let revoked = Revoked::default();
    revoked.revoke("oml://node/acme/app1".parse().unwrap(), Serial(7));
    let refused = admitted("/oml.v1.Agent/Session", Some(peer("oml://node/acme/app1")), revoked);
    assert_eq!(refused, Err(tonic::Code::Unauthenticated));
}

#[test]
fn an_expired_certificate_is_refused_on_an_open_connection() {
    let calls = [("oml://node/acme/app1", "Agent/Renew"), ("oml://operator/maria", "Fleet/Apply")];
    for (identity, call) in calls {
        let expired = Peer { expires: Env::system().now(), ..peer(identity) };
        let refused = admitted(&format!("/oml.v1.{call}"), Some(expired), Revoked::default());
        assert_eq!(refused, Err(tonic::Code::Unauthenticated), "{call}");
    }
}

#[test]
fn a_procedure_without_a_row_does_not_exist() {
    for path in ["/oml.v1.Fleet/Shutdown", "/", "/oml.v1.Fleet/apply", "/oml.v1.Fleet/Apply/"] {
        let refused = admitted(path, Some(peer("oml://operator/maria")), Revoked::default());
        assert_eq!(refused, Err(tonic::Code::Unimplemented), "{path}");
    }
}
