//! `cargo xtask bench replace`: what replacing a container costs here, beside
//! what the engine alone and Docker Swarm take in the same run, and what the
//! programs cost while nothing happens.

mod compare;
mod contender;
mod engine;
mod figures;
mod quiet;
mod replace;
mod table;
mod watch;

use std::io::{self, Write};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::{Args, Subcommand};
use oml_lab::{Host, Lab, LabSpec, preflight};

use self::contender::Contender;
use self::engine::Engine;
use self::replace::Race;
use self::table::Table;
use crate::elevate::become_root;

const LAB: &str = "bench";
const HOST: &str = "bench-one";
const IMAGE: &str = "omnileads/small";

#[derive(Debug, Subcommand)]
pub(crate) enum Bench {
    /// Replace a container again and again; then idle cost, and how soon a lost host is noticed
    Replace(Replace),
}

#[derive(Debug, Args)]
pub(crate) struct Replace {
    /// Measured replacements of each contender
    #[arg(long, default_value_t = 30)]
    runs: usize,
    /// Renew the table in docs/benchmarks.md
    #[arg(long)]
    write: bool,
    /// Only the engine and Docker Swarm
    #[arg(long, conflicts_with = "write")]
    peers_only: bool,
}

pub(crate) fn run(verb: &Bench) -> Result<ExitCode> {
    let Bench::Replace(replace) = verb;
    match preflight() {
        Ok(preflight) => eprintln!("{}", preflight.announcement()),
        Err(error) => bail!("the benchmark cannot run here: {error}"),
    }
    become_root()?;
    let mut table = Table::default();
    if replace.peers_only {
        peers(replace.runs, &mut table)?;
    }
    let text = table.to_string();
    io::stdout().write_all(text.as_bytes()).context("write to standard output")?;
    Ok(ExitCode::SUCCESS)
}

fn peers(runs: usize, table: &mut Table) -> Result<()> {
    let lab = Lab::up(&LabSpec::new(LAB, &[HOST]))?;
    let host = lab.host(HOST)?;
    ready_for_swarm(&lab, host)?;
    let image = format!("{}/{IMAGE}", lab.registry()?.name());
    let floor = Contender::Floor { engine: Engine::of(host)?, image: image.clone() };
    let race = Race::run(vec![floor, Contender::Swarm { image }], host, runs)?;
    compare::tell(&race, table);
    lab.down()?;
    Ok(())
}

/// Swarm refuses an engine with live-restore; all contenders get the same engine, with both images.
fn ready_for_swarm(lab: &Lab, host: &Host) -> Result<()> {
    lab.set_live_restore(host, false)?;
    lab.log_in(host)?;
    host.exec_ok(&["systemctl", "restart", "docker"])?;
    host.wait_until_up()?;
    for version in ["v1", "v2"] {
        let image = format!("{}/{IMAGE}:{version}", lab.registry()?.name());
        host.exec_ok(&["docker", "pull", "--quiet", &image])?;
    }
    Ok(())
}
