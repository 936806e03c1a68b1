//! The release of Debian that the hosts of the tests run.

use anyhow::{Context, Result};
use oml_lab::Debian;

/// The variable that gives the number of another release than the usual one, such as 13.
pub const VARIABLE: &str = "OML_LAB_DEBIAN";

/// Returns the release that the variable names, or the usual one.
///
/// # Errors
/// The variable names no release that the lab has.
pub fn of_hosts() -> Result<Debian> {
    parse(std::env::var_os(VARIABLE).as_deref().and_then(|text| text.to_str()))
}

fn parse(text: Option<&str>) -> Result<Debian> {
    text.map_or(Ok(Debian::default()), |text| {
        text.parse().with_context(|| format!("read the variable {VARIABLE}"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_the_variable_the_hosts_run_the_usual_release() {
        assert_eq!(parse(None).unwrap(), Debian::Bookworm);
        assert_eq!(parse(Some("13")).unwrap(), Debian::Trixie);
        let error = format!("{:#}", parse(Some("trixie")).unwrap_err());
        assert!(error.contains(VARIABLE) && error.contains("use 12 or 13"), "{error}");
    }
}
