//! The reasons for which a probe had no good answer.

use std::io;
use std::net::IpAddr;

use oml_common::document::instance::Port;

/// The reason why a probe failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum Silence {
    #[error("connection refused")]
    Refused,
    #[error("connection reset")]
    Reset,
    #[error("connection closed without an answer")]
    Closed,
    #[error("no answer within {timeout_ms} ms")]
    Late { timeout_ms: u64 },
    #[error("cannot look up {host}: {why}")]
    NotFound { host: String, why: HostError },
    #[error("only another program listens at port {port}")]
    OtherProgram { port: Port },
    /// The address has moved to another host.
    #[error("{address} is not an address of this host")]
    AddressOfAnother { address: IpAddr },
    #[error("HTTP status {0}")]
    HttpStatus(u16),
    /// The answer is not of this protocol or program.
    #[error("the answer is not {0}")]
    NotOf(&'static str),
    #[error("answers the ng ping with {0:?}")]
    NoNgPong(String),
    /// The words are those of the server, if it has any.
    #[error("{}", said.as_deref().unwrap_or("is starting up"))]
    NotNow { said: Option<String> },
    #[error("answers PING with {0:?}")]
    NoPong(String),
    #[error("the TLS name of the probe is not a host name")]
    NotTlsName,
    #[error(transparent)]
    Tls(#[from] rustls::Error),
    #[error(transparent)]
    System(io::Error),
}

/// The reason why the addresses of a host are not known.
#[derive(Debug, thiserror::Error)]
pub(super) enum HostError {
    #[error(transparent)]
    System(io::Error),
    #[error("it has no address")]
    NoAddress,
}

impl Silence {
    /// Returns true if nothing of the program listens at the address: it may do so at another one.
    pub(super) fn is_elsewhere(&self) -> bool {
        matches!(self, Self::Refused | Self::OtherProgram { .. } | Self::AddressOfAnother { .. })
    }
}

impl From<io::Error> for Silence {
    fn from(error: io::Error) -> Self {
        use io::ErrorKind;
        let kind = error.kind();
        if kind == ErrorKind::ConnectionRefused {
            Self::Refused
        } else if matches!(kind, ErrorKind::ConnectionReset | ErrorKind::BrokenPipe) {
            Self::Reset
        } else if kind == ErrorKind::UnexpectedEof {
            Self::Closed
        } else {
            Self::System(error)
        }
    }
}
