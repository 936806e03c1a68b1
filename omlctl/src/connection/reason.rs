//! Explains why there is no connection, so that an operator can act on it.

use std::error::Error as StdError;
use std::io;

use oml_common::text::printable::printable;
use oml_daemon::tls::find;
use rustls::{AlertDescription, CertificateError};

const NO_CONTROLLER: &str =
    "the server at this address is not a controller (the TLS handshake failed)";

/// Returns the cause in the chain that an operator can act on.
pub(super) fn reason(error: &(dyn StdError + 'static)) -> String {
    if let Some(tls) = find::<rustls::Error>(error) {
        return tls_reason(tls);
    }
    match find::<io::Error>(error).map(io::Error::kind) {
        Some(io::ErrorKind::ConnectionRefused) => "connection refused".to_owned(),
        Some(io::ErrorKind::TimedOut) => "the connection timed out".to_owned(),
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
    use rustls::Error;
    if let Error::AlertReceived(alert) = error {
        return alert_reason(*alert).to_owned();
    }
    if let Error::InvalidCertificate(why) = error {
        return certificate_reason(why).to_owned();
    }
    let is_fault_of_server = matches!(
        error,
        Error::InappropriateMessage { .. }
            | Error::InappropriateHandshakeMessage { .. }
            | Error::InvalidMessage(_)
            | Error::DecryptError
            | Error::PeerIncompatible(_)
            | Error::PeerMisbehaved(_)
            | Error::PeerSentOversizedRecord
            | Error::NoApplicationProtocol
    );
    if is_fault_of_server {
        return NO_CONTROLLER.to_owned();
    }
    format!("the TLS handshake failed: {}", printable(&error.to_string()))
}

/// Explains the alert with which the server closed the connection.
fn alert_reason(alert: AlertDescription) -> &'static str {
    use AlertDescription as Alert;
    let is_about_certificate = matches!(
        alert,
        Alert::BadCertificate
            | Alert::NoCertificate
            | Alert::UnsupportedCertificate
            | Alert::CertificateRevoked
            | Alert::CertificateUnknown
            | Alert::UnknownCA
            | Alert::AccessDenied
            | Alert::DecryptError
            | Alert::CertificateRequired
    );
    if is_about_certificate {
        "certificate refused by the controller"
    } else if alert == Alert::CertificateExpired {
        "certificate refused by the controller: it has expired by the clock of the controller"
    } else if alert == Alert::InternalError {
        "the server reported an internal error"
    } else {
        NO_CONTROLLER
    }
}

/// Explains why the certificate of the controller is not accepted.
fn certificate_reason(why: &CertificateError) -> &'static str {
    use CertificateError as Why;
    if matches!(why, Why::Expired | Why::ExpiredContext { .. }) {
        "the certificate of the controller has expired (check the clock of this machine)"
    } else if matches!(why, Why::NotValidYet | Why::NotValidYetContext { .. }) {
        "the certificate of the controller is not valid yet (check the clock of this machine)"
    } else if matches!(why, Why::NotValidForName | Why::NotValidForNameContext { .. }) {
        "the certificate of the server is not that of a controller"
    } else if *why == Why::BadEncoding {
        "the certificate of the controller cannot be read"
    } else {
        "the certificate of the controller was not issued by the certificate authority of this context"
    }
}

fn last(error: &(dyn StdError + 'static)) -> String {
    let mut last = error;
    while let Some(source) = last.source() {
        last = source;
    }
    printable(&last.to_string())
}
