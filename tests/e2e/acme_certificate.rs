//! Tests of a certificate that is ordered from a real ACME server, which proves by the tenant's own web server whose
//! name it is.

use anyhow::{Context as _, Result};
use oml_lab::until;
use oml_tests::Fleet;
use oml_tests::fleet::CONTROLLER;
use oml_tests::observe::{SOON, newest_revision, sh, start_times, status};
use oml_tests::trial::check;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use serde_json::Value;

use crate::Case;
use crate::pool::Kind;

pub(crate) const CASES: &[Case] =
    &[(Kind::Tiny, "a_certificate_is_ordered_by_acme_and_renewed_without_a_restart", ordered)];

const NODE: &str = "tiny-one";
const NAME: &str = "pbx.example.com";
const CATALOG: &str = "/usr/share/omlcontroller/catalog/certificate.yaml";
const WEB: &str = "web: \"230215.01\"";
const IDLE: &str = "idle: v1";
const DIRECTORY: &str = "https://ca.lab:14000/dir";
/// Where the server runs, on the host of the controller.
const FOLDER: &str = "/run/pebble";
const CONF: &str = "/etc/omlcontroller/conf.d/acme.toml";
/// Where the web server's host has what a browser would trust.
const ROOT: &str = "/run/pebble-root.pem";
/// A rule with which nobody reaches the web server where the directory asks.
const CLOSED: &str = "INPUT -p tcp --dport 5080 -j REJECT --reject-with tcp-reset";
const RESTART: &str = "systemctl restart omlcontroller";
/// It asks at a port of its own, because it follows no redirect to another port.
const PEBBLE: &str = r#"{"pebble": {
    "listenAddress": "0.0.0.0:14000", "managementListenAddress": "0.0.0.0:15000",
    "certificate": "/run/pebble/cert.pem", "privateKey": "/run/pebble/key.pem",
    "httpPort": 5080, "tlsPort": 443, "ocspResponderURL": "", "externalAccountBindingRequired": false}}"#;
/// It does not wait before it asks, asks for every order, and refuses no good nonce.
const START: &str = "systemd-run --collect --unit=pebble --setenv=PEBBLE_VA_NOSLEEP=1 \
                     --setenv=PEBBLE_AUTHZREUSE=0 --setenv=PEBBLE_WFE_NONCEREJECT=0 \
                     /run/pebble/pebble -config /run/pebble/config.json";

fn ordered(fleet: &Fleet) -> Result<()> {
    let tried = from_first_to_last(fleet);
    // The next test finds the fleet as it was, also after a failure of a part.
    let cleaned = clean_up(fleet);
    tried.and(cleaned)
}

fn from_first_to_last(fleet: &Fleet) -> Result<()> {
    start_pebble(fleet)?;
    is_refused_in_the_document(fleet)?;
    let path = document(fleet, NAME, WEB)?;
    let printed = fleet.ctl_ok(&["apply", "-f", &path, "--prune", "--timeout", "10m"])?;
    // Until the directory gives one, the tenant's own authority does.
    let stand_in = format!("certificate version 1 for {NAME}");
    check(printed.contains(&stand_in), &printed)?;
    let before = start_times(fleet, NODE)?;

    let first = comes(fleet, 2)?;
    a_redirect_leads_to_the_answer(fleet)?;
    // What an operator asked for, and an order under way, outlive the controller.
    fleet.ctl_ok(&["tls", "renew", "tenant=tiny"])?;
    sh(fleet, CONTROLLER, RESTART)?;
    let second = comes(fleet, 3)?;
    check(first != second, "the certificate was not renewed")?;
    a_refusal_is_shown(fleet)?;
    comes(fleet, 4)?;
    let after = start_times(fleet, NODE)?;
    check(after == before, format!("something was restarted: {before:?}, {after:?}"))?;
    let history = fleet.ctl_ok(&["history", "tenant=tiny", "-o", "json"])?;
    check(history.contains("omlcontroller"), &history)?;
    check(!history.contains("PRIVATE KEY"), "a key was printed")
}

