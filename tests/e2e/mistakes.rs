//! Tests of what guards against mistakes: questions before what may be one, and words for an agent
//! that does not run.

use std::io::Write as _;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result};
use oml_lab::until;
use oml_tests::Fleet;
use oml_tests::fleet::CtlOutput;
use oml_tests::observe::{SOON, node_of, sh, status, wait_ready};
use oml_tests::trial::check;

use crate::Case;
use crate::pool::Kind;

pub(crate) const CASES: &[Case] = &[
    (Kind::Tiny, "a_tenant_or_a_host_that_may_be_a_mistake_is_asked_for", names),
    (Kind::Tiny, "a_stopped_agent_is_told_by_omlagent_status", stopped_agent),
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
    until("the agent is told as running", SOON, || {
        let shown = sh(fleet, NODE, "omlagent status").map_err(|error| format!("{error:#}"))?;
        if shown.contains(says_stopped) { Err(shown) } else { Ok(()) }
    })?;
    wait_ready(fleet, NODE, "second").map(drop)
}
