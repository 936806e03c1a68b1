//! Gives a tenant secrets and removes them, and says what became of each. A request without an
//! answer may have been carried out, and is not repeated.

use oml_common::decide::secrets::SECRETS_MAX;
use oml_common::document::tls_secret::TlsSecret;
use oml_common::text::problem::{Problem, Problems};
use oml_proto::v1::{
    ListSecretsReply, ListSecretsRequest, NewSecretValue, RemoveSecretReply, RemoveSecretRequest,
    Secret, SetSecretReply, SetSecretRequest,
};
use serde::Serialize;

use crate::connection::{Controller, Failed};
use crate::error::CommandError;
use crate::output::{Format, Output, print_note};
use crate::verb::Session;

/// A version that was given or removed, for programs.
#[derive(Debug, Serialize)]
struct SecretVersion {
    name: String,
    version: u64,
}

/// Gives a tenant secrets, one after the other. If it has one of several already, nothing is given.
pub(super) async fn give(
    session: &Session,
    tenant: &str,
    names: &[String],
    value: &NewSecretValue,
) -> Result<(), CommandError> {
    let mut controller = session.target.connect().await?;
    if names.len() > 1 {
        check_all(&known(&mut controller, tenant).await?, tenant, names)?;
    }
    let (mut given, mut ended) = (Vec::new(), Ok(()));
    for name in names {
        match give_one(&mut controller, tenant, name, value).await {
            Ok(version) => {
                print_note(&format!("{tenant} has secret {name}, version {version}"));
                given.push(SecretVersion { name: name.clone(), version });
            }
            Err(error) => {
                ended = Err(error);
                break;
            }
        }
    }
    let printed = if given.is_empty() { Ok(()) } else { print(&session.output, &given) };
    ended.and(printed)
}

async fn give_one(
    controller: &mut Controller,
    tenant: &str,
    name: &str,
    value: &NewSecretValue,
) -> Result<u64, CommandError> {
    let (of, secret, value) = (tenant.to_owned(), name.to_owned(), Some(value.clone()));
    let request = SetSecretRequest { tenant: of, name: secret, value };
    let answer = controller.call(|fleet, request| fleet.set_secret(request), request).await;
    let SetSecretReply { version } = answer
        .map_err(|failed| unanswered(failed, tenant, format!("{name} may have been given")))?;
    Ok(version)
}

/// Removes a secret that no component uses.
pub(super) async fn remove(
    session: &Session,
    tenant: &str,
    name: &str,
) -> Result<(), CommandError> {
    let mut controller = session.target.connect().await?;
    let known = match session.output.format {
        Format::Table => Vec::new(),
        // The answer does not say which version is gone.
        Format::Json | Format::Yaml => known(&mut controller, tenant).await?,
    };
    let request = RemoveSecretRequest { tenant: tenant.to_owned(), name: name.to_owned() };
    let answer = controller.call(|fleet, request| fleet.remove_secret(request), request).await;
    let RemoveSecretReply {} =
        answer.map_err(|failed| unanswered(failed, tenant, format!("{name} may be removed")))?;
    print_note(&format!("removed secret {name} of {tenant}"));
    let removed = known.into_iter().filter(|secret| secret.name == name);
    let removed = removed.map(|Secret { name, version, .. }| SecretVersion { name, version });
    print(&session.output, &removed.collect::<Vec<_>>())
}

/// Returns the secrets that a tenant has.
async fn known(controller: &mut Controller, tenant: &str) -> Result<Vec<Secret>, CommandError> {
    let request = ListSecretsRequest { tenant: tenant.to_owned() };
    let ListSecretsReply { secrets, problem: _ } =
        controller.call(|fleet, request| fleet.list_secrets(request), request).await?;
    Ok(secrets)
}

/// Refuses names of which the tenant has a secret already, names of parts of its certificate, and more
/// than it may have.
fn check_all(known: &[Secret], tenant: &str, names: &[String]) -> Result<(), CommandError> {
    let given = known.iter().filter(|secret| names.contains(&secret.name));
    let given = given.map(|Secret { name, version, .. }| {
        let message = format!("{tenant} has secret {name} already, in version {version}");
        let hint = format!("omlctl secret rotate tenant={tenant} {name}");
        Problem::new("", message).hint(hint)
    });
    let is_reserved = |name: &&String| TlsSecret::ALL.iter().any(|it| it.as_str() == **name);
    let reserved = names.iter().filter(is_reserved).map(|name| {
        let message = format!("{name} is a part of the certificate of {tenant}");
        let hint =
            format!("give both: omlctl tls set tenant={tenant} --certificate FILE --key FILE");
        Problem::new("", message).hint(hint)
    });
    let mut problems = Problems(given.chain(reserved).collect());
    let count = known.len();
    if problems.0.is_empty() && count + names.len() > SECRETS_MAX {
        let message = format!("{tenant} has {count} secrets, and may have {SECRETS_MAX}");
        let hint = format!("omlctl secret remove tenant={tenant} NAME");
        problems.push(Problem::new("", message).hint(hint));
    }
    problems.into_result(()).map_err(CommandError::Problems)
}

/// Makes the error of a request without an answer: what may have been done, and where it is seen.
fn unanswered(failed: Failed, tenant: &str, what: String) -> CommandError {
    match failed {
        Failed::Lost(why) => CommandError::Unanswered {
            what: format!("secret {what}"),
            why,
            look: format!("omlctl secret list tenant={tenant}"),
        },
        Failed::Answered(_) | Failed::Passing(_) | Failed::Unauthenticated(_) => failed.into(),
    }
}

/// Prints versions for programs. People read the notes.
fn print(output: &Output, versions: &[SecretVersion]) -> Result<(), CommandError> {
    match output.format {
        Format::Table => Ok(()),
        Format::Json | Format::Yaml => output.data(versions, String::new),
    }
}
