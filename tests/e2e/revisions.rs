//! History goes forward only.

use anyhow::{Context as _, Result};
use oml_tests::Fleet;

use crate::Case;
use crate::look::{newest_revision, revisions, wait_ready};
use crate::pool::{Kind, check};

pub(crate) const CASES: &[Case] =
    &[(Kind::Tiny, "rollback_to_revision_3_is_a_new_revision_with_its_content", rollback)];

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

fn rollback(fleet: &Fleet) -> Result<()> {
    let mut versions = ["v2", "v1"].into_iter().cycle();
    // Until there are ten, and the newest has another version than number 3.
    loop {
        let number = newest_revision(fleet)?;
        if number >= WANTED && version(fleet, number)? != version(fleet, 3)? {
            break;
        }
        let next = versions.next().unwrap_or("v1");
        fleet.ctl_ok(&["set-version", "tenant=tiny", &format!("first={next}")])?;
    }
    let before = newest_revision(fleet)?;
    let ended = fleet.ctl(&["rollback", "tenant=tiny", "to=3"])?;
    let is_told = ended.stderr.contains(&format!("revision {}", before + 1));
    check(ended.code == 0 && is_told, format!("{ended:?}"))?;
    check(newest_revision(fleet)? == before + 1, "not one new revision")?;
    check(spec(fleet, before + 1)? == spec(fleet, 3)?, "its content is another")?;
    let all = revisions(fleet)?;
    let last = all.iter().max_by_key(|r| r["number"].as_u64()).cloned().unwrap_or_default();
    check(last["who"].as_str().is_some_and(|who| who.contains("admin")), format!("{last}"))?;
    check(last["kind"] == "rollback" && last["at_ms"].as_u64().is_some(), format!("{last}"))?;
    let seen = wait_ready(fleet, NODE, "first")?;
    check(seen["version"] == version(fleet, 3)?, format!("{seen}"))?;
    let history = fleet.ctl_ok(&["history", "tenant=tiny"])?;
    check(history.contains("admin") && history.contains("rollback"), history)
}
