//! `cargo xtask packages` builds the Debian packages as they are released and prints their paths.

use std::io::Write;
use std::process::ExitCode;

use anyhow::{Context, Result};
use oml_tests::{Build, Packages};

pub(crate) fn run() -> Result<ExitCode> {
    let packages = Packages::build(Build::Release)?;
    let mut out = std::io::stdout().lock();
    for path in [&packages.agent, &packages.controller, &packages.omlctl] {
        writeln!(out, "{}", path.display()).context("write to standard output")?;
    }
    Ok(ExitCode::SUCCESS)
}
