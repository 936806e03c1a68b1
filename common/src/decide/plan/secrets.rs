//! Puts the secrets of a component into its container: those of the host by their names, those of the
//! controller by their names and versions.

use std::collections::BTreeMap;

use crate::decide::mount::{is_within, normalised};
use crate::decide::secrets::ChosenSecret;
use crate::decide::tls::{has_part, not_given};
use crate::document::catalog::Places;
use crate::document::instance::{Container, KeptSecret};
use crate::document::secret_use::{SecretSource, SecretUse};
use crate::document::spec::{TlsMode, TlsSpec};
use crate::document::tls_secret::TlsSecret;
use crate::id::{ComponentName, EnvName};
use crate::text::problem::{Problem, Problems};

use super::Input;

/// The words by which a password is known in a name.
const PASSWORDS: [&str; 4] = ["password", "passwd", "pass", "pwd"];

/// Returns the container with the secrets of the catalog that the tenant uses, and with those of the tenant,
/// which override the catalog's. Adds a problem for every secret that the controller should keep and does not.
pub(super) fn add<'t>(
    container: Container,
    input: Input<'t>,
    name: &ComponentName,
    of_catalog: impl Iterator<Item = (&'t EnvName, &'t SecretUse)>,
    problems: &mut Problems,
) -> Container {
    let Some(spec) = input.spec.components.get(name) else { return container };
    let mut uses: BTreeMap<&EnvName, &SecretUse> = of_catalog.collect();
    uses.extend(&spec.secrets);
    let mut container = container;
    refuse_both(input, name, &uses, problems);
    container.env.retain(|variable, _| !spec.secrets.contains_key(variable));
    for (variable, wanted) in &uses {
        match source(input, wanted) {
            SecretSource::Host => {
                container.secrets.insert((*variable).clone(), wanted.name.clone());
            }
            SecretSource::Controller if is_left_out(input, wanted) => {}
            SecretSource::Controller => match kept(input, name, variable, wanted) {
                Ok(kept) => _ = container.kept_secrets.insert((*variable).clone(), kept),
                // What the tenant wrote in its place could not be read.
                Err(_) if is_unread(input, name, variable) => {}
                Err(problem) => problems.push(problem),
            },
        }
    }
    let replaced = |target: &str| {
        let certificates = uses.values().filter(|it| it.replaces_volumes());
        let mounted = certificates.filter(|it| !is_left_out(input, it));
        let mut files = mounted.filter_map(|it| it.file.as_ref());
        let target = normalised(target);
        files.any(|file| is_within(&normalised(file), &target))
    };
    container.volumes.retain(|volume| !replaced(&volume.target));
    refuse_in_the_way(input, name, &container, problems);
    container
}

/// Whether what a tenant says of the secret of a variable could not be read.
fn is_unread(input: Input<'_>, name: &ComponentName, variable: &EnvName) -> bool {
    input.spec.is_unread(&format!("components.{name}.secrets.{variable}"))
}

/// Whether a part of the certificate is left out, because the tenant has no certificate with this part.
fn is_left_out(input: Input<'_>, wanted: &SecretUse) -> bool {
    let is_there = |secret: TlsSecret| has_part(input.spec.tls.as_ref(), secret);
    wanted.is_optional && !TlsSecret::of(&wanted.name).is_some_and(is_there)
}

/// Refuses the secrets that are mounted where something else is. The catalog and the tenant may
/// each say where, so that this is known only now.
fn refuse_in_the_way(
    input: Input<'_>,
    component: &ComponentName,
    container: &Container,
    problems: &mut Problems,
) {
    let mut places = Places::new(&container.volumes, &container.options.tmpfs);
    for file in &container.options.files {
        // That it is in the way of something was said when the catalog was read.
        let _known = places.take(&file.path, "which is a file of the catalog".to_owned());
    }
    for (variable, secret) in &container.kept_secrets {
        let Some(path) = &secret.file else { continue };
        if let Some(why) = places.take_secret(path, &secret.name) {
            let problem = problem(input, component, variable, format!("{path} {why}"));
            problems.push(problem.hint("choose a path of its own in the container"));
        }
    }
}

/// Refuses secrets of a packaged unit, whose environment is read by everyone who reads its drop-in.
pub(super) fn refuse_of_unit(input: Input<'_>, name: &ComponentName, problems: &mut Problems) {
    let spec = input.spec.components.get(name);
    if spec.is_some_and(|spec| !spec.secrets.is_empty()) {
        let path = format!("components.{name}.secrets");
        let problem = input.spec.problem(&path, "a packaged unit does not support secrets");
        let hint = "remove them, or run the component in a container";
        problems.push(problem.hint(hint));
    }
}

/// Refuses a variable that would reach the container twice: as a value that the tenant or an
/// operation sets, and as a secret of the tenant or of the catalog. A secret of the tenant overrides
/// a value of the catalog.
fn refuse_both(
    input: Input<'_>,
    name: &ComponentName,
    uses: &BTreeMap<&EnvName, &SecretUse>,
    problems: &mut Problems,
) {
    let Some(spec) = input.spec.components.get(name) else { return };
    let operations = input.catalog.components.get(name).map(|component| &component.operations);
    for (variable, wanted) in uses {
        if spec.env.contains_key(*variable) {
            problems.push(in_env(input, name, variable, wanted));
        }
        let in_operation = operations.into_iter().flatten();
        for (operation, _) in in_operation.filter(|(_, it)| it.env.contains_key(*variable)) {
            let message = format!("operation {operation} of the catalog sets the same variable");
            let hint = "choose another variable for the secret";
            problems.push(problem(input, name, variable, message).hint(hint));
        }
    }
}

