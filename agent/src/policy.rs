//! Reads the file of this host that says which rights containers may have.

use oml_common::document::host_policy::{FoundPolicy, HostPolicy};
use oml_common::text::error::chain;
use tracing::{info, warn};

use crate::files;
use crate::paths::Paths;

/// Reads the policy of this host. Without a file the default holds. While there is one that cannot
/// be used, the strictest holds and the mistakes are named: the file may forbid anything.
#[must_use]
pub(crate) fn read(paths: &Paths) -> FoundPolicy {
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
        Ok(policy) => FoundPolicy { policy, problem: String::new() },
        Err(problem) => FoundPolicy { policy: HostPolicy::strictest(), problem },
    }
}

/// Logs what this host allows from now on.
pub(crate) fn log(found: &FoundPolicy) {
    match found.problem.as_str() {
        "" => info!("policy of this host read"),
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
