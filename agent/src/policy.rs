//! Reads the file of this host that says which rights containers may have.

use std::collections::BTreeSet;
use std::fs;
use std::io::ErrorKind;

use oml_common::document::host_policy::{FoundPolicy, HostPolicy};
use oml_common::id::SecretName;
use oml_common::text::error::chain;
use tracing::{info, warn};

use crate::files;
use crate::paths::Paths;

/// Reads the policy of this host, and which secrets it has. Without a file the default holds. While there is one that cannot
/// be used, the strictest holds and the mistakes are named: the file may forbid anything.
#[must_use]
pub(crate) fn read(paths: &Paths) -> FoundPolicy {
    FoundPolicy { secrets: secrets(paths), ..rights(paths) }
}

/// Returns the names of the secrets that are files of this host; `None` if they cannot be listed. A file with a
/// name that no secret has is none.
fn secrets(paths: &Paths) -> Option<BTreeSet<SecretName>> {
    let entries = match fs::read_dir(paths.secrets()) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Some(BTreeSet::new()),
        Err(_) => return None,
    };
    let names =
        entries.map(|entry| entry.map(|entry| entry.file_name())).collect::<Result<Vec<_>, _>>();
    Some(names.ok()?.iter().filter_map(|name| name.to_str()?.parse().ok()).collect())
}

fn rights(paths: &Paths) -> FoundPolicy {
    let path = paths.policy();
    let read = match files::read_if_there(&path) {
        Ok(None) if path.is_symlink() => Err("it is a link to nothing".to_owned()),
        Ok(None) => return FoundPolicy::default(),
        Ok(Some(text)) => {
            HostPolicy::parse(&text).map_err(|problems| problems.to_string().replace('\n', "; "))
        }
        Err(error) => Err(chain(&error)),
    };
    match read {
        Ok(policy) => FoundPolicy { policy, ..FoundPolicy::default() },
        Err(problem) => {
            FoundPolicy { policy: HostPolicy::strictest(), problem, ..FoundPolicy::default() }
        }
    }
}

/// Logs what this host allows from now on.
pub(crate) fn log(found: &FoundPolicy) {
    match found.problem.as_str() {
        "" => info!("policy of this host and the names of its secrets read"),
        problem => {
            warn!(
                problem,
                "cannot use the policy of this host; nothing that it could forbid is allowed until \
                 it is mended"
            );
        }
    }
}

#[cfg(test)]
mod tests;
