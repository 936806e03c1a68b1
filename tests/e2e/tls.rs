//! Tests of the certificate of a tenant: it is served by the web server, renewed and replaced, and its
//! key is nowhere but where it is used.

use anyhow::{Context as _, Result};
use oml_tests::Fleet;
use oml_tests::fleet::CONTROLLER;
use oml_tests::observe::{sh, start_times};
use oml_tests::trial::check;
use serde_json::Value;

use crate::Case;
use crate::pool::Kind;

pub(crate) const CASES: &[Case] =
    &[(Kind::Acme, "the_certificate_of_a_tenant_is_served_and_renewed", served)];

const NODE: &str = "acme-app";
/// The authority of the tenant, as a browser would have it.
const AUTHORITY: &str = "/run/acme-ca.pem";
const FOLDER: &str = "/var/lib/omlagent/secrets";
/// Where the copies are that programs take over while they run.
const COPIES: &str = "/var/lib/omlagent/instances/nginx/files";

fn served(fleet: &Fleet) -> Result<()> {
    let tried = from_first_to_last(fleet);
    sh(fleet, NODE, &format!("rm -f {AUTHORITY} /run/own.* /run/needles"))?;
    fleet.apply_first_spec()?;
    tried
}

/// The specification with a certificate, which the web server has in the place of its own.
fn spec(fleet: &Fleet, tls: &str) -> Result<String> {
    let part = |name: &str, file: &str| {
        let place = format!("/etc/omnileads/certs/{file}");
        format!("{{name: {name}, from: controller, file: {place}, optional: true}}")
    };
    let secrets = format!(
        "{{TLS_CERTIFICATE_FILE: {}, TLS_KEY_FILE: {}}}",
        part("tls_certificate", "cert.pem"),
        part("tls_key", "key.pem")
    );
    let line = format!("nginx: {{version: \"230215.01\", secrets: {secrets}}}");
    let spec = fleet.spec()?;
    let with_secrets = spec.replace("nginx: \"230215.01\"", &line);
    check(with_secrets != spec, &spec)?;
    Ok(with_secrets.replace("components:\n", &format!("tls: {tls}\ncomponents:\n")))
}

fn apply(fleet: &Fleet, tls: &str) -> Result<String> {
    let path = fleet.write_spec("tls.yaml", &spec(fleet, tls)?)?;
    let ended = fleet.ctl(&["apply", "-f", &path])?;
    check(ended.code == 0, format!("{ended:?}"))?;
    Ok(ended.stdout + &ended.stderr)
}

/// The fingerprint of the certificate that the web server shows to a browser, which accepts it.
fn shown_to_browser(fleet: &Fleet) -> Result<String> {
    let url = "https://pbx.example.com/health";
    let resolve = "--resolve pbx.example.com:443:127.0.0.1";
    let code =
        format!("curl -sS -o /dev/null -w '%{{http_code}}' --cacert {AUTHORITY} {resolve} {url}");
    let code = sh(fleet, NODE, &code)?;
    check(code.trim() == "200", format!("the browser got {code}"))?;
    let served = "openssl s_client -connect 127.0.0.1:443 -servername pbx.example.com </dev/null 2>/dev/null \
                  | openssl x509 -noout -fingerprint -sha256";
    let line = sh(fleet, NODE, served)?;
    let digits = line.trim().split_once('=').context("a fingerprint")?.1;
    Ok(digits.replace(':', "").to_lowercase())
}

fn known(fleet: &Fleet) -> Result<Value> {
    Ok(serde_json::from_str(&fleet.ctl_ok(&["tls", "show", "tenant=acme", "-o", "json"])?)?)
}

/// What is known of the certificate in use must be what the browser sees.
fn check_served(fleet: &Fleet, version: u64) -> Result<String> {
    let certificate = known(fleet)?["certificate"].clone();
    let served = shown_to_browser(fleet)?;
    let is_it = certificate["version"] == version && certificate["fingerprint"] == served.as_str();
    check(is_it, format!("{served} is served: {certificate}"))?;
    Ok(served)
}