/// Starts the server with a certificate of an authority of its own, which the controller is made to trust.
fn start_pebble(fleet: &Fleet) -> Result<()> {
    let mut params = CertificateParams::new(Vec::new())?;
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::CommonName, "Authority of the directory");
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;
    let key = KeyPair::generate()?;
    let params = CertificateParams::new(vec!["ca.lab".to_owned()])?;
    let certificate = params.signed_by(&key, &authority)?.pem();

    let host = fleet.host(CONTROLLER)?;
    host.put_pebble(&format!("{FOLDER}/pebble"))?;
    for (file, text) in [
        ("cert.pem", certificate.as_str()),
        ("key.pem", &key.serialize_pem()),
        ("config.json", PEBBLE),
    ] {
        host.push(&format!("{FOLDER}/{file}"), text.as_bytes(), 0o600)?;
    }
    host.push(CATALOG, include_bytes!("../catalogs/certificate.yaml"), 0o644)?;
    let ca_file = "/etc/omlcontroller/directory-ca.pem";
    host.push(ca_file, authority.pem().as_bytes(), 0o644)?;
    host.push(CONF, format!("[acme]\nca_file = \"{ca_file}\"\n").as_bytes(), 0o644)?;
    let names = format!("127.0.0.1 ca.lab\n{} {NAME}", fleet.host(NODE)?.address());
    sh(fleet, CONTROLLER, &format!("echo '{names}' >> /etc/hosts; {START}; {RESTART}"))?;
    until("the controller answers", SOON, || {
        newest_revision(fleet).map_err(|error| format!("{error:#}"))
    })?;
    let root = until("the directory answers", SOON, || {
        let ask = "curl -sSk https://127.0.0.1:15000/roots/0";
        sh(fleet, CONTROLLER, ask).map_err(|error| format!("{error:#}"))
    })?;
    fleet.host(NODE)?.push(ROOT, root.as_bytes(), 0o644)?;
    Ok(())
}

/// Writes the document of the tenant with a certificate for this name.
fn document(fleet: &Fleet, name: &str, component: &str) -> Result<String> {
    let registry = fleet.lab().registry()?.name();
    let text = format!(
        "tenant: tiny\ncatalog: certificate\nregistry: {registry}/omnileads\ntls:\n  mode: acme\n  names: [{name}]\n  \
         contact: it@example.com\n  directory: {DIRECTORY}\ncomponents:\n  {component}\n\
         rollout: {{min_healthy_for: 2s}}\n"
    );
    fleet.write_spec("certificate.yaml", &text)
}

/// A name for which no directory gives a certificate, and a tenant that cannot prove its name, are refused before anything
/// is asked.
fn is_refused_in_the_document(fleet: &Fleet) -> Result<()> {
    for (name, component, words) in [
        ("\"*.example.com\"", WEB, "tls.names: *.example.com is a wildcard, for which mode: acme"),
        (NAME, IDLE, "tls.mode: no component of the tenant can answer the challenges"),
    ] {
        let refused = fleet.ctl(&["plan", "-f", &document(fleet, name, component)?])?;
        check(refused.code == 2 && refused.stderr.contains(words), format!("{refused:?}"))?;
    }
    Ok(())
}

fn shown(fleet: &Fleet) -> Result<Value> {
    Ok(serde_json::from_str(&fleet.ctl_ok(&["tls", "show", "tenant=tiny", "-o", "json"])?)?)
}

/// Waits until the certificate of the directory has come in this version, and returns its fingerprint, which is that
/// of the certificate that a browser accepts.
fn comes(fleet: &Fleet, version: u64) -> Result<String> {
    let fingerprint = until("the certificate is served", SOON, || {
        let (shown, served) = shown(fleet)
            .and_then(|shown| Ok((shown, served(fleet)?)))
            .map_err(|error| format!("{error:#}"))?;
        let certificate = &shown["certificate"];
        let is_it =
            certificate["version"] == version && certificate["fingerprint"] == served.as_str();
        is_it.then_some(served.clone()).ok_or_else(|| format!("{served} is served: {shown}"))
    })?;
    old_worker_ends(fleet)?;
    let shown = shown(fleet)?;
    check(shown["order"]["directory"] == DIRECTORY, shown.to_string())?;
    let browser = format!(
        "curl -sS -o /dev/null -w '%{{http_code}}' --cacert {ROOT} --resolve {NAME}:443:127.0.0.1 \
         https://{NAME}/health"
    );
    let code = sh(fleet, NODE, &browser)?;
    check(code.trim() == "200", format!("the browser got {code}"))?;
    Ok(fingerprint)
}

