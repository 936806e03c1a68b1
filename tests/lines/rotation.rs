//! Secrets and the certificate of a site are rotated, also while a call is up.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Context as _, Result};
use oml_lab::until;
use oml_tests::observe::{sh, status};
use oml_tests::trial::check;
use serde_json::Value;

use crate::life::starts;
use crate::site::Site;
use crate::{calls, promises};

/// The longest time for a rotation that has waited for a call.
const ROTATION: Duration = Duration::from_secs(300);
/// A secret of Asterisk.
const OF_ASTERISK: &str = "ami_password";
/// The password that Postgres keeps in its own data too.
const OF_DATABASE: &str = "postgres_password";

/// Rotates a secret of every kind, and the certificate.
pub(crate) fn all(site: &Site) -> Result<()> {
    with_a_call(site)?;
    database(site)?;
    promises::all(site, "next")
}

/// The database takes the new password over, and no other logs in. No call is up, because it restarts with all that
/// log in to it.
fn database(site: &Site) -> Result<()> {
    site.ctl(0, &["secret", "rotate", "tenant=acme", OF_DATABASE, "--generate"])?;
    let node = node_of(site, "postgres")?;
    let address = site.fleet.host(&node)?.address();
    let login = |password: &str| {
        let script = format!(
            "docker exec \"$(docker ps -q --filter name=postgresql-server)\" sh -c \
             'PGPASSWORD={password} $(echo /usr/lib/postgresql/*/bin)/psql -h {address} -p \"$PGPORT\" \
             -U \"$POSTGRES_USER\" -d \"$POSTGRES_DB\" -Atc \"SELECT 1\"' 2>&1 || true"
        );
        sh(&site.fleet, &node, &script)
    };
    let (right, wrong) = (login("\"$POSTGRES_PASSWORD\"")?, login("another")?);
    check(right.trim() == "1", format!("the new password: {right}"))?;
    check(wrong.contains("authentication failed"), format!("another password: {wrong}"))
}

/// Returns the node that runs a component.
fn node_of(site: &Site, component: &str) -> Result<String> {
    let status = status(&site.fleet)?;
    let nodes = status["nodes"].as_array().context("the nodes")?;
    let runs = |node: &&Value| !node["report"]["instances"][component].is_null();
    let node = nodes.iter().find(runs).with_context(|| format!("no node runs {component}"))?;
    Ok(node["node"].as_str().context("its name")?.to_owned())
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
