//! What an operator finds of a healthy site.

use anyhow::{Context as _, Result};
use oml_lab::Browser;
use oml_tests::edge::AGENT;
use oml_tests::lines::document::FQDN;
use oml_tests::observe::{sh, status};
use oml_tests::trial::check;

use crate::calls;
use crate::site::Site;

/// The authority of the tenant, as a browser would have it.
const AUTHORITY: &str = "/run/acme-ca.pem";
const BROWSER: Browser<'static> = Browser { name: FQDN, authority: AUTHORITY, path: "/ws" };

/// Checks that all components are healthy and of this release, and that people can work.
pub(crate) fn all(site: &Site, release: &str) -> Result<()> {
    is_healthy(site, release)?;
    login_page(site)?;
    browser(site)?;
    let mut call = calls::begin(site)?;
    calls::is_heard(&mut call)?;
    call.end()?;
    called_agent(site)
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
    site.fleet.host(site.edge())?.push(AUTHORITY, authority.as_bytes(), 0o644)?;
    let edge = calls::edge(site)?;
    if site.line.is_behind_web {
        let through_nginx = edge.log_in(443, BROWSER)?.end()?;
        check(!through_nginx.certificate.is_empty(), format!("{through_nginx:?}"))?;
    }
    let direct = edge.connect(14443, BROWSER)?.end()?;
    check(!direct.certificate.is_empty(), format!("{direct:?}"))
}

/// A carrier's call to an agent comes to the agent's browser, which is busy. Lines without a Kamailio of carriers have no
/// such call.
fn called_agent(site: &Site) -> Result<()> {
    let Some(carriers) = calls::carriers(site)? else { return Ok(()) };
    let agent = calls::edge(site)?.log_in(14443, BROWSER)?;
    let refused = carriers.call(AGENT).map(drop);
    let is_busy = refused.as_ref().is_err_and(|error| format!("{error:#}").contains("486 Busy"));
    check(is_busy, format!("the call to {AGENT}: {refused:?}"))?;
    let seen = agent.end()?;
    check(seen.calls == 1, format!("the agent: {seen:?}"))
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
