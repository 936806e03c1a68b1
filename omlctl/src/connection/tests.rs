//! What a controller's answers mean for the exit code.

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
fn a_cause_is_found_inside_io_errors() {
    let alert = rustls::Error::AlertReceived(rustls::AlertDescription::UnknownCA);
    let wrapped = io::Error::other(io::Error::new(io::ErrorKind::InvalidData, alert));
    assert_eq!(reason(&wrapped), "certificate refused by the controller");
    let refused = io::Error::other(io::Error::from(io::ErrorKind::ConnectionRefused));
    assert_eq!(reason(&refused), "connection refused");
    assert_eq!(reason(&io::Error::other("no route to host")), "no route to host");
}

#[test]
fn what_a_controller_says_cannot_move_the_cursor() {
    let Failed::Answered(error) = answered("c:1", &Status::internal("a\u{1b}[2Jb")) else {
        panic!("an answer");
    };
    assert!(!error.to_string().contains('\u{1b}'));
}
