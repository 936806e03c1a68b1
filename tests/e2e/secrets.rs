//! Tests of the secrets that the controller keeps: how they reach their program, and that they are
//! nowhere else.

use std::io::Write as _;
use std::process::Stdio;

use anyhow::{Context as _, Result};
use oml_lab::until;
use oml_tests::Fleet;
use oml_tests::fleet::CONTROLLER;
use oml_tests::observe::{SOON, sh, start_times, wait_instance, wait_ready};
use oml_tests::trial::check;

use crate::Case;
use crate::pool::Kind;

pub(crate) const CASES: &[Case] =
    &[(Kind::Tiny, "a_secret_is_found_nowhere_but_where_it_is_used", secrets)];

const NODE: &str = "tiny-one";
/// The values, which occur nowhere by accident.
const FIRST: &str = "kept-value-one-8f3a61d09c";
const SECOND: &str = "kept-value-two-51b7e2c4aa";
const KEY: &str = "-----BEGIN A KEY-----\nkept-value-key-77d0e19b3f\n-----END A KEY-----\n";
const NEEDLES: [&str; 3] = [FIRST, SECOND, "kept-value-key-77d0e19b3f"];
/// Where containerd keeps what its containers were made of; only root can read it.
const CONTAINERD: &str = "/var/lib/containerd/io.containerd.metadata.v1.bolt/meta.db";
const FOLDER: &str = "/var/lib/omlagent/secrets";

/// Runs `omlctl` with a value on its standard input, and returns what it printed.
pub(crate) fn with_input(fleet: &Fleet, words: &[&str], input: &str) -> Result<String> {
    let mut command = fleet.ctl_command(words);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut running = command.spawn().context("start omlctl")?;
    running.stdin.take().context("its input")?.write_all(input.as_bytes())?;
    let output = running.wait_with_output()?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let printed = text(&output.stdout) + &text(&output.stderr);
    check(output.status.success(), format!("{words:?}: {printed}"))?;
    Ok(printed)
}

fn secrets(fleet: &Fleet) -> Result<()> {
    let tried = from_first_to_last(fleet);
    // The next test finds the host as it was.
    sh(fleet, CONTROLLER, "systemctl start omlcontroller; rm -f /root/secrets.backup")?;
    sh(fleet, NODE, "rm -f /run/needles")?;
    fleet.apply_first_spec()?;
    for name in ["token", "key"] {
        let removed = fleet.ctl(&["secret", "remove", "tenant=tiny", name, "--yes"])?;
        check(removed.code == 0 || tried.is_err(), format!("{removed:?}"))?;
    }
    tried
}

fn from_first_to_last(fleet: &Fleet) -> Result<()> {
    let mut printed = install(fleet)?;
    reaches_its_program(fleet, FIRST)?;
    let second = start_times(fleet, NODE)?["oml-second"].clone();
    let words = ["secret", "rotate", "tenant=tiny", "token"];
    printed += &with_input(fleet, &[&words[..], &["--dry-run"]].concat(), SECOND)?;
    reaches_its_program(fleet, FIRST)?;
    printed += &with_input(fleet, &words, SECOND)?;
    check(printed.contains("secret token version 2"), &printed)?;
    reaches_its_program(fleet, SECOND)?;
    check(start_times(fleet, NODE)?["oml-second"] == second, "a rotation restarted another")?;
    printed += &without_a_controller(fleet)?;
    for words in [
        &["status", "tenant=tiny", "-o", "json"][..],
        &["history", "tenant=tiny", "-o", "json"],
        &["secret", "list", "tenant=tiny", "-o", "json"],
        &["explain", "tenant=tiny"],
        &["get", "spec", "tenant=tiny"],
        &["get", "instances", "tenant=tiny", "-o", "json"],
    ] {
        printed += &fleet.ctl_ok(words)?;
    }
    for needle in NEEDLES {
        check(!printed.contains(needle), format!("omlctl prints {needle}: {printed}"))?;
    }
    is_nowhere_else(fleet)?;
    goes_when_nothing_names_it(fleet)
}