/// Waits for the end of nginx's worker from before the reload, which still answers with the certificate of that time.
/// The web server's only worker is otherwise the new one.
fn old_worker_ends(fleet: &Fleet) -> Result<()> {
    until("nginx's old worker ends", SOON, || {
        let ask = "pgrep -cf '^nginx: worker process' || true";
        let count = sh(fleet, NODE, ask).map_err(|error| format!("{error:#}"))?;
        if count.trim() == "1" { Ok(()) } else { Err(format!("there are {}", count.trim())) }
    })?;
    Ok(())
}

/// A directory that asks at port 80, as all public ones do, is sent on to 443 and gets the same answer there.
fn a_redirect_leads_to_the_answer(fleet: &Fleet) -> Result<()> {
    let ask = |port: &str| {
        let path = format!("{NAME}{port}/.well-known/acme-challenge/a_token-1");
        sh(fleet, CONTROLLER, &format!("curl -sSLk --noproxy '*' http://{path}"))
    };
    let (answer, asked) = (ask("")?, ask(":5080")?);
    let is_it = answer == asked && answer.starts_with("a_token-1.");
    check(is_it, format!("port 80 leads to {answer}, port 5080 to {asked}"))
}

fn served(fleet: &Fleet) -> Result<String> {
    let ask = format!(
        "openssl s_client -connect 127.0.0.1:443 -servername {NAME} </dev/null 2>/dev/null | \
         openssl x509 -noout -fingerprint -sha256"
    );
    let line = sh(fleet, NODE, &ask)?;
    let digits = line.trim().split_once('=').context("a fingerprint")?.1;
    Ok(digits.replace(':', "").to_lowercase())
}

/// What the directory says of a name that it does not reach is what the operator reads, and the certificate stays. Once
/// it is reached again, an operator who asks gets the next one.
fn a_refusal_is_shown(fleet: &Fleet) -> Result<()> {
    let before = served(fleet)?;
    sh(fleet, NODE, &format!("iptables -I {CLOSED}"))?;
    fleet.ctl_ok(&["tls", "renew", "tenant=tiny"])?;
    let failure = until("the refusal is shown", SOON, || {
        let shown = shown(fleet).map_err(|error| format!("{error:#}"))?;
        let failure = shown["order"]["failure"].as_str().unwrap_or_default().to_owned();
        if failure.is_empty() { Err(shown.to_string()) } else { Ok(failure) }
    })?;
    for words in [NAME, "connection refused", "omlctl tls renew tenant=tiny"] {
        check(failure.contains(words), format!("{words}: {failure}"))?;
    }
    let warning = status(fleet)?["certificate"]["warning"].clone();
    let is_said = warning.as_str().is_some_and(|warning| warning.contains("connection refused"));
    check(is_said, warning.to_string())?;
    check(served(fleet)? == before, "another certificate is served")?;
    sh(fleet, NODE, &format!("iptables -D {CLOSED}"))?;
    fleet.ctl_ok(&["tls", "renew", "tenant=tiny"]).map(drop)
}

fn clean_up(fleet: &Fleet) -> Result<()> {
    let path = fleet.write_spec("first.yaml", &fleet.spec()?)?;
    fleet.ctl_ok(&["apply", "-f", &path, "--prune", "--timeout", "10m"])?;
    sh(fleet, NODE, &format!("rm -f {ROOT}; iptables -D {CLOSED} 2>/dev/null || true"))?;
    let forget = format!(
        "systemctl stop pebble || true; rm -rf {FOLDER} {CONF} {CATALOG}; \
         grep -v -e ' {NAME}$' -e ' ca.lab$' /etc/hosts > /run/hosts; cat /run/hosts > /etc/hosts; {RESTART}"
    );
    sh(fleet, CONTROLLER, &forget)?;
    until("the controller answers", SOON, || {
        newest_revision(fleet).map_err(|error| format!("{error:#}"))
    })?;
    Ok(())
}
