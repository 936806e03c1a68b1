//! Why a session could not begin, or why it ended.

use std::time::Duration;

use oml_daemon::tls::{ConnectError, TlsError};

use crate::identity::IdentityError;

/// Longest wait for an answer to a call.
pub(super) const CALL_TIMEOUT: Duration = Duration::from_secs(10);

/// Why a controller could not be reached.
#[derive(Debug, thiserror::Error)]
pub enum DialError {
    /// The controller cannot be reached, or refuses us.
    #[error("cannot reach the controller")]
    Connect(#[from] ConnectError),
    /// Certificate and key cannot be used.
    #[error("cannot use the host's certificate")]
    Tls(#[from] TlsError),
}

/// Why a session ended.
#[derive(Debug, thiserror::Error)]
pub(super) enum SessionError {
    #[error(transparent)]
    Dial(#[from] DialError),
    #[error("cannot reach the controller")]
    Connect(#[from] ConnectError),
    #[error("the controller did not answer in time")]
    Slow,
    #[error("the controller refused: {}", .0.message())]
    Refused(#[source] tonic::Status),
    #[error("the connection was lost")]
    Lost(#[source] tonic::Status),
    #[error("the controller ended the session")]
    Ended,
    #[error(transparent)]
    Identity(#[from] IdentityError),
    #[error("cannot use the host's certificate")]
    Tls(#[from] TlsError),
}

impl SessionError {
    /// Whether the controller refuses our certificate.
    pub(super) fn is_refusal(&self) -> bool {
        match self {
            Self::Dial(DialError::Connect(error)) | Self::Connect(error) => error.is_refusal(),
            Self::Dial(DialError::Tls(_))
            | Self::Slow
            | Self::Refused(_)
            | Self::Lost(_)
            | Self::Ended
            | Self::Identity(_)
            | Self::Tls(_) => false,
        }
    }
}

/// Sorts a failed call: the controller refused it, or nothing more comes from it.
pub(super) fn refused(status: tonic::Status) -> SessionError {
    use tonic::Code::{Cancelled, Unavailable, Unknown};
    if matches!(status.code(), Unavailable | Cancelled | Unknown) {
        SessionError::Lost(status)
    } else {
        SessionError::Refused(status)
    }
}
