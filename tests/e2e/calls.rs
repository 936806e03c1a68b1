//! Tests of a call through Kamailio, rtpengine and Asterisk, and of browsers, on the hosts of a tenant.

use anyhow::Result;
use oml_lab::Browser;
use oml_tests::Fleet;
use oml_tests::edge::SipEdge;
use oml_tests::observe::{start_times, wait_instance};
use oml_tests::trial::check;

use crate::Case;
use crate::drain::VOICE;
use crate::pool::Kind;

pub(crate) const CASES: &[Case] = &[
    (Kind::Acme, "a_call_stays_up_while_kamailio_and_the_web_server_change", call_stays),
    (Kind::Acme, "a_browser_reaches_kamailio_with_and_without_the_web_server", browser_connects),
];

const APP: &str = "acme-app";
const KAMAILIO: &str = "oml-kamailio-server";
/// Kamailio carries no media, so its restart must not be heard. The hosts share a busy machine.
const GAP_MS_MAX: u64 = 2_000;

fn call_stays(fleet: &Fleet) -> Result<()> {
    let before = start_times(fleet, VOICE)?;
    let mut call = SipEdge::find(fleet, APP, KAMAILIO)?.call("echo")?;
    call.hear(50)?;
    wait_instance(fleet, VOICE, "asterisk", "the call is counted", |seen| seen["active"] == 1)?;
    for version in ["nginx=241009.01", "kamailio=240625.01"] {
        fleet.ctl_ok(&["set-version", "tenant=acme", version])?;
        let seen = call.hear(50)?;
        let is_whole = call.is_up()? && seen.longest_gap_ms <= GAP_MS_MAX;
        check(is_whole, format!("after {version}: {seen:?}"))?;
    }
    check(start_times(fleet, VOICE)? == before, "a component of the call was restarted")?;
    call.end()?;
    wait_instance(fleet, VOICE, "asterisk", "no call is up", |seen| seen["active"] == 0).map(drop)
}

fn browser_connects(fleet: &Fleet) -> Result<()> {
    let edge = SipEdge::find(fleet, APP, KAMAILIO)?;
    let browser = Browser { name: APP, authority: "/etc/omnileads/certs/cert.pem", path: "/ws" };
    let through_nginx = edge.log_in(443, browser)?.end()?;
    let direct = edge.connect(14443, browser)?.end()?;
    let is_same = !direct.certificate.is_empty() && direct.certificate == through_nginx.certificate;
    check(is_same, format!("{through_nginx:?} {direct:?}"))?;
    let stranger = Browser { name: "pbx.example.com", ..browser };
    let refused = edge.connect(443, stranger).err().map(|error| format!("{error:#}"));
    let is_refused = refused.as_deref().is_some_and(|why| why.contains("Hostname mismatch"));
    check(is_refused, format!("{refused:?}"))
}
