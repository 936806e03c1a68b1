//! `cargo xtask demo`: the life of a tenant on three real hosts, told command
//! by command with what each really printed.

use std::io::{self, Write};
use std::process::ExitCode;

use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use oml_tests::fleet::{CONTROLLER, Fleet, Topology};
use oml_tests::{Build, Packages};

use crate::hosts;

const LAB: &str = "demo";
/// The one container that the upgrade of Asterisk touches.
const UPGRADED: &str = "acme-voice/oml-asterisk-server";

#[derive(Debug, Args)]
pub(crate) struct Demo {
    /// Leave the hosts up at the end (`cargo xtask lab down --name demo` ends them)
    #[arg(long)]
    keep: bool,
}

pub(crate) fn run(verb: &Demo) -> Result<ExitCode> {
    hosts::need("the demonstration", || {
        say("Building the programs and their Debian packages …")?;
        Packages::build(Build::Lab).map(drop)
    })?;
    let packages = Packages::build(Build::Lab)?;
    say("Booting a controller and three hosts, each with systemd and Docker of its own …")?;
    let Some(fleet) = Fleet::up_or_skip(LAB, packages, Topology::acme())? else {
        return Ok(ExitCode::SUCCESS);
    };
    let told = tell(&fleet);
    if verb.keep && told.is_ok() {
        let names: Vec<&str> = fleet.nodes().collect();
        say(&format!(
            "The hosts stay up: cargo xtask lab shell --name {LAB} {CONTROLLER}|{}; cargo xtask lab down --name {LAB}",
            names.join("|")
        ))?;
        fleet.keep()?;
    } else {
        fleet.down()?;
        say(
            "Everything was taken down; the cached base systems (cargo xtask lab down --purge) and installed Debian packages are left.",
        )?;
    }
    told?;
    Ok(ExitCode::SUCCESS)
}

fn tell(fleet: &Fleet) -> Result<()> {
    let spec = fleet.write_spec("acme.yaml", &fleet.spec()?)?;
    chapter("What would happen? A plan changes nothing.")?;
    omlctl(fleet, &["plan", "-f", &spec], 0)?;
    chapter(
        "Install tenant acme: every component, host after host, in the order the catalog gives.",
    )?;
    omlctl(fleet, &["apply", "-f", &spec], 0)?;
    omlctl(fleet, &["get", "instances", "tenant=acme"], 0)?;
    on_host(fleet, "acme-voice", &["systemctl", "status", "--no-pager", "--lines=0", "asterisk"])?;
    chapter("Upgrade Asterisk. Nothing else on that host is touched.")?;
    let starts = container_starts(fleet)?;
    omlctl(fleet, &["set-version", "tenant=acme", "asterisk=230215.01"], 0)?;
    compare_starts(&starts, &container_starts(fleet)?)?;
    chapter("The same again: nothing to change.")?;
    omlctl(fleet, &["set-version", "tenant=acme", "asterisk=230215.01"], 0)?;
    chapter(
        "A version that exits at once: the old one comes back by itself, and the exit code says so.",
    )?;
    omlctl(fleet, &["set-version", "tenant=acme", "asterisk=exits-at-once"], 3)?;
    chapter("A mistake in a name.")?;
    omlctl(fleet, &["set-version", "tenant=acme", "astrisk=230220.01"], 2)?;
    chapter("Back to the first revision. History only goes forward.")?;
    omlctl(fleet, &["rollback", "tenant=acme", "to=1"], 0)?;
    omlctl(fleet, &["history", "tenant=acme"], 0)?;
    chapter("Where does everything stand?")?;
    omlctl(fleet, &["explain", "tenant=acme"], 0)?;
    omlctl(fleet, &["status", "tenant=acme"], 0)
}

fn omlctl(fleet: &Fleet, arguments: &[&str], expected: i32) -> Result<()> {
    say(&format!("$ omlctl {}", arguments.join(" ")))?;
    let status = fleet.ctl_command(arguments).status().context("start omlctl")?;
    let code = status.code().unwrap_or(-1);
    say(&format!("(exit code {code})"))?;
    if code != expected {
        bail!("omlctl {} ended with {code}, not {expected}", arguments.join(" "));
    }
    Ok(())
}

fn on_host(fleet: &Fleet, host: &str, command: &[&str]) -> Result<()> {
    say(&format!("{host}# {}", command.join(" ")))?;
    let output = fleet.host(host)?.exec(command)?;
    say(&output.stdout)
}

/// Start times of every container of the fleet, by host and name.
fn container_starts(fleet: &Fleet) -> Result<Vec<(String, String)>> {
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

fn compare_starts(before: &[(String, String)], after: &[(String, String)]) -> Result<()> {
    let moved: Vec<&str> = after
        .iter()
        .filter(|start| !before.contains(start))
        .map(|(name, _)| name.as_str())
        .collect();
    say(&format!("Of {} containers, these were started anew: {}", after.len(), moved.join(", ")))?;
    ensure!(
        moved == [UPGRADED] && before.len() == after.len(),
        "only {UPGRADED} should have been started anew"
    );
    Ok(())
}

fn chapter(title: &str) -> Result<()> {
    say(&format!("\n── {title}"))
}

fn say(text: &str) -> Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{text}").and_then(|()| out.flush()).context("write to standard output")
}
