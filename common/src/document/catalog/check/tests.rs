//! Which mistakes are those of a component, and leave the others of its catalog alone.

use crate::document::catalog::{Catalog, CatalogSources};

/// Reads a catalog with the components `web`, which has these lines, and `db`, without files that
/// it names.
fn sources(lines: &str) -> CatalogSources {
    let text = format!(
        "catalog: stack\nsettings: {{port: 80}}\ncomponents:\n  db:\n    roles: [data]\n    \
         unit: db.service\n    container: db\n    image: docker.io/test/db\n    \
         probe: {{check: tcp, port: \"5432\"}}\n  web:\n    roles: [app]\n    \
         unit: web.service\n    container: web\n    image: docker.io/test/web\n    \
         probe: {{check: tcp, port: \"80\"}}\n{lines}"
    );
    let mut sources = CatalogSources::new("stack");
    sources.put("stack/catalog.yaml", Ok(text));
    sources.put("stack/files/wrong.j2", Ok("{{ settings.prot }}".to_owned()));
    sources.put("stack/files/torn.j2", Ok("{{ settings.port ".to_owned()));
    for path in sources.missing() {
        sources.put(&path, Err("there is no such file".to_owned()));
    }
    sources
}

/// Returns the components that can be used, and those that cannot with their mistakes.
fn usable(sources: &CatalogSources) -> (Vec<String>, String) {
    let Catalog { components, broken, .. } = sources.usable().unwrap();
    let broken = broken.iter().map(|(name, problems)| format!("{name}: {problems}"));
    (components.keys().map(ToString::to_string).collect(), broken.collect())
}

#[test]
fn a_mistake_of_one_component_leaves_the_others_usable_and_is_still_a_mistake() {
    let file = |name: &str| format!("    files:\n      - {{template: {name}, path: /etc/w}}\n");
    for (lines, expected) in [
        (&*file("wrong.j2"), "wrong.j2 uses the unknown setting prot (did you mean port?)"),
        (&file("torn.j2"), "torn.j2, line 1: "),
        (&file("gone.j2"), "cannot read stack/files/gone.j2: there is no such file"),
        ("    when: {prot: \"1\"}\n", "components.web.when"),
        ("    after: [bd]\n", "bd is not a component (known: db, web)"),
        ("    after: [web]\n", "components wait for each other: web after web"),
        ("    memory_max: much\n", "components.web.memory_max"),
        ("    colour: red\n", "components.web.colour: unknown key"),
    ] {
        let sources = sources(lines);
        let (names, broken) = usable(&sources);
        assert_eq!(names, ["db"], "{lines}");
        assert!(broken.starts_with("web: ") && broken.contains(expected), "{lines}: {broken}");
        let refused = sources.catalog().unwrap_err().to_string();
        assert!(refused.contains(expected), "{lines}: {refused}");
    }
}

#[test]
fn all_mistakes_of_a_component_are_found_at_once() {
    let sources = sources("    colour: red\n    after: [bd]\n    when: {prot: \"1\"}\n");
    let refused = sources.catalog().unwrap_err();
    assert_eq!(refused.0.len(), 3, "{refused}");
    assert_eq!(usable(&sources).0, ["db"]);
}

#[test]
fn components_that_exclude_each_other_are_all_broken_and_the_rest_is_not() {
    let more = |unit: &str, after: &str| {
        format!(
            "  web2:\n    roles: [app]\n    unit: {unit}\n    container: web2\n    \
             image: docker.io/test/web\n    probe: {{check: tcp, port: \"81\"}}\n{after}"
        )
    };
    for lines in [
        more("web.service", ""),
        format!("    after: [web2]\n{}", more("web2.service", "    after: [web]\n")),
    ] {
        let sources = sources(&lines);
        let (names, _) = usable(&sources);
        assert_eq!(names, ["db"], "{lines}");
        // Each mistake is reported once.
        let refused = sources.catalog().unwrap_err();
        assert_eq!(refused.0.len(), 1, "{refused}");
    }
}

#[test]
fn what_waits_for_a_broken_component_is_not_broken_itself() {
    let more = "    colour: red\n  last:\n    roles: [app]\n    unit: last.service\n    \
                container: last\n    image: docker.io/test/last\n    after: [web]\n    \
                probe: {check: tcp, port: \"82\"}\n";
    let sources = sources(more);
    assert_eq!(usable(&sources).0, ["db", "last"]);
    assert_eq!(sources.catalog().unwrap_err().0.len(), 1);
}

#[test]
fn an_image_without_a_registry_breaks_its_component_only() {
    let sources = sources("").first_text().unwrap().replace("docker.io/test/web", "web");
    let sources = CatalogSources::alone(&sources);
    let (names, broken) = usable(&sources);
    assert_eq!(names, ["db"]);
    assert!(broken.contains("registry: is missing, and the image of web"), "{broken}");
}

#[test]
fn a_mistake_that_is_of_no_component_keeps_the_catalog_out_with_all_others() {
    let text = sources("    colour: red\n").first_text().unwrap().to_owned();
    for wrong in [text.replace("catalog: stack\n", ""), format!("{text}shade: dark\n")] {
        let refused = CatalogSources::alone(&wrong).usable().unwrap_err();
        assert_eq!(refused.0.len(), 2, "{refused}");
        assert!(refused.to_string().contains("components.web.colour"), "{refused}");
    }
}
