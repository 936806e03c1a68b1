//! SIP over WebSocket (RFC 7118): one text message for each of SIP.

use std::net::SocketAddr;

use futures_util::{SinkExt as _, StreamExt as _};
use oml_common::document::instance::WebSocketDetails;
use oml_daemon::env::Random;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_tungstenite::client_async_with_config;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::http::header::SEC_WEBSOCKET_PROTOCOL;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error, Message};

use super::{Request, Silence, answers_with};

const MESSAGE_BYTES_MAX: usize = 64 << 10;

/// What the opening of a WebSocket says, and the two ends of its connection.
pub(in crate::probe) struct Opening<'a> {
    /// How a Via header names the transport.
    pub(in crate::probe) transport: &'static str,
    pub(in crate::probe) peer: SocketAddr,
    pub(in crate::probe) local: SocketAddr,
    pub(in crate::probe) details: &'a WebSocketDetails,
}

/// Opens a WebSocket on a connection and asks once; the caller bounds the time.
pub(in crate::probe) async fn ask_over_websocket<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    opening: Opening<'_>,
    random: &Random,
) -> Result<String, Silence> {
    let Opening { transport, peer, local, details } = opening;
    let path = details.path.as_deref().unwrap_or("/");
    let host = details.host.clone().unwrap_or_else(|| peer.to_string());
    let mut opening = format!("ws://{host}{path}").into_client_request().map_err(silence)?;
    opening.headers_mut().insert(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static("sip"));
    let limits = WebSocketConfig::default()
        .max_message_size(Some(MESSAGE_BYTES_MAX))
        .max_frame_size(Some(MESSAGE_BYTES_MAX));
    let opened = client_async_with_config(opening, stream, Some(limits)).await;
    let (mut socket, _answer) = opened.map_err(silence)?;
    let request = Request::new(transport, peer, local, random);
    socket.send(Message::text(request.text())).await.map_err(silence)?;
    while let Some(message) = socket.next().await {
        let bytes = message.map_err(silence)?.into_data();
        let text = String::from_utf8_lossy(&bytes);
        if let Some(status) = request.final_status(&text) {
            // The program keeps nothing of the connection; that it closes it too is not waited for.
            let _is_closed = socket.close(None).await.is_ok();
            return Ok(answers_with(status));
        }
    }
    Err(Silence::Closed)
}

fn silence(error: Error) -> Silence {
    match error {
        Error::Io(error) => error.into(),
        Error::ConnectionClosed | Error::AlreadyClosed => Silence::Closed,
        Error::Http(answer) => Silence::HttpStatus(answer.status().as_u16()),
        Error::Tls(_)
        | Error::Capacity(_)
        | Error::Protocol(_)
        | Error::WriteBufferFull(_)
        | Error::Utf8(_)
        | Error::AttackAttempt
        | Error::Url(_)
        | Error::HttpFormat(_) => Silence::NotOf("a WebSocket's"),
    }
}
