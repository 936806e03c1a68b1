//! What the releases of a catalog say about changes.

use super::*;
use crate::document::catalog::Catalog;

mod forward;
mod uncertain;

const CATALOG: &str = "\
catalog: test
registry: docker.io/test
components:
  web: {roles: [app], unit: web.service, container: web, image: web, probe: {check: unit-active}}
  cron: {roles: [app], unit: cron.service, container: cron, image: web, probe: {check: unit-active}}
  voice: {roles: [app], unit: voice.service, container: voice, image: v, probe: {check: unit-active}}
  db: {roles: [data], unit: db.service, container: db, image: db, probe: {check: unit-active}}
";
const RELEASES: &str = "\
catalog: test
releases:
  2.9: {web: 20260101-a, cron: 20260101-a, voice: '9', db: 14.9-bullseye}
  2.10: {web: 20260824-b, cron: 20260824-b, voice: '10', db: 14.9-bullseye}
together:
  - {components: [web, cron], because: they share one database}
apart:
  - {components: {voice: {from: '11'}, web: {before: '20260824'}}, because: it asks for a new page}
one_way:
  - {component: web, from: '20260824', because: it migrates the database, loses: what came after the backup}
  - {component: db, from: '15', because: 15 has another format, loses: all data, reads_earlier: false}
  - {component: db, from: '16', because: 16 has another format, loses: all data, reads_earlier: false}
";

fn releases() -> Releases {
    Releases::parse(RELEASES, &catalog()).unwrap()
}

fn versions(text: &str) -> Versions {
    let pair = |pair: &str| {
        let (name, version) = pair.split_once('=').unwrap();
        (name.parse().unwrap(), Used { own: None, version: version.parse().unwrap() })
    };
    text.split(' ').map(pair).collect()
}

fn catalog() -> Catalog {
    Catalog::parse(CATALOG).unwrap()
}

/// The versions of a specification with these components.
fn versions_in_text(components: &str) -> Versions {
    versions_of(&spec(components), &catalog())
}

fn spec(components: &str) -> TenantSpec {
    let text = format!("tenant: acme\ncatalog: test\ncomponents: {{{components}}}\n");
    TenantSpec::parse(&text).unwrap()
}

const OLD: &str = "web=20260101-a cron=20260101-a voice=9 db=14.9-bullseye";
const NEW: &str = "web=20260824-b cron=20260824-b voice=10 db=14.9-bullseye";

/// What is said about a change, line by line: the release, warnings, and refusals after `!`.
fn said(before: &[&str], after: &str) -> Vec<String> {
    let before: Vec<Versions> = before.iter().map(|text| versions(text)).collect();
    let decision = decide(&releases(), None, &before, &versions(after));
    let release = decision.release.iter().map(ToString::to_string);
    let warnings = decision.warnings.iter().map(ToString::to_string);
    let refusals = decision.refusals.iter().map(|it| format!("! {it}"));
    release.chain(warnings).chain(refusals).collect()
}

#[test]
fn a_change_inside_a_release_is_that_release_and_says_nothing_else() {
    assert_eq!(said(&[OLD], OLD), ["2.9"]);
    assert_eq!(said(&[], NEW), ["2.10"]);
}

#[test]
fn a_release_says_nothing_about_components_that_a_tenant_or_it_does_not_have() {
    assert_eq!(said(&[], "voice=9"), ["2.9"]);
    assert_eq!(said(&[], "voice=10 other=7"), ["2.10"]);
    assert_eq!(said(&[], "other=7"), Vec::<String>::new());
}

#[test]
fn the_later_of_two_releases_with_the_same_versions_is_found() {
    assert_eq!(said(&[], "db=14.9-bullseye"), ["2.10"]);
}

#[test]
fn a_digest_behind_a_tag_does_not_make_it_another_version() {
    let pinned = format!("voice=9@sha256:{}", "0".repeat(64));
    assert_eq!(said(&[], &pinned), ["2.9"]);
}

#[test]
fn versions_outside_of_a_release_are_warned_about_with_the_nearest_release() {
    assert_eq!(
        said(&[NEW], &NEW.replace("voice=10", "voice=10.1")),
        [
            "these versions were not published together; the nearest release is 2.10, with voice 10 (not 10.1)"
        ]
    );
    let far = "web=1 cron=1 voice=1 db=13";
    assert_eq!(
        said(&[far], &far.replace("voice=1", "voice=2"))[0],
        "these versions were not published together; the nearest release is 2.10, with cron \
         20260824-b (not 1), db 14.9-bullseye (not 13), voice 10 (not 2), 1 more"
    );
}

