//! Which files of the folder are catalogs, and how the others are reported.

use std::fs;
use std::os::unix::fs::symlink;

use oml_common::text::yaml::DOCUMENT_BYTES_MAX;
use tempfile::TempDir;

use super::*;

mod folder;

const GOOD: &str = "catalog: good\nregistry: docker.io/test\ncomponents:\n  web:\n    \
    roles: [app]\n    unit: web.service\n    container: web\n    image: web\n    \
    probe: {check: tcp, port: \"80\"}\n";

fn spec(catalog: &str) -> TenantSpec {
    let text = format!("tenant: acme\ncatalog: {catalog}\ncomponents: {{web: \"1\"}}\n");
    TenantSpec::parse(&text).unwrap()
}

/// Loads a folder with a good catalog and what `fill` adds.
fn loaded(fill: impl FnOnce(&Path)) -> (TempDir, Catalogs) {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("good.yaml"), GOOD).unwrap();
    fill(folder.path());
    let catalogs = Catalogs::load(folder.path());
    (folder, catalogs)
}

fn reported(folder: &TempDir, catalogs: &Catalogs) -> Vec<String> {
    let at = folder.path().display().to_string();
    catalogs.broken().iter().map(|broken| broken.to_string().replace(&at, "DIR")).collect()
}

#[test]
fn every_file_that_cannot_be_used_is_reported_and_the_others_count() {
    type Fill = fn(&Path);
    let cases: [(Fill, &str); 7] = [
        (|f| fs::write(f, "").unwrap(), "DIR/bad.yaml is not a catalog: the document is empty"),
        (|f| fs::create_dir(f).unwrap(), "cannot read DIR/bad.yaml: it is a folder"),
        (
            |f| fs::write(f, b"catalog: bad\n\xff").unwrap(),
            "cannot read DIR/bad.yaml: stream did not contain valid UTF-8",
        ),
        (
            |f| symlink("nowhere", f).unwrap(),
            "cannot read DIR/bad.yaml: No such file or directory (os error 2)",
        ),
        (|f| symlink("/dev/zero", f).unwrap(), "cannot read DIR/bad.yaml: it is not a file"),
        (
            |f| fs::write(f, "catalog: bad\ncomponents: [\n").unwrap(),
            "DIR/bad.yaml is not a catalog: line ",
        ),
        (
            |f| fs::write(f, "x".repeat(DOCUMENT_BYTES_MAX + 9)).unwrap(),
            "DIR/bad.yaml is not a catalog: the document is larger than 1048576 bytes",
        ),
    ];
    for (fill, expected) in cases {
        let (folder, catalogs) = loaded(|folder| fill(&folder.join("bad.yaml")));
        assert!(catalogs.of(&spec("good")).is_ok(), "{expected}");
        let reported = reported(&folder, &catalogs);
        assert_eq!(reported.len(), 1, "{reported:?}");
        assert!(
            reported[0].starts_with(&format!("catalog bad cannot be used: {expected}")),
            "{reported:?}"
        );
        let refused = catalogs.of(&spec("bad")).unwrap_err().to_string();
        assert!(refused.contains("line 2: catalog: catalog bad cannot be used: "), "{refused}");
        assert!(refused.contains("omlcontroller catalog check "), "{refused}");
    }
}

#[test]
fn a_broken_file_is_reported_by_the_name_that_it_gives_to_its_catalog() {
    let text = "catalog: \"voice\" # ours\nregistry: [\n";
    let (_folder, catalogs) = loaded(|folder| fs::write(folder.join("z.yaml"), text).unwrap());
    assert_eq!(catalogs.broken()[0].name.as_ref().map(AsRef::as_ref), Some("voice"));
}

#[test]
fn a_file_that_was_cut_within_its_name_is_reported_by_its_own_name_too() {
    let (_folder, catalogs) =
        loaded(|folder| fs::write(folder.join("voice.yaml"), "catalog: vo").unwrap());
    assert_eq!(catalogs.broken()[0].name.as_ref().map(AsRef::as_ref), Some("vo"));
    for name in ["vo", "voice"] {
        let refused = catalogs.of(&spec(name)).unwrap_err().to_string();
        let expected = format!("line 2: catalog: catalog {name} cannot be used: ");
        assert!(refused.starts_with(&expected), "{refused}");
    }
}

#[test]
fn of_two_catalogs_of_one_name_none_counts() {
    let (folder, catalogs) = loaded(|folder| {
        fs::write(folder.join("copy.yaml"), GOOD).unwrap();
        fs::write(folder.join("other.yaml"), GOOD.replace("good", "other")).unwrap();
    });
    assert_eq!(
        reported(&folder, &catalogs),
        [
            "catalog good cannot be used: DIR/good.yaml is a second catalog of the name good; the first is DIR/copy.yaml"
        ]
    );
    // Each of the two is fine by itself, so a check of one would show nothing.
    let hint = catalogs.of(&spec("good")).unwrap_err().hint.unwrap();
    assert!(hint.starts_with("remove one of the two on the controller's host"), "{hint}");
    assert!(catalogs.of(&spec("other")).is_ok());
}

