//! The settings with which registries are reached, and the files that they name.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use oml_common::decide::plan::Mirrors;
use oml_common::text::problem::{Problem, Problems};
use oml_common::text::secret::secret;
use oml_daemon::proxy::ReadProxies;
use oml_daemon::registries::{Login, Reader, RegistryEntry, RegistrySettings, read};
use oml_daemon::regular_file;
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use x509_parser::parse_x509_certificate;

use crate::registry::{Reach, RegistryAccess, RegistryCredentials};

/// Reads how registries are reached.
///
/// # Errors
/// Returns every mistake in the settings and in the files that they name.
pub(super) fn reach(
    entries: BTreeMap<String, RegistryEntry>,
    mirrors: &BTreeMap<String, String>,
    proxies: ReadProxies,
) -> Result<Reach, Problems> {
    let ReadProxies { proxies, wrong: mut problems } = proxies;
    let read = read(entries, Reader::Controller, &mut problems);
    let access: HashMap<String, RegistryAccess> =
        read.into_iter().map(|(key, settings)| (key, access(settings, &mut problems))).collect();
    let rules = mirrors.iter().map(|(from, to)| (from.as_str(), to.as_str()));
    let mirrors = Mirrors::parse(rules).unwrap_or_else(|found| {
        problems.0.extend(found.0);
        Mirrors::default()
    });
    problems.into_result(Reach { access, mirrors, proxies })
}

fn access(settings: RegistrySettings, problems: &mut Problems) -> RegistryAccess {
    let RegistrySettings { path, login, ca_file, plain_http } = settings;
    let login = login.and_then(|login| {
        let refused = |why| problems.push(Problem::new(format!("{path}.password_file"), why));
        credentials(login).map_err(refused).ok()
    });
    let authorities = ca_file.map(|file| {
        let refused = |problem: Problem| {
            problems.push(Problem { path: format!("{path}.ca_file"), ..problem });
        };
        authorities(&file).map_err(refused).unwrap_or_default()
    });
    RegistryAccess { plain_http, login, authorities: authorities.unwrap_or_default() }
}

fn credentials(Login { user, password_file }: Login) -> Result<RegistryCredentials, String> {
    let file = password_file.display();
    let text = regular_file::read_to_string(&password_file)
        .map_err(|error| format!("cannot read {file}: {error}"))?;
    let password = secret(&text).map_err(|error| format!("the password file {file} {error}"))?;
    Ok(RegistryCredentials { user, password: password.to_owned().into() })
}

/// Reads the certificates of authorities from a PEM file.
pub(super) fn authorities(path: &Path) -> Result<Vec<CertificateDer<'static>>, Problem> {
    let file = path.display();
    let hint = "it has to hold the certificate of the authority in PEM, which begins with \
                -----BEGIN CERTIFICATE-----";
    let refused = |why: String| Problem::new("", why).hint(hint);
    let text = regular_file::read_to_string(path)
        .map_err(|error| Problem::new("", format!("cannot read {file}: {error}")))?;
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(text.as_bytes()).collect();
    let certificates =
        read.map_err(|error| refused(format!("{file} is not valid PEM: {error}")))?;
    if certificates.is_empty() {
        return Err(refused(format!("{file} holds no certificate")));
    }
    for (index, certificate) in certificates.iter().enumerate() {
        check_authority(certificate).map_err(|why| {
            let number = index + 1;
            refused(format!("certificate {number} in {file} {why}"))
        })?;
    }
    Ok(certificates)
}

/// Checks that a certificate can vouch for others, or for itself.
fn check_authority(certificate: &CertificateDer<'static>) -> Result<(), String> {
    let (_, parsed) =
        parse_x509_certificate(certificate).map_err(|_invalid| "cannot be read".to_owned())?;
    let is_own = parsed.subject() == parsed.issuer();
    if !parsed.is_ca() && !is_own {
        let (subject, issuer) = (parsed.subject(), parsed.issuer());
        return Err(format!(
            "is that of a server ({subject}) and of no authority; that of {issuer} is needed"
        ));
    }
    let added = RootCertStore::empty().add(certificate.clone());
    added.map_err(|error| format!("cannot be used: {error}"))
}

#[cfg(test)]
mod tests;
