//! Formats the certificate of a tenant.

use oml_common::text::printable::printable;
use oml_proto::v1::{GetTlsReply, OlderCertificate, TlsCertificate};

use crate::output::Output;

/// Formats everything about the certificate of a tenant.
pub(crate) fn tls(output: &Output, tenant: &str, reply: &GetTlsReply) -> String {
    let Some(certificate) = &reply.certificate else {
        let mode = match reply.mode.as_str() {
            "" => "its document has no tls".to_owned(),
            mode => format!("its document says tls: {{mode: {mode}}}"),
        };
        return printable(&format!("{tenant} has no certificate: {mode}"));
    };
    let mut lines = vec![format!("certificate of {tenant}, version {}", certificate.version)];
    let mut add = |label: &str, text: &str| lines.push(format!("  {label:<13} {text}"));
    add("names:", &certificate.names.join(", "));
    add("subject:", &certificate.subject);
    add("issuer:", &certificate.issuer);
    add("from:", &output.clock.date_time(certificate.valid_from_ms));
    add("until:", &output.clock.date_time(certificate.expires_ms));
    add("fingerprint:", &fingerprint(&certificate.fingerprint));
    let users = match certificate.used_by.as_slice() {
        [] => "no component".to_owned(),
        users => users.join(", "),
    };
    add("used by:", &users);
    for it in &certificate.serves_older {
        let until = output.clock.date_time(it.expires_ms);
        let OlderCertificate { component, node, unit, version, .. } = it;
        add("older:", &format!("{component} on {node} serves version {version}, until {until}"));
        let cuts = if it.may_cut_calls { ", which may cut calls" } else { "" };
        add("", &format!("until it is started again{cuts}: systemctl restart {unit} on that host"));
    }
    if let Some(authority) = &reply.authority {
        let until = output.clock.date_time(authority.expires_ms);
        add("authority:", &format!("{}, until {until}", authority.subject));
        add("", &fingerprint(&authority.fingerprint));
        add("", &format!("for browsers: omlctl tls show tenant={tenant} --ca"));
    }
    if let Some(order) = &reply.order {
        add("directory:", &order.directory);
        let renewal = match order.renewed_from_ms {
            0 => "as soon as the directory gives a certificate".to_owned(),
            from_ms => format!("from {}", output.clock.date_time(from_ms)),
        };
        add("renewal:", &renewal);
        if !order.waits_for.is_empty() {
            add("waits for:", &order.waits_for);
        }
    }
    if let Some(order) = reply.order.as_ref().filter(|order| !order.failure.is_empty()) {
        lines.push(format!("warning: {}", order.failure));
    }
    if !certificate.warning.is_empty() {
        lines.push(format!("warning: {}", certificate.warning));
    }
    lines.iter().map(|line| printable(line.trim_end())).collect::<Vec<_>>().join("\n")
}

/// Formats the line about the certificate that a change makes.
pub(crate) fn made_certificate(output: &Output, certificate: &TlsCertificate) -> String {
    let TlsCertificate { version, names, expires_ms, .. } = certificate;
    let until = output.clock.date_time(*expires_ms);
    printable(&format!("certificate version {version} for {}, until {until}", names.join(", ")))
}

/// Writes a fingerprint as browsers show it: `SHA-256 AB:CD:…`.
fn fingerprint(digits: &str) -> String {
    let digits: Vec<char> = digits.to_ascii_uppercase().chars().collect();
    let pairs: Vec<String> = digits.chunks(2).map(|pair| pair.iter().collect()).collect();
    format!("SHA-256 {}", pairs.join(":"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;
    use crate::output::Format;
    use crate::table::TableStyle;

    fn output() -> Output {
        let tables = TableStyle { width: None, coloured: false };
        Output { format: Format::Table, clock: Clock::utc(), tables, is_terminal: false }
    }

    fn certificate() -> TlsCertificate {
        TlsCertificate {
            version: 2,
            names: ["10.0.0.5", "pbx.example.com"].map(str::to_owned).into(),
            subject: "CN=10.0.0.5".to_owned(),
            issuer: "CN=acme authority 1764000000".to_owned(),
            valid_from_ms: 1_764_000_000_000,
            expires_ms: 1_795_536_000_000,
            fingerprint: "07".repeat(32),
            used_by: ["kamailio", "nginx"].map(str::to_owned).into(),
            selfsigned: true,
            warning: String::new(),
            serves_older: Vec::new(),
        }
    }

    #[test]
    fn a_component_that_serves_an_older_version_is_named_with_how_to_end_that() {
        let older = OlderCertificate {
            component: "kamailio".to_owned(),
            node: "acme-app".to_owned(),
            unit: "kamailio.service".to_owned(),
            version: 1,
            expires_ms: 1_795_536_000_000,
            may_cut_calls: true,
        };
        let certificate = TlsCertificate { serves_older: vec![older], ..certificate() };
        let reply = GetTlsReply { certificate: Some(certificate), ..GetTlsReply::default() };
        let shown = tls(&output(), "acme", &reply);
        for line in [
            "  older:        kamailio on acme-app serves version 1, until 2026-11-24 16:00:00",
            "                until it is started again, which may cut calls: systemctl restart \
             kamailio.service on that host",
        ] {
            assert!(shown.lines().any(|shown| shown == line), "{line}:\n{shown}");
        }
    }

    #[test]
    fn a_certificate_is_shown_with_its_end_its_users_and_what_browsers_need() {
        let authority = TlsCertificate {
            subject: "CN=acme authority 1764000000".to_owned(),
            expires_ms: 2_079_360_000_000,
            fingerprint: "ab".repeat(32),
            ..TlsCertificate::default()
        };
        let reply = GetTlsReply {
            mode: "selfsigned".to_owned(),
            certificate: Some(certificate()),
            authority: Some(authority),
            ..GetTlsReply::default()
        };
        let shown = tls(&output(), "acme", &reply);
        for line in [
            "certificate of acme, version 2",
            "  names:        10.0.0.5, pbx.example.com",
            "  issuer:       CN=acme authority 1764000000",
            "  until:        2026-11-24 16:00:00",
            "  used by:      kamailio, nginx",
            "  authority:    CN=acme authority 1764000000, until 2035-11-22 16:00:00",
        ] {
            assert!(shown.lines().any(|shown| shown == line), "{line}:\n{shown}");
        }
        assert!(shown.contains("SHA-256 07:07:") && shown.contains("SHA-256 AB:AB:"), "{shown}");
        assert!(shown.contains("omlctl tls show tenant=acme --ca"), "{shown}");
    }

    #[test]
    fn a_tenant_without_a_certificate_is_shown_with_what_its_document_says() {
        let none = tls(&output(), "acme", &GetTlsReply::default());
        assert_eq!(none, "acme has no certificate: its document has no tls");
        let reply = GetTlsReply { mode: "custom".to_owned(), ..GetTlsReply::default() };
        let none = tls(&output(), "acme", &reply);
        assert_eq!(none, "acme has no certificate: its document says tls: {mode: custom}");
        let made = made_certificate(&output(), &certificate());
        let line = "certificate version 2 for 10.0.0.5, pbx.example.com, until 2026-11-24 16:00:00";
        assert_eq!(made, line);
    }
}
