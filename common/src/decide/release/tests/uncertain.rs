//! Steps of which nobody knows whether they have a way back.

use super::*;

/// What is said about a step that may have no way back, and whether that is asked and pauses.
fn uncertain(before: &[Versions], after: &Versions) -> Vec<String> {
    let decision = decide(&releases(), None, before, after);
    let found =
        decision.warnings.iter().filter(|it| matches!(it, VersionWarning::Uncertain { .. }));
    let found: Vec<String> = found.map(ToString::to_string).collect();
    assert_eq!(decision.one_way().is_some(), !found.is_empty(), "{decision:?}");
    assert_eq!(decision.may_cross(), !found.is_empty(), "{decision:?}");
    assert!(!decision.crosses() && decision.refusals.is_empty(), "{decision:?}");
    found
}

fn digest(digit: &str) -> String {
    format!("sha256:{}", digit.repeat(64))
}

#[test]
fn a_version_without_a_place_in_the_order_may_have_no_way_back_in_either_direction() {
    let of = |version: &str| versions(&NEW.replace("20260824-b", version));
    let said = |to: &str| {
        format!(
            "web 20260824-b -> {to} may lead over a step without a way back: {to} has no place in \
             the order of versions (write TAG@sha256:… with a tag like those of its releases)"
        )
    };
    for other in ["latest".to_owned(), digest("0")] {
        assert_eq!(uncertain(&[versions(NEW)], &of(&other)), [said(&other)]);
        let back = uncertain(&[of(&other)], &versions(OLD));
        assert_eq!(back.len(), 1, "{back:?}");
        let begin = format!("web {other} -> 20260101-a may lead over a step");
        assert!(back[0].starts_with(&begin), "{back:?}");
    }
    // A tag says where a digest belongs.
    let pinned = of(&format!("20260824-b@{}", digest("0")));
    assert_eq!(uncertain(&[versions(NEW)], &pinned), Vec::<String>::new());
}

#[test]
fn a_version_without_a_place_in_the_order_that_stays_is_not_warned_about() {
    let pinned = versions(&format!("web={} voice=9", digest("0")));
    let voice = versions(&format!("web={} voice=10", digest("0")));
    // A plan has the first digits of the digest.
    let planned = versions("web=sha256-000000000000 voice=9");
    assert_eq!(uncertain(&[pinned, planned], &voice), Vec::<String>::new());
    let (latest, other) = (versions("web=latest voice=9"), versions("web=latest voice=10"));
    assert_eq!(uncertain(&[latest], &other), Vec::<String>::new());
    // Nor is another one of a component without such steps.
    let (nine, latest) = (versions("voice=9"), versions("voice=latest"));
    assert_eq!(uncertain(&[nine], &latest), Vec::<String>::new());
}

#[test]
fn tags_with_the_same_letters_before_their_first_digit_are_compared_with_a_step() {
    const OLDER: &str = "store=RELEASE.2024-11-07T00-52-20Z";
    const NEWER: &str = "store=RELEASE.2025-09-07T16-13-09Z";
    let text = RELEASES.replace(
        "one_way:\n",
        "one_way:\n  - {component: store, from: RELEASE.2025-04-22T22-12-26Z, because: new format, loses: data}\n",
    );
    let entry = "components:\n  store: {roles: [data], unit: store.service, container: store, image: store, probe: {check: unit-active}}\n";
    let catalog = Catalog::parse(&CATALOG.replace("components:\n", entry)).unwrap();
    let known = Releases::parse(&text, &catalog).unwrap();
    let decide = |before, after| super::decide(&known, None, &[versions(before)], &versions(after));
    assert!(decide(OLDER, NEWER).crosses());
    assert_eq!(decide(NEWER, OLDER).refusals.len(), 1);
    let later = decide(NEWER, "store=RELEASE.2025-10-15T17-29-55Z");
    assert!(!later.crosses() && !later.may_cross() && later.refusals.is_empty(), "{later:?}");
    let other = decide(NEWER, "store=2025-10-15");
    assert!(!other.crosses() && other.may_cross(), "{other:?}");
}

#[test]
fn another_image_may_have_no_way_back_in_either_direction() {
    let own = versions_in_text("db: {image: 'ghcr.io/ours/db:13'}");
    let ours = versions("db=14.9-bullseye");
    for (before, after, step) in
        [(&ours, &own, "14.9-bullseye -> 13"), (&own, &ours, "13 -> 14.9-bullseye")]
    {
        let expected = format!(
            "db {step} may lead over a step without a way back: it is another image, and versions \
             of different images cannot be compared"
        );
        assert_eq!(uncertain(std::slice::from_ref(before), after), [expected]);
    }
    assert_eq!(uncertain(std::slice::from_ref(&own), &own), Vec::<String>::new());
}

#[test]
fn what_is_refused_is_not_uncertain_too() {
    let latest = versions(&NEW.replace("20260824-b", "latest"));
    let decision = decide(&releases(), None, &[latest, versions(NEW)], &versions(OLD));
    assert_eq!(decision.refusals.len(), 1, "{decision:?}");
    assert!(!decision.may_cross(), "{decision:?}");
}

#[test]
fn a_component_with_such_steps_that_comes_back_is_looked_up() {
    let known = releases();
    let looked_up = |before: &[&str], after: &str| {
        let before: Vec<Versions> = before.iter().map(|text| versions(text)).collect();
        let unseen = unseen(&known, None, &before, &versions(after));
        unseen.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(looked_up(&["voice=9"], "voice=9 web=1 db=14"), ["db", "web"]);
    assert_eq!(looked_up(&["voice=9", "web=1"], "voice=9 web=1 db=14"), ["db"]);
    assert_eq!(looked_up(&["web=1"], "voice=9 web=2"), Vec::<String>::new());
}

#[test]
fn after_a_restore_it_is_not_known_whether_there_is_a_way_back() {
    let known = releases();
    let decision = |text: &str| {
        let mut decision = decide(&known, None, &[versions(text)], &versions(text));
        decision.warn_restored(&known, &versions(text));
        decision
    };
    let restored = decision("voice=9 web=1 db=14");
    assert!(restored.one_way().is_some() && restored.may_cross(), "{restored:?}");
    assert_eq!(
        restored.warnings.iter().map(ToString::to_string).collect::<Vec<_>>(),
        [
            "the controller was restored from a backup and does not know which versions of db, web the \
          hosts run: an earlier one may not read what they have written (docker ps on the hosts \
          shows them)"
        ]
    );
    assert_eq!(decision("voice=9").one_way(), None);
}
