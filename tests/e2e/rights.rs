//! Tests of the options of containers, and of what the policy of a host allows of them.

use anyhow::Result;
use oml_lab::until;
use oml_tests::Fleet;
use oml_tests::fleet::CONTROLLER;
use oml_tests::observe::{SOON, sh, start_times, wait_instance, wait_ready};
use oml_tests::trial::check;

use crate::Case;
use crate::pool::Kind;

pub(crate) const CASES: &[Case] = &[(
    Kind::Tiny,
    "a_container_has_the_options_of_its_catalog_as_far_as_its_host_allows_them",
    rights,
)];

const NODE: &str = "tiny-one";
const CATALOG: &str = "/usr/share/omlcontroller/catalog/small.yaml";
const POLICY: &str = "/etc/omlagent/policy.toml";

/// The lines of the second component from its ports on.
const OPTIONS: &str = "
    ports: [\"{{ settings.second_port }}:8099/tcp\", \"20000-20010:30000-30010/udp\"]
    env: {PORT: \"8099\"}
    probe: {check: http, port: \"{{ settings.second_port }}\"}
    start_timeout: 15s
    network: bridge
    user: \"0:1234\"
    ulimits: {nofile: \"512:1024\"}
    shm_size: 32MiB
    tmpfs: [/scratch:16MiB]
    sysctls: {net.core.somaxconn: \"321\", net.ipv4.tcp_syncookies: \"0\"}
    cap_add: [NET_ADMIN]
    cap_drop: [NET_RAW]
    because: a test of what a catalog can say
    stop_signal: SIGINT
    extra_hosts: {db.example: \"{{ node.address }}\"}
    log: {max_size: 20MiB, max_files: 2}
";

/// Prints what the program of the container has, a line for each. Its limits are those of its first process: that of
/// `docker exec` may get another soft limit of open files (opencontainers/runc#4195).
const INSIDE: &str = "awk '/open files/ {print \\$4; print \\$5}' /proc/1/limits; id -g; df -k /dev/shm /scratch | awk '{print \\$2}'; \
    cat /proc/sys/net/core/somaxconn /proc/sys/net/ipv4/tcp_syncookies; \
    grep -c 'db.example' /etc/hosts; grep CapBnd /proc/self/status";

fn rights(fleet: &Fleet) -> Result<()> {
    let restart = "systemctl reset-failed omlcontroller; systemctl restart omlcontroller";
    let catalog = include_str!("../catalogs/small.yaml");
    let at = catalog.rfind("\n    ports:").unwrap_or_default();
    let with_options = format!("{}{OPTIONS}", &catalog[..at]);
    let write = |text: &str| -> Result<()> {
        fleet.host(CONTROLLER)?.push(CATALOG, text.as_bytes(), 0o644)?;
        sh(fleet, CONTROLLER, restart).map(drop)
    };
    write(&with_options)?;
    let tried = only_what_is_allowed(fleet);
    fleet.host(NODE)?.exec_ok(&["rm", "-f", POLICY])?;
    sh(fleet, NODE, "systemctl start omlagent")?;
    write(catalog)?;
    tried
}

fn only_what_is_allowed(fleet: &Fleet) -> Result<()> {
    let checked = sh(fleet, CONTROLLER, &format!("omlcontroller catalog check {CATALOG}"))?;
    check(!checked.contains("problem"), checked)?;
    fleet.host(NODE)?.exec_ok(&["rm", "-f", POLICY])?;
    wait_policy(fleet, |shown| !shown.contains("allows:"))?;
    let before = start_times(fleet, NODE)?;
    let path = fleet.write_spec("options.yaml", &fleet.spec()?)?;
    let refused = fleet.ctl(&["apply", "-f", &path])?;
    let expected = "does not allow it: capability NET_ADMIN, sysctl net.core.somaxconn (allow it in \
                    /etc/omlagent/policy.toml of tiny-one, and add to the lists that it has: \
                    capabilities = [\"NET_ADMIN\"]; sysctls = [\"net.core.somaxconn\"])";
    let is_named =
        refused.stderr.contains("components.second") && refused.stderr.contains(expected);
    check(refused.code == 2 && is_named, format!("{refused:?}"))?;
    check(start_times(fleet, NODE)? == before, "a refused change restarted a container")?;

    allow(fleet, "capabilities = [\"NET_ADMIN\"]\nsysctls = [\"net.core.*\"]\n")?;
    wait_policy(fleet, |shown| shown.contains("tiny-one allows: NET_ADMIN, net.core.*"))?;
    fleet.ctl_ok(&["apply", "-f", &path])?;
    wait_ready(fleet, NODE, "second")?;
    has_the_options(fleet)?;
    is_held_when_the_file_changes(fleet)
}

fn has_the_options(fleet: &Fleet) -> Result<()> {
    let inspect =
        |format: &str| sh(fleet, NODE, &format!("docker inspect -f '{format}' oml-second"));
    for (format, expected) in [
        ("{{.HostConfig.NetworkMode}} {{.HostConfig.ShmSize}}", "bridge 33554432"),
        ("{{.HostConfig.CapAdd}} {{.HostConfig.CapDrop}}", "[NET_ADMIN] [NET_RAW]"),
        ("{{.Config.User}} {{.Config.StopSignal}}", "0:1234 SIGINT"),
        ("{{.HostConfig.LogConfig.Config}}", "map[max-file:2 max-size:20971520]"),
        ("{{.HostConfig.Tmpfs}}", "map[/scratch:size=16777216]"),
        ("{{len .HostConfig.PortBindings}}", "12"),
    ] {
        let shown = inspect(format)?;
        let shown = shown.replace("CAP_", "");
        check(shown.trim() == expected, format!("{format}: {shown}"))?;
    }
    let inside = sh(fleet, NODE, &format!("docker exec oml-second sh -c \"{INSIDE}\""))?;
    let lines: Vec<&str> = inside.lines().collect();
    let expected = ["512", "1024", "1234", "1K-blocks", "32768", "16384", "321", "0", "1"];
    check(lines.len() == 10 && lines[..9] == expected, &inside)?;
    // The usual fourteen capabilities, without NET_RAW (bit 13) and with NET_ADMIN (bit 12).
    check(lines[9].ends_with("00000000a80415fb"), &inside)?;
    let open = sh(fleet, NODE, "ss -Hlun 'sport >= 20000 and sport <= 20010' | wc -l")?;
    let count: u32 = open.trim().parse().unwrap_or_default();
    check(count >= 11, format!("{count} sockets for the 11 published ports"))?;
    let shown = fleet.ctl_ok(&["explain", "tenant=tiny"])?;
    check(!shown.contains("has ") || !shown.contains(", not "), shown)
}

/// The change is planned by what the host allowed before; its agent does not run meanwhile.
fn is_held_when_the_file_changes(fleet: &Fleet) -> Result<()> {
    let before = start_times(fleet, NODE)?;
    sh(fleet, NODE, "systemctl stop omlagent")?;
    fleet.ctl_ok(&["set-version", "tenant=tiny", "second=v2", "--no-wait"])?;
    allow(fleet, "privileged = yes\n")?;
    sh(fleet, NODE, "systemctl start omlagent")?;
    let held = wait_instance(fleet, NODE, "second", "the change is held", |seen| {
        seen["phase"]["name"] == "blocked"
    })?;
    let reason = held["reason"].as_str().unwrap_or_default();
    let expected = "this host does not allow it: capability NET_ADMIN, sysctl net.core.somaxconn; \
                    allow it in /etc/omlagent/policy.toml of the host";
    check(reason.starts_with(expected) && held["version"] == "v1", format!("{held}"))?;
    check(start_times(fleet, NODE)? == before, "what runs was restarted")?;
    let drift = held["drift"]["found"].as_str().unwrap_or_default();
    let expected = "container oml-second has what /etc/omlagent/policy.toml does not allow: ";
    check(drift.contains(expected), format!("{held}"))?;
    wait_policy(fleet, |shown| {
        shown.contains("tiny-one: /etc/omlagent/policy.toml cannot be used, so nothing")
            && shown.contains("until it is mended: line 1: ")
    })?;
    let shown = fleet.ctl_ok(&["explain", "tenant=tiny"])?;
    let expected = "policy.toml cannot be used, so nothing that it could forbid is allowed";
    check(shown.contains(expected), shown)?;

    allow(fleet, "capabilities = [\"NET_ADMIN\"]\nsysctls = [\"net.core.somaxconn\"]\n")?;
    wait_instance(fleet, NODE, "second", "the change goes on", |seen| {
        seen["phase"]["name"] == "ready" && seen["version"] == "v2"
    })?;
    let after = start_times(fleet, NODE)?;
    check(after["oml-first"] == before["oml-first"], "the other component was restarted")
}

fn allow(fleet: &Fleet, text: &str) -> Result<()> {
    fleet.host(NODE)?.push(POLICY, text.as_bytes(), 0o644).map_err(Into::into)
}

/// Waits until the list of nodes shows what the host allows.
fn wait_policy(fleet: &Fleet, holds: impl Fn(&str) -> bool) -> Result<()> {
    until("the controller knows the policy of the host", SOON, || {
        let shown = fleet.ctl_ok(&["get", "nodes", "tenant=tiny"]);
        let shown = shown.map_err(|error| format!("{error:#}"))?;
        if holds(&shown) { Ok(()) } else { Err(shown) }
    })
    .map_err(Into::into)
}
