//! The examples of catalogs beside those that are shipped: what the handbook shows of them is theirs, the real reader
//! accepts them, and their tenants can be planned.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use oml_common::decide::plan::{ImageName, Input, Mirrors, NodeFacts, prepare};
use oml_common::decide::secrets::{ChosenSecret, ChosenSecrets};
use oml_common::document::Feature;
use oml_common::document::instance::Container;
use oml_common::document::plan::Plan;
use oml_common::document::schema::{CATALOG_SCHEMA, TENANT_SCHEMA};
use oml_common::document::spec::TenantSpec;
use oml_common::id::{NodeName, RevisionNumber};
use oml_common::text::problem::Problems;
use omlcontroller::ops::catalogs::{Catalogs, Checked, check};

use crate::schemas::{complaints, validator};
use crate::sources::root;

const EXAMPLE: &str = "catalog/examples/wordpress";
const CHAPTER: &str = "## The catalog of another stack in half an hour";

fn example() -> PathBuf {
    root().join(EXAMPLE)
}

fn text(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Checks the example as `omlcontroller catalog check` does.
fn checked() -> Checked {
    check(&example()).unwrap_or_else(|error| panic!("{error}"))
}

fn tenant() -> String {
    text(&format!("{EXAMPLE}/tenant.yaml"))
}

/// Hosts with their roles, at 10.0.0.1 and the following addresses.
fn hosts(of: &[(&str, &[&str])]) -> BTreeMap<NodeName, NodeFacts> {
    let host = |(number, (name, roles)): (usize, &(&str, &[&str]))| {
        let roles = roles.iter().map(|role| role.parse().expect("a role")).collect();
        let address = format!("10.0.0.{}", number + 1);
        (name.parse().expect("a name"), NodeFacts { roles, address, agent: None })
    };
    of.iter().enumerate().map(host).collect()
}

fn one_host() -> BTreeMap<NodeName, NodeFacts> {
    hosts(&[("blog-one", &["app", "data"])])
}

fn secrets(names: &[&str]) -> ChosenSecrets {
    let secret = |name: &&str| {
        let mark = "0".repeat(32).parse().expect("a mark");
        let chosen = ChosenSecret { version: 1, mark, has_lines: false };
        (name.parse().expect("a name"), chosen)
    };
    names.iter().map(secret).collect()
}

fn plan(
    tenant: &str,
    nodes: &BTreeMap<NodeName, NodeFacts>,
    secrets: &ChosenSecrets,
) -> Result<Plan, Problems> {
    let (spec, catalog) = (TenantSpec::parse(tenant)?, checked().catalog);
    let mirrors = &Mirrors::default();
    let revision = RevisionNumber(1);
    let input = Input {
        revision,
        spec: &spec,
        catalog: &catalog,
        nodes,
        mirrors,
        secrets,
        thumbprint: None,
        before: None,
    };
    let prepared = prepare(input)?;
    let digest = format!("sha256:{}", "0".repeat(64));
    let digest = |image: &ImageName| (image.clone(), digest.parse().expect("a digest"));
    let digests = prepared.images().values().map(digest).collect();
    prepared.finish(&digests)
}

fn container<'p>(plan: &'p Plan, node: &str, component: &str) -> &'p Container {
    let share = &plan.nodes[&node.parse().expect("a name")];
    let desired = &share.instances[&component.parse().expect("a name")];
    desired.instance.container().expect("it is one")
}

fn file<'p>(container: &'p Container, end: &str) -> &'p str {
    let found = container.options.files.iter().find(|file| file.path.ends_with(end));
    &found.unwrap_or_else(|| panic!("there is no {end}")).text
}

#[test]
fn the_folder_of_examples_is_no_catalog_of_a_controller() {
    let shipped = Catalogs::load(&root().join("catalog"));
    assert!(shipped.broken().is_empty(), "{:?}", shipped.broken());
    assert!(shipped.len() > 3 && shipped.iter().all(|it| it.name.as_str() != "wordpress"));
    let examples = Catalogs::load(&root().join("catalog/examples"));
    assert_eq!((examples.len(), examples.broken().len()), (1, 0));
    assert_eq!((checked().is_part, checked().releases), (false, 0));
}

#[test]
fn an_editor_accepts_the_documents_of_the_example() {
    let catalog = text(&format!("{EXAMPLE}/catalog.yaml"));
    assert_eq!(complaints(&validator(CATALOG_SCHEMA), &catalog), "");
    assert_eq!(complaints(&validator(TENANT_SCHEMA), &tenant()), "");
}

