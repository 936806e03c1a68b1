//! What a catalog is made of, and what its folder must not lead to.

use super::*;

const WEB: &str = "web:\n    roles: [app]\n    unit: web.service\n    container: web\n    \
                   image: docker.io/test/web\n    probe: {check: tcp, port: \"80\"}\n";

fn component(name: &str) -> String {
    let text = WEB.replace("web:", &format!("{name}:")).replace("web.service", "UNIT");
    text.replace("container: web", &format!("container: {name}"))
        .replace("UNIT", &format!("{name}.service"))
}

fn part(name: &str, lines: &str) -> String {
    format!("part: {name}\n{lines}components:\n  {}", component(name))
}

fn catalog(lines: &str) -> String {
    format!("catalog: stack\n{lines}components:\n  {}", component("web"))
}

/// Reads a catalog from texts by their paths.
fn sources(first: &str, texts: &[(&str, &str)]) -> CatalogSources {
    let mut sources = CatalogSources::new(first);
    loop {
        let missing = sources.missing();
        if missing.is_empty() {
            return sources;
        }
        for path in missing {
            let text = texts.iter().find(|(known, _)| *known == path);
            let text = text.map(|(_, text)| (*text).to_owned());
            sources.put(&path, text.ok_or_else(|| "there is no such file".to_owned()));
        }
    }
}

fn refused(first: &str, texts: &[(&str, &str)]) -> String {
    sources(first, texts).catalog().map(|_| String::new()).unwrap_or_else(|e| e.to_string())
}

#[test]
fn a_folder_and_a_file_make_the_same_catalog() {
    let text = catalog("");
    let of_folder = sources("stack", &[("stack/catalog.yaml", &text)]).catalog().unwrap();
    let of_file = sources("stack.yaml", &[("stack.yaml", &text)]).catalog().unwrap();
    assert_eq!(of_folder, of_file);
    assert_eq!(of_file, Catalog::parse(&text).unwrap());
}

#[test]
fn a_catalog_has_what_it_includes_however_deep_and_often() {
    let (db, cache) =
        (part("db", "include: [parts/cache.yaml]\nsettings: {size: 1}\n"), part("cache", ""));
    let text =
        catalog("include: [parts/db.yaml, parts/cache.yaml, common]\nsettings: {port: 80}\n");
    let common = part("common", "include: [parts/cache.yaml]\n");
    let texts = [
        ("stack.yaml", &*text),
        ("parts/db.yaml", &db),
        ("parts/cache.yaml", &cache),
        ("common/catalog.yaml", &common),
    ];
    let catalog = sources("stack.yaml", &texts).catalog().unwrap();
    let names: Vec<&str> = catalog.components.keys().map(AsRef::as_ref).collect();
    assert_eq!(names, ["cache", "common", "db", "web"]);
    assert_eq!(catalog.settings.len(), 2);
    assert!(sources("parts/db.yaml", &texts).is_part());
    assert!(!sources("stack.yaml", &texts).is_part());
}

#[test]
fn a_name_that_is_defined_twice_is_refused_with_both_places() {
    let second = format!("part: other\nsettings: {{port: 1}}\ncomponents:\n  {}", component("web"));
    let text = catalog("include: [other.yaml]\nsettings:\n  port: 80\n");
    let refused = refused("stack.yaml", &[("stack.yaml", &text), ("other.yaml", &second)]);
    assert_eq!(
        refused,
        "line 2: other.yaml: settings.port: is defined in stack.yaml, line 4 too\n\
         line 4: other.yaml: components.web: is defined in stack.yaml, line 6 too"
    );
}

#[test]
fn documents_that_include_each_other_are_refused_with_the_way() {
    let text = catalog("include: [aa.yaml]\n");
    let (a, b) = (part("aa", "include: [bb.yaml]\n"), part("bb", "include: [aa.yaml]\n"));
    let texts = [("stack.yaml", &*text), ("aa.yaml", &a), ("bb.yaml", &b)];
    assert_eq!(
        refused("stack.yaml", &texts),
        "line 2: bb.yaml: include: aa.yaml includes itself: stack.yaml, which includes aa.yaml, which \
         includes bb.yaml, which includes aa.yaml"
    );
    let own = catalog("include: [stack.yaml]\n");
    let refused = refused("stack.yaml", &[("stack.yaml", &own)]);
    assert!(refused.contains("line 2: include: stack.yaml includes itself"), "{refused}");
}

