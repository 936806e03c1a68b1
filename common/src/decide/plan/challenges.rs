//! Whether a tenant that orders its certificate has a component that answers the challenges of its directory.

use crate::document::catalog::{Component, WorkloadTemplate};
use crate::document::spec::TlsMode;
use crate::text::problem::Problems;

use super::Input;

/// Refuses to order a certificate that no component could prove to be the tenant's.
pub(super) fn check(input: Input<'_>, problems: &mut Problems) {
    let Input { spec, catalog, .. } = input;
    let is_ordered = spec.tls.as_ref().is_some_and(|tls| tls.mode == TlsMode::Acme);
    // Nobody knows which components a document has whose list of them cannot be read.
    if !is_ordered || spec.is_unread("components") {
        return;
    }
    let answering = catalog.components.iter().filter(|(_, component)| answers(component));
    let answering: Vec<&str> = answering.map(|(name, _)| name.as_str()).collect();
    if spec.components.keys().any(|name| answering.contains(&name.as_str())) {
        return;
    }
    let message = "no component of the tenant can answer the challenges of an ACME directory";
    let problem = spec.problem("tls.mode", message);
    problems.push(match answering.as_slice() {
        [] => problem.hint(format!(
            "catalog {} has none that can: use mode: custom or selfsigned",
            catalog.name
        )),
        names => problem.hint(format!("add one that can: {}", names.join(", "))),
    });
}

/// Whether a component has a file by which its program answers challenges.
fn answers(component: &Component) -> bool {
    match &component.workload {
        WorkloadTemplate::Container(container) => container.files.iter().any(|it| it.is_challenge),
        WorkloadTemplate::Unit { .. } => false,
    }
}

#[cfg(test)]
mod tests;