#[test]
fn a_change_that_changes_no_version_is_not_warned_about() {
    let own = NEW.replace("voice=10", "voice=10.1");
    assert_eq!(said(&[&own], &own), Vec::<String>::new());
}

#[test]
fn a_step_without_a_way_back_is_said_before_it_is_made() {
    assert_eq!(
        said(&[OLD], NEW),
        [
            "2.10",
            "web 20260101-a -> 20260824-b has no way back, not even when its rollout fails: it \
             migrates the database; a way back would lose what came after the backup",
        ]
    );
}

#[test]
fn a_way_back_over_such_a_step_is_refused_with_what_it_would_lose() {
    assert_eq!(
        said(&[NEW], OLD),
        [
            "2.9",
            "! web 20260824-b -> 20260101-a leads back over a step that only leads forward: it \
             migrates the database; it would lose what came after the backup",
        ]
    );
}

#[test]
fn what_a_failed_rollout_has_tried_counts_as_well() {
    let refused = said(&[OLD, NEW], OLD);
    assert_eq!(refused.len(), 2, "{refused:?}");
    assert!(refused[1].starts_with("! web 20260824-b -> 20260101-a leads back"), "{refused:?}");
}

#[test]
fn formats_that_do_not_read_each_other_are_refused_both_ways_and_once() {
    let later = NEW.replace("db=14.9-bullseye", "db=18-trixie");
    let forward = said(&[NEW], &later);
    assert_eq!(
        forward[1..],
        ["! db 14.9-bullseye -> 18-trixie cannot read what is there: 16 has another format"]
    );
    let back = said(&[&later], NEW);
    assert_eq!(
        back[1..],
        ["! db 18-trixie -> 14.9-bullseye leads back over a step that only leads forward: 16 has \
          another format; it would lose all data"]
    );
}

#[test]
fn a_component_whose_version_has_no_place_in_the_order_is_not_refused() {
    let latest = NEW.replace("20260824-b", "latest");
    let decision = said(&[NEW], &latest);
    assert!(decision.iter().all(|line| !line.starts_with('!')), "{decision:?}");
}

#[test]
fn components_that_belong_together_must_have_one_version() {
    let split = NEW.replace("cron=20260824-b", "cron=20260101-a");
    assert_eq!(
        said(&[OLD], &split)[2..],
        ["! web 20260824-b must have the same version as cron 20260101-a: they share one database"]
    );
    assert_eq!(
        said(&[], "web=1"),
        [
            "these versions were not published together; the nearest release is 2.10, with web 20260824-b (not 1)"
        ]
    );
}

#[test]
fn versions_that_do_not_go_together_are_refused_with_the_reason() {
    let apart = OLD.replace("voice=9", "voice=11");
    assert_eq!(
        said(&[OLD], &apart)[1..],
        ["! voice 11 and web 20260101-a do not go together: it asks for a new page"]
    );
    assert_eq!(said(&[NEW], &NEW.replace("voice=10", "voice=11")).len(), 1);
}

