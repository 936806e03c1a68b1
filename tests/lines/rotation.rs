//! Secrets and the certificate of a site are rotated, also while a call is up.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::Result;
use oml_lab::until;
use oml_tests::observe::status;
use oml_tests::trial::check;

use crate::life::starts;
use crate::site::Site;
use crate::{calls, promises};

/// The longest time for a rotation that has waited for a call.
const ROTATION: Duration = Duration::from_secs(300);
/// A secret of Asterisk.
const OF_ASTERISK: &str = "ami_password";

/// Rotates a secret of every kind, and the certificate.
pub(crate) fn all(site: &Site) -> Result<()> {
    with_a_call(site)?;
    promises::all(site, "next")
}

/// What is rotated while a call is up cuts it never; what Asterisk has is rotated when it has ended.
fn with_a_call(site: &Site) -> Result<()> {
    let mut call = calls::begin(site)?;
    rotate(site, site.line.secret)?;
    calls::is_heard(&mut call)?;
    rotate_login(site)?;
    renew(site)?;
    calls::is_heard(&mut call)?;
    site.ctl(0, &["secret", "rotate", "tenant=acme", OF_ASTERISK, "--generate", "--no-wait"])?;
    calls::wait_asterisk(site, "it waits for the call", |seen| {
        seen["phase"]["name"] == "draining" && seen["active"] == 1
    })?;
    calls::is_heard(&mut call)?;
    call.end()?;
    until("the rollout has ended", ROTATION, || {
        let rollout = status(&site.fleet).map_err(|error| format!("{error:#}"))?["rollout"].clone();
        if rollout["state"] == "completed" { Ok(()) } else { Err(rollout.to_string()) }
    })?;
    let seen = calls::asterisk(site)?;
    check(seen["calls_cut"] == 0 && seen["phase"]["name"] == "ready", format!("{seen}"))
}

/// Rotates a secret and checks that only a part of the site was started again.
fn rotate(site: &Site, secret: &str) -> Result<()> {
    let before = starts(site)?;
    site.ctl(0, &["secret", "rotate", "tenant=acme", secret, "--generate"])?;
    let after = starts(site)?;
    let is_new = |name: &&String| before.get(*name) != after.get(*name);
    let moved: BTreeSet<&String> = after.keys().filter(is_new).collect();
    check(!moved.is_empty() && moved.len() < after.len(), format!("{secret} moved {moved:?}"))
}

/// Gives the login to the registry another version, which replaces nothing: it is for the next pull.
fn rotate_login(site: &Site) -> Result<()> {
    let before = starts(site)?;
    site.give_login("rotate")?;
    let after = starts(site)?;
    check(before == after, format!("a login restarted something: {before:?}, {after:?}"))
}

/// Renews the certificate, which the web server takes over while it runs.
fn renew(site: &Site) -> Result<()> {
    let (before, shown) = (starts(site)?, promises::shown(site)?);
    site.ctl(0, &["tls", "renew", "tenant=acme"])?;
    let (after, now) = (starts(site)?, promises::shown(site)?);
    check(before == after, format!("a renewal restarted something: {before:?}, {after:?}"))?;
    check(shown != now, format!("the web server still shows {shown}"))
}
