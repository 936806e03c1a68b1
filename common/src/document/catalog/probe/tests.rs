use super::*;
use crate::document::catalog::Catalog;

/// Reads a catalog of one component with this probe.
fn probe_of(probe: &str) -> Result<ProbeTemplate, String> {
    let text = format!(
        "catalog: test\nregistry: docker.io/test\ncomponents:\n  web:\n    roles: [app]\n    \
         unit: web.service\n    container: web\n    image: web\n    probe: {probe}\n"
    );
    let catalog = Catalog::parse(&text).map_err(|problems| problems.to_string())?;
    Ok(catalog.components[&"web".parse().unwrap()].probe.clone())
}

#[test]
fn every_check_is_read_by_the_name_that_documents_have_for_it() {
    for kind in CHECKS {
        let more = match kind {
            "exec" => ", command: [\"true\"]",
            "unit-active" => "",
            "postgres" => ", port: \"5432\", user: oml",
            _ => ", port: \"{{ settings.port }}\"",
        };
        probe_of(&format!("{{check: {kind}{more}}}")).unwrap();
    }
    assert_eq!(CHECKS, crate::document::instance::Check::KINDS);
}

#[test]
fn an_http_check_has_a_host_a_tls_name_and_one_status_or_several() {
    for (status, expected) in [("401", &[401][..]), ("[200, 401]", &[200, 401]), ("[]", &[])] {
        let probe = probe_of(&format!(
            "{{check: http, port: \"443\", tls: true, host: \"{{{{ settings.fqdn }}}}\", \
             tls_name: cc.example.org, status: {status}}}"
        ));
        let CheckTemplate::Http { tls: true, details, .. } = probe.unwrap().check else {
            panic!("{status}")
        };
        assert_eq!(details.host.as_deref(), Some("{{ settings.fqdn }}"));
        assert_eq!(details.tls_name.as_deref(), Some("cc.example.org"));
        assert_eq!(details.statuses, expected);
    }
}

#[test]
fn sip_is_asked_over_udp_unless_the_catalog_says_how() {
    for (words, expected) in [
        ("", SipTransport::Udp),
        (", transport: tcp", SipTransport::Tcp),
        (", transport: wss", SipTransport::Wss),
    ] {
        let probe = probe_of(&format!("{{check: sip-options, port: \"5060\"{words}}}")).unwrap();
        let port = "5060".to_owned();
        assert_eq!(probe.check, CheckTemplate::SipOptions { port, transport: expected });
    }
}

#[test]
fn what_a_check_cannot_use_is_refused_with_its_place() {
    for (probe, expected) in [
        (
            "{check: http, port: \"80\", tls_name: cc.example.org}",
            "components.web.probe.tls_name: nothing asks for this name without TLS (add tls: true)",
        ),
        ("{check: http, port: \"80\", status: 99}", "components.web.probe.status: "),
        ("{check: http, port: \"80\", status: [200, ok]}", "components.web.probe.status[1]: "),
        ("{check: sip-options, port: \"80\", transport: sctp}", "components.web.probe.transport: "),
        ("{check: tcp, port: \"80\", transport: tcp}", "components.web.probe.transport: "),
        ("{check: gearman, port: \"80\", status: 200}", "components.web.probe.status: "),
    ] {
        let problems = probe_of(probe).unwrap_err();
        assert!(problems.contains(expected), "{probe}: {problems}");
    }
}
