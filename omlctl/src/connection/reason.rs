//! Why there is no connection, in words that an operator can act on.

use std::error::Error as StdError;
use std::io;

use rustls::{AlertDescription, CertificateError};

const NO_CONTROLLER: &str = "what answers there does not speak TLS as a controller does";

/// The one cause, deepest in the chain, that an operator can act on.
pub(super) fn reason(error: &(dyn StdError + 'static)) -> String {
    if let Some(tls) = find::<rustls::Error>(error) {
        return tls_reason(tls);
    }
    match find::<io::Error>(error).map(io::Error::kind) {
        Some(io::ErrorKind::ConnectionRefused) => "connection refused".to_owned(),
        Some(io::ErrorKind::TimedOut) => "no connection in time".to_owned(),
        Some(
            io::ErrorKind::ConnectionReset
            | io::ErrorKind::BrokenPipe
            | io::ErrorKind::UnexpectedEof
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::NotConnected,
        ) => "the connection was closed".to_owned(),
        Some(_) | None => last(error),
    }
}

fn tls_reason(error: &rustls::Error) -> String {
    match error {
        rustls::Error::AlertReceived(alert) => alert_reason(*alert),
        rustls::Error::InvalidCertificate(why) => certificate_reason(why),
        _ => NO_CONTROLLER.to_owned(),
    }
}

/// What the other end says before it closes the connection.
fn alert_reason(alert: AlertDescription) -> String {
    match alert {
        AlertDescription::BadCertificate
        | AlertDescription::NoCertificate
        | AlertDescription::UnsupportedCertificate
        | AlertDescription::CertificateRevoked
        | AlertDescription::CertificateUnknown
        | AlertDescription::UnknownCA
        | AlertDescription::AccessDenied
        | AlertDescription::DecryptError
        | AlertDescription::CertificateRequired => {
            "certificate refused by the controller".to_owned()
        }
        AlertDescription::CertificateExpired => {
            "certificate refused by the controller, by whose clock it has ended".to_owned()
        }
        AlertDescription::InternalError => {
            "the other end could not go on, for a reason of its own".to_owned()
        }
        _ => NO_CONTROLLER.to_owned(),
    }
}

/// Why the controller's certificate is not accepted.
fn certificate_reason(why: &CertificateError) -> String {
    match why {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            "its certificate has ended (check this machine's clock)"
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "its certificate is not valid yet (check this machine's clock)"
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            "its certificate is not a controller's"
        }
        CertificateError::BadEncoding => "its certificate cannot be read",
        _ => "its certificate is not one of this context's authority",
    }
    .to_owned()
}

/// Looks through the chain, and into I/O errors, which hide what they carry.
fn find<'e, T: StdError + 'static>(error: &'e (dyn StdError + 'static)) -> Option<&'e T> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref::<T>() {
            let carried = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
            return carried.and_then(|inner| find::<T>(inner)).or(Some(found));
        }
        let carried = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        if let Some(found) = carried.and_then(|inner| find::<T>(inner)) {
            return Some(found);
        }
        next = error.source();
    }
    None
}

fn last(error: &(dyn StdError + 'static)) -> String {
    let mut last = error;
    while let Some(source) = last.source() {
        last = source;
    }
    oml_common::problem::printable(&last.to_string())
}
