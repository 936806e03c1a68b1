//! Checks the rights of a container by the policy of this host, which may have changed since the
//! controller planned with it.

use oml_common::decide::rights::{NotAllowed, refused};
use oml_common::document::instance::Container;

use crate::paths::Paths;
use crate::policy;
use crate::runtime::RuntimeError;

/// Refuses a container that asks for a right that this host does not allow now.
pub(super) fn check(container: &Container, paths: &Paths) -> Result<(), RuntimeError> {
    let refused = refused(container, &policy::read(paths).policy);
    if refused.is_empty() {
        return Ok(());
    }
    Err(RuntimeError::Refused {
        verb: "create",
        object: container.name.to_string(),
        detail: NotAllowed(refused).to_string(),
        // The file may be changed at any time, and nothing was stopped.
        transient: true,
    })
}

#[cfg(test)]
mod tests;
