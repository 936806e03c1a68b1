//! Tests of the messages and exit codes for answers and errors.

use std::io;

use rustls::{AlertDescription, CertificateError};

use super::*;

fn exit_code(code: Code) -> u8 {
    CommandError::from(answered("c:1", &Status::new(code, "said"))).exit_code()
}

#[test]
fn every_code_of_grpc_has_an_exit_code() {
    let wrong_use = [Code::InvalidArgument, Code::NotFound, Code::OutOfRange];
    let failed = [
        Code::AlreadyExists,
        Code::PermissionDenied,
        Code::ResourceExhausted,
        Code::FailedPrecondition,
        Code::Aborted,
        Code::Unimplemented,
        Code::Internal,
        Code::DataLoss,
    ];
    let unreachable = [
        Code::Cancelled,
        Code::DeadlineExceeded,
        Code::Unavailable,
        Code::Unknown,
        Code::Unauthenticated,
    ];
    assert!(wrong_use.into_iter().all(|code| exit_code(code) == 2));
    assert!(failed.into_iter().all(|code| exit_code(code) == 1));
    assert!(unreachable.into_iter().all(|code| exit_code(code) == 5));
}

#[test]
fn only_errors_that_may_pass_are_worth_another_attempt() {
    let is_final = |code| {
        let failed = answered("c:1", &Status::new(code, "said"));
        matches!(failed, Failed::Answered(_) | Failed::Unauthenticated(_))
    };
    let passing = [
        Code::Cancelled,
        Code::Unknown,
        Code::DeadlineExceeded,
        Code::ResourceExhausted,
        Code::Aborted,
        Code::Internal,
        Code::Unavailable,
    ];
    let lasting = [
        Code::InvalidArgument,
        Code::NotFound,
        Code::AlreadyExists,
        Code::PermissionDenied,
        Code::FailedPrecondition,
        Code::OutOfRange,
        Code::Unimplemented,
        Code::DataLoss,
        Code::Unauthenticated,
    ];
    assert!(!passing.into_iter().any(is_final));
    assert!(lasting.into_iter().all(is_final));
}

#[test]
fn a_cause_is_found_inside_io_errors() {
    let alert = rustls::Error::AlertReceived(rustls::AlertDescription::UnknownCA);
    let wrapped = io::Error::other(io::Error::new(io::ErrorKind::InvalidData, alert));
    assert_eq!(reason(&wrapped), "certificate refused by the controller");
    let refused = io::Error::other(io::Error::from(io::ErrorKind::ConnectionRefused));
    assert_eq!(reason(&refused), "connection refused");
    assert_eq!(reason(&io::Error::other("no route to host")), "no route to host");
}

#[test]
fn control_characters_of_a_controller_are_escaped() {
    let error = CommandError::from(answered("c:1", &Status::internal("a\u{1b}[2Jb")));
    assert!(!error.to_string().contains('\u{1b}'));
}

#[test]
fn every_tls_error_has_a_message() {
    let message = |error: rustls::Error| reason(&io::Error::new(io::ErrorKind::InvalidData, error));
    let alert = |alert| message(rustls::Error::AlertReceived(alert));
    let refused = "certificate refused by the controller";
    assert_eq!(alert(AlertDescription::CertificateUnknown), refused);
    assert_eq!(alert(AlertDescription::CertificateRequired), refused);
    for other in [AlertDescription::NoApplicationProtocol, AlertDescription::ProtocolVersion] {
        assert!(alert(other).contains("is not a controller (the TLS handshake failed)"));
    }
    let certificate = |why| message(rustls::Error::InvalidCertificate(why));
    let clock = "(check the clock of this machine)";
    let ended = format!("the certificate of the controller has expired {clock}");
    assert_eq!(certificate(CertificateError::Expired), ended);
    let early = format!("the certificate of the controller is not valid yet {clock}");
    assert_eq!(certificate(CertificateError::NotValidYet), early);
    let no_controller = "the certificate of the server is not that of a controller";
    assert_eq!(certificate(CertificateError::NotValidForName), no_controller);
    let hidden = rustls::OtherError(Arc::new(io::Error::other("CaUsedAsEndEntity")));
    let foreign = "the certificate of the controller was not issued by the certificate authority of this \
                   context";
    assert_eq!(certificate(CertificateError::Other(hidden)), foreign);
    assert_eq!(certificate(CertificateError::UnknownIssuer), foreign);
}

#[test]
fn the_enrolment_port_is_recognised() {
    let unimplemented = Status::unimplemented("");
    let message = |address| CommandError::from(answered(address, &unimplemented));
    assert!(message("c:7443").to_string().contains("may be older than omlctl"));
    let wrong = message("c:7444");
    assert_eq!(
        wrong.to_string(),
        "cannot reach the controller: c:7444: this is the enrolment port (operators use port 7443)"
    );
    assert_eq!(wrong.exit_code(), 5);
    assert_eq!(
        without("c:7444", "connection refused"),
        "c:7444: connection refused (operators use port 7443)"
    );
    assert_eq!(without("c:17444", "connection refused"), "c:17444: connection refused");
}
