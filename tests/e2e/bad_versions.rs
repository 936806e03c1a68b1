//! Tests that a change to a version that fails is rolled back.

use anyhow::{Context as _, Result};
use oml_tests::Fleet;
use oml_tests::observe::{start_times, wait_ready};
use oml_tests::trial::check;

use crate::Case;
use crate::pool::Kind;

pub(crate) const CASES: &[Case] = &[
    (Kind::Acme, "an_asterisk_that_exits_at_once_is_rolled_back", |fleet| {
        rolls_back(fleet, &ASTERISK, &EXITS_AT_ONCE)
    }),
    (Kind::Acme, "an_asterisk_that_dies_in_its_soak_is_rolled_back", |fleet| {
        set_soak(fleet, "40s")?;
        rolls_back(fleet, &ASTERISK, &DIES_IN_SOAK)
    }),
    (Kind::Tiny, "a_version_that_exits_at_once_is_rolled_back", |fleet| {
        rolls_back(fleet, &FIRST, &EXITS_AT_ONCE)
    }),
    (Kind::Tiny, "a_version_that_hangs_is_rolled_back", |fleet| rolls_back(fleet, &FIRST, &HANGS)),
    (Kind::Tiny, "a_version_that_dies_in_its_soak_is_rolled_back", |fleet| {
        set_soak(fleet, "40s")?;
        rolls_back(fleet, &FIRST, &DIES_IN_SOAK)
    }),
    (Kind::Tiny, "a_version_that_exits_after_20_seconds_is_rolled_back", |fleet| {
        set_soak(fleet, "30s")?;
        rolls_back(fleet, &FIRST, &EXITS_AFTER_20S)
    }),
];

/// A version that fails, and what must be reported about its failure.
struct BadVersion {
    version: &'static str,
    /// The program's exit code, or `None` if the program does not end.
    exit_code: Option<u8>,
    /// A part of the last line that the program logs.
    last_line: &'static str,
    /// True if the version answers at first, so that it fails during the soak.
    dies_in_soak: bool,
}

const EXITS_AT_ONCE: BadVersion = BadVersion {
    version: "exits-at-once",
    exit_code: Some(1),
    last_line: "configuration error: this version exits at once",
    dies_in_soak: false,
};
const HANGS: BadVersion = BadVersion {
    version: "hangs",
    exit_code: None,
    last_line: "this version never answers",
    dies_in_soak: false,
};
const DIES_IN_SOAK: BadVersion = BadVersion {
    version: "dies-in-soak",
    exit_code: Some(139),
    last_line: "this version answers, then dies",
    dies_in_soak: true,
};
const EXITS_AFTER_20S: BadVersion = BadVersion {
    version: "exits-after-20s",
    exit_code: Some(3),
    last_line: "fatal: this version exits after 20 s",
    dies_in_soak: true,
};

/// The component that is changed, and where it runs.
struct Target {
    node: &'static str,
    component: &'static str,
    container: &'static str,
}

const ASTERISK: Target =
    Target { node: "acme-voice", component: "asterisk", container: "oml-asterisk-server" };
const FIRST: Target = Target { node: "tiny-one", component: "first", container: "oml-first" };

/// Checks that a change to a bad version is rolled back. `omlctl` must end with exit code 3 and print the program's
/// exit code and the last line of its log.
fn rolls_back(fleet: &Fleet, target: &Target, bad: &BadVersion) -> Result<()> {
    let Target { node, component, container } = *target;
    let before = wait_ready(fleet, node, component)?;
    let mut others = start_times(fleet, node)?;
    let ended = fleet.ctl(&[
        "set-version",
        &format!("tenant={}", fleet.tenant()),
        &format!("{component}={}", bad.version),
    ])?;
    let printed = format!("{}{}", ended.stdout, ended.stderr);
    check(ended.code == 3, format!("exit code {}: {printed}", ended.code))?;
    check(printed.contains(bad.last_line), format!("the last log line is missing: {printed}"))?;
    match bad.exit_code {
        Some(code) => check(printed.contains(&format!("exit code {code}")), &printed)?,
        None => check(printed.contains("did not answer within"), &printed)?,
    }
    check(printed.contains("during its soak") == bad.dies_in_soak, &printed)?;
    let after = wait_ready(fleet, node, component)?;
    check(after["version"] == before["version"], format!("{after}"))?;
    check(after["digest"] == before["digest"], format!("{after}"))?;
    let mut now = start_times(fleet, node)?;
    check(now.remove(container).is_some(), format!("{container} is not running"))?;
    others.remove(container);
    check(now == others, format!("another container was restarted: {others:?}, then {now:?}"))
}

fn set_soak(fleet: &Fleet, time: &str) -> Result<()> {
    let spec = fleet.spec()?;
    let (before, line) = spec.split_once("min_healthy_for: ").context("find the soak time")?;
    let after = line.split_once('\n').map_or("", |(_, after)| after);
    let spec = format!("{before}min_healthy_for: {time}\n{after}");
    let path = fleet.write_spec("soak.yaml", &spec)?;
    fleet.ctl_ok(&["apply", "-f", &path]).map(drop)
}