#[test]
fn a_pair_that_runs_already_is_not_the_fault_of_a_change() {
    let apart = OLD.replace("voice=9", "voice=11");
    let other = apart.replace("db=14.9-bullseye", "db=14.10");
    let decision = said(&[&apart], &other);
    assert!(decision.iter().all(|line| !line.starts_with('!')), "{decision:?}");
    // Neither does it hide another one.
    let rule = "[web, cron]";
    assert!(RELEASES.contains(rule));
    let releases = RELEASES.replace(rule, "[db, voice, web]");
    let releases = Releases::parse(&releases, &catalog()).unwrap();
    let before = versions("db=1 voice=2 web=1");
    let refused = |after: &str| {
        let decision = decide(&releases, None, std::slice::from_ref(&before), &versions(after));
        decision.refusals.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(refused("db=1 voice=2 web=1"), Vec::<String>::new());
    let because = "must have the same version as db 1: they share one database";
    assert_eq!(refused("db=1 voice=2 web=3"), [format!("web 3 {because}")]);
    assert_eq!(
        refused("db=1 voice=3 web=3"),
        [format!("voice 3 {because}"), format!("web 3 {because}")]
    );
}

#[test]
fn a_version_that_is_only_a_digest_is_neither_the_same_as_a_tag_nor_another() {
    let digest = |digit: &str| format!("sha256:{}", digit.repeat(64));
    let pinned = NEW.replace("cron=20260824-b", &format!("cron={}", digest("0")));
    assert_eq!(said(&[NEW], &pinned), ["2.10"]);
    assert_eq!(said(&[], &format!("web={}", digest("0"))), Vec::<String>::new());
    let known = releases();
    let offers: Vec<_> = offered(&known, &versions(&pinned)).map(|(_, it)| it.different).collect();
    let different: Vec<&str> = offers[1].iter().map(AsRef::as_ref).collect();
    assert_eq!(different, ["cron"]);
    // Two digests are compared.
    let both = format!("web={} cron={}", digest("0"), digest("1"));
    assert_eq!(said(&[], &both).len(), 1);
    // What cannot be compared hides nothing.
    let releases = RELEASES.replace("[web, cron]", "[db, voice, web]");
    let releases = Releases::parse(&releases, &catalog()).unwrap();
    let mixed = versions(&format!("db={} voice=1 web=2", digest("0")));
    assert_eq!(decide(&releases, None, &[], &mixed).refusals.len(), 1);
}

#[test]
fn a_forced_change_says_what_it_was_forced_over() {
    let decision = decide(&releases(), None, &[versions(NEW)], &versions(OLD)).forced();
    assert!(decision.refusals.is_empty());
    let said = decision.warnings[0].to_string();
    assert!(said.starts_with("forced: web 20260824-b -> 20260101-a leads back"), "{said}");
}

#[test]
fn a_refusal_is_a_problem_at_the_place_of_its_component() {
    let spec = "tenant: acme\ncatalog: test\ncomponents:\n  web: 20260101-a\n  cron: 20260101-a\n";
    let spec = TenantSpec::parse(spec).unwrap();
    let decision = decide(&releases(), None, &[versions(NEW)], &versions_of(&spec, &catalog()));
    let problems: Vec<String> = decision.problems(&spec).iter().map(ToString::to_string).collect();
    assert_eq!(problems.len(), 1);
    assert!(problems[0].starts_with("line 4: components.web: web 20260824-b"), "{problems:?}");
    assert!(problems[0].contains("--force REASON"), "{problems:?}");
}

#[test]
fn a_release_gives_its_versions_for_the_components_of_a_tenant() {
    let spec = spec("voice: '1', db: '1', other: '1'");
    let given =
        |release: &str| versions_in(&releases(), &release.parse().unwrap(), &spec, &catalog());
    let found = given("2.10").unwrap();
    let lines: Vec<String> =
        found.versions.iter().map(|(name, version)| format!("{name}={version}")).collect();
    assert_eq!((lines.join(" ").as_str(), found.own.len()), ("db=14.9-bullseye voice=10", 0));
    assert_eq!(given("3"), None);
}

#[test]
fn a_component_with_its_own_image_is_left_out_of_a_release() {
    let own = "voice: {image: 'ghcr.io/ours/v:3'}, web: '20260824-b', cron: '20260824-b'";
    let found = versions_in(&releases(), &"2.10".parse().unwrap(), &spec(own), &catalog()).unwrap();
    let names: Vec<&str> = found.versions.keys().map(AsRef::as_ref).collect();
    assert_eq!((names, found.own), (vec!["cron", "web"], vec!["voice".parse().unwrap()]));
    // It is no reason why the others are not a release, and none that they do not go together.
    let decision = |before: &str, after: &str| {
        decide(&releases(), None, &[versions_in_text(before)], &versions_in_text(after))
    };
    let said = decision("voice: '9'", own);
    assert_eq!((said.release, said.warnings.len()), (Some("2.10".parse().unwrap()), 0));
    let apart = "voice: {image: 'ghcr.io/ours/v:11'}, web: '20260101-a', cron: '20260101-a'";
    assert!(decision("voice: '9'", apart).refusals.is_empty());
    let together = "web: {image: 'ghcr.io/ours/web:20260101-z'}, cron: '20260824-b'";
    assert!(decision("voice: '9'", together).refusals.is_empty());
    // Its version says nothing about those of the catalog's image, and is compared with itself.
    let web = |version: &str| format!("web: {{image: 'ghcr.io/ours/web', version: '{version}'}}");
    assert!(decision(&web("20260824-b"), "web: '20260101-a'").refusals.is_empty());
    assert!(decision("web: '20260824-b'", &web("20260101-a")).refusals.is_empty());
    assert_eq!(decision(&web("20260824-b"), &web("20260101-a")).refusals.len(), 1);
}

#[test]
fn a_step_counts_over_a_change_of_the_catalog_as_far_as_a_component_is_the_same() {
    let other = Catalog::parse(&CATALOG.replace("catalog: test", "catalog: old")).unwrap();
    let none = Releases::default();
    let old =
        |releases| OtherCatalog { name: "old".parse().unwrap(), releases, differing: Vec::new() };
    let (before, after) = (versions(NEW), versions(OLD));
    let carried = carried_over(&before, &other, &catalog());
    assert_eq!(carried, CarriedOver { versions: before.clone(), differing: Vec::new() });
    // The marks of either catalog count, and those of both count once.
    let known = releases();
    for (here, there) in [(&known, &none), (&none, &known), (&known, &known)] {
        let decision =
            decide(here, Some(&old(Some(there))), std::slice::from_ref(&carried.versions), &after);
        assert_eq!(decision.refusals.len(), 1, "{decision:?}");
        assert!(decision.refusals[0].to_string().starts_with("web 20260824-b -> 20260101-a leads"));
    }
    let decision = decide(&none, Some(&old(None)), &[], &after);
    let expected = "catalog old, which this change leaves, cannot be used, so it is not known \
                    whether there is a way back from its versions";
    assert_eq!(decision.warnings.iter().map(ToString::to_string).collect::<Vec<_>>(), [expected]);
}

#[test]
fn a_component_that_is_another_one_in_the_other_catalog_is_warned_about() {
    for (was, is) in [
        ("web.service, container: web, image: web", "web.service, container: web, image: site"),
        ("web.service, container: web, image: web", "web.service, container: site, image: web"),
        ("web.service, container: web, image: web", "site.service, container: web, image: web"),
    ] {
        let other = Catalog::parse(&CATALOG.replace(was, is)).unwrap();
        let carried = carried_over(&versions(NEW), &other, &catalog());
        let name = "old".parse().unwrap();
        let known = releases();
        let other =
            OtherCatalog { name, releases: Some(&known), differing: carried.differing.clone() };
        let decision = decide(&known, Some(&other), &[carried.versions], &versions(OLD));
        assert!(decision.refusals.is_empty(), "{is}: {decision:?}");
        let warnings: Vec<String> = decision.warnings.iter().map(ToString::to_string).collect();
        assert_eq!(
            warnings,
            [
                "web had another unit, container or image in catalog old, so it is not known whether \
              this version reads what that one has written"
            ],
            "{is}"
        );
    }
}

#[test]
fn an_image_of_the_catalog_that_is_written_out_is_no_image_of_its_own() {
    let written = "web: {image: 'docker.io/test/web:20260824-b'}";
    assert_eq!(versions_in_text(written), versions("web=20260824-b"));
    let mirrored = "tenant: acme\ncatalog: test\nregistry: ghcr.io/mirror\ncomponents:\n  \
                    web: {image: 'ghcr.io/mirror/web:1'}\n  voice: '9'\n";
    let mirrored = TenantSpec::parse(mirrored).unwrap();
    assert_eq!(versions_of(&mirrored, &catalog()), versions("web=1 voice=9"));
}

#[test]
fn a_component_whose_condition_does_not_hold_has_no_version() {
    let text = CATALOG
        .replace("components:", "settings: {db_host: {type: host, default: \"\"}}\ncomponents:");
    let text = text.replace("  db: {", "  db: {when: {db_host: \"\"}, ");
    let catalog = Catalog::parse(&text).unwrap();
    let spec = |settings: &str| {
        let components = "components: {web: '1', db: 14.9-bullseye}";
        let text = format!("tenant: acme\ncatalog: test\n{settings}{components}\n");
        TenantSpec::parse(&text).unwrap()
    };
    assert_eq!(versions_of(&spec(""), &catalog), versions("web=1 db=14.9-bullseye"));
    let outside = spec("settings: {db_host: db.example}\n");
    assert_eq!(versions_of(&outside, &catalog), versions("web=1"));
}
