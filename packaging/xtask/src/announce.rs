//! What a verb is about to install and change, said once and before anything is.

use std::env;

use anyhow::Result;
use oml_lab::Preflight;
use oml_tests::tools::CARGO_DEB;

/// Set for the same command under sudo: it was said already.
pub(crate) const TOLD: &str = "OML_XTASK_TOLD";

/// Says what the machine gets, unless the command before sudo has.
pub(crate) fn announce(found: &Preflight) -> Result<()> {
    if env::var_os(TOLD).is_some() {
        return Ok(());
    }
    let own = CARGO_DEB.announcement()?;
    eprintln!("This command");
    for line in own.iter().map(String::as_str).chain(found.announcement().lines()) {
        eprintln!("  - {line}");
    }
    Ok(())
}
