//! Tests of what guards against mistakes: questions before removals, administrative commands that
//! leave nothing behind, and words for an agent or a catalog that is out of use.

use std::io::Write as _;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result};
use oml_lab::until;
use oml_tests::Fleet;
use oml_tests::fleet::{CONTROLLER, CtlOutput};
use oml_tests::observe::{SOON, node_of, sh, start_times, status, wait_ready};
use oml_tests::trial::check;

use crate::Case;
use crate::pool::Kind;

pub(crate) const CASES: &[Case] = &[
    (Kind::Tiny, "removals_are_asked_for_and_a_tenant_can_be_emptied", removals),
    (Kind::Tiny, "a_tenant_or_a_host_that_may_be_a_mistake_is_asked_for", names),
    (Kind::Tiny, "an_administrative_command_leaves_nothing_behind", administrative_commands),
    (Kind::Tiny, "a_broken_catalog_affects_only_its_own_tenants", broken_catalog),
    (Kind::Tiny, "a_stopped_agent_is_reported_by_omlagent_status", stopped_agent),
];

const NODE: &str = "tiny-one";

/// Runs `omlctl` at a terminal and types an answer.
fn at_terminal(fleet: &Fleet, arguments: &[&str], answer: &str) -> Result<CtlOutput> {
    let omlctl = fleet.ctl_command(arguments);
    let words = [omlctl.get_program()].into_iter().chain(omlctl.get_args());
    let words: Vec<String> = words.map(|word| format!("'{}'", word.to_string_lossy())).collect();
    let mut script = Command::new("script");
    script.args(["--quiet", "--return", "--command", &words.join(" "), "/dev/null"]);
    script.envs(omlctl.get_envs().filter_map(|(name, value)| Some((name, value?))));
    script.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut script = script.spawn().context("start script")?;
    script.stdin.take().context("take the input of script")?.write_all(answer.as_bytes())?;
    let ended = script.wait_with_output().context("wait for script")?;
    Ok(CtlOutput {
        code: ended.status.code().unwrap_or(-1),
        stdout: String::from_utf8_lossy(&ended.stdout).into_owned(),
        stderr: String::new(),
    })
}

fn removals(fleet: &Fleet) -> Result<()> {
    let before = (status(fleet)?["revision"].clone(), start_times(fleet, NODE)?);
    let without = fleet.spec()?.replace("  second: v1\n", "");
    let path = fleet.write_spec("one.yaml", &without)?;
    let ended = fleet.ctl(&["apply", "-f", &path])?;
    let expected = "this removes 1 instance from tiny:\n  tiny-one second v1\n";
    check(ended.code == 2 && ended.stderr.starts_with(expected), format!("{ended:?}"))?;
    check(ended.stderr.contains("add --prune"), format!("{ended:?}"))?;
    let ended = at_terminal(fleet, &["apply", "-f", &path], "n\n")?;
    check(ended.code == 1 && ended.stdout.contains("nothing was changed"), format!("{ended:?}"))?;
    let now = (status(fleet)?["revision"].clone(), start_times(fleet, NODE)?);
    check(now == before, format!("{before:?}, then {now:?}"))?;
    let ended = at_terminal(fleet, &["apply", "-f", &path], "y\n")?;
    check(ended.code == 0 && ended.stdout.contains("continue? [y/N]"), format!("{ended:?}"))?;
    let running = start_times(fleet, NODE)?;
    let is_left = running.get("oml-first") == before.1.get("oml-first");
    check(is_left && !running.contains_key("oml-second"), format!("{running:?}"))?;
    let empty = "tenant: tiny\ncatalog: small\ncomponents: {}\n";
    let path = fleet.write_spec("empty.yaml", empty)?;
    let ended = fleet.ctl(&["apply", "-f", &path])?;
    check(ended.code == 2 && ended.stderr.contains("tiny-one first v1"), format!("{ended:?}"))?;
    fleet.ctl_ok(&["apply", "-f", &path, "--prune"])?;
    let running = start_times(fleet, NODE)?;
    check(running.is_empty(), format!("{running:?}"))?;
    let units = sh(fleet, NODE, "ls /etc/systemd/system")?;
    check(!units.contains("oml-first") && !units.contains("oml-second"), units)?;
    check(status(fleet)?["rollout"]["state"] == "completed", status(fleet)?.to_string())
}

fn names(fleet: &Fleet) -> Result<()> {
    let token = ["node", "token", "tenant=tni", "role=app"];
    let ended = fleet.ctl(&token)?;
    let is_asked = ended.stderr.contains("tni is a new tenant (did you mean tiny?)");
    check(ended.code == 2 && is_asked && ended.stdout.is_empty(), format!("{ended:?}"))?;
    let ended = at_terminal(fleet, &token, "\n")?;
    check(ended.code == 1 && !ended.stdout.contains("oml1."), format!("{ended:?}"))?;
    let remove = ["node", "remove", "tenant=tiny", "node=tiny-one"];
    let ended = fleet.ctl(&remove)?;
    check(ended.code == 2 && ended.stderr.contains("2 components"), format!("{ended:?}"))?;
    let ended = at_terminal(fleet, &remove, "no\n")?;
    check(ended.code == 1, format!("{ended:?}"))?;
    let node = node_of(&status(fleet)?, NODE);
    check(node["state"] == "connected", node.to_string())
}