/// Makes the problem of a secret whose variable the tenant sets too.
fn in_env(
    input: Input<'_>,
    name: &ComponentName,
    variable: &EnvName,
    wanted: &SecretUse,
) -> Problem {
    let spec = input.spec.components.get(name);
    if spec.is_some_and(|spec| spec.secrets.contains_key(variable)) {
        let path = format!("components.{name}.secrets.{variable}");
        let problem = input.spec.problem(&path, "the same variable is in env");
        return problem.hint("remove it from env");
    }
    let path = format!("components.{name}.env.{variable}");
    let message = format!("the variable is secret {} of the catalog", wanted.name);
    let hint = "remove it from env; its value is that of the secret";
    input.spec.problem(&path, message).hint(hint)
}

fn source(input: Input<'_>, wanted: &SecretUse) -> SecretSource {
    let of_tenant = || input.spec.secrets.get(&wanted.name).copied();
    wanted.from.or_else(of_tenant).unwrap_or(SecretSource::Host)
}

fn kept(
    input: Input<'_>,
    component: &ComponentName,
    variable: &EnvName,
    wanted: &SecretUse,
) -> Result<KeptSecret, Problem> {
    let SecretUse { name, file, .. } = wanted;
    let Some(ChosenSecret { version, mark, has_lines }) = input.secrets.get(name) else {
        return Err(missing(input, component, variable, wanted));
    };
    if *has_lines && file.is_none() {
        let message = format!(
            "the value of secret {name} has several lines, and an environment variable holds one"
        );
        let hint =
            format!("mount it: {{name: {name}, from: controller, file: /run/secrets/{name}}}");
        return Err(problem(input, component, variable, message).hint(hint));
    }
    let (name, mark, file) = (name.clone(), mark.clone(), file.clone());
    Ok(KeptSecret { name, version: *version, mark, file })
}

fn missing(
    input: Input<'_>,
    component: &ComponentName,
    variable: &EnvName,
    wanted: &SecretUse,
) -> Problem {
    let (tenant, name) = (&input.spec.tenant, &wanted.name);
    if let Some(secret) = TlsSecret::of(name) {
        return without_certificate(input, component, variable, secret);
    }
    let message = format!("{tenant} has no secret {name}");
    // What a program reads from a file is a key or a certificate, unless its name says otherwise.
    let is_given = wanted.file.is_some() && !is_password(name.as_str(), variable.as_str());
    let hint = match is_given {
        true => format!("omlctl secret set tenant={tenant} {name} < FILE"),
        false => format!("omlctl secret generate tenant={tenant} {name}"),
    };
    problem(input, component, variable, message).hint(hint)
}

/// Whether the name of a secret or of its variable says that it is a password.
fn is_password(secret: &str, variable: &str) -> bool {
    let words = secret.split('_').chain(variable.split('_'));
    words.map(str::to_ascii_lowercase).any(|word| PASSWORDS.contains(&word.as_str()))
}

/// Says why a tenant does not have a part of its certificate.
fn without_certificate(
    input: Input<'_>,
    component: &ComponentName,
    variable: &EnvName,
    secret: TlsSecret,
) -> Problem {
    let (tenant, name) = (&input.spec.tenant, secret.as_str());
    let at = |message: String| problem(input, component, variable, message);
    match (secret, &input.spec.tls) {
        (TlsSecret::AuthorityKey, _) => {
            at(format!("{name} is the private key of an authority, which no host gets"))
                .hint("name tls_key, or tls_ca for the certificate of the authority")
        }
        (TlsSecret::AccountKey | TlsSecret::OrderKey, _) => {
            at(format!("{name} is a private key of the controller, which no host gets"))
                .hint("name tls_key, which is the key of the certificate")
        }
        (_, None) => at(format!("{tenant} has no certificate: its document has no tls"))
            .hint("add tls: {mode: selfsigned, names: [pbx.example.com]}, or mode: custom"),
        (TlsSecret::Authority, Some(TlsSpec { mode: TlsMode::Custom | TlsMode::Acme, .. })) => {
            at(format!("{name} is the tenant's own authority, which {tenant} does not have"))
                .hint("remove it, or use tls: {mode: selfsigned, …}")
        }
        // The same as is said of the document itself, so that it is shown once.
        (TlsSecret::Certificate | TlsSecret::Key | TlsSecret::Authority, Some(_)) => {
            not_given(input.spec)
        }
    }
}

/// Makes a problem with the line of the variable or, where that is of the catalog, of the component.
fn problem(
    input: Input<'_>,
    component: &ComponentName,
    variable: &EnvName,
    message: String,
) -> Problem {
    let component = format!("components.{component}");
    let own = input.spec.problem(&format!("{component}.secrets.{variable}"), message);
    let line = own.line.or_else(|| input.spec.problem(&component, "").line);
    Problem { line, ..own }
}

#[cfg(test)]
mod tests;