/// Gives the secrets that the first component then names.
fn install(fleet: &Fleet) -> Result<String> {
    let secrets = "{TOKEN: {name: token, from: controller}, \
                   KEY_FILE: {name: key, from: controller, file: /run/secrets/key}}";
    let line = format!("first: {{version: v1, secrets: {secrets}}}");
    let spec = fleet.spec()?.replace("first: v1", &line);
    let path = fleet.write_spec("secrets.yaml", &spec)?;
    let refused = fleet.ctl(&["apply", "-f", &path])?;
    let hints = ["generate tenant=tiny token)", "set tenant=tiny key < FILE)"];
    let is_named =
        hints.iter().all(|hint| refused.stderr.contains(&format!("(omlctl secret {hint}")));
    check(refused.code == 2 && is_named, format!("{refused:?}"))?;
    let mut printed = with_input(fleet, &["secret", "set", "tenant=tiny", "token"], FIRST)?;
    printed += &with_input(fleet, &["secret", "set", "tenant=tiny", "key"], KEY)?;
    printed += &fleet.ctl_ok(&["apply", "-f", &path])?;
    wait_ready(fleet, NODE, "first")?;
    Ok(printed)
}

fn reaches_its_program(fleet: &Fleet, token: &str) -> Result<()> {
    let environment = sh(fleet, NODE, "docker inspect -f '{{json .Config.Env}}' oml-first")?;
    let has_all = [&format!("\"TOKEN={token}\""), "\"KEY_FILE=/run/secrets/key\""]
        .iter()
        .all(|part| environment.contains(*part));
    check(has_all, &environment)?;
    let mounted = sh(fleet, NODE, "docker exec oml-first cat /run/secrets/key")?;
    check(mounted == KEY, mounted)?;
    let refused =
        "docker exec oml-first sh -c 'echo x >> /run/secrets/key' && echo written || true";
    let written = sh(fleet, NODE, refused)?;
    check(!written.contains("written"), "the file can be written in the container")
}

/// A component comes up again with its secrets while the controller is away, and a component whose
/// secret was lost waits for it.
fn without_a_controller(fleet: &Fleet) -> Result<String> {
    sh(fleet, CONTROLLER, "systemctl stop omlcontroller")?;
    sh(fleet, NODE, "systemctl restart omlagent; docker rm -f oml-first")?;
    until("the component runs again", SOON, || {
        reaches_its_program(fleet, SECOND).map_err(|error| format!("{error:#}"))
    })?;
    sh(fleet, CONTROLLER, "rm -f /root/secrets.backup; omlcontroller backup /root/secrets.backup")?;
    sh(fleet, CONTROLLER, "systemctl start omlcontroller")?;
    wait_ready(fleet, NODE, "first")?;
    // A change whose secret is not on the host waits, and what runs is kept.
    let before = start_times(fleet, NODE)?["oml-first"].clone();
    sh(fleet, NODE, &format!("mv {FOLDER} {FOLDER}.away; touch {FOLDER}"))?;
    let words = ["secret", "rotate", "tenant=tiny", "token", "--no-wait"];
    let printed = with_input(fleet, &words, FIRST)?;
    let expected = "waits for secret key version 1 and secret token version 3, which the controller \
                    has not sent yet";
    wait_instance(fleet, NODE, "first", "the change waits for its secrets", |seen| {
        seen["reason"].as_str().is_some_and(|reason| reason.contains(expected))
    })?;
    check(start_times(fleet, NODE)?["oml-first"] == before, "what ran was stopped")?;
    sh(fleet, NODE, &format!("rm {FOLDER}; mv {FOLDER}.away {FOLDER}"))?;
    until("the change goes on", SOON, || {
        reaches_its_program(fleet, FIRST).map_err(|error| format!("{error:#}"))
    })?;
    wait_ready(fleet, NODE, "first")?;
    Ok(printed)
}

