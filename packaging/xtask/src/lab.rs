//! `cargo xtask lab prepare|up|down|shell` manages a lab by hand. The lab keeps running until `lab down`.

use std::io::{self, IsTerminal, Write};
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};
use std::str::FromStr;

use anyhow::{Context, Result, bail};
use clap::{Args, Subcommand};
use oml_lab::{Debian, Lab as RunningLab, LabError, LabSpec, down_all, prepare, purge};

use crate::elevate::become_root;

const DEFAULT_NAME: &str = "lab";
const HOSTS: [&str; 4] = ["controller", "acme-data", "acme-voice", "acme-app"];

#[derive(Debug, Subcommand)]
pub(crate) enum Lab {
    /// Build what hosts are made of, and boot none
    Prepare(Prepare),
    /// Boot the hosts and print their addresses
    Up(Up),
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
pub(crate) struct Prepare {
    /// The release of Debian that the hosts run: 12 or 13
    #[arg(long, value_name = "RELEASE", default_value = Debian::default().number())]
    debian: Vec<Debian>,
}

#[derive(Debug, Args)]
pub(crate) struct Up {
    #[command(flatten)]
    lab: Name,
    /// Another release of Debian for all hosts or for one, such as 13 or acme-voice=13
    #[arg(long, value_name = "[HOST=]RELEASE")]
    debian: Vec<Choice>,
}

/// A release of Debian for one host, or for all.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Choice {
    host: Option<String>,
    debian: Debian,
}

impl FromStr for Choice {
    type Err = LabError;

    fn from_str(text: &str) -> Result<Self, LabError> {
        let (host, number) = match text.split_once('=') {
            Some((host, number)) => (Some(host.to_owned()), number),
            None => (None, text),
        };
        Ok(Self { host, debian: number.parse()? })
    }
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
        Lab::Prepare(wanted) => drop(prepare(&wanted.debian)?),
        Lab::Up(wanted) => up(&wanted)?,
        Lab::Down(down) => take_down(&down)?,
        Lab::Shell(shell) => return Err(enter(&shell)?),
    }
    Ok(ExitCode::SUCCESS)
}

fn up(wanted: &Up) -> Result<()> {
    let name = &wanted.lab.name;
    let lab = RunningLab::up(&described(name, &wanted.debian)?)?;
    let registry = lab.registry()?;
    let mut text = String::new();
    for host in lab.hosts() {
        text += &format!("{:<12}{}\n", host.name(), host.address());
    }
    let option =
        if name.as_str() == DEFAULT_NAME { String::new() } else { format!(" --name {name}") };
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

/// Describes the lab. A choice for one host counts, wherever it stands.
fn described(name: &str, choices: &[Choice]) -> Result<LabSpec> {
    let all = choices.iter().rev().find(|choice| choice.host.is_none());
    let spec = LabSpec::new(name, &HOSTS).on(all.map(|choice| choice.debian).unwrap_or_default());
    let single = choices.iter().filter_map(|choice| Some((choice.host.as_ref()?, choice.debian)));
    Ok(single.into_iter().try_fold(spec, |spec, (host, debian)| spec.with_host_on(host, debian))?)
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

#[cfg(test)]
mod tests {
    use super::*;

    fn releases(choices: &[&str]) -> Vec<&'static str> {
        let choices: Vec<Choice> = choices.iter().map(|choice| choice.parse().unwrap()).collect();
        let spec = described("lab", &choices).unwrap();
        spec.hosts.iter().map(|host| host.debian.number()).collect()
    }

    #[test]
    fn a_release_is_chosen_for_all_hosts_or_for_one() {
        assert_eq!(releases(&[]), ["12"; 4]);
        assert_eq!(releases(&["13"]), ["13"; 4]);
        assert_eq!(releases(&["acme-voice=13"]), ["12", "12", "13", "12"]);
        assert_eq!(releases(&["acme-app=12", "13"]), ["13", "13", "13", "12"]);
    }

    #[test]
    fn a_choice_that_names_no_host_or_release_is_refused() {
        for (text, words) in [("11", "use 12 or 13"), ("acme-app=", "use 12 or 13")] {
            let error = text.parse::<Choice>().unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
        }
        let nobody = Choice { host: Some("nobody".to_owned()), debian: Debian::Trixie };
        let error = described("lab", &[nobody]).unwrap_err().to_string();
        assert_eq!(error, "the lab has no host named nobody");
    }
}
