//! Which files of releases are read, and which problems the others have.

use super::*;

const CATALOG: &str = "\
catalog: test
registry: docker.io/test
components:
  web: {roles: [app], unit: web.service, container: web, image: web, probe: {check: unit-active}}
  cron: {roles: [app], unit: cron.service, container: cron, image: web, probe: {check: unit-active}}
  db: {roles: [data], unit: db.service, container: db, image: db, probe: {check: unit-active}}
  exporter: {kind: unit, roles: [data], unit: exporter.service, probe: {check: unit-active}}
";

fn catalog() -> Catalog {
    Catalog::parse(CATALOG).unwrap()
}

fn refused(text: &str) -> String {
    Releases::parse(text, &catalog()).unwrap_err().to_string()
}

#[test]
fn a_file_of_releases_is_read_with_everything_it_can_say() {
    let text = "\
catalog: test
releases:
  1.0: {web: '10', db: 14.9}
  1.1: {web: '11'}
together:
  - {components: [web, cron], because: they share one database}
apart:
  - {components: {web: {from: '11'}, db: {before: '14'}}, because: it needs what 14 has}
one_way:
  - {component: db, from: '15', because: another format, loses: all data, reads_earlier: false}
  - {component: web, from: '11', because: it migrates, loses: what came after the backup}
";
    let releases = Releases::parse(text, &catalog()).unwrap();
    let names: Vec<&str> = releases.published.keys().map(AsRef::as_ref).collect();
    assert_eq!(names, ["1.0", "1.1"]);
    let first = &releases.published[&"1.0".parse().unwrap()];
    assert_eq!(first[&"db".parse().unwrap()].to_string(), "14.9");
    assert_eq!(releases.together[0].components.len(), 2);
    let ranges = &releases.apart[0].components;
    assert_eq!(ranges[&"web".parse().unwrap()].from, Some("11".parse().unwrap()));
    assert_eq!(ranges[&"db".parse().unwrap()].before, Some("14".parse().unwrap()));
    let reads: Vec<bool> = releases.one_way.iter().map(|mark| mark.reads_earlier).collect();
    assert_eq!(reads, [false, true]);
}

#[test]
fn a_file_may_say_only_whose_releases_they_are() {
    assert_eq!(Releases::parse("catalog: test\n", &catalog()).unwrap(), Releases::default());
}

#[test]
fn all_mistakes_of_a_file_are_reported_at_once_with_their_places() {
    let text = "\
catalog: other
releases:
  1.0: {wob: '10', exporter: '1', web: a/b}
  1.1: {}
together:
  - {components: [web], because: x}
  - {components: [web, cron]}
apart:
  - {components: {web: {}, db: {from: latest}}, because: ' '}
one_way:
  - {component: db, from: '15', because: x, loses: y, reads_earlier: maybe}
  - {component: db}
more: 1
";
    insta::assert_snapshot!(refused(text));
}

#[test]
fn releases_may_have_components_whose_definitions_cannot_be_used() {
    let mut catalog = catalog();
    let web: ComponentName = "web".parse().unwrap();
    catalog.components.remove(&web);
    let text = "catalog: test\nreleases:\n  '1.0': {web: '1'}\n";
    assert!(Releases::parse(text, &catalog).is_err());
    catalog.broken.insert(web, Problems::default());
    assert!(Releases::parse(text, &catalog).is_ok());
}

#[test]
fn a_file_has_a_bounded_number_of_releases() {
    let lines: Vec<String> =
        (0..=RELEASES_MAX).map(|number| format!("  '{number}': {{web: '1'}}")).collect();
    let text = format!("catalog: test\nreleases:\n{}\n", lines.join("\n"));
    assert!(refused(&text).contains("there are more than 500 releases"), "{}", refused(&text));
}

#[test]
fn the_shipped_releases_are_those_of_their_catalogs() {
    for (catalog, releases, names) in [
        (
            include_str!("../../../../catalog/omnileads-1.26.yaml"),
            include_str!("../../../../catalog/omnileads-1.26.releases.yaml"),
            vec!["1.26.0", "1.27.0"],
        ),
        (
            include_str!("../../../../catalog/omnileads-2.2.yaml"),
            include_str!("../../../../catalog/omnileads-2.2.releases.yaml"),
            vec!["2.1.0", "2.2.0", "2.2.2"],
        ),
        (
            include_str!("../../../../catalog/omnileads-2.6.yaml"),
            include_str!("../../../../catalog/omnileads-2.6.releases.yaml"),
            vec!["2.6.6"],
        ),
        (
            include_str!("../../../../catalog/omnileads-3.yaml"),
            include_str!("../../../../catalog/omnileads-3.releases.yaml"),
            vec!["3.X-20260925"],
        ),
    ] {
        let catalog = Catalog::parse(catalog).unwrap();
        let releases = Releases::parse(releases, &catalog)
            .unwrap_or_else(|problems| panic!("{}: {problems}", catalog.name));
        let found: Vec<&str> = releases.published.keys().map(AsRef::as_ref).collect();
        assert_eq!(found, names);
    }
}
