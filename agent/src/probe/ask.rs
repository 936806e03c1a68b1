//! Asks one address in the words of the check.

use std::net::SocketAddr;

use oml_common::document::instance::{Check, SipTransport};
use oml_daemon::env::Random;
use tokio::net::TcpStream;

use super::silence::Silence;
use super::sip::{self, Ends};
use super::{ProbeTarget, address, gearman, http, postgres, rabbitmq, redis, rtpengine, tls};

/// Returns what the program answers; the caller bounds the time.
pub(super) async fn ask_at(
    check: &Check,
    address: SocketAddr,
    target: ProbeTarget<'_>,
) -> Result<String, Silence> {
    match check {
        Check::SipOptions { transport: SipTransport::Udp, .. } => {
            return sip::ask_over_udp(address, target.random).await;
        }
        Check::Rtpengine { .. } => return rtpengine::ask(address, target.random).await,
        Check::Http { .. }
        | Check::Tcp { .. }
        | Check::SipOptions { .. }
        | Check::Redis { .. }
        | Check::Postgres { .. }
        | Check::Gearman { .. }
        | Check::Rabbitmq { .. }
        | Check::Exec { .. }
        | Check::UnitActive => {}
    }
    let stream = address::connect(address).await?;
    match check {
        Check::Http { path, tls: false, details, .. } => http::ask(stream, path, details).await,
        Check::Http { path, tls: true, details, .. } => {
            let stream = tls::wrap(stream, address.ip(), details.tls_name.as_deref()).await?;
            http::ask(stream, path, details).await
        }
        Check::Redis { .. } => redis::ask(stream).await,
        Check::Postgres { user, .. } => postgres::ask(stream, user).await,
        Check::Gearman { .. } => gearman::ask(stream).await,
        Check::Rabbitmq { .. } => rabbitmq::ask(stream).await,
        Check::SipOptions { transport, .. } => ask_sip(stream, *transport, target.random).await,
        Check::Tcp { .. } | Check::Rtpengine { .. } | Check::Exec { .. } | Check::UnitActive => {
            Ok("accepts connections".to_owned())
        }
    }
}

/// Sends OPTIONS on a connection.
async fn ask_sip(
    stream: TcpStream,
    transport: SipTransport,
    random: &Random,
) -> Result<String, Silence> {
    let (peer, local) = (stream.peer_addr()?, stream.local_addr()?);
    match transport {
        SipTransport::Udp | SipTransport::Tcp => sip::ask_over_tcp(stream, random).await,
        SipTransport::Ws => {
            sip::ask_over_websocket(stream, Ends { transport: "WS", peer, local }, random).await
        }
        SipTransport::Wss => {
            let stream = tls::wrap(stream, peer.ip(), None).await?;
            sip::ask_over_websocket(stream, Ends { transport: "WSS", peer, local }, random).await
        }
    }
}