#[test]
fn nothing_outside_of_the_folder_and_nothing_missing_is_included() {
    for (name, expected) in [
        ("../other.yaml", "\"../other.yaml\" leads out of its folder"),
        ("a/../../b.yaml", "leads out of its folder"),
        ("/etc/passwd", "is an absolute path"),
        ("a//b.yaml", "has an empty part, or one that begins with a dot"),
        (".hidden/b.yaml", "begins with a dot"),
        ("a b.yaml", "may have letters, digits"),
        ("a/b/c/d/e/f/g/h/i.yaml", "is too long"),
        ("none.yaml", "cannot read none.yaml: there is no such file"),
        ("none", "cannot read none/catalog.yaml: there is no such file"),
    ] {
        let text = catalog(&format!("include: [\"{name}\"]\n"));
        let refused = refused("stack.yaml", &[("stack.yaml", &text)]);
        assert!(refused.starts_with("line 2: include: "), "{name}: {refused}");
        assert!(refused.contains(expected), "{name}: {refused}");
        assert!(refused.contains("such as parts/voice.yaml"), "{name}: {refused}");
    }
}

#[test]
fn the_number_the_depth_and_the_size_of_what_is_included_are_bounded() {
    let names: Vec<String> = (0..TEXTS_MAX + 5).map(|n| format!("p{n}.yaml")).collect();
    let parts: Vec<String> = (0..TEXTS_MAX + 5).map(|n| part(&format!("p{n}"), "")).collect();
    let text = catalog(&format!("include: [{}]\n", names.join(", ")));
    let mut texts: Vec<(&str, &str)> =
        names.iter().zip(&parts).map(|(name, text)| (&**name, &**text)).collect();
    texts.push(("stack.yaml", &text));
    let many = refused("stack.yaml", &texts);
    assert!(many.contains("a catalog is made of 256 files at most"), "{many}");

    let deep: Vec<String> =
        (0..12).map(|n| part(&format!("p{n}"), &format!("include: [p{}.yaml]\n", n + 1))).collect();
    let mut texts: Vec<(&str, &str)> =
        names.iter().zip(&deep).map(|(name, text)| (&**name, &**text)).collect();
    let text = catalog("include: [p0.yaml]\n");
    texts.push(("stack.yaml", &text));
    let deep = refused("stack.yaml", &texts);
    assert!(deep.contains("p8.yaml is included more than 8 documents deep"), "{deep}");

    let large = format!("{}# {}\n", part("p0", ""), "x".repeat(TEXTS_BYTES_MAX));
    let large = refused("stack.yaml", &[("stack.yaml", &text), ("p0.yaml", &large)]);
    assert!(large.contains("together may have 4194304 bytes"), "{large}");
}

#[test]
fn an_included_document_has_the_registry_of_the_catalog() {
    let own = part("db", "registry: docker.io/other\n").replace("docker.io/test/web", "db");
    let text = catalog("include: [db.yaml]\nregistry: docker.io/test\n");
    let with_other = refused("stack.yaml", &[("stack.yaml", &text), ("db.yaml", &own)]);
    assert!(with_other.contains("db.yaml: registry: is not that of the catalog"), "{with_other}");
    let without = own.replace("registry: docker.io/other\n", "");
    assert_eq!(refused("stack.yaml", &[("stack.yaml", &text), ("db.yaml", &without)]), "");
    let text = catalog("include: [db.yaml]\n");
    let none = refused("stack.yaml", &[("stack.yaml", &text), ("db.yaml", &without)]);
    assert!(none.contains("registry: is missing, and the image of db"), "{none}");
}

#[test]
fn the_content_changes_with_every_byte_and_name_that_is_used() {
    let text = catalog("include: [db.yaml]\n");
    let db = part("db", "");
    let hash = |first: &str, text: &str, db: &str| {
        let sources = sources(first, &[(first, text), ("db.yaml", db), ("unused.yaml", "x")]);
        sources.content_hash()
    };
    let first = hash("stack.yaml", &text, &db);
    assert_eq!(hash("stack.yaml", &text, &db), first);
    assert_ne!(hash("other.yaml", &text, &db), first);
    assert_ne!(hash("stack.yaml", &text, &format!("{db}# note\n")), first);
    assert_ne!(hash("stack.yaml", &format!("{text}# note\n"), &db), first);
}

#[test]
fn the_problems_of_all_documents_are_found_together() {
    let text = catalog("include: [db.yaml, cache.yaml]\nregistri: x\n");
    let db = part("db", "").replace("roles: [app]\n    ", "");
    let refused =
        refused("stack.yaml", &[("stack.yaml", &text), ("db.yaml", &db), ("cache.yaml", "a: [")]);
    assert!(
        refused.contains("line 3: registri: unknown key (did you mean registry?)"),
        "{refused}"
    );
    assert!(refused.contains("db.yaml: components.db.roles: is missing"), "{refused}");
    assert!(refused.contains("cache.yaml"), "{refused}");
}
