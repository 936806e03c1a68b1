//! Tests of the example of another stack: what the handbook tells a stranger to type, with images that obey the rules of
//! the real ones.

use anyhow::Result;
use oml_lab::until;
use oml_tests::fleet::CONTROLLER;
use oml_tests::observe::{SOON, sh, start_times};
use oml_tests::trial::check;
use oml_tests::workspace::workspace_root;
use oml_tests::{CtlOutput, Fleet};

use crate::Case;
use crate::pool::Kind;

pub(crate) const CASES: &[Case] = &[(
    Kind::Tiny,
    "the_wordpress_example_installs_changes_and_refuses_as_its_chapter_says",
    wordpress,
)];

const NODE: &str = "tiny-one";
const PAGE: &str = include_str!("../../docs/catalog.md");
const TENANT: &str = include_str!("../../catalog/examples/wordpress/tenant.yaml");
const RESTART: &str = "systemctl restart omlcontroller";
/// The rule by which the images of Docker's library come from the lab's registry.
const MIRROR: &str = "[mirrors]\n\"docker.io/library/\" = \"registry.lab:5000/library/\"\n";
const MIRROR_FILE: &str = "/etc/omlcontroller/conf.d/mirrors.toml";
const COPY: &str =
    "cp -r /usr/share/omlcontroller/examples/wordpress /usr/share/omlcontroller/catalog/";
const CHECK: &str = "omlcontroller catalog check /usr/share/omlcontroller/catalog/wordpress";
const SITE: &str = "curl -s -m 10 -w '%{http_code}' http://127.0.0.1/";
const NGINX: &str = "wordpress-nginx";
const PHP: &str = "wordpress-php";
const MARIADB: &str = "wordpress-mariadb";

fn wordpress(fleet: &Fleet) -> Result<()> {
    fleet.lab().add_library_images()?;
    let controller = fleet.host(CONTROLLER)?;
    controller.push(MIRROR_FILE, MIRROR.as_bytes(), 0o644)?;
    let tried = from_nothing(fleet);
    // The next test finds the fleet as it was, also after a failure of a part.
    let cleaned = clean_up(fleet);
    tried.and(cleaned)
}

/// Runs a command of the chapter with `omlctl`, for this tenant and with its document.
fn typed(fleet: &Fleet, line: &str, document: &str, more: &[&str]) -> Result<CtlOutput> {
    check(PAGE.contains(&format!("\n    {line}\n")), format!("the chapter has no {line:?}"))?;
    let line = line.replace("tenant=blog", "tenant=tiny");
    let words = line.split_whitespace().skip(1);
    let words = words.map(|word| if word == "tenant.yaml" { document } else { word });
    fleet.ctl(&words.chain(more.iter().copied()).collect::<Vec<&str>>())
}

fn typed_ok(fleet: &Fleet, line: &str) -> Result<String> {
    let CtlOutput { code, stdout, stderr } = typed(fleet, line, "", &[])?;
    check(code == 0, format!("{line}: exit code {code}: {stdout}{stderr}"))?;
    Ok(stdout + &stderr)
}

/// Runs a command of the chapter on the controller's host.
fn on_the_controller(fleet: &Fleet, line: &str) -> Result<String> {
    check(PAGE.contains(&format!("\n    {line}\n")), format!("the chapter has no {line:?}"))?;
    sh(fleet, CONTROLLER, &format!("{line} 2>&1"))
}

/// Writes the tenant's document of the example for the only host, which has one of its two roles.
fn document(fleet: &Fleet, settings: &str) -> Result<String> {
    let text = TENANT
        .replace("tenant: blog", "tenant: tiny")
        .replace("mariadb: \"10.11\"", &format!("mariadb: {{version: \"10.11\", nodes: [{NODE}]}}"))
        .replace("min_healthy_for: 10s", "min_healthy_for: 2s")
        .replace("settings:\n", &format!("settings:\n{settings}"));
    fleet.write_spec("tenant.yaml", &text)
}

fn apply(fleet: &Fleet, settings: &str) -> Result<CtlOutput> {
    let path = document(fleet, settings)?;
    typed(fleet, "omlctl apply -f tenant.yaml", &path, &["--prune", "--timeout", "10m"])
}

fn from_nothing(fleet: &Fleet) -> Result<()> {
    on_the_controller(fleet, COPY)?;
    let checked = on_the_controller(fleet, CHECK)?;
    check(checked.contains("catalog wordpress, 3 components"), checked)?;
    on_the_controller(fleet, RESTART)?;
    typed_ok_soon(fleet, "omlctl node token tenant=blog role=app,data name=blog-one --yes")?;
    let path = document(fleet, "")?;
    validates(fleet, &path)?;
    let plan = || typed(fleet, "omlctl plan -f tenant.yaml", &path, &[]);
    let refused = plan()?;
    let hint = "tiny has no secret db_root_password (omlctl secret generate tenant=tiny";
    check(refused.code == 2 && refused.stderr.contains(hint), format!("{refused:?}"))?;
    typed_ok(fleet, "omlctl secret generate tenant=blog db_password db_root_password")?;
    let planned = plan()?;
    check(planned.code == 0, format!("{planned:?}"))?;
    let applied = apply(fleet, "")?;
    check(applied.code == 0, format!("{applied:?}"))?;
    typed_ok(fleet, "omlctl status tenant=blog")?;
    images_are_like_the_real_ones(fleet)?;
    let row = row(fleet, "32M")?;
    only_php_changes(fleet, &row)?;
    a_broken_file_stops_nothing(fleet, &row)?;
    operations(fleet, &row)
}

