//! Tests that history only grows: a rollback makes a new revision.

use anyhow::{Context as _, Result};
use oml_tests::Fleet;
use oml_tests::observe::{newest_revision, revisions, wait_ready};
use oml_tests::trial::check;

use crate::Case;
use crate::pool::Kind;

pub(crate) const CASES: &[Case] =
    &[(Kind::Tiny, "a_rollback_makes_a_new_revision_with_the_earlier_content", rollback)];

const NODE: &str = "tiny-one";
const REVISIONS_MIN: u64 = 10;

fn spec(fleet: &Fleet, revision: u64) -> Result<String> {
    fleet.ctl_ok(&["get", "spec", "tenant=tiny", &format!("revision={revision}")])
}

/// Returns the version of `first` in a revision.
fn version(fleet: &Fleet, revision: u64) -> Result<&'static str> {
    let text = spec(fleet, revision)?;
    let line = text.lines().find(|line| line.trim_start().starts_with("first:"));
    let line = line.with_context(|| format!("no component first in {text}"))?;
    Ok(if line.contains("v2") { "v2" } else { "v1" })
}

fn change(fleet: &Fleet, to: &str) -> Result<u64> {
    fleet.ctl_ok(&["set-version", "tenant=tiny", &format!("first={to}")])?;
    newest_revision(fleet)
}

fn rollback(fleet: &Fleet) -> Result<()> {
    // The test rolls back to its own revision, because a revision of another test may have a bad version.
    let earlier = change(fleet, "v2")?;
    // This adds revisions until there are ten and the newest has another version.
    while change(fleet, "v1")? < REVISIONS_MIN {
        change(fleet, "v2")?;
    }
    let before = newest_revision(fleet)?;
    check(version(fleet, earlier)? == "v2", "the earlier revision does not have version v2")?;
    check(spec(fleet, before)? != spec(fleet, earlier)?, "both revisions have the same content")?;
    let ended = fleet.ctl(&["rollback", "tenant=tiny", &format!("to={earlier}")])?;
    let is_named = ended.stderr.contains(&format!("revision {}", before + 1));
    check(ended.code == 0 && is_named, format!("{ended:?}"))?;
    check(newest_revision(fleet)? == before + 1, "the rollback did not make one new revision")?;
    check(spec(fleet, before + 1)? == spec(fleet, earlier)?, "the new revision's content differs")?;
    let all = revisions(fleet)?;
    let last = all.iter().max_by_key(|r| r["number"].as_u64()).cloned().unwrap_or_default();
    check(last["who"].as_str().is_some_and(|who| who.contains("admin")), format!("{last}"))?;
    check(last["kind"] == "rollback" && last["at_ms"].as_u64().is_some(), format!("{last}"))?;
    let seen = wait_ready(fleet, NODE, "first")?;
    check(seen["version"] == "v2", format!("{seen}"))?;
    let history = fleet.ctl_ok(&["history", "tenant=tiny"])?;
    check(history.contains("admin") && history.contains("rollback"), history)
}
