//! Versions that are no good: the old version returns.

use anyhow::{Context as _, Result};
use oml_tests::Fleet;

use crate::Case;
use crate::look::{starts, wait_ready};
use crate::pool::{Kind, check};

pub(crate) const CASES: &[Case] = &[
    (Kind::Acme, "asterisk_that_exits_at_once_returns_to_the_old_version", |fleet| {
        returns(fleet, &ASTERISK, &EXITS_AT_ONCE)
    }),
    (Kind::Acme, "asterisk_that_dies_in_its_soak_returns_to_the_old_version", |fleet| {
        soak(fleet, "40s")?;
        returns(fleet, &ASTERISK, &DIES_IN_SOAK)
    }),
    (Kind::Tiny, "a_version_that_exits_at_once_returns", |fleet| {
        returns(fleet, &FIRST, &EXITS_AT_ONCE)
    }),
    (Kind::Tiny, "a_version_that_hangs_returns", |fleet| returns(fleet, &FIRST, &HANGS)),
    (Kind::Tiny, "a_version_that_dies_in_its_soak_returns", |fleet| {
        soak(fleet, "40s")?;
        returns(fleet, &FIRST, &DIES_IN_SOAK)
    }),
    (Kind::Tiny, "a_version_that_exits_after_20_seconds_returns", |fleet| {
        soak(fleet, "30s")?;
        returns(fleet, &FIRST, &EXITS_AFTER_20S)
    }),
];

/// A version, and what has to be told of its end.
struct Bad {
    version: &'static str,
    /// None where it has no end of its own.
    exit_code: Option<u8>,
    exit_report: &'static str,
    /// It answers first, so that its end is one of the soak.
    dies_in_soak: bool,
}

const EXITS_AT_ONCE: Bad = Bad {
    version: "exits-at-once",
    exit_code: Some(1),
    exit_report: "configuration error: this version exits at once",
    dies_in_soak: false,
};
const HANGS: Bad = Bad {
    version: "hangs",
    exit_code: None,
    exit_report: "this version never answers",
    dies_in_soak: false,
};
const DIES_IN_SOAK: Bad = Bad {
    version: "dies-in-soak",
    exit_code: Some(139),
    exit_report: "this version answers, then dies",
    dies_in_soak: true,
};
const EXITS_AFTER_20S: Bad = Bad {
    version: "exits-after-20s",
    exit_code: Some(3),
    exit_report: "fatal: this version exits after 20 s",
    dies_in_soak: true,
};

/// What is changed, and where.
struct Target {
    node: &'static str,
    component: &'static str,
    container: &'static str,
}

const ASTERISK: Target =
    Target { node: "acme-voice", component: "asterisk", container: "oml-asterisk-server" };
const FIRST: Target = Target { node: "tiny-one", component: "first", container: "oml-first" };

/// The change comes back by itself: exit code 3, the program's own exit code and its last words.
fn returns(fleet: &Fleet, target: &Target, bad: &Bad) -> Result<()> {
    let Target { node, component, container } = *target;
    let before = wait_ready(fleet, node, component)?;
    let mut others = starts(fleet, node)?;
    let ended = fleet.ctl(&[
        "set-version",
        &format!("tenant={}", fleet.tenant()),
        &format!("{component}={}", bad.version),
    ])?;
    let told = format!("{}{}", ended.stdout, ended.stderr);
    check(ended.code == 3, format!("exit code {}: {told}", ended.code))?;
    check(told.contains(bad.exit_report), format!("its last words are missing: {told}"))?;
    match bad.exit_code {
        Some(code) => check(told.contains(&format!("exit code {code}")), &told)?,
        None => check(told.contains("did not answer within"), &told)?,
    }
    check(told.contains("while it had to stay healthy") == bad.dies_in_soak, &told)?;
    let after = wait_ready(fleet, node, component)?;
    check(after["version"] == before["version"], format!("{after}"))?;
    check(after["digest"] == before["digest"], format!("{after}"))?;
    let mut now = starts(fleet, node)?;
    check(now.remove(container).is_some(), format!("{container} does not run"))?;
    others.remove(container);
    check(now == others, format!("something else was started: {others:?}, then {now:?}"))
}

fn soak(fleet: &Fleet, time: &str) -> Result<()> {
    let spec = fleet.spec()?;
    let (before, line) = spec.split_once("min_healthy_for: ").context("a soak to change")?;
    let after = line.split_once('\n').map_or("", |(_, after)| after);
    let spec = format!("{before}min_healthy_for: {time}\n{after}");
    let path = fleet.write_spec("soak.yaml", &spec)?;
    fleet.ctl_ok(&["apply", "-f", &path]).map(drop)
}