#[test]
fn the_tenant_of_the_example_has_its_stack_on_one_host() {
    let both = secrets(&["db_password", "db_root_password"]);
    let plan = plan(&tenant(), &one_host(), &both).unwrap_or_else(|it| panic!("{it}"));
    let share = &plan.nodes[&"blog-one".parse().unwrap()];
    let after = |name: &str| -> Vec<String> {
        let instance = &share.instances[&name.parse().unwrap()].instance;
        instance.after.iter().map(|unit| unit.to_string()).collect()
    };
    assert_eq!(
        (after("wordpress"), after("nginx")),
        (vec!["mariadb".into()], vec!["wordpress".into()])
    );
    for (component, repository) in
        [("mariadb", "mariadb"), ("wordpress", "wordpress"), ("nginx", "nginx")]
    {
        let expected = format!("docker.io/library/{repository}");
        assert_eq!(container(&plan, "blog-one", component).repository.to_string(), expected);
        let instance = &share.instances[&component.parse().unwrap()].instance;
        assert!(instance.needs().contains(&Feature::UpdateChecks), "{component} has no check");
    }
    let wordpress = container(&plan, "blog-one", "wordpress");
    let env: Vec<(&str, &str)> =
        wordpress.env.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let expected = [
        ("WORDPRESS_DB_HOST", "10.0.0.1"),
        ("WORDPRESS_DB_NAME", "wordpress"),
        ("WORDPRESS_DB_USER", "wordpress"),
    ];
    assert_eq!(env, expected);
    assert!(
        file(wordpress, "zzz-site.ini")
            .contains("upload_max_filesize = 32M\npost_max_size = 33M\n")
    );
    assert!(file(wordpress, "zzz-site.conf").contains("listen = 127.0.0.1:9000\n"));
    let nginx = file(container(&plan, "blog-one", "nginx"), "default.conf");
    assert!(nginx.contains("    client_max_body_size 33m;\n\n    location"), "{nginx}");
    let mariadb = file(container(&plan, "blog-one", "mariadb"), "site.cnf");
    assert!(
        mariadb.contains("bind-address = 127.0.0.1,10.0.0.1\ninnodb_buffer_pool_size = 128M\n")
    );
}

#[test]
fn the_database_of_the_example_can_have_a_host_of_its_own_or_be_elsewhere() {
    let both = secrets(&["db_password", "db_root_password"]);
    let two = hosts(&[("blog-db", &["data"]), ("blog-web", &["app"])]);
    let planned = plan(&tenant(), &two, &both).unwrap_or_else(|it| panic!("{it}"));
    let host =
        |plan: &Plan, node: &str| container(plan, node, "wordpress").env.values().next().cloned();
    assert_eq!(host(&planned, "blog-web").as_deref(), Some("10.0.0.1"));
    let elsewhere = tenant().replace("settings:\n", "settings:\n  db_host: db.example.com\n");
    let one = secrets(&["db_password"]);
    let planned = plan(&elsewhere, &one_host(), &one).unwrap_or_else(|it| panic!("{it}"));
    assert_eq!(host(&planned, "blog-one").as_deref(), Some("db.example.com"));
    assert_eq!(planned.nodes[&"blog-one".parse().unwrap()].instances.len(), 2);
}

#[test]
fn a_tenant_of_the_example_without_secrets_learns_which_commands_make_them() {
    let refused = plan(&tenant(), &one_host(), &secrets(&[])).map(drop).unwrap_err().to_string();
    for name in ["db_password", "db_root_password"] {
        let command =
            format!("blog has no secret {name} (omlctl secret generate tenant=blog {name})");
        assert!(refused.contains(&command), "{refused}");
    }
}

/// The chapter of the handbook about the example.
fn chapter() -> String {
    let page = text("docs/catalog.md");
    let (_, after) = page.split_once(CHAPTER).expect("the chapter is there");
    after.split("\n## ").next().unwrap_or_default().to_owned()
}

/// The indented blocks of a page, without their indent.
fn blocks(page: &str) -> Vec<String> {
    let mut found = vec![String::new()];
    for line in page.lines() {
        match line.strip_prefix("    ") {
            Some(rest) => found.last_mut().expect("there is one").push_str(&format!("{rest}\n")),
            // An empty line may be one within a block.
            None if line.is_empty() => found.last_mut().expect("there is one").push('\n'),
            None => found.push(String::new()),
        }
    }
    found
        .into_iter()
        .map(|block| block.trim_matches('\n').to_owned())
        .filter(|it| !it.is_empty())
        .collect()
}

#[test]
fn the_chapter_about_the_example_shows_what_is_in_its_files() {
    let (catalog, tenant) = (text(&format!("{EXAMPLE}/catalog.yaml")), tenant());
    let templates: Vec<String> =
        ["nginx.conf.j2", "mariadb.cnf.j2", "php-fpm.conf.j2", "php.ini.j2"]
            .iter()
            .map(|name| text(&format!("{EXAMPLE}/files/{name}")))
            .collect();
    let all = format!("{catalog}\n{tenant}\n{}", templates.join("\n"));
    let lines: Vec<&str> = all.lines().map(str::trim).collect();
    // All others are commands.
    let is_file = |block: &str| {
        block.starts_with('[')
            || block.split_whitespace().next().is_some_and(|word| word.ends_with(':'))
    };
    let shown: Vec<String> = blocks(&chapter()).into_iter().filter(|it| is_file(it)).collect();
    assert!(shown.len() > 5, "{shown:#?}");
    for line in shown.iter().flat_map(|block| block.lines()).map(str::trim) {
        assert!(line.is_empty() || lines.contains(&line), "the example has no line {line:?}");
    }
    for name in fs::read_dir(example().join("files")).unwrap() {
        let name = name.unwrap().file_name().into_string().unwrap();
        assert!(catalog.contains(&format!("template: {name},")), "no component has {name}");
    }
}
