//! A call of a site, through Kamailio, rtpengine and Asterisk.

use anyhow::{Context as _, Result};
use oml_lab::Telephone;
use oml_tests::edge::SipEdge;
use oml_tests::observe::{instance, wait_instance};
use oml_tests::trial::check;
use serde_json::Value;

use crate::site::Site;

/// The longest silence of a call of which nothing on its way is restarted. The hosts share a busy machine.
const GAP_MS_MAX: u64 = 2_000;

/// Finds the edge of the site.
pub(crate) fn edge(site: &Site) -> Result<SipEdge<'_>> {
    let container = site.line.kamailio.context("the line has a Kamailio")?;
    SipEdge::find(&site.fleet, site.app(), container)
}

/// Begins a call and waits until it is counted and heard. As a person would, it calls again if it hears nothing: what is
/// promised is about calls that are up, and a call was once silent from its beginning.
pub(crate) fn begin(site: &Site) -> Result<Telephone<'_>> {
    begin_one(site).or_else(|error| {
        eprintln!("a call on {} has failed, and is tried once more: {error:#}", site.voice());
        wait_asterisk(site, "no call is up", |seen| seen["active"] == 0)?;
        begin_one(site)
    })
}

fn begin_one(site: &Site) -> Result<Telephone<'_>> {
    let call = edge(site)?.call("echo")?;
    wait_asterisk(site, "the call is counted", |seen| seen["active"] == 1)?;
    call.hear(1)?;
    Ok(call)
}

/// Checks that a call is up and its sound was never away for long.
pub(crate) fn is_heard(call: &mut Telephone<'_>) -> Result<()> {
    let seen = call.hear(50)?;
    let is_whole = call.is_up()? && seen.longest_gap_ms <= GAP_MS_MAX;
    check(is_whole, format!("the call: {seen:?}"))
}

/// Waits until a condition holds for what Asterisk's host reports of it.
pub(crate) fn wait_asterisk(
    site: &Site,
    what: &str,
    holds: impl Fn(&Value) -> bool,
) -> Result<Value> {
    wait_instance(&site.fleet, site.voice(), name(site)?, what, holds)
}

/// Returns what Asterisk's host reports of it.
pub(crate) fn asterisk(site: &Site) -> Result<Value> {
    instance(&site.fleet, site.voice(), name(site)?)
}

fn name(site: &Site) -> Result<&'static str> {
    site.line.asterisk.context("the line has calls")
}
