//! History goes forward only.

use anyhow::{Context as _, Result};
use oml_tests::Fleet;

use crate::Case;
use crate::look::{newest_revision, revisions, wait_ready};
use crate::pool::{Kind, check};

pub(crate) const CASES: &[Case] =
    &[(Kind::Tiny, "rollback_to_an_earlier_revision_is_a_new_one_with_its_content", rollback)];

const NODE: &str = "tiny-one";
const WANTED: u64 = 10;

fn spec(fleet: &Fleet, revision: u64) -> Result<String> {
    fleet.ctl_ok(&["get", "spec", "tenant=tiny", &format!("revision={revision}")])
}

/// The version of `first` in a revision.
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
    // One of its own: what other tests left may be a version that is no good.
    let wanted = change(fleet, "v2")?;
    // Until there are ten, and the newest has another version.
    while change(fleet, "v1")? < WANTED {
        change(fleet, "v2")?;
    }
    let before = newest_revision(fleet)?;
    check(version(fleet, wanted)? == "v2", "it has another version than was asked for")?;
    check(spec(fleet, before)? != spec(fleet, wanted)?, "there is nothing to go back from")?;
    let ended = fleet.ctl(&["rollback", "tenant=tiny", &format!("to={wanted}")])?;
    let is_told = ended.stderr.contains(&format!("revision {}", before + 1));
    check(ended.code == 0 && is_told, format!("{ended:?}"))?;
    check(newest_revision(fleet)? == before + 1, "not one new revision")?;
    check(spec(fleet, before + 1)? == spec(fleet, wanted)?, "its content is another")?;
    let all = revisions(fleet)?;
    let last = all.iter().max_by_key(|r| r["number"].as_u64()).cloned().unwrap_or_default();
    check(last["who"].as_str().is_some_and(|who| who.contains("admin")), format!("{last}"))?;
    check(last["kind"] == "rollback" && last["at_ms"].as_u64().is_some(), format!("{last}"))?;
    let seen = wait_ready(fleet, NODE, "first")?;
    check(seen["version"] == "v2", format!("{seen}"))?;
    let history = fleet.ctl_ok(&["history", "tenant=tiny"])?;
    check(history.contains("admin") && history.contains("rollback"), history)
}
