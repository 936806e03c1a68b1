//! What happens to a site from its first change on: it is installed, upgraded, rolled back, and a migration fails.

use std::collections::BTreeMap;
use std::time::Instant;

use anyhow::{Context as _, Result};
use oml_tests::Packages;
use oml_tests::lines::document::{self, SiteVersions};
use oml_tests::lines::line::{Line, Size};
use oml_tests::observe::start_times;
use oml_tests::trial::check;

use crate::site::{BAD_MIGRATION, Site};
use crate::{promises, rotation};

/// A part of the life of a site.
type Stage = (&'static str, fn(&Site) -> Result<()>);

const FAILING: &str = "a failing migration of";
/// What happens to a site, in this order.
const STAGES: [Stage; 6] = [
    ("the installation of", install),
    ("the upgrade of", upgrade),
    (FAILING, failing_migration),
    ("the rotations of", rotation::all),
    ("the way back of", roll_back),
    ("the removal of", remove),
];
/// The longest time for a change of everything.
const LIMIT: &str = "20m";

pub(crate) fn run(packages: Packages, line: &'static Line, size: Size) -> Result<()> {
    let Some(site) = Site::prepare(packages, line, size)? else { return Ok(()) };
    for (stage, done) in STAGES {
        if stage == FAILING && !line.migrates {
            continue;
        }
        let began = Instant::now();
        done(&site).with_context(|| format!("{stage} {} on {}", line.name, size.words()))?;
        eprintln!("{stage} {} on {}: {} s", line.name, size.words(), began.elapsed().as_secs());
    }
    site.fleet.down()
}

/// Installs the site as the handbook says: a plan that names what is missing, secrets, and one command.
fn install(site: &Site) -> Result<()> {
    let path = site.document(&site.first)?;
    let refused = site.ctl(2, &["plan", "-f", &path])?;
    check(refused.contains("omlctl secret generate tenant=acme"), &refused)?;
    site.make_secrets()?;
    let planned = site.ctl(0, &["plan", "-f", &path])?;
    check(!planned.contains("nothing to do"), planned)?;
    site.ctl(0, &["apply", "-f", &path, "--timeout", LIMIT])?;
    promises::all(site, "first")
}

/// Upgrades every component in one change, in the order of the catalog.
fn upgrade(site: &Site) -> Result<()> {
    let before = starts(site)?;
    site.ctl(0, &["set-release", "tenant=acme", "next", "--yes", "--timeout", LIMIT])?;
    let after = starts(site)?;
    let is_new = |(name, start): (&String, &String)| before.get(name) != Some(start);
    let same: Vec<&String> =
        after.iter().filter(|entry| !is_new(*entry)).map(|(name, _)| name).collect();
    check(same.is_empty() && after.len() == before.len(), format!("not upgraded: {same:?}"))?;
    promises::all(site, "next")
}

/// A migration that fails stops nothing, and the change says what the migration said.
fn failing_migration(site: &Site) -> Result<()> {
    let before = starts(site)?;
    let versions = document::next(&site.first);
    let of_application = document::application(site.line, &versions)?;
    let changes: Vec<String> =
        of_application.iter().map(|name| format!("{name}={BAD_MIGRATION}")).collect();
    let mut words = vec!["set-version", "tenant=acme", "--yes", "--timeout", LIMIT];
    words.extend(changes.iter().map(String::as_str));
    let said = site.ctl(3, &words)?;
    for part in ["migration migrate of the new version failed", "the old version was not stopped"] {
        check(said.contains(part), format!("{part:?} is not in {said}"))?;
    }
    check(starts(site)? == before, format!("a container was started again: {said}"))?;
    promises::all(site, "next")
}

/// The way back to the first release.
fn roll_back(site: &Site) -> Result<()> {
    let path = site.document(&site.first)?;
    site.ctl(0, &["apply", "-f", &path, "--yes", "--timeout", LIMIT])?;
    promises::all(site, "first")
}

/// Nothing of the tenant is left but its data.
fn remove(site: &Site) -> Result<()> {
    let only = BTreeMap::from([("node-exporter".to_owned(), String::new())]);
    let path = site.document(&only)?;
    site.ctl(0, &["apply", "-f", &path, "--prune", "--yes", "--timeout", LIMIT])?;
    let left = starts(site)?;
    check(left.is_empty(), format!("containers are left: {left:?}"))
}

/// The start times of all containers of the site, by node and name.
pub(crate) fn starts(site: &Site) -> Result<SiteVersions> {
    let mut all = SiteVersions::new();
    for node in site.fleet.nodes() {
        let of_node = start_times(&site.fleet, node)?;
        all.extend(of_node.into_iter().map(|(name, start)| (format!("{node}/{name}"), start)));
    }
    Ok(all)
}
