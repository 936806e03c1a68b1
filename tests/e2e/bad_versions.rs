//! Versions and registries that are no good: the old version stays or returns.

use anyhow::Result;
use oml_lab::Fault;
use oml_tests::Fleet;

use crate::Case;
use crate::look::{sh, starts, wait_instance, wait_ready};
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
    (Kind::Tiny, "a_registry_that_is_no_good_never_stops_the_old_version", faulty_registry),
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

fn faulty_registry(fleet: &Fleet) -> Result<()> {
    let mut faulty = fleet.lab().faulty_registry()?;
    let name = fleet.lab().registry()?.faulty_name();
    let honest = fleet.lab().registry()?.name();
    let first =
        |fleet: &Fleet| Ok::<_, anyhow::Error>(starts(fleet, "tiny-one")?["oml-first"].clone());
    let before = first(fleet)?;
    // What an earlier test fetched would not be fetched again.
    sh(fleet, "tiny-one", "docker image prune --all --force")?;
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
    wait_instance(fleet, ("tiny-one", "first"), "the broken pull is told", |seen| {
        seen["phase"]["name"] == "blocked" && seen["reason"].as_str().is_some_and(|r| !r.is_empty())
    })?;
    check(first(fleet)? == before, "the old container was stopped before the image was there")?;
    faulty.set(Fault::Pass)?;
    wait_instance(fleet, ("tiny-one", "first"), "the pull is tried again", |seen| {
        seen["phase"]["name"] == "ready" && seen["version"] == "v2"
    })
    .map(drop)
}
