//! The logins with which the images of a tenant are pulled.

use crate::decide::secrets::ChosenSecrets;
use crate::document::instance::{KeptSecret, RegistryLogin};
use crate::document::spec::TenantSpec;
use crate::id::Repository;
use crate::text::problem::Problems;

use super::Input;

/// Refuses the logins whose password the controller does not keep, or cannot send as one line.
pub(super) fn check(spec: &TenantSpec, secrets: &ChosenSecrets, problems: &mut Problems) {
    let tenant = &spec.tenant;
    for used in spec.registries.values() {
        let name = &used.password;
        let path = format!("registries.{}.password", used.address);
        let (message, hint) = match secrets.get(name) {
            Some(chosen) if !chosen.has_lines => continue,
            Some(_) => (
                format!("the value of secret {name} has several lines, and a password is one"),
                format!("omlctl secret rotate tenant={tenant} {name}"),
            ),
            None => (
                format!("{tenant} has no secret {name}"),
                format!("omlctl secret set tenant={tenant} {name}"),
            ),
        };
        problems.push(spec.problem(&path, message).hint(hint));
    }
}

/// Returns the login for the repository from which an image is pulled, if the tenant has one.
pub(super) fn login(input: Input<'_>, source: &Repository) -> Option<RegistryLogin> {
    let used = input.spec.registries.get(&source.registry())?;
    // One that lacks is refused.
    let chosen = input.secrets.get(&used.password)?;
    let (name, version, mark) = (used.password.clone(), chosen.version, chosen.mark.clone());
    let password = KeptSecret { name, version, mark, file: None };
    Some(RegistryLogin { user: used.user.clone(), password })
}

#[cfg(test)]
mod tests;
