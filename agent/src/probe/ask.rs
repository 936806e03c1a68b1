//! Asks one address in the words of the check.

use std::net::SocketAddr;

use oml_common::document::instance::{Check, HttpDetails, SipTransport, WebSocketDetails};
use oml_daemon::env::Random;
use tokio::net::TcpStream;

use super::silence::Silence;
use super::sip::{self, Opening};
use super::{ProbeTarget, address, gearman, http, postgres, rabbitmq, redis, rtpengine, tls};

/// Returns what the program answers; the caller bounds the time.
pub(super) async fn ask_at(
    check: &Check,
    address: SocketAddr,
    target: ProbeTarget<'_>,
) -> Result<String, Silence> {
    match check {
        Check::SipOptions { .. } => {
            return sip::ask_over_udp(address, target.random).await;
        }
        Check::Rtpengine { .. } => return rtpengine::ask(address, target.random).await,
        Check::Http { .. }
        | Check::HttpDetailed { .. }
        | Check::Tcp { .. }
        | Check::SipStream { .. }
        | Check::Redis { .. }
        | Check::Postgres { .. }
        | Check::Gearman { .. }
        | Check::Rabbitmq { .. }
        | Check::Exec { .. }
        | Check::UnitActive => {}
    }
    let stream = address::connect(address).await?;
    match check {
        Check::Http { path, tls, .. } => {
            ask_http(stream, path, *tls, &HttpDetails::default()).await
        }
        Check::HttpDetailed { path, tls, details, .. } => {
            ask_http(stream, path, *tls, details).await
        }
        Check::Redis { .. } => redis::ask(stream).await,
        Check::Postgres { user, .. } => postgres::ask(stream, user).await,
        Check::Gearman { .. } => gearman::ask(stream).await,
        Check::Rabbitmq { .. } => rabbitmq::ask(stream).await,
        Check::SipStream { transport, details, .. } => {
            ask_sip(stream, *transport, details, target.random).await
        }
        Check::Tcp { .. }
        | Check::SipOptions { .. }
        | Check::Rtpengine { .. }
        | Check::Exec { .. }
        | Check::UnitActive => Ok("accepts connections".to_owned()),
    }
}

async fn ask_http(
    stream: TcpStream,
    path: &str,
    has_tls: bool,
    details: &HttpDetails,
) -> Result<String, Silence> {
    if !has_tls {
        return http::ask(stream, path, details).await;
    }
    let address = stream.peer_addr()?.ip();
    http::ask(tls::wrap(stream, address, details.tls_name.as_deref()).await?, path, details).await
}

/// Sends OPTIONS on a connection.
async fn ask_sip(
    stream: TcpStream,
    transport: SipTransport,
    details: &WebSocketDetails,
    random: &Random,
) -> Result<String, Silence> {
    let (peer, local) = (stream.peer_addr()?, stream.local_addr()?);
    let opening = |transport| Opening { transport, peer, local, details };
    match transport {
        SipTransport::Tcp => sip::ask_over_tcp(stream, random).await,
        SipTransport::Ws => sip::ask_over_websocket(stream, opening("WS"), random).await,
        SipTransport::Wss => {
            let stream = tls::wrap(stream, peer.ip(), details.tls_name.as_deref()).await?;
            sip::ask_over_websocket(stream, opening("WSS"), random).await
        }
    }
}
