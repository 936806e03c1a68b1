//! The environment variables of omlctl. No other file reads any.
#![expect(clippy::disallowed_methods, reason = "this is the one place that reads them")]

use std::env::var_os;
use std::path::PathBuf;

/// Returns the file that lists the contexts (`OMLCTL_CONFIG`), unless the name is empty.
pub(crate) fn config_file() -> Option<PathBuf> {
    var_os("OMLCTL_CONFIG").filter(|path| !path.is_empty()).map(PathBuf::from)
}

/// Whether colours are turned off (`NO_COLOR`, <https://no-color.org>).
pub(crate) fn no_colour() -> bool {
    var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
}

/// Whether the terminal cannot move its cursor (`TERM`).
pub(crate) fn is_dumb_terminal() -> bool {
    var_os("TERM").is_none_or(|term| term == "dumb")
}
