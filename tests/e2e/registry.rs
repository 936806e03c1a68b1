//! Tests that the old version keeps running when the registry refuses, breaks off or cannot be reached.

use std::time::Duration;

use anyhow::Result;
use oml_lab::Fault;
use oml_tests::Fleet;
use oml_tests::observe::{InstanceWait, sh, start_times};
use oml_tests::trial::check;

use crate::Case;
use crate::pool::Kind;

pub(crate) const CASES: &[Case] = &[
    (Kind::Tiny, "a_tag_that_is_not_in_the_registry_is_refused", unknown_tag),
    (Kind::Tiny, "a_faulty_registry_never_stops_the_old_version", faulty_registry),
];

const NODE: &str = "tiny-one";
/// This limit is longer than the longest pause between two pulls.
const RETRY_LIMIT: Duration = Duration::from_secs(180);

fn unknown_tag(fleet: &Fleet) -> Result<()> {
    let before = start_times(fleet, NODE)?;
    let ended = fleet.ctl(&["set-version", "tenant=tiny", "first=v99"])?;
    check(ended.code == 2, format!("{ended:?}"))?;
    check(ended.stderr.contains("v99") && ended.stderr.contains("registry"), ended.stderr)?;
    check(start_times(fleet, NODE)? == before, "a container was restarted")
}

fn faulty_registry(fleet: &Fleet) -> Result<()> {
    let mut faulty = fleet.lab().faulty_registry()?;
    let name = fleet.lab().registry()?.faulty_name();
    let direct = fleet.lab().registry()?.name();
    let first =
        |fleet: &Fleet| Ok::<_, anyhow::Error>(start_times(fleet, NODE)?["oml-first"].clone());
    let before = first(fleet)?;
    // Unused images are removed, because an image that is present is not pulled again.
    sh(fleet, NODE, "docker container prune --force && docker image prune --all --force")?;
    // The image name contains the faulty proxy's name, so the image has to be pulled through the proxy.
    // The controller asks for a tag of its own, because it knows those that other tests used.
    fleet.lab().registry()?.retag("omnileads/small", "v2", "faulty")?;
    let spec = fleet.spec()?.replace(&direct, &name).replace("first: v1", "first: faulty");
    let path = fleet.write_spec("faulty.yaml", &spec)?;
    for fault in [Fault::Unauthorized, Fault::Refuse, Fault::ServerError] {
        faulty.set(fault)?;
        let ended = fleet.ctl(&["apply", "-f", &path])?;
        check(ended.code == 1, format!("{ended:?}"))?;
        check(ended.stderr.lines().count() <= 3, format!("more than 3 lines: {}", ended.stderr))?;
        check(first(fleet)? == before, "the old container was restarted")?;
    }
    faulty.set(Fault::CutAfter(64))?;
    fleet.ctl_ok(&["apply", "-f", &path, "--no-wait"])?;
    let mut last_reason = String::new();
    for fault in [Fault::CutAfter(64), Fault::Unauthorized, Fault::Refuse] {
        faulty.set(fault)?;
        let what = format!("the host reports the fault {fault:?}");
        let seen =
            InstanceWait::new(fleet, NODE, "first").within(RETRY_LIMIT).until(&what, |seen| {
                let reason = seen["reason"].as_str().unwrap_or_default();
                seen["phase"]["name"] == "blocked"
                    && reason.contains(&name)
                    && reason != last_reason
            })?;
        last_reason = seen["reason"].as_str().unwrap_or_default().to_owned();
        check(last_reason.lines().count() == 1, &last_reason)?;
        check(
            first(fleet)? == before,
            "the old container was stopped before the image was pulled",
        )?;
    }
    faulty.set(Fault::Pass)?;
    let what = "the pull is retried and succeeds";
    InstanceWait::new(fleet, NODE, "first")
        .within(RETRY_LIMIT)
        .until(what, |seen| seen["phase"]["name"] == "ready" && seen["version"] == "faulty")
        .map(drop)
}
