//! `cargo xtask lab up|down|shell` manages a lab by hand. The lab keeps running until `lab down`.

use std::io::{self, IsTerminal, Write};
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, bail};
use clap::{Args, Subcommand};
use oml_lab::{Lab as RunningLab, LabSpec, down_all, purge};

use crate::elevate::become_root;

const DEFAULT_NAME: &str = "lab";
const HOSTS: [&str; 4] = ["controller", "acme-data", "acme-voice", "acme-app"];

#[derive(Debug, Subcommand)]
pub(crate) enum Lab {
    /// Boot the hosts and print their addresses
    Up(Name),
    /// Take a lab down, even one that a killed command left behind
    Down(Down),
    /// Open a shell on a host, or run a command on it
    Shell(Shell),
}

#[derive(Debug, Args)]
pub(crate) struct Name {
    /// The lab's name
    #[arg(long, default_value = DEFAULT_NAME)]
    name: String,
}

#[derive(Debug, Args)]
pub(crate) struct Down {
    #[command(flatten)]
    lab: Name,
    /// Take down every lab on this machine
    #[arg(long)]
    all: bool,
    /// Also remove the cached base systems and images (implies --all)
    #[arg(long)]
    purge: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Shell {
    #[command(flatten)]
    lab: Name,
    /// The host's name
    host: String,
    /// A command and its arguments (default: an interactive shell)
    #[arg(last = true)]
    command: Vec<String>,
}

pub(crate) fn run(verb: Lab) -> Result<ExitCode> {
    become_root()?;
    match verb {
        Lab::Up(name) => up(&name.name)?,
        Lab::Down(down) => take_down(&down)?,
        Lab::Shell(shell) => return Err(enter(&shell)?),
    }
    Ok(ExitCode::SUCCESS)
}

fn up(name: &str) -> Result<()> {
    let lab = RunningLab::up(&LabSpec::new(name, &HOSTS))?;
    let registry = lab.registry()?;
    let mut text = String::new();
    for host in lab.hosts() {
        text += &format!("{:<12}{}\n", host.name(), host.address());
    }
    let option = if name == DEFAULT_NAME { String::new() } else { format!(" --name {name}") };
    text += &format!(
        "{:<12}{} (on the hosts), {} (here)\n{:<12}{}\n{:<12}cargo xtask lab shell{option} HOST [-- COMMAND]\n",
        "registry",
        registry.name(),
        registry.address(),
        "login file",
        registry.login_file().display(),
        "enter",
    );
    io::stdout().write_all(text.as_bytes()).context("write to standard output")?;
    lab.keep()?;
    Ok(())
}

fn take_down(down: &Down) -> Result<()> {
    if down.purge {
        purge()?;
    } else if down.all {
        down_all()?;
    } else {
        RunningLab::down_by_name(&down.lab.name)?;
    }
    Ok(())
}

/// Replaces this process with the command on the host. It only returns, with the error, if that could not be started.
fn enter(shell: &Shell) -> Result<anyhow::Error> {
    let lab = RunningLab::attach(&shell.lab.name)?;
    let entry = lab.host(&shell.host)?.nsenter_command()?;
    let Some((program, arguments)) = entry.split_first() else {
        bail!("the host {} has no command to enter it", shell.host);
    };
    let mut command = Command::new(program);
    command.args(arguments);
    match shell.command.as_slice() {
        [] if io::stdin().is_terminal() => command.args(["bash", "-l"]),
        [] => command.arg("bash"),
        words => command.args(words),
    };
    let error = command.exec();
    Ok(anyhow::Error::new(error).context(format!("start {program}")))
}