#[test]
fn a_broken_copy_of_a_catalog_is_reported_and_the_catalog_counts() {
    let text = "catalog: good\nregistry: [\n";
    let (folder, catalogs) = loaded(|folder| fs::write(folder.join("copy.yaml"), text).unwrap());
    let reported = reported(&folder, &catalogs);
    assert_eq!(reported.len(), 1, "{reported:?}");
    assert!(
        reported[0].starts_with("a catalog cannot be used: DIR/copy.yaml is not a"),
        "{reported:?}"
    );
    assert!(catalogs.of(&spec("good")).is_ok());
}

#[test]
fn a_folder_that_is_not_there_is_reported() {
    let folder = TempDir::new().unwrap();
    let catalogs = Catalogs::load(&folder.path().join("none"));
    assert!(catalogs.is_empty());
    let refused = catalogs.of(&spec("good")).unwrap_err().to_string();
    assert!(
        refused.contains("there is no catalog good; a catalog cannot be used: cannot read "),
        "{refused}"
    );
}

#[test]
fn a_role_that_is_not_known_is_refused_with_the_broken_catalog() {
    let (_folder, catalogs) = loaded(|folder| fs::write(folder.join("bad.yaml"), "").unwrap());
    assert!(catalogs.check_roles(&["app".parse().unwrap()]).0.is_empty());
    let refused = catalogs.check_roles(&["voice".parse().unwrap()]).to_string();
    assert!(refused.contains("that can be used; catalog bad cannot be used"), "{refused}");
}

const RELEASES: &str = "catalog: good\nreleases:\n  '1.0': {web: '1'}\n";

#[test]
fn the_releases_of_a_catalog_are_in_the_file_beside_it() {
    let (folder, catalogs) =
        loaded(|folder| fs::write(folder.join("good.releases.yaml"), RELEASES).unwrap());
    assert_eq!(reported(&folder, &catalogs), Vec::<String>::new());
    assert_eq!(catalogs.releases_of(&spec("good")).published.len(), 1);
    assert_eq!(catalogs.len(), 1);
    assert!(catalogs.releases_of(&spec("other")).published.is_empty());
}

#[test]
fn a_mistake_in_the_releases_keeps_their_catalog_out() {
    let text = RELEASES.replace("web", "wob");
    let (folder, catalogs) =
        loaded(|folder| fs::write(folder.join("good.releases.yaml"), text).unwrap());
    assert_eq!(
        reported(&folder, &catalogs),
        ["catalog good cannot be used: DIR/good.releases.yaml has no releases that can be used: \
             line 3: releases.1.0.wob: wob is not a component of catalog good (known: web)"]
    );
    assert!(catalogs.of(&spec("good")).is_err());
}

#[test]
fn a_catalog_with_broken_releases_names_a_check_that_shows_the_mistake() {
    let text = RELEASES.replace("web", "wob");
    for name in ["good", "stack"] {
        let (_folder, catalogs) = loaded(|folder| {
            if name == "good" {
                return fs::write(folder.join("good.releases.yaml"), &text).unwrap();
            }
            fs::create_dir(folder.join("stack")).unwrap();
            let catalog = GOOD.replace("catalog: good", "catalog: stack");
            fs::write(folder.join("stack/catalog.yaml"), catalog).unwrap();
            let text = text.replace("catalog: good", "catalog: stack");
            fs::write(folder.join("stack/releases.yaml"), text).unwrap();
        });
        let refused = catalogs.of(&spec(name)).unwrap_err().hint.unwrap();
        let (_, named) = refused.split_once("catalog check ").unwrap();
        let (path, _) = named.split_once(" on the controller's host").unwrap();
        let shown = check(Path::new(path)).unwrap_err().to_string();
        let mistake = format!("wob is not a component of catalog {name}");
        assert!(shown.contains(&mistake), "{shown}");
    }
}

#[test]
fn the_releases_of_a_folder_are_read_by_either_of_its_paths() {
    let (folder, catalogs) = loaded(|folder| {
        fs::create_dir(folder.join("stack")).unwrap();
        let catalog = GOOD.replace("catalog: good", "catalog: stack");
        fs::write(folder.join("stack/catalog.yaml"), catalog).unwrap();
        let text = RELEASES.replace("catalog: good", "catalog: stack");
        fs::write(folder.join("stack/releases.yaml"), text).unwrap();
    });
    assert_eq!(catalogs.releases_of(&spec("stack")).published.len(), 1);
    for path in ["stack", "stack/", "stack/catalog.yaml", "stack/releases.yaml"] {
        let checked = check(&folder.path().join(path)).unwrap();
        assert_eq!((checked.catalog.name.as_str(), checked.releases), ("stack", 1), "{path}");
    }
}

