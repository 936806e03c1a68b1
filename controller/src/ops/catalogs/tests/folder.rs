//! What is read of a folder of catalogs.

use std::fs;
use std::os::unix::fs::symlink;

use oml_common::document::catalog::WorkloadTemplate;
use oml_common::text::error::chain;
use tempfile::TempDir;

use super::*;

const STACK: &str = "catalog: stack\ninclude: [parts/db.yaml]\ncomponents:\n  web:\n    \
    roles: [app]\n    unit: web.service\n    container: web\n    image: docker.io/test/web\n    \
    probe: {check: tcp, port: \"80\"}\n    files:\n      - {template: web.conf.j2, path: /etc/web.conf}\n";
const PART: &str = "part: db\ncomponents:\n  db:\n    roles: [data]\n    unit: db.service\n    \
    container: db\n    image: docker.io/test/db\n    probe: {check: tcp, port: \"5432\"}\n";

/// Makes a folder of catalogs with a catalog that is a folder and a part.
fn folder() -> TempDir {
    let folder = TempDir::new().unwrap();
    let at = |path: &str| folder.path().join(path);
    fs::create_dir_all(at("stack/files")).unwrap();
    fs::create_dir_all(at("parts")).unwrap();
    fs::write(at("stack/catalog.yaml"), STACK).unwrap();
    fs::write(at("stack/files/web.conf.j2"), "listen 80\n").unwrap();
    fs::write(at("parts/db.yaml"), PART).unwrap();
    folder
}

#[test]
fn a_folder_is_a_catalog_with_what_it_includes_and_its_templates() {
    let folder = folder();
    // A part beside the catalogs is none of them.
    fs::write(folder.path().join("loose.yaml"), PART.replace("db", "cache")).unwrap();
    let catalogs = Catalogs::load(folder.path());
    assert!(catalogs.broken().is_empty(), "{:?}", catalogs.broken());
    let all: Vec<_> = catalogs.iter().collect();
    assert_eq!(all.len(), 1);
    let names: Vec<&str> = all[0].components.keys().map(AsRef::as_ref).collect();
    assert_eq!(names, ["db", "web"]);
    let web = &all[0].components[&"web".parse().unwrap()];
    let WorkloadTemplate::Container(container) = &web.workload else { panic!("{web:?}") };
    assert_eq!(container.files[0].text, "listen 80\n");
}

#[test]
fn a_catalog_is_checked_by_its_folder_by_its_file_and_by_the_file_in_it() {
    let folder = folder();
    let content = |path: &str| read_file(&folder.path().join(path)).unwrap().content;
    assert_eq!(content("stack"), content("stack/catalog.yaml"));
    assert_eq!(content("stack"), content("stack/"));
    let loaded = read_file(&folder.path().join("parts/db.yaml")).unwrap();
    assert!(loaded.is_part);
    assert!(!read_file(&folder.path().join("stack")).unwrap().is_part);
    let before = content("stack");
    fs::write(folder.path().join("stack/files/other.j2"), "nobody names it").unwrap();
    assert_eq!(content("stack"), before);
    fs::write(folder.path().join("stack/files/web.conf.j2"), "listen 81\n").unwrap();
    assert_ne!(content("stack"), before);
}

#[test]
fn a_part_is_checked_by_itself_without_the_names_of_others() {
    let folder = folder();
    let at = |path: &str| folder.path().join(path);
    let names = "    env: {PORT: \"{{ settings.elsewhere }}\", HOST: \"{{ host.other }}\"}\n";
    let part = |name: &str, include: &str, more: &str| {
        format!("{}{more}", PART.replace("db", name).replace("components:", include))
    };
    // What it includes is named from the folder of catalogs, one folder up or two.
    for base in ["parts", "stack/parts"] {
        fs::create_dir_all(at(base)).unwrap();
        fs::write(at(&format!("{base}/base.yaml")), part("base", "components:", "")).unwrap();
        let include = format!("include: [{base}/base.yaml]\ncomponents:");
        let path = at(&format!("{base}/queue.yaml"));
        fs::write(&path, part("queue", &include, names)).unwrap();
        let checked = check(&path).unwrap_or_else(|error| panic!("{}", chain(&error)));
        assert_eq!((checked.is_part, checked.catalog.components.len()), (true, 2), "{base}");
        fs::write(&path, part("queue", &include, &names.replace("other }}", "other "))).unwrap();
        let mistakes = check(&path).unwrap_err().to_string();
        assert!(mistakes.contains("components.queue.env.HOST: cannot read"), "{mistakes}");
        // One that is nowhere is still a mistake.
        fs::write(&path, part("queue", &include.replace("base.yaml", "bse.yaml"), names)).unwrap();
        let mistakes = check(&path).unwrap_err().to_string();
        assert!(mistakes.contains(&format!("cannot read {base}/bse.yaml")), "{mistakes}");
    }
    let message = chain(&check(&at("parts")).unwrap_err());
    assert!(message.ends_with("it has no catalog.yaml"), "{message}");
}

