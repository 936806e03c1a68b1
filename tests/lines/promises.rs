//! What an operator finds of a healthy site.

use anyhow::{Context as _, Result};
use oml_lab::{Browser, Telephone};
use oml_tests::edge::SipEdge;
use oml_tests::observe::{sh, status, wait_instance};
use oml_tests::trial::check;

use crate::document::FQDN;
use crate::site::Site;

/// The authority of the tenant, as a browser would have it.
const AUTHORITY: &str = "/run/acme-ca.pem";

/// Checks that all components are healthy and of this release, and that people can work.
pub(crate) fn all(site: &Site, release: &str) -> Result<()> {
    is_healthy(site, release)?;
    login_page(site)?;
    browser_connects(site)?;
    match call(site)? {
        Some(call) => call.end().map(drop).context("end the call"),
        None => Ok(()),
    }
}

/// Calls a number that sends back what it hears, and waits until it is heard and counted. It is none if the lab has no
/// images of the line that carry calls.
pub(crate) fn call(site: &Site) -> Result<Option<Telephone<'_>>> {
    let (Some(container), Some(calls)) = (site.line.kamailio, &site.line.calls) else {
        return Ok(None);
    };
    let call = SipEdge::find(&site.fleet, site.app(), container)?.call("echo")?;
    call.hear(50)?;
    let is_counted = |seen: &serde_json::Value| seen["active"] == 1;
    wait_instance(&site.fleet, site.voice(), calls.asterisk, "the call is counted", is_counted)?;
    Ok(Some(call))
}

/// A browser opens its WebSocket to Kamailio, through the web server and without it.
fn browser_connects(site: &Site) -> Result<()> {
    let Some(container) = site.line.kamailio else { return Ok(()) };
    let authority = site.fleet.ctl_ok(&["tls", "show", "tenant=acme", "--ca"])?;
    site.fleet.host(site.app())?.push(AUTHORITY, authority.as_bytes(), 0o644)?;
    let edge = SipEdge::find(&site.fleet, site.app(), container)?;
    for port in [443, 14443] {
        let browser = Browser { name: FQDN, authority: AUTHORITY, path: "/ws" };
        let connected = edge.connect(port, browser).and_then(|it| Ok(it.end()?));
        connected.with_context(|| format!("connect as a browser to port {port}"))?;
    }
    Ok(())
}

fn is_healthy(site: &Site, release: &str) -> Result<()> {
    let said = site.ctl(0, &["status", "tenant=acme"])?;
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
    let is_it = |line: &&str| line.contains(release) && line.contains('*');
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
