//! Versions and registries that are no good: the old version stays or returns.

use anyhow::Result;
use oml_tests::Fleet;

use crate::Case;
use crate::look::{starts, wait_ready};
use crate::pool::{Kind, check};

pub(crate) const CASES: &[Case] = &[
    (Kind::Acme, "asterisk_that_exits_at_once_returns_to_the_old_version", |fleet| {
        returns(fleet, ("acme-voice", "asterisk", "exits-at-once"), "this version exits at once")
    }),
    (Kind::Acme, "asterisk_that_dies_in_its_soak_returns_to_the_old_version", |fleet| {
        returns(fleet, ("acme-voice", "asterisk", "dies-in-soak"), "answers, then dies")
    }),
    (Kind::Tiny, "a_version_that_exits_at_once_returns", |fleet| {
        returns(fleet, ("tiny-one", "first", "exits-at-once"), "this version exits at once")
    }),
    (Kind::Tiny, "a_version_that_hangs_returns", |fleet| {
        returns(fleet, ("tiny-one", "first", "hangs"), "this version never answers")
    }),
    (Kind::Tiny, "a_version_that_dies_in_its_soak_returns", |fleet| {
        soak(fleet, "8s")?;
        returns(fleet, ("tiny-one", "first", "dies-in-soak"), "answers, then dies")
    }),
    (Kind::Tiny, "a_version_that_exits_after_20_seconds_returns", |fleet| {
        soak(fleet, "30s")?;
        returns(fleet, ("tiny-one", "first", "exits-after-20s"), "exits after 20 s")
    }),
    (Kind::Tiny, "a_tag_that_is_not_in_the_registry_is_refused", unknown_tag),
];

/// The change comes back by itself, with exit code 3, the program's exit code and its last words.
fn returns(
    fleet: &Fleet,
    (node, component, version): (&str, &str, &str),
    last_words: &str,
) -> Result<()> {
    let before = wait_ready(fleet, node, component)?;
    let tenant = format!("tenant={}", fleet.tenant());
    let ended = fleet.ctl(&["set-version", &tenant, &format!("{component}={version}")])?;
    let told = format!("{}{}", ended.stdout, ended.stderr);
    check(ended.code == 3, format!("exit code {}: {told}", ended.code))?;
    check(told.contains(last_words), format!("the last log lines are missing: {told}"))?;
    let after = wait_ready(fleet, node, component)?;
    check(after["version"] == before["version"], format!("{after}"))?;
    check(after["digest"] == before["digest"], format!("{after}"))
}

fn soak(fleet: &Fleet, time: &str) -> Result<()> {
    let spec = fleet.spec()?.replace("min_healthy_for: 2s", &format!("min_healthy_for: {time}"));
    let path = fleet.write_spec("soak.yaml", &spec)?;
    fleet.ctl_ok(&["apply", "-f", &path]).map(drop)
}

fn unknown_tag(fleet: &Fleet) -> Result<()> {
    let before = starts(fleet, "tiny-one")?;
    let ended = fleet.ctl(&["set-version", "tenant=tiny", "first=v99"])?;
    check(ended.code == 2, format!("{ended:?}"))?;
    check(ended.stderr.contains("v99") && ended.stderr.contains("registry"), ended.stderr)?;
    check(starts(fleet, "tiny-one")? == before, "something was started anew")
}