fn administrative_commands(fleet: &Fleet) -> Result<()> {
    let controller = fleet.host(CONTROLLER)?;
    let admin = |script: &str| -> Result<(i32, String)> {
        let ended = controller.exec(&["sh", "-c", &format!("cd /root && ({script}) 2>&1")])?;
        Ok((ended.status, ended.stdout))
    };
    let add = "omlcontroller operator add berta --out berta.toml";
    let (code, printed) = admin(add)?;
    check(code == 1 && printed.contains("the controller is running"), printed)?;
    let (_, left) = admin("ls -a")?;
    check(!left.contains("berta"), left)?;
    controller.exec_ok(&["systemctl", "stop", "omlcontroller"])?;
    let made = (|| -> Result<()> {
        let (code, printed) = admin(add)?;
        check(code == 0, printed)?;
        let (_, mode) = admin("stat -c '%a %U' berta.toml && grep -c key_pem berta.toml")?;
        check(mode == "600 root\n1\n", mode)?;
        let (code, printed) = admin(add)?;
        check(code == 2 && printed.contains("exists already, and nothing was changed"), printed)?;
        let (code, printed) = admin("omlcontroller operator remove bertha")?;
        let is_refused =
            printed.contains("did you mean berta?") && !printed.contains("was removed");
        check(code == 2 && is_refused, printed)?;
        let (code, printed) = admin("omlcontroller operator remove berta && rm berta.toml")?;
        check(code == 0 && printed.contains("operator berta was removed"), printed)
    })();
    controller.exec_ok(&["systemctl", "start", "omlcontroller"])?;
    made?;
    fleet.ctl_ok(&["status"]).map(drop)
}

fn broken_catalog(fleet: &Fleet) -> Result<()> {
    let folder = "/usr/share/omlcontroller/catalog";
    let restart = "systemctl restart omlcontroller";
    let broken = "catalog: other\\nregistry: [\\n";
    sh(fleet, CONTROLLER, &format!("printf '{broken}' > {folder}/other.yaml && {restart}"))?;
    let shown = fleet.ctl_ok(&["status"])?;
    check(shown.starts_with("catalog other cannot be used: "), shown)?;
    let listed = fleet.host(CONTROLLER)?.exec(&["omlcontroller", "catalog", "list"])?;
    let names_both =
        listed.stdout.contains("small: ") && listed.stderr.contains("catalog other cannot be used");
    check(listed.status == 1 && names_both, format!("{listed:?}"))?;
    fleet.ctl_ok(&["set-version", "tenant=tiny", "first=v2"])?;
    let other = fleet.spec()?.replace("catalog: small", "catalog: other");
    let path = fleet.write_spec("other.yaml", &other.replace("tenant: tiny", "tenant: other"))?;
    let ended = fleet.ctl(&["apply", "-f", &path])?;
    let is_reported = ended.stderr.contains("catalog other cannot be used");
    check(ended.code == 2 && is_reported, format!("{ended:?}"))?;
    // Now the catalog of the tenant itself is the broken one.
    let before = start_times(fleet, NODE)?;
    sh(
        fleet,
        CONTROLLER,
        &format!(
            "rm {folder}/other.yaml && cp {folder}/small.yaml /root && truncate -s 99 {folder}/small.yaml && {restart}"
        ),
    )?;
    let refused = fleet.ctl(&["set-version", "tenant=tiny", "first=v1"]);
    let shown = fleet.ctl_ok(&["explain", "tenant=tiny"]);
    sh(fleet, CONTROLLER, &format!("mv /root/small.yaml {folder} && {restart}"))?;
    let (refused, shown) = (refused?, shown?);
    let is_reported = refused.stderr.contains("catalog small cannot be used");
    check(refused.code == 2 && is_reported, format!("{refused:?}"))?;
    check(shown.contains("small.yaml is not a catalog"), shown)?;
    check(start_times(fleet, NODE)? == before, "a container was restarted")?;
    let shown = fleet.ctl_ok(&["status"])?;
    check(!shown.contains("cannot be used"), shown)
}

fn stopped_agent(fleet: &Fleet) -> Result<()> {
    let says_stopped = "the agent does not run; it was last active ";
    let shown = sh(fleet, NODE, "omlagent status")?;
    check(!shown.contains(says_stopped) && shown.contains("ready"), shown)?;
    sh(fleet, NODE, "systemctl stop omlagent")?;
    let stopped = sh(fleet, NODE, "omlagent status");
    sh(fleet, NODE, "systemctl start omlagent")?;
    let stopped = stopped?;
    check(stopped.starts_with(says_stopped), &stopped)?;
    check(stopped.contains("systemctl start omlagent"), stopped)?;
    until("the agent is shown as running", SOON, || {
        let shown = sh(fleet, NODE, "omlagent status").map_err(|error| format!("{error:#}"))?;
        if shown.contains(says_stopped) { Err(shown) } else { Ok(()) }
    })?;
    wait_ready(fleet, NODE, "second").map(drop)
}
