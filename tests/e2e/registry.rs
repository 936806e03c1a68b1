//! Registries that refuse, break off or are away: the old version stays.

use std::time::Duration;

use anyhow::Result;
use oml_lab::Fault;
use oml_tests::Fleet;

use crate::Case;
use crate::look::{sh, starts, wait_instance_within};
use crate::pool::{Kind, check};

pub(crate) const CASES: &[Case] = &[
    (Kind::Tiny, "a_tag_that_is_not_in_the_registry_is_refused", unknown_tag),
    (Kind::Tiny, "a_registry_that_is_no_good_never_stops_the_old_version", faulty_registry),
];

const NODE: &str = "tiny-one";
/// Beyond the longest pause between two pulls.
const RETRY_LIMIT: Duration = Duration::from_secs(180);

fn unknown_tag(fleet: &Fleet) -> Result<()> {
    let before = starts(fleet, NODE)?;
    let ended = fleet.ctl(&["set-version", "tenant=tiny", "first=v99"])?;
    check(ended.code == 2, format!("{ended:?}"))?;
    check(ended.stderr.contains("v99") && ended.stderr.contains("registry"), ended.stderr)?;
    check(starts(fleet, NODE)? == before, "something was started anew")
}

fn faulty_registry(fleet: &Fleet) -> Result<()> {
    let mut faulty = fleet.lab().faulty_registry()?;
    let name = fleet.lab().registry()?.faulty_name();
    let honest = fleet.lab().registry()?.name();
    let first = |fleet: &Fleet| Ok::<_, anyhow::Error>(starts(fleet, NODE)?["oml-first"].clone());
    let before = first(fleet)?;
    // What an earlier test fetched would not be fetched again.
    sh(fleet, NODE, "docker container prune --force && docker image prune --all --force")?;
    // Another repository name is another image, so it has to be fetched through the faulty way.
    let spec = fleet.spec()?.replace(&honest, &name).replace("first: v1", "first: v2");
    let path = fleet.write_spec("faulty.yaml", &spec)?;
    for fault in [Fault::Unauthorized, Fault::Refuse, Fault::ServerError] {
        faulty.set(fault)?;
        let ended = fleet.ctl(&["apply", "-f", &path])?;
        check(ended.code == 1, format!("{ended:?}"))?;
        check(ended.stderr.lines().count() <= 3, format!("one sentence: {}", ended.stderr))?;
        check(first(fleet)? == before, "the old container was touched")?;
    }
    faulty.set(Fault::CutAfter(64))?;
    fleet.ctl_ok(&["apply", "-f", &path, "--no-wait"])?;
    let mut told = String::new();
    for fault in [Fault::CutAfter(64), Fault::Unauthorized, Fault::Refuse] {
        faulty.set(fault)?;
        let what = format!("the host tells of {fault:?}");
        let seen = wait_instance_within(fleet, (NODE, "first"), &what, RETRY_LIMIT, |seen| {
            let reason = seen["reason"].as_str().unwrap_or_default();
            seen["phase"]["name"] == "blocked" && reason.contains(&name) && reason != told
        })?;
        told = seen["reason"].as_str().unwrap_or_default().to_owned();
        check(told.lines().count() == 1, &told)?;
        check(first(fleet)? == before, "the old container was stopped before the image was there")?;
    }
    faulty.set(Fault::Pass)?;
    let what = "the pull is tried again";
    wait_instance_within(fleet, (NODE, "first"), what, RETRY_LIMIT, |seen| {
        seen["phase"]["name"] == "ready" && seen["version"] == "v2"
    })
    .map(drop)
}
