//! A call of a site, through Kamailio, rtpengine and Asterisk.

use std::ops::RangeInclusive;

use anyhow::{Result, ensure};
use oml_lab::{Telephone, until};
use oml_tests::edge::{CarrierEdge, SipEdge};
use oml_tests::lines::line::Caller;
use oml_tests::observe::{SOON, instance, wait_instance};
use oml_tests::trial::check;
use serde_json::Value;

use crate::site::Site;

/// The longest silence of a call of which nothing on its way is restarted. The hosts share a busy machine.
const GAP_MS_MAX: u64 = 2_000;
/// The ports of rtpengine.
const MEDIA_PORTS: RangeInclusive<u16> = 20_000..=30_000;

/// Finds the edge of the site.
pub(crate) fn edge(site: &Site) -> Result<SipEdge<'_>> {
    SipEdge::find(&site.fleet, site.edge(), site.line.kamailio)
}

/// Finds the Kamailio of carriers, of a line that has one.
pub(crate) fn carriers(site: &Site) -> Result<Option<CarrierEdge<'_>>> {
    match site.line.caller {
        Caller::Agent => Ok(None),
        Caller::Carrier(container) => {
            CarrierEdge::find(&site.fleet, site.edge(), container).map(Some)
        }
    }
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
    let call = match carriers(site)? {
        None => edge(site)?.call("echo")?,
        Some(carriers) => taken_call(&carriers)?,
    };
    wait_asterisk(site, "the call is counted", |seen| seen["active"] == 1)?;
    call.hear(1)?;
    Ok(call)
}

/// Waits until a carrier's call is taken: its Kamailio asks Asterisk only every 20 s whether it answers, and gives it no
/// calls after it did not.
fn taken_call<'a>(carriers: &CarrierEdge<'a>) -> Result<Telephone<'a>> {
    let call = until("a call of a carrier is taken", SOON, || {
        carriers.call("echo").map_err(|error| format!("{error:#}"))
    })?;
    let media = call.seen()?.media;
    let port = media.rsplit(':').next().and_then(|port| port.parse::<u16>().ok());
    ensure!(port.is_some_and(|port| MEDIA_PORTS.contains(&port)), "its media are at {media}");
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
    wait_instance(&site.fleet, site.voice(), site.line.asterisk, what, holds)
}

/// Returns what Asterisk's host reports of it.
pub(crate) fn asterisk(site: &Site) -> Result<Value> {
    instance(&site.fleet, site.voice(), site.line.asterisk)
}