#[test]
fn a_file_of_releases_is_checked_with_its_catalog() {
    let (folder, _catalogs) = loaded(|folder| {
        fs::write(folder.join("good.releases.yaml"), RELEASES).unwrap();
        fs::write(folder.join("gone.releases.yaml"), RELEASES).unwrap();
    });
    assert_eq!(check(&folder.path().join("good.releases.yaml")).unwrap().releases, 1);
    let shown = check(&folder.path().join("gone.releases.yaml")).unwrap_err().to_string();
    assert!(shown.contains("has the releases of a catalog that is not there"), "{shown}");
}

#[test]
fn the_check_shows_the_mistakes_of_a_catalog_of_its_templates_and_of_its_releases_together() {
    let mistakes = GOOD.replace("components:\n", "components:\n  bad: {colour: red}\n");
    let text = mistakes.replace(
        "    image: web\n",
        "    image: web\n    env: {WAY: \"{{ settings.nothing }}\", AT: \"{{ host.bad }}\"}\n",
    );
    assert!(mistakes != GOOD && text != mistakes, "{GOOD}");
    let (folder, _catalogs) = loaded(|folder| {
        fs::write(folder.join("good.yaml"), text).unwrap();
        let releases = "catalog: good\nreleases:\n  '1.0': {wob: '1', bad: '1'}\n";
        fs::write(folder.join("good.releases.yaml"), releases).unwrap();
    });
    let shown = check(&folder.path().join("good.yaml")).unwrap_err().to_string();
    for part in [
        "components.bad.colour: unknown key",
        "components.web.env.WAY: nothing is not a setting of the catalog",
        "has no releases that can be used:\nline 3: releases.1.0.wob: ",
    ] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    assert!(!shown.contains("components.web.env.AT"), "{shown}");
    assert!(!shown.contains("releases.1.0.bad"), "{shown}");
}

#[test]
fn a_catalog_with_mistakes_that_earlier_releases_did_not_refuse_is_used_and_its_check_names_them() {
    let web = GOOD.replace("80\"}", "80\", interval: 0s}\n    metrics: {port: \"81\", path: m}");
    let part = GOOD.replace("catalog: good", "part: voice").replace("80\"}", "80\", timeout: 0s}");
    assert!(web != GOOD && part != GOOD);
    let (folder, catalogs) = loaded(|folder| {
        fs::write(folder.join("good.yaml"), web).unwrap();
        fs::write(folder.join("voice.yaml"), part).unwrap();
        let text = "catalog: whole\nregistry: docker.io/test\ninclude: [voice.yaml]\n";
        fs::write(folder.join("whole.yaml"), text).unwrap();
    });
    assert_eq!(catalogs.reports().collect::<Vec<_>>(), [] as [String; 0]);
    let names = ["good", "whole"];
    for name in names {
        assert_eq!(catalogs.of(&spec(name)).unwrap().catalog.components.len(), 1, "{name}");
    }
    let warned: Vec<_> =
        catalogs.tolerated().map(|(name, line)| format!("{name}: {line}")).collect();
    let zero = "must be longer than 0 (leave it out for the default)";
    let timeout = format!("components.web.probe.timeout: {zero}");
    assert_eq!(
        warned,
        [
            format!("good: line 9: components.web.probe.interval: {zero} (and 1 more problem)"),
            format!("whole: line 9: voice.yaml: {timeout}"),
        ]
    );
    for (file, expected) in [
        ("good.yaml", "components.web.metrics.path: must begin with /"),
        ("good.yaml", "components.web.probe.interval: must be longer than 0"),
        ("voice.yaml", &timeout),
        ("whole.yaml", &format!("voice.yaml: {timeout}")),
    ] {
        let shown = check(&folder.path().join(file)).unwrap_err().to_string();
        assert!(shown.contains(expected), "{file}: {shown}");
    }
}

#[test]
fn releases_without_a_catalog_are_reported() {
    let (folder, catalogs) =
        loaded(|folder| fs::write(folder.join("gone.releases.yaml"), RELEASES).unwrap());
    assert_eq!(
        reported(&folder, &catalogs),
        ["a catalog cannot be used: DIR/gone.releases.yaml has the releases of a catalog that is \
             not there: there is no DIR/gone.yaml"]
    );
    assert!(catalogs.of(&spec("good")).is_ok());
}