/// A script that prints where a needle is: in the journal, in arguments, in what Docker knows of other
/// containers and in the labels of all, and in files, as root.
const SEARCH: &str = "\
count() { echo \"$1 $(grep -a -c -F -f /run/needles)\"; }
journalctl --no-pager --output=cat | count journal
cat /proc/[0-9]*/cmdline | tr '\\0' '\\n' | count arguments
others=$(docker ps -a --format '{{.Names}}' 2>/dev/null | grep -v oml-first || true)
[ -z \"$others\" ] || docker inspect $others | count others
docker ps -a -q 2>/dev/null | xargs -r docker inspect -f '{{json .Config.Labels}} {{json .Args}}' | count labels
grep -a -r -l -s -F -D skip -f /run/needles /etc /run /tmp /root /var/log /var/lib | \
  grep -v -x /run/needles | sed 's/^/file /' || true";

fn is_nowhere_else(fleet: &Fleet) -> Result<()> {
    let needles = format!("{}\n", NEEDLES.join("\n"));
    let id = sh(fleet, NODE, "docker ps -a -q --no-trunc --filter name=oml-first")?;
    for host in [NODE, CONTROLLER] {
        fleet.host(host)?.push("/run/needles", needles.as_bytes(), 0o600)?;
        let found = sh(fleet, host, SEARCH)?;
        sh(fleet, host, "rm /run/needles")?;
        let is_expected = |line: &str| {
            // The engine and its containerd keep the environment of a container with it.
            let own_container = || {
                let of_own = |id: &str| line.contains(&format!("/{id}/"));
                id.lines().any(of_own) || line.ends_with(CONTAINERD)
            };
            line.ends_with(" 0")
                || line.starts_with(&format!("file {FOLDER}/"))
                || (line.starts_with("file ") && own_container())
        };
        let unexpected: Vec<&str> = found.lines().filter(|line| !is_expected(line)).collect();
        check(unexpected.is_empty(), format!("{host}: {unexpected:#?}"))?;
        // The search itself: on the host there is what must be there.
        let has_files = found.contains(&format!("file {FOLDER}/"));
        check(has_files == (host == NODE), format!("{host}: {found}"))?;
    }
    let backup = sh(fleet, CONTROLLER, "grep -c '\"secrets/tiny/token\"' /root/secrets.backup")?;
    check(backup.trim() == "1", "the backup has the sealed secret")?;
    let key = "stat -c '%U %a' /var/lib/omlcontroller/secrets.key";
    check(sh(fleet, CONTROLLER, key)?.trim() == "root 600", "the key is root's alone")?;
    let modes = format!("stat -c '%U %a %F' {FOLDER} {FOLDER}/mounted {FOLDER}/token.*");
    let modes = sh(fleet, NODE, &modes)?;
    let mut modes = modes.lines();
    for expected in ["root 700 directory", "root 700 directory", "root 600 regular file"] {
        check(modes.next() == Some(expected), format!("expected {expected}"))?;
    }
    for (host, unit) in [(NODE, "omlagent"), (CONTROLLER, "omlcontroller")] {
        let limit = sh(fleet, host, &format!("systemctl show -P LimitCORE {unit}"))?;
        check(limit.trim() == "0", format!("{unit} may dump core: {limit}"))?;
    }
    no_process_can_be_dumped(fleet)
}

/// The kernel gives the files of a process that it may not dump to root (proc_pid(5)), and shows its
/// memory and environment to nobody without `CAP_SYS_PTRACE`.
fn no_process_can_be_dumped(fleet: &Fleet) -> Result<()> {
    let owner = "stat -c %U /proc/$(systemctl show -P MainPID omlcontroller)/environ";
    let owner = sh(fleet, CONTROLLER, owner)?;
    check(owner.trim() == "root", format!("omlcontroller may be dumped: {owner}"))?;
    let look = "pid=$(systemctl show -P MainPID oml-second.service); test $pid -gt 0; \
                setpriv --inh-caps=-all --bounding-set=-all cat /proc/$pid/environ >/dev/null 2>&1 \
                && echo readable || echo closed";
    let seen = sh(fleet, NODE, look)?;
    check(seen.trim() == "closed", format!("a supervisor may be dumped: {seen}"))
}

fn goes_when_nothing_names_it(fleet: &Fleet) -> Result<()> {
    let used = fleet.ctl(&["secret", "remove", "tenant=tiny", "token", "--yes"])?;
    check(used.code == 2 && used.stderr.contains("is used by first"), format!("{used:?}"))?;
    fleet.apply_first_spec()?;
    // The version before names them for as long as the host may go back to it.
    fleet.ctl_ok(&["set-version", "tenant=tiny", "first=v2"])?;
    let left = || sh(fleet, NODE, &format!("find {FOLDER} -type f")).map_err(|e| format!("{e:#}"));
    until("the host has removed them", SOON, || match left()? {
        found if found.is_empty() => Ok(()),
        found => Err(found),
    })?;
    Ok(())
}
