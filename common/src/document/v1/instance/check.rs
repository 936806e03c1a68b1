//! The health checks of an instance.

use serde::{Deserialize, Serialize};

use super::{Port, Protocol};
use crate::document::is_default;

/// A health check. It uses the addresses of the host itself.
///
/// The kinds of release 0.1.0 never get a field: its agents would leave it out without a word and ask
/// wrongly, while of a kind that they do not know they say that the health is not known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Check {
    /// An HTTP GET whose status is below 400. With `tls`, the certificate is not verified.
    Http { port: u16, path: String, tls: bool },
    /// A TCP connection that is accepted.
    Tcp { port: u16 },
    /// SIP OPTIONS over UDP (RFC 3261 §11) with any final answer.
    SipOptions { port: u16 },
    /// A `PING` that is answered by `+PONG` or by a demand for authentication.
    Redis { port: u16 },
    /// A start-up message (PostgreSQL protocol 3.0) with any answer but "starting up".
    Postgres { port: u16, user: String },
    /// A command inside the container that exits with 0.
    Exec { command: Vec<String> },
    /// A unit that systemd shows as active.
    UnitActive,
    /// A `ping` of rtpengine's ng protocol over UDP that is answered by `pong`.
    Rtpengine { port: u16 },
    /// The command `version` of Gearman's text protocol.
    Gearman { port: u16 },
    /// A protocol header of AMQP 0-9-1 that the server answers by offering to log in.
    Rabbitmq { port: u16 },
    /// An HTTP GET that says or expects more than `Http` does.
    HttpDetailed { port: u16, path: String, tls: bool, details: HttpDetails },
    /// SIP OPTIONS over a connection, with any final answer.
    SipStream {
        port: u16,
        transport: SipTransport,
        #[serde(default, skip_serializing_if = "is_default")]
        details: WebSocketDetails,
    },
}

/// What an HTTP check says and expects beyond its path.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HttpDetails {
    /// The `Host` header; `localhost` without one.
    #[serde(default, skip_serializing_if = "is_default")]
    pub host: Option<String>,
    /// The good statuses; without any, all below 400.
    #[serde(default, skip_serializing_if = "is_default")]
    pub statuses: Vec<u16>,
    /// The name that is asked for in the TLS handshake; none is sent without one.
    #[serde(default, skip_serializing_if = "is_default")]
    pub tls_name: Option<String>,
}

/// What the opening of a WebSocket says.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WebSocketDetails {
    /// The path that is asked for; `/` without one.
    #[serde(default, skip_serializing_if = "is_default")]
    pub path: Option<String>,
    /// The `Host` header; the address that is asked without one.
    #[serde(default, skip_serializing_if = "is_default")]
    pub host: Option<String>,
    /// The name that is asked for in the TLS handshake; none is sent without one.
    #[serde(default, skip_serializing_if = "is_default")]
    pub tls_name: Option<String>,
}

/// The kind of connection on which SIP is spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SipTransport {
    Tcp,
    /// SIP over WebSocket (RFC 7118).
    Ws,
    /// SIP over WebSocket and TLS, whose certificate is not verified.
    Wss,
}

impl Check {
    /// Returns the port at which a program is asked; none for a check that asks at no port.
    #[must_use]
    pub fn port(&self) -> Option<Port> {
        let (number, protocol) = match *self {
            Self::SipOptions { port } | Self::Rtpengine { port } => (port, Protocol::Udp),
            Self::Http { port, .. }
            | Self::HttpDetailed { port, .. }
            | Self::Tcp { port }
            | Self::SipStream { port, .. }
            | Self::Redis { port }
            | Self::Postgres { port, .. }
            | Self::Gearman { port }
            | Self::Rabbitmq { port } => (port, Protocol::Tcp),
            Self::Exec { .. } | Self::UnitActive => return None,
        };
        Some(Port { number, protocol })
    }
}
