//! Tests of the fingerprints of requests.

use super::*;

#[test]
fn the_fingerprints_that_are_recorded_stay_the_same() {
    let tenant: TenantId = "acme".parse().unwrap();
    let versions = [("voice".parse().unwrap(), "2".parse().unwrap())].into();
    let table = [
        (
            ChangeRequest::Apply { spec_yaml: "tenant: acme\n".into() },
            r#"change-request-1 {"Apply":{"spec_yaml":"tenant: acme\n"}}"#,
        ),
        (
            ChangeRequest::SetVersion { tenant: tenant.clone(), versions },
            r#"change-request-1 {"SetVersion":{"tenant":"acme","versions":{"voice":"2"}}}"#,
        ),
        (
            ChangeRequest::Rollback { tenant, to: RevisionNumber(7) },
            r#"change-request-1 {"Rollback":{"tenant":"acme","to":7}}"#,
        ),
    ];
    for (request, text) in table {
        assert_eq!(request.fingerprint(""), ContentHash::of(text.as_bytes()), "{text}");
    }
}
