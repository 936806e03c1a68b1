//! Converts the certificate of a tenant, without its key.

use std::collections::BTreeSet;

use oml_common::decide::acme::failed_line;
use oml_common::decide::tls::{ServesOlder, TlsInUse, warning as end_of};
use oml_common::document::tls_facts::TlsFacts;
use oml_common::id::TenantId;
use oml_common::time::Timestamp;
use oml_proto::v1;
use zeroize::Zeroizing;

use crate::ops::secrets::{GivenPem, TlsPart, TlsView};
use crate::records::values::AcmeRecord;

/// Converts a certificate that an operator gives. It is overwritten in memory when it is dropped.
pub(crate) fn given_pem(
    certificate: Option<v1::NewSecretValue>,
    key: Option<v1::NewSecretValue>,
) -> GivenPem {
    let text = |given: Option<v1::NewSecretValue>| Zeroizing::new(given.unwrap_or_default().value);
    GivenPem { certificate: text(certificate), key: text(key) }
}

/// Converts what people may know of the certificate of a tenant. The one that is in use at this time may
/// be an older one; if it is known, people are warned of its end.
pub(crate) fn tls(
    tenant: &TenantId,
    view: TlsView,
    in_use: Option<&TlsInUse>,
    now: Timestamp,
) -> v1::GetTlsReply {
    let TlsView { wanted, certificate, authority, warning, order } = view;
    let mode = wanted.as_ref().map_or("", |wanted| wanted.mode.as_str()).to_owned();
    let names = wanted.iter().flat_map(|wanted| &wanted.names).map(ToString::to_string).collect();
    let of_used = in_use.and_then(|it| end_of(tenant, it, now));
    let certificate = certificate.map(|it| v1::TlsCertificate {
        used_by: it.used_by.iter().map(ToString::to_string).collect(),
        warning: of_used.or(warning).unwrap_or_default(),
        serves_older: in_use.map(|it| older(&it.serves_older)).unwrap_or_default(),
        ..of_facts(it.version, &it.facts)
    });
    let pem = authority.as_ref().map_or(Ok(String::new()), |authority| authority.pem.clone());
    let (authority_pem, problem) = match pem {
        Ok(pem) => (pem, String::new()),
        Err(problem) => (String::new(), problem),
    };
    let authority = authority.map(|authority| of_facts(0, &authority.facts));
    let order = order.map(|order| v1::CertificateOrder {
        directory: order.directory,
        renewed_from_ms: order.renewed_from.unwrap_or_default().0,
        failure: order.failure.unwrap_or_default(),
        waits_for: order.waits_for.unwrap_or_default().to_owned(),
    });
    v1::GetTlsReply { mode, names, certificate, authority, authority_pem, problem, order }
}

/// Converts a certificate that a change makes.
pub(super) fn part(part: TlsPart) -> v1::TlsCertificate {
    of_facts(part.version, &part.facts)
}

/// Converts the certificate that a tenant uses, with a warning if it ends soon or could not be ordered.
pub(super) fn in_use(
    tenant: &TenantId,
    it: &TlsInUse,
    account: Option<&AcmeRecord>,
    now: Timestamp,
) -> v1::TlsCertificate {
    let failed = || account.and_then(|account| failed_line(tenant, account, now));
    v1::TlsCertificate {
        used_by: it.used_by.iter().map(ToString::to_string).collect(),
        warning: end_of(tenant, it, now).or_else(failed).unwrap_or_default(),
        serves_older: older(&it.serves_older),
        ..of_facts(it.version, &it.facts)
    }
}

fn older(all: &BTreeSet<ServesOlder>) -> Vec<v1::OlderCertificate> {
    let older = |it: &ServesOlder| {
        let ServesOlder { component, node, unit, version, expires, may_cut_calls } = it;
        v1::OlderCertificate {
            component: component.to_string(),
            node: node.to_string(),
            unit: unit.to_string(),
            version: *version,
            expires_ms: expires.0,
            may_cut_calls: *may_cut_calls,
        }
    };
    all.iter().map(older).collect()
}

fn of_facts(version: u64, facts: &TlsFacts) -> v1::TlsCertificate {
    let TlsFacts {
        names,
        subject,
        issuer,
        valid_from,
        expires,
        fingerprint,
        authority,
        directory: _,
    } = facts;
    v1::TlsCertificate {
        version,
        names: names.clone(),
        subject: subject.clone(),
        issuer: issuer.clone(),
        valid_from_ms: valid_from.0,
        expires_ms: expires.0,
        fingerprint: fingerprint.to_string(),
        used_by: Vec::new(),
        selfsigned: authority.is_some(),
        warning: String::new(),
        serves_older: Vec::new(),
    }
}
