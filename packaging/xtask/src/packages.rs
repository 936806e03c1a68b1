//! `cargo xtask packages` builds the packages as they are released, for Debian and for distributions that use rpm, and
//! prints their paths.

use std::io::Write;
use std::process::ExitCode;

use anyhow::{Context, Result};
use oml_tests::{Build, Packages, Rpms};

pub(crate) fn run() -> Result<ExitCode> {
    let packages = Packages::build(Build::Release)?;
    let rpms = Rpms::build(Build::Release, 1)?;
    let mut out = std::io::stdout().lock();
    let debian = [&packages.agent, &packages.controller, &packages.omlctl];
    for path in debian.into_iter().chain([&rpms.agent, &rpms.controller, &rpms.omlctl]) {
        writeln!(out, "{}", path.display()).context("write to standard output")?;
    }
    Ok(ExitCode::SUCCESS)
}
