//! What an operator finds of a healthy site.

use anyhow::{Context as _, Result};
use oml_lab::Browser;
use oml_tests::observe::{sh, status};
use oml_tests::trial::check;

use crate::calls;
use crate::document::FQDN;
use crate::site::Site;

/// The authority of the tenant, as a browser would have it.
pub(crate) const AUTHORITY: &str = "/run/acme-ca.pem";

/// Checks that all components are healthy and of this release, and that people can work.
pub(crate) fn all(site: &Site, release: &str) -> Result<()> {
    is_healthy(site, release)?;
    login_page(site)?;
    if site.line.kamailio.is_some() {
        browser(site)?;
    }
    if site.line.asterisk.is_some() {
        let mut call = calls::begin(site)?;
        calls::is_heard(&mut call)?;
        call.end()?;
    }
    Ok(())
}

fn is_healthy(site: &Site, release: &str) -> Result<()> {
    let said = site.ctl(0, &["status", "tenant=acme", "--exit-code"])?;
    let status = status(&site.fleet)?;
    let mut count = 0;
    for node in status["nodes"].as_array().context("the nodes")? {
        let instances = node["report"]["instances"].as_object().context("the instances")?;
        for (name, instance) in instances {
            count += 1;
            let is_well = instance["phase"]["name"] == "ready";
            check(is_well, format!("{name} is {instance}: {said}"))?;
        }
    }
    check(count >= site.first.len(), format!("{count} components run: {said}"))?;
    let releases = site.ctl(0, &["releases", "tenant=acme"])?;
    let is_it = |line: &&str| line.starts_with(release) && line.ends_with(" has it");
    check(releases.lines().any(|line| is_it(&line)), releases)
}

/// The page at which people log in, over TLS with the authority of the tenant where the line has one.
fn login_page(site: &Site) -> Result<()> {
    let address = site.fleet.host(site.app())?.address();
    let trusted = match site.line.tls {
        true => {
            let authority = site.fleet.ctl_ok(&["tls", "show", "tenant=acme", "--ca"])?;
            site.fleet.host(site.voice())?.push(AUTHORITY, authority.as_bytes(), 0o644)?;
            format!("--cacert {AUTHORITY}")
        }
        false => "--insecure".to_owned(),
    };
    let page = format!(
        "curl -sS -m 10 -o /dev/null -w '%{{http_code}}' {trusted} \
         --resolve {FQDN}:443:{address} https://{FQDN}/accounts/login/"
    );
    let code = sh(&site.fleet, site.voice(), &page)?;
    check(code == "200", format!("the login page of {} answers {code}", site.line.application))
}

/// An agent's browser logs in over secure WebSockets, through the web server and without it, and sees a certificate of the
/// tenant. Kamailio reads another one at its next start, so after a renewal it shows the one before.
fn browser(site: &Site) -> Result<()> {
    let authority = site.fleet.ctl_ok(&["tls", "show", "tenant=acme", "--ca"])?;
    site.fleet.host(site.app())?.push(AUTHORITY, authority.as_bytes(), 0o644)?;
    let edge = calls::edge(site)?;
    let browser = Browser { name: FQDN, authority: AUTHORITY, path: "/ws" };
    let through_nginx = edge.log_in(443, browser)?.end()?;
    let direct = edge.connect(14443, browser)?.end()?;
    let shown = [&direct.certificate, &through_nginx.certificate];
    check(shown.iter().all(|it| !it.is_empty()), format!("{through_nginx:?} {direct:?}"))
}

/// The fingerprint of the certificate that the web server shows.
pub(crate) fn shown(site: &Site) -> Result<String> {
    let address = site.fleet.host(site.app())?.address();
    let shown = format!(
        "openssl s_client -connect {address}:443 -servername {FQDN} </dev/null 2>/dev/null \
         | openssl x509 -noout -fingerprint -sha256"
    );
    sh(&site.fleet, site.app(), &shown)
}