/// Checks the document with the catalog of this checkout, because `omlctl` runs on this machine.
fn validates(fleet: &Fleet, document: &str) -> Result<()> {
    let folder = "/usr/share/omlcontroller/catalog/wordpress";
    let line = format!("\n    omlctl validate -f tenant.yaml --catalog {folder}\n");
    check(PAGE.contains(&line), "the chapter does not validate the document")?;
    let here = workspace_root()?.join("catalog/examples/wordpress");
    let here = here.to_string_lossy().into_owned();
    fleet.ctl_ok(&["validate", "-f", document, "--catalog", &here]).map(drop)
}

/// Runs a command of the chapter while the controller may still be starting.
fn typed_ok_soon(fleet: &Fleet, line: &str) -> Result<()> {
    let tried = || typed_ok(fleet, line).map_err(|error| format!("{error:#}"));
    until("the controller answers", SOON, tried)?;
    Ok(())
}

/// Returns the row of the database that the page shows, which PHP reads for nginx.
fn row(fleet: &Fleet, upload: &str) -> Result<String> {
    let shown = sh(fleet, NODE, SITE)?;
    let row = shown.split(" of ").next().unwrap_or_default();
    let is_whole = row.starts_with("row ")
        && shown.contains("MariaDB")
        && shown.ends_with(&format!("upload {upload}\n200"));
    check(is_whole, &shown)?;
    Ok(row.to_owned())
}

/// The images refuse what the real ones refuse, and PHP listens only where the catalog says.
fn images_are_like_the_real_ones(fleet: &Fleet) -> Result<()> {
    let image = format!("$(docker inspect -f '{{{{.Image}}}}' {MARIADB})");
    let run = |options: &str| {
        let run = format!("docker run --rm --network none {options} {image} 2>&1");
        sh(fleet, NODE, &format!("{run} || echo ended with $?"))
    };
    let refused = run("")?;
    let expected = "Database is uninitialized and password option is not specified\nended with 1\n";
    check(refused.ends_with(expected), refused)?;
    let refused = run("-e MARIADB_PASSWORD=a -e MARIADB_PASSWORD_FILE=/etc/hostname")?;
    check(refused.contains("MARIADB_PASSWORD and MARIADB_PASSWORD_FILE are set"), refused)?;
    let listening = sh(fleet, NODE, "ss -Hltn 'sport = :9000' | awk '{print $4}'")?;
    check(listening == "127.0.0.1:9000\n", listening)
}

fn only_php_changes(fleet: &Fleet, before: &str) -> Result<()> {
    let shown = typed_ok(fleet, "omlctl settings tenant=blog php_workers")?;
    check(shown.contains("a change is a change of: wordpress\n"), shown)?;
    let old = start_times(fleet, NODE)?;
    let applied = apply(fleet, "  php_workers: 7\n")?;
    check(applied.code == 0, format!("{applied:?}"))?;
    let new = start_times(fleet, NODE)?;
    let is_same = |name: &str| old.contains_key(name) && old.get(name) == new.get(name);
    check(is_same(NGINX) && is_same(MARIADB) && !is_same(PHP), format!("{old:?}, then {new:?}"))?;
    check(row(fleet, "32M")? == before, "the row of the database is another one")
}

fn a_broken_file_stops_nothing(fleet: &Fleet, before: &str) -> Result<()> {
    let mistake = "server_lines: no_such_directive on;";
    check(PAGE.contains(mistake), "the chapter has no such mistake")?;
    let old = start_times(fleet, NODE)?;
    let refused = apply(fleet, &format!("  php_workers: 7\n  {mistake}\n"))?;
    let said = format!("{}{}", refused.stdout, refused.stderr);
    check(refused.code == 3, &said)?;
    for part in [
        "the check check-config of the new version ended with status 1; nothing was stopped",
        "unknown directive \"no_such_directive\"",
    ] {
        check(said.contains(part), format!("{part}: {said}"))?;
    }
    check(start_times(fleet, NODE)? == old, "a container was started again")?;
    check(row(fleet, "32M")? == before, "the page is another one")
}

fn operations(fleet: &Fleet, before: &str) -> Result<()> {
    let tables = typed_ok(fleet, "omlctl run tenant=blog mariadb tables")?;
    check(tables.contains("| wp_options |"), tables)?;
    let rows = typed_ok(fleet, "omlctl run tenant=blog mariadb rows table=wp_options")?;
    check(rows.starts_with("1\n"), rows)?;
    let old = start_times(fleet, NODE)?;
    typed_ok(fleet, "omlctl secret rotate tenant=blog db_password --generate")?;
    let new = start_times(fleet, NODE)?;
    check(old.get(NGINX) == new.get(NGINX) && old.get(PHP) != new.get(PHP), format!("{new:?}"))?;
    let lost = sh(fleet, NODE, SITE)?;
    check(lost.contains("Access denied") && lost.ends_with("500"), lost)?;
    typed_ok(fleet, "omlctl run tenant=blog mariadb set-password")?;
    check(row(fleet, "32M")? == before, "the row of the database is another one")
}

fn clean_up(fleet: &Fleet) -> Result<()> {
    let path = fleet.write_spec("first.yaml", &fleet.spec()?)?;
    fleet.ctl_ok(&["apply", "-f", &path, "--prune", "--timeout", "10m"])?;
    // The version before names the secrets for as long as the host may go back to it.
    fleet.ctl_ok(&["set-version", "tenant=tiny", "first=v2"])?;
    for name in ["db_password", "db_root_password"] {
        fleet.ctl_ok(&["secret", "remove", "tenant=tiny", name, "--yes"])?;
    }
    sh(fleet, NODE, "docker volume rm wordpress_db wordpress_html")?;
    let forget = format!("rm -r /usr/share/omlcontroller/catalog/wordpress {MIRROR_FILE}");
    sh(fleet, CONTROLLER, &format!("{forget} && {RESTART}")).map(drop)
}
