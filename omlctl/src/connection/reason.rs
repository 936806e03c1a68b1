//! Why there is no connection, in words that an operator can act on.

use std::error::Error as StdError;
use std::io;

use oml_common::text::problem::printable;
use oml_daemon::tls::find;
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
    use rustls::Error;
    if let Error::AlertReceived(alert) = error {
        return alert_reason(*alert).to_owned();
    }
    if let Error::InvalidCertificate(why) = error {
        return certificate_reason(why).to_owned();
    }
    let is_of_the_other_end = matches!(
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
    if is_of_the_other_end {
        return NO_CONTROLLER.to_owned();
    }
    format!("no secure connection: {}", printable(&error.to_string()))
}

/// What the other end says before it closes the connection.
fn alert_reason(alert: AlertDescription) -> &'static str {
    use AlertDescription as Alert;
    let is_of_the_certificate = matches!(
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
    if is_of_the_certificate {
        "certificate refused by the controller"
    } else if alert == Alert::CertificateExpired {
        "certificate refused by the controller, by whose clock it has ended"
    } else if alert == Alert::InternalError {
        "the other end could not go on, for a reason of its own"
    } else {
        NO_CONTROLLER
    }
}

/// Why the controller's certificate is not accepted.
fn certificate_reason(why: &CertificateError) -> &'static str {
    use CertificateError as Why;
    if matches!(why, Why::Expired | Why::ExpiredContext { .. }) {
        "its certificate has ended (check this machine's clock)"
    } else if matches!(why, Why::NotValidYet | Why::NotValidYetContext { .. }) {
        "its certificate is not valid yet (check this machine's clock)"
    } else if matches!(why, Why::NotValidForName | Why::NotValidForNameContext { .. }) {
        "its certificate is not a controller's"
    } else if *why == Why::BadEncoding {
        "its certificate cannot be read"
    } else {
        "its certificate is not one of this context's authority"
    }
}

fn last(error: &(dyn StdError + 'static)) -> String {
    let mut last = error;
    while let Some(source) = last.source() {
        last = source;
    }
    printable(&last.to_string())
}
