//! What is found without a controller.

use super::*;

const CATALOG: &str = "\
catalog: stack
registry: docker.io/test
settings:
  port: {type: port, default: 80, means: The port of the web server.}
components:
  db:
    roles: [data]
    unit: db.service
    container: db
    image: db
    secrets: {PASSWORD: {name: db, from: controller}}
    probe: {check: tcp, port: 5432}
    ports: [\"5432/tcp\"]
  web:
    roles: [app]
    unit: web.service
    container: web
    image: web
    env: {DB: \"{{ host.db }}\", PORT: \"{{ settings.port }}\"}
    probe: {check: tcp, port: \"{{ settings.port }}\"}
    ports: [\"{{ settings.port }}/tcp\"]
  admin:
    roles: [app]
    unit: admin.service
    container: admin
    image: admin
    probe: {check: tcp, port: 81}
    ports: [\"81/tcp\"]
";

fn checked(spec: &str) -> Vec<String> {
    let catalog = Catalog::parse(CATALOG).unwrap();
    let problems = check(&TenantSpec::parse(spec).unwrap(), &catalog);
    problems.0.iter().map(ToString::to_string).collect()
}

#[test]
fn a_document_without_a_mistake_needs_neither_hosts_nor_secrets_nor_agents() {
    let spec = "tenant: acme\ncatalog: stack\ncomponents:\n  db: \"1\"\n  web: \"2\"\n  \
                admin: {version: \"1\", nodes: [app-2]}\n";
    assert_eq!(checked(spec), Vec::<String>::new());
}

#[test]
fn every_mistake_is_found_at_once_with_its_place() {
    let spec = "tenant: acme\ncatalog: stack\nsettings: {port: web, prot: 80}\ncomponents:\n  \
                db: \"1\"\n  wbe: \"2\"\n";
    let found = checked(spec);
    let has = |words: &str| found.iter().any(|line| line.contains(words));
    assert!(has("line 3: settings.port: \"web\" is not"), "{found:?}");
    assert!(has("line 3: settings.prot: unknown setting (did you mean port?)"), "{found:?}");
    assert!(has("line 6: components.wbe"), "{found:?}");
}

#[test]
fn two_components_of_a_role_cannot_take_one_port() {
    let spec = "tenant: acme\ncatalog: stack\nsettings: {port: 81}\ncomponents:\n  db: \"1\"\n  \
                web: \"2\"\n  admin: \"1\"\n";
    let found = checked(spec);
    assert!(found.iter().any(|line| line.contains("81")), "{found:?}");
}

#[test]
fn another_catalog_than_that_of_the_document_is_refused() {
    let found = checked("tenant: acme\ncatalog: other\ncomponents: {db: \"1\"}\n");
    assert_eq!(
        found,
        ["line 2: catalog: is other, and the catalog that was given is stack (give the catalog \
          that the document names)"]
    );
}
