//! Tests of catalogs that are folders, and of the files that containers get from their templates.

use std::time::Duration;

use anyhow::Result;
use oml_lab::until;
use oml_tests::Fleet;
use oml_tests::fleet::CONTROLLER;
use oml_tests::observe::{InstanceWait, SOON, sh, start_times, wait_ready};
use oml_tests::trial::check;

use crate::Case;
use crate::pool::Kind;

pub(crate) const CASES: &[Case] =
    &[(Kind::Tiny, "a_component_gets_the_files_of_its_catalog", files_of_the_catalog)];

const NODE: &str = "tiny-one";
const FOLDER: &str = "/usr/share/omlcontroller/catalog";
const RESTART: &str = "systemctl reset-failed omlcontroller; systemctl restart omlcontroller";
const TEMPLATE: &str = "# of {{ tenant }} on {{ node.name }}\n\
                        {% for word in ['one', 'two'] %}\n{{ word }} {{ settings.greeting }}\n{% endfor %}\n";
/// The agent looks at the files of a host at least once a minute.
const LOOKS: Duration = Duration::from_secs(150);
const IN_CONTAINER: &str = "cat /etc/app/second.conf; stat -c '%a %u:%g' /etc/app/second.conf; \
                            echo edited 2>/dev/null >> /etc/app/second.conf || echo read-only";

/// Makes the catalog of the small stack a folder that includes its first component.
fn write_folder(fleet: &Fleet) -> Result<()> {
    let catalog = include_str!("../catalogs/small.yaml");
    let first = catalog.find("  first:").unwrap_or_default();
    let second = catalog.find("  second:").unwrap_or_default();
    let part = format!("part: first\ncomponents:\n{}", &catalog[first..second]);
    let files = "    files:\n      - {template: second.conf.j2, path: /etc/app/second.conf, \
                 mode: \"0400\", owner: \"1000:1000\"}\n";
    let rest = format!("{}{}{files}", &catalog[..first], &catalog[second..]);
    let whole = rest
        .replace("registry:", "include: [parts/first.yaml]\nregistry:")
        .replace("settings:\n", "settings:\n  greeting: hello\n");
    sh(
        fleet,
        CONTROLLER,
        &format!("rm {FOLDER}/small.yaml; mkdir -p {FOLDER}/small/files {FOLDER}/parts"),
    )?;
    let host = fleet.host(CONTROLLER)?;
    host.push(&format!("{FOLDER}/parts/first.yaml"), part.as_bytes(), 0o644)?;
    host.push(&format!("{FOLDER}/small/catalog.yaml"), whole.as_bytes(), 0o644)?;
    host.push(&format!("{FOLDER}/small/files/second.conf.j2"), TEMPLATE.as_bytes(), 0o644)?;
    sh(fleet, CONTROLLER, &format!("omlcontroller catalog check {FOLDER}/small"))?;
    sh(fleet, CONTROLLER, RESTART).map(drop)
}

fn write_back(fleet: &Fleet) -> Result<()> {
    sh(fleet, CONTROLLER, &format!("rm -rf {FOLDER}/small {FOLDER}/parts"))?;
    let catalog = include_bytes!("../catalogs/small.yaml");
    fleet.host(CONTROLLER)?.push(&format!("{FOLDER}/small.yaml"), catalog, 0o644)?;
    sh(fleet, CONTROLLER, RESTART).map(drop)
}

fn files_of_the_catalog(fleet: &Fleet) -> Result<()> {
    write_folder(fleet)?;
    let tried = only_the_second_changes(fleet);
    write_back(fleet)?;
    tried?;
    // Without files it is as before.
    let path = fleet.write_spec("plain.yaml", &fleet.spec()?)?;
    until("the controller answers", SOON, || {
        fleet.ctl_ok(&["apply", "-f", &path]).map_err(|error| format!("{error:#}"))
    })?;
    wait_ready(fleet, NODE, "second")?;
    let seen = sh(fleet, NODE, "docker exec oml-second sh -c 'ls /etc/app 2>&1 || true'")?;
    check(seen.contains("No such file"), seen)
}

fn apply(fleet: &Fleet, settings: &str) -> Result<()> {
    let spec = format!("{}\nsettings: {{{settings}}}\n", fleet.spec()?.trim_end());
    let path = fleet.write_spec("files.yaml", &spec)?;
    until("the controller answers", SOON, || {
        fleet.ctl_ok(&["apply", "-f", &path]).map_err(|error| format!("{error:#}"))
    })?;
    wait_ready(fleet, NODE, "second").map(drop)
}

fn inside(fleet: &Fleet) -> Result<String> {
    sh(fleet, NODE, &format!("docker exec oml-second sh -c \"{IN_CONTAINER}\""))
}

fn only_the_second_changes(fleet: &Fleet) -> Result<()> {
    let first = start_times(fleet, NODE)?["oml-first"].clone();
    for greeting in ["hello", "good day"] {
        apply(fleet, &format!("greeting: {greeting}"))?;
        let seen = inside(fleet)?;
        let text = format!("# of tiny on tiny-one\none {greeting}\ntwo {greeting}\n");
        check(seen == format!("{text}400 1000:1000\nread-only\n"), seen)?;
        check(start_times(fleet, NODE)?["oml-first"] == first, "the first component restarted")?;
    }
    let modes = sh(fleet, NODE, "stat -c '%a %u:%g' /var/lib/omlagent/instances/second/files")?;
    check(modes == "700 0:0\n", modes)?;
    a_hand_edit_is_put_right(fleet)
}

fn a_hand_edit_is_put_right(fleet: &Fleet) -> Result<()> {
    let (before, right) = (start_times(fleet, NODE)?, inside(fleet)?);
    let place = sh(
        fleet,
        NODE,
        "ls /var/lib/omlagent/instances/second/files/*/0-second.conf | xargs grep -l 'good day'",
    )?;
    let place = place.trim();
    sh(fleet, NODE, &format!("echo edited >> {place}"))?;
    InstanceWait::new(fleet, NODE, "second").within(LOOKS).until(
        "the edit is reported",
        |seen| {
            let found = seen["drift"]["found"].as_str().unwrap_or_default();
            seen["phase"]["name"] == "ready"
                && found.contains("file /etc/app/second.conf was edited")
        },
    )?;
    check(inside(fleet)? == right, "the edit is still there")?;
    check(start_times(fleet, NODE)? == before, "a container was restarted")
}