fn from_first_to_last(fleet: &Fleet) -> Result<()> {
    let selfsigned = "{mode: selfsigned, names: [pbx.example.com, 127.0.0.1]}";
    let printed = apply(fleet, selfsigned)?;
    check(printed.contains("certificate version 1 for 127.0.0.1, pbx.example.com"), &printed)?;
    check(printed.contains("is of a new authority"), &printed)?;
    let removed = fleet.ctl(&["secret", "remove", "tenant=acme", "tls_ca_key", "--yes"])?;
    let expected = "omlctl tls renew tenant=acme --new-ca";
    check(removed.code == 2 && removed.stderr.contains(expected), format!("{removed:?}"))?;
    let authority = fleet.ctl_ok(&["tls", "show", "tenant=acme", "--ca"])?;
    fleet.host(NODE)?.push(AUTHORITY, authority.as_bytes(), 0o644)?;
    let first = check_served(fleet, 1)?;
    let before = start_times(fleet, NODE)?;

    let mut printed = fleet.ctl_ok(&["tls", "renew", "tenant=acme"])?;
    let second = check_served(fleet, 2)?;
    check(second != first, "the certificate was not renewed")?;
    let after = start_times(fleet, NODE)?;
    check(after == before, format!("a renewal restarted something: {before:?}, {after:?}"))?;
    for words in [
        &["status", "tenant=acme", "-o", "json"][..],
        &["history", "tenant=acme", "-o", "json"],
        &["explain", "tenant=acme"],
        &["secret", "list", "tenant=acme", "-o", "json"],
    ] {
        printed += &fleet.ctl_ok(words)?;
    }
    check(printed.contains("rotate-certificate"), &printed)?;
    check(!printed.contains("PRIVATE KEY"), "a key was printed")?;
    is_nowhere_else(fleet)?;
    given(fleet)
}

/// A certificate that an operator gives is refused with the wrong key, and served with the right one.
fn given(fleet: &Fleet) -> Result<()> {
    let make = "cd /run && for name in own other; do openssl req -x509 -newkey rsa:2048 -nodes -days 90 \
                -subj /CN=pbx.example.com -addext subjectAltName=DNS:pbx.example.com \
                -keyout $name.key -out $name.pem 2>/dev/null; done; mv other.key own.other; rm other.pem";
    sh(fleet, NODE, make)?;
    let file = |name: &str| -> Result<String> {
        fleet.write_spec(name, &sh(fleet, NODE, &format!("cat /run/{name}"))?)
    };
    let (certificate, key, other) = (file("own.pem")?, file("own.key")?, file("own.other")?);
    let set = |key: &str| {
        let files = ["--certificate", &certificate, "--key", key];
        fleet.ctl(&[&["tls", "set", "tenant=acme"][..], &files].concat())
    };
    let refused = set(&other)?;
    let expected = "the private key is not that of the certificate of CN=pbx.example.com";
    check(refused.code == 2 && refused.stderr.contains(expected), format!("{refused:?}"))?;
    check_served(fleet, 2)?;
    apply(fleet, "{mode: selfsigned, names: [pbx.example.com]}")?;
    let kept = set(&key)?;
    check(kept.code == 0 && kept.stderr.contains("is kept"), format!("{kept:?}"))?;
    apply(fleet, "{mode: custom, names: [pbx.example.com]}")?;
    sh(fleet, NODE, &format!("cp /run/own.pem {AUTHORITY}"))?;
    check_served(fleet, 4).map(drop)
}

/// The key is on the host in the folder of secrets, which only root enters, and nowhere else.
fn is_nowhere_else(fleet: &Fleet) -> Result<()> {
    // The keys of former certificates are removed meanwhile.
    let newest = format!("$(ls -t {FOLDER}/tls_key.* | head -n 1)");
    let key = sh(fleet, NODE, &format!("cat {newest}"))?;
    let needle = key.lines().nth(1).context("the text of the key")?;
    let search = "\
journalctl --no-pager --output=cat | grep -a -c -F -f /run/needles | sed 's/^/journal /'
cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ 2>/dev/null | tr '\\0' '\\n' | grep -a -c -F -f /run/needles | sed 's/^/processes /'
docker ps -a -q 2>/dev/null | xargs -r docker inspect | grep -a -c -F -f /run/needles | sed 's/^/inspect /'
grep -a -r -l -s -F -D skip -f /run/needles /etc /run /tmp /root /var/log /var/lib | \
  grep -v -x /run/needles | sed 's/^/file /' || true";
    for host in [NODE, CONTROLLER] {
        fleet.host(host)?.push("/run/needles", format!("{needle}\n").as_bytes(), 0o600)?;
        let found = sh(fleet, host, search)?;
        sh(fleet, host, "rm /run/needles")?;
        let kept = [FOLDER, COPIES].map(|folder| format!("file {folder}/"));
        let is_expected =
            |line: &&str| line.ends_with(" 0") || kept.iter().any(|it| line.starts_with(it));
        let unexpected: Vec<&str> = found.lines().filter(|line| !is_expected(line)).collect();
        check(unexpected.is_empty(), format!("{host}: {unexpected:#?}"))?;
        check(
            found.contains(&format!("file {FOLDER}/")) == (host == NODE),
            format!("{host}: {found}"),
        )?;
    }
    let modes = sh(fleet, NODE, &format!("stat -c '%U %a' {FOLDER} {FOLDER}/mounted {newest}"))?;
    let expected = ["root 700", "root 700", "root 600"];
    check(modes.lines().eq(expected), modes)
}
