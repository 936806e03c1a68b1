//! `cargo xtask demo` shows the life of a tenant on three real hosts, command by
//! command, with the real output of each command.

use std::io::{self, Write};
use std::process::ExitCode;

use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use oml_tests::fleet::{CONTROLLER, Fleet, Topology};
use oml_tests::{Build, Packages};

use crate::hosts;

const LAB: &str = "demo";
/// The only container that the upgrade of Asterisk may restart.
const UPGRADED: &str = "acme-voice/oml-asterisk-server";

#[derive(Debug, Args)]
pub(crate) struct Demo {
    /// Keep the hosts running at the end (`cargo xtask lab down --name demo` takes them down)
    #[arg(long)]
    keep: bool,
}

pub(crate) fn run(verb: &Demo) -> Result<ExitCode> {
    hosts::require("the demonstration", || {
        print("Building the programs and their Debian packages")?;
        Packages::build(Build::Lab).map(drop)
    })?;
    let packages = Packages::build(Build::Lab)?;
    print("Booting a controller and three hosts, each with its own systemd and Docker")?;
    let Some(fleet) = Fleet::up_or_skip(LAB, packages, Topology::acme())? else {
        return Ok(ExitCode::SUCCESS);
    };
    let outcome = run_demo(&fleet);
    if verb.keep && outcome.is_ok() {
        let names: Vec<&str> = fleet.nodes().collect();
        print(&format!(
            "The hosts keep running. Enter one with `cargo xtask lab shell --name {LAB} {CONTROLLER}|{}`; take them down with `cargo xtask lab down --name {LAB}`.",
            names.join("|")
        ))?;
        fleet.keep()?;
    } else {
        fleet.down()?;
        print(
            "Everything was taken down except the installed Debian packages and the cached base systems (remove those with `cargo xtask lab down --purge`).",
        )?;
    }
    outcome?;
    Ok(ExitCode::SUCCESS)
}

fn run_demo(fleet: &Fleet) -> Result<()> {
    let spec = fleet.write_spec("acme.yaml", &fleet.spec()?)?;
    heading("Show what would change. A plan changes nothing.")?;
    omlctl(fleet, &["plan", "-f", &spec], 0)?;
    heading(
        "Install tenant acme: every component, one host after another, in the order of the catalog.",
    )?;
    omlctl(fleet, &["apply", "-f", &spec], 0)?;
    omlctl(fleet, &["get", "instances", "tenant=acme"], 0)?;
    on_host(fleet, "acme-voice", &["systemctl", "status", "--no-pager", "--lines=0", "asterisk"])?;
    heading("Upgrade Asterisk. No other component is restarted.")?;
    let starts = container_start_times(fleet)?;
    omlctl(fleet, &["set-version", "tenant=acme", "asterisk=230215.01"], 0)?;
    check_restarts(&starts, &container_start_times(fleet)?)?;
    heading("Run the same command again. There is nothing to change.")?;
    omlctl(fleet, &["set-version", "tenant=acme", "asterisk=230215.01"], 0)?;
    heading(
        "Try a version that exits at once. It is rolled back automatically, and omlctl reports this with exit code 3.",
    )?;
    omlctl(fleet, &["set-version", "tenant=acme", "asterisk=exits-at-once"], 3)?;
    heading("Misspell a component. The command is refused with a suggestion.")?;
    omlctl(fleet, &["set-version", "tenant=acme", "astrisk=230220.01"], 2)?;
    heading("Roll back to the first revision. A rollback is a new revision with the old content.")?;
    omlctl(fleet, &["rollback", "tenant=acme", "to=1"], 0)?;
    omlctl(fleet, &["history", "tenant=acme"], 0)?;
    heading("Show the state of everything.")?;
    omlctl(fleet, &["explain", "tenant=acme"], 0)?;
    omlctl(fleet, &["status", "tenant=acme"], 0)
}

fn omlctl(fleet: &Fleet, arguments: &[&str], expected: i32) -> Result<()> {
    print(&format!("$ omlctl {}", arguments.join(" ")))?;
    let status = fleet.ctl_command(arguments).status().context("start omlctl")?;
    let code = status.code().unwrap_or(-1);
    print(&format!("(exit code {code})"))?;
    if code != expected {
        bail!("omlctl {} ended with exit code {code}, expected {expected}", arguments.join(" "));
    }
    Ok(())
}

fn on_host(fleet: &Fleet, host: &str, command: &[&str]) -> Result<()> {
    print(&format!("{host}# {}", command.join(" ")))?;
    let output = fleet.host(host)?.exec(command)?;
    print(&output.stdout)
}

/// Returns the start time of every container of the fleet, with its host and name.
fn container_start_times(fleet: &Fleet) -> Result<Vec<(String, String)>> {
    let mut starts = Vec::new();
    for node in fleet.nodes() {
        let host = fleet.host(node)?;
        let script = "docker ps -q | xargs -r docker inspect -f '{{.Name}} {{.State.StartedAt}}'";
        for line in host.exec_ok(&["sh", "-c", script])?.lines() {
            if let Some((name, at)) = line.split_once(' ') {
                starts.push((format!("{node}{name}"), at.to_owned()));
            }
        }
    }
    Ok(starts)
}

fn check_restarts(before: &[(String, String)], after: &[(String, String)]) -> Result<()> {
    let restarted: Vec<&str> = after
        .iter()
        .filter(|start| !before.contains(start))
        .map(|(name, _)| name.as_str())
        .collect();
    print(&format!(
        "Of {} containers, these were restarted: {}",
        after.len(),
        restarted.join(", ")
    ))?;
    ensure!(
        restarted == [UPGRADED] && before.len() == after.len(),
        "expected a restart of {UPGRADED} only"
    );
    Ok(())
}

fn heading(title: &str) -> Result<()> {
    print(&format!("\n── {title}"))
}

fn print(text: &str) -> Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{text}").and_then(|()| out.flush()).context("write to standard output")
}
