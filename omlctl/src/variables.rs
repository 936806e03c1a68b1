//! The environment variables that omlctl knows. No other file reads any.
#![expect(clippy::disallowed_methods, reason = "the one place that reads them")]

use std::env::var_os;
use std::path::PathBuf;

/// The file that lists the contexts (`OMLCTL_CONFIG`); an empty name is none.
pub(crate) fn config_file() -> Option<PathBuf> {
    var_os("OMLCTL_CONFIG").filter(|path| !path.is_empty()).map(PathBuf::from)
}

/// Whether nothing shall be coloured (`NO_COLOR`, <https://no-color.org>).
pub(crate) fn no_colour() -> bool {
    var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
}

/// Whether the terminal cannot move its cursor (`TERM`).
pub(crate) fn is_dumb_terminal() -> bool {
    var_os("TERM").is_none_or(|term| term == "dumb")
}
