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
}

#[test]
fn an_http_check_has_a_host_a_tls_name_and_one_status_or_several() {
    for (status, expected) in [("401", &[401][..]), ("[200, 401]", &[200, 401])] {
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
    let details = |path: Option<&str>, tls_name: Option<&str>| WebSocketDetails {
        path: path.map(str::to_owned),
        host: None,
        tls_name: tls_name.map(str::to_owned),
    };
    for (words, expected) in [
        ("", None),
        (", transport: udp", None),
        (", transport: tcp", Some((SipTransport::Tcp, details(None, None)))),
        (", transport: ws, path: /ws", Some((SipTransport::Ws, details(Some("/ws"), None)))),
        (
            ", transport: wss, tls_name: cc.example.org",
            Some((SipTransport::Wss, details(None, Some("cc.example.org")))),
        ),
    ] {
        let probe = probe_of(&format!("{{check: sip-options, port: \"5060\"{words}}}")).unwrap();
        let port = "5060".to_owned();
        assert_eq!(probe.check, CheckTemplate::SipOptions { port, stream: expected });
    }
}

#[test]
fn a_published_port_is_not_asked_whether_it_accepts_connections() {
    let of = |network: &str, probe: &str| {
        let text = format!(
            "catalog: test\nregistry: docker.io/test\ncomponents:\n  web:\n    roles: [app]\n    \
             unit: web.service\n    container: web\n    image: web\n    network: {network}\n    \
             ports: [\"8080:80\"]\n    probe: {probe}\n"
        );
        Catalog::parse(&text).map(|_| ()).map_err(|problems| problems.to_string())
    };
    let problems = of("bridge", "{check: tcp, port: \"8080\"}").unwrap_err();
    assert!(
        problems.contains("components.web.probe: the engine itself accepts every connection"),
        "{problems}"
    );
    of("bridge", "{check: http, port: \"8080\"}").unwrap();
}

#[test]
fn what_a_check_cannot_use_is_refused_with_its_place() {
    for (probe, expected) in [
        (
            "{check: http, port: \"80\", tls_name: cc.example.org}",
            "components.web.probe.tls_name: nothing asks for this name without TLS (add tls: true, or \
             transport: wss)",
        ),
        (
            "{check: http, port: \"80\", status: []}",
            "components.web.probe.status: names no status (leave it out: below 400 is good)",
        ),
        (
            "{check: sip-options, port: \"80\", transport: tcp, path: /ws}",
            "components.web.probe.path: only a WebSocket has it (add transport: ws, or wss)",
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

#[test]
fn what_no_program_could_be_asked_for_is_refused_with_its_place() {
    let path = "must begin with / and have no spaces or letters beyond ASCII \
                (write it as in /health/live)";
    let none = "names no program (write it as in [healthcheck, --quiet])";
    let zero = "must be longer than 0 (leave it out for the default)";
    for (probe, field, expected) in [
        ("{check: http, port: \"80\", path: health}", "path", path),
        ("{check: http, port: \"80\", path: \"\"}", "path", path),
        ("{check: http, port: \"80\", path: \"/he alth\"}", "path", path),
        ("{check: http, port: \"80\", path: \"/a\\r\\nHost: b\"}", "path", path),
        ("{check: http, port: \"80\", path: \"/caf\u{e9}\"}", "path", path),
        ("{check: sip-options, port: \"80\", transport: ws, path: ws}", "path", path),
        ("{check: exec, command: []}", "command", none),
        ("{check: exec, command: }", "command", none),
        ("{check: exec, command: [\"\"]}", "command", none),
        ("{check: tcp, port: \"80\", interval: 0s}", "interval", zero),
        ("{check: tcp, port: \"80\", timeout: 0ms}", "timeout", zero),
    ] {
        let refused = probe_of(probe).unwrap_err();
        let expected = format!("line 9: components.web.probe.{field}: {expected}");
        assert_eq!(refused, expected, "{probe}");
    }
}