#[test]
fn nothing_is_read_over_a_link() {
    type Link = fn(&Path);
    let cases: [(Link, &str); 4] = [
        (
            |at| {
                fs::remove_file(at.join("stack/files/web.conf.j2")).unwrap();
                symlink("/etc/passwd", at.join("stack/files/web.conf.j2")).unwrap();
            },
            "stack/files/web.conf.j2 is a symbolic link",
        ),
        (
            |at| {
                fs::rename(at.join("stack/files"), at.join("elsewhere")).unwrap();
                symlink("../elsewhere", at.join("stack/files")).unwrap();
            },
            "stack/files is a symbolic link",
        ),
        (
            |at| {
                fs::rename(at.join("parts"), at.join("elsewhere")).unwrap();
                symlink("elsewhere", at.join("parts")).unwrap();
            },
            "parts is a symbolic link",
        ),
        (
            |at| {
                fs::rename(at.join("stack/catalog.yaml"), at.join("elsewhere.txt")).unwrap();
                symlink("../elsewhere.txt", at.join("stack/catalog.yaml")).unwrap();
            },
            "stack/catalog.yaml is a symbolic link",
        ),
    ];
    for (link, expected) in cases {
        let folder = folder();
        link(folder.path());
        let catalogs = Catalogs::load(folder.path());
        let broken = catalogs.reports().next().unwrap();
        assert!(broken.contains(expected), "{broken}");
        let checked = chain(&check(&folder.path().join("stack")).unwrap_err());
        assert!(checked.contains(expected), "{checked}");
    }
}

#[test]
fn a_mistake_in_a_component_is_reported_and_the_others_of_its_catalog_count() {
    let folder = folder();
    let template = folder.path().join("stack/files/web.conf.j2");
    fs::write(&template, "listen {{ settings.port }}\n").unwrap();
    let catalogs = Catalogs::load(folder.path());
    let reports: Vec<String> = catalogs.reports().collect();
    let shown = folder.path().join("stack");
    let expected = format!(
        "component web of catalog stack cannot be used: {}: components.web.files: web.conf.j2 uses \
         the unknown setting port",
        shown.display()
    );
    assert_eq!(reports, [expected]);
    let stack = catalogs.of(&spec("stack")).unwrap();
    let names: Vec<&str> = stack.catalog.components.keys().map(AsRef::as_ref).collect();
    assert_eq!(names, ["db"]);
    // Who writes the catalog sees the mistake as one.
    assert!(check(&shown).unwrap_err().to_string().contains("the unknown setting port"));
}

#[test]
fn every_mistake_of_a_folder_is_explained_at_once() {
    let folder = folder();
    let at = |path: &str| folder.path().join(path);
    fs::write(at("stack/files/web.conf.j2"), "a\n{{ secrets.x }}\n").unwrap();
    fs::write(at("parts/db.yaml"), PART.replace("roles: [data]\n    ", "")).unwrap();
    let checked = chain(&check(&at("stack")).unwrap_err());
    assert!(checked.contains("parts/db.yaml: components.db.roles: is missing"), "{checked}");
    assert!(checked.contains("no secret can be in a file yet"), "{checked}");
    fs::write(at("stack/files/web.conf.j2"), b"\xff\xfe").unwrap();
    let checked = chain(&check(&at("stack")).unwrap_err());
    assert!(checked.contains("cannot read stack/files/web.conf.j2: stream did not"), "{checked}");
    fs::remove_file(at("parts/db.yaml")).unwrap();
    fs::create_dir(at("parts/db.yaml")).unwrap();
    let checked = chain(&check(&at("stack")).unwrap_err());
    assert!(checked.contains("cannot read parts/db.yaml: it is a folder"), "{checked}");
}

#[test]
fn a_folder_without_a_document_is_no_path_that_is_missing() {
    let folder = folder();
    fs::create_dir(folder.path().join("empty")).unwrap();
    let refused = |name: &str| chain(&check(&folder.path().join(name)).unwrap_err());
    let (empty, nowhere) = (refused("empty"), refused("nowhere"));
    assert!(empty.ends_with("empty: it has no catalog.yaml"), "{empty}");
    assert!(nowhere.contains("No such file or directory"), "{nowhere}");
}
