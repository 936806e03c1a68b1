//! `cargo xtask bench replace` measures how long replacing a container takes,
//! compared with the bare Docker Engine and Docker Swarm in the same run. It
//! also measures what the programs cost while nothing happens.

mod compare;
mod contender;
mod engine;
mod figures;
mod overhead;
mod page;
mod quiet;
mod replace;
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
use self::replace::Comparison;
use self::table::Table;
use crate::hosts;

const LAB: &str = "bench";
const IMAGE: &str = "omnileads/small";

#[derive(Debug, Subcommand)]
pub(crate) enum Bench {
    /// Measure replacing a container, the cost of idling and how soon a lost host is detected
    Replace(Replace),
}

#[derive(Debug, Args)]
pub(crate) struct Replace {
    /// Number of measured replacements for each contender
    #[arg(long, default_value_t = 30)]
    runs: usize,
    /// Update the table in docs/benchmarks.md
    #[arg(long)]
    write: bool,
    /// Measure only the engine and Docker Swarm
    #[arg(long, conflicts_with = "write")]
    peers_only: bool,
}

pub(crate) fn run(verb: &Bench) -> Result<ExitCode> {
    let Bench::Replace(replace) = verb;
    hosts::require("the benchmark", || match replace.peers_only {
        true => Ok(()),
        false => tenant::packages().map(drop),
    })?;
    let text = if replace.peers_only { peers(replace.runs)? } else { all(replace.runs)? };
    io::stdout().write_all(text.as_bytes()).context("write to standard output")?;
    if replace.write {
        page::update(&text)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn peers(runs: usize) -> Result<String> {
    let lab = Lab::up(&LabSpec::new(LAB, &[tenant::HOST]))?;
    let host = lab.host(tenant::HOST)?;
    prepare(&lab, host)?;
    let comparison = Comparison::run(vec![baseline(&lab, host)?, swarm(&lab)?], host, runs)?;
    let mut table = Table::default();
    compare::add_rows(&comparison, &mut table);
    let text = page(runs, &comparison, host, &table)?;
    lab.down()?;
    Ok(text)
}

fn all(runs: usize) -> Result<String> {
    let fleet = tenant::up(LAB)?;
    let (lab, host) = (fleet.lab(), fleet.host(tenant::HOST)?);
    prepare(lab, host)?;
    let contenders = vec![baseline(lab, host)?, Contender::Ours { fleet: &fleet }, swarm(lab)?];
    let comparison = Comparison::run(contenders, host, runs)?;
    let mut table = Table::default();
    compare::add_rows(&comparison, &mut table);
    overhead::add_rows(&fleet, &mut table);
    let text = page(runs, &comparison, host, &table)?;
    drop(comparison);
    fleet.down()?;
    Ok(text)
}

fn baseline(lab: &Lab, host: &Host) -> Result<Contender<'static>> {
    Ok(Contender::Baseline { engine: Engine::of(host)?, image: image(lab)? })
}

fn swarm(lab: &Lab) -> Result<Contender<'static>> {
    Ok(Contender::Swarm { image: image(lab)? })
}

fn image(lab: &Lab) -> Result<String> {
    Ok(format!("{}/{IMAGE}", lab.registry()?.name()))
}

/// Restarts Docker without live-restore, which Swarm does not support, and pulls both images. So all contenders use
/// the same engine with the same settings.
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

fn page(runs: usize, comparison: &Comparison<'_>, host: &Host, table: &Table) -> Result<String> {
    let mut text = format!(
        "{}\n`cargo xtask bench replace --runs {runs}`: {runs} replacements for each contender, in turn; \
        {} of {} started while the machine was busy with something else.\n\n{table}",
        page::machine_summary(host)?,
        comparison.busy_starts,
        comparison.series.iter().map(|series| series.runs.len()).sum::<usize>(),
    );
    let missed: Vec<&str> = table.missed_aims().collect();
    if !missed.is_empty() {
        text += &format!("\nAims not met: {}.\n", missed.join("; "));
    }
    Ok(text)
}
