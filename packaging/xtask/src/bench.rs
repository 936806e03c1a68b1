//! `cargo xtask bench replace`: what replacing a container costs here, beside
//! what the engine alone and Docker Swarm take in the same run, and what the
//! programs cost while nothing happens.

mod compare;
mod contender;
mod engine;
mod figures;
mod page;
mod quiet;
mod replace;
mod standing;
mod table;
mod tenant;
mod watch;

use std::io::{self, Write};
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::{Args, Subcommand};
use oml_lab::{Host, Lab, LabSpec};

use self::contender::Contender;
use self::engine::Engine;
use self::replace::Race;
use self::table::Table;
use crate::hosts;

const LAB: &str = "bench";
const IMAGE: &str = "omnileads/small";

#[derive(Debug, Subcommand)]
pub(crate) enum Bench {
    /// Replace a container again and again; then what idling costs, and how soon a lost host is noticed
    Replace(Replace),
}

#[derive(Debug, Args)]
pub(crate) struct Replace {
    /// Measured replacements by each contender
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
    hosts::need("the benchmark", || match replace.peers_only {
        true => Ok(()),
        false => tenant::packages().map(drop),
    })?;
    let text = if replace.peers_only { peers(replace.runs)? } else { all(replace.runs)? };
    io::stdout().write_all(text.as_bytes()).context("write to standard output")?;
    if replace.write {
        page::renew(&text)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn peers(runs: usize) -> Result<String> {
    let lab = Lab::up(&LabSpec::new(LAB, &[tenant::HOST]))?;
    let host = lab.host(tenant::HOST)?;
    prepare(&lab, host)?;
    let race = Race::run(vec![floor(&lab, host)?, swarm(&lab)?], host, runs)?;
    let mut table = Table::default();
    compare::tell(&race, &mut table);
    let text = page(runs, &race, host, &table)?;
    lab.down()?;
    Ok(text)
}

fn all(runs: usize) -> Result<String> {
    let fleet = tenant::up(LAB)?;
    let (lab, host) = (fleet.lab(), fleet.host(tenant::HOST)?);
    prepare(lab, host)?;
    let contenders = vec![floor(lab, host)?, Contender::Ours { fleet: &fleet }, swarm(lab)?];
    let race = Race::run(contenders, host, runs)?;
    let mut table = Table::default();
    compare::tell(&race, &mut table);
    standing::tell(&fleet, &mut table);
    let text = page(runs, &race, host, &table)?;
    drop(race);
    fleet.down()?;
    Ok(text)
}

fn floor(lab: &Lab, host: &Host) -> Result<Contender<'static>> {
    Ok(Contender::Floor { engine: Engine::of(host)?, image: image(lab)? })
}

fn swarm(lab: &Lab) -> Result<Contender<'static>> {
    Ok(Contender::Swarm { image: image(lab)? })
}

fn image(lab: &Lab) -> Result<String> {
    Ok(format!("{}/{IMAGE}", lab.registry()?.name()))
}

/// Swarm refuses an engine with live-restore; all contenders get the same engine, with both images.
fn prepare(lab: &Lab, host: &Host) -> Result<()> {
    lab.set_live_restore(host, false)?;
    lab.log_in(host)?;
    host.exec_ok(&["systemctl", "restart", "docker"])?;
    host.wait_until_up()?;
    for version in ["v1", "v2"] {
        host.exec_ok(&["docker", "pull", "--quiet", &format!("{}:{version}", image(lab)?)])?;
    }
    Ok(())
}

fn page(runs: usize, race: &Race<'_>, host: &Host, table: &Table) -> Result<String> {
    let mut text = format!(
        "{}\n`cargo xtask bench replace --runs {runs}`: {runs} replacements by each contender, by turns; \
         {} of {} began while the machine was busy with something else.\n\n{table}",
        page::machine(host)?,
        race.busy_starts,
        race.lanes.iter().map(|lane| lane.runs.len()).sum::<usize>(),
    );
    let short: Vec<&str> = table.short().collect();
    if !short.is_empty() {
        text += &format!("\nFalls short: {}.\n", short.join("; "));
    }
    Ok(text)
}
