//! HTTP/1.1 GET (RFC 9112), as far as the status line of the answer.

use oml_common::document::instance::HttpDetails;

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};

use super::{Silence, first_line};

/// Statuses from here on say that something is wrong, unless the probe names the good ones.
const FIRST_BAD: u16 = 400;

pub(super) async fn ask(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    path: &str,
    details: &HttpDetails,
) -> Result<String, Silence> {
    let host = details.host.as_deref().unwrap_or("localhost");
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: omlagent\r\nAccept: */*\r\n\
         Connection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await?;
    stream.flush().await?;
    let line = first_line(&mut stream).await?;
    let status = line.strip_prefix("HTTP/1.").and_then(|rest| rest.split(' ').nth(1));
    match status.and_then(|status| status.parse::<u16>().ok()) {
        Some(status) if is_good(status, &details.statuses) => Ok(format!("HTTP status {status}")),
        Some(status) => Err(Silence::HttpStatus(status)),
        None => Err(Silence::NotOf("HTTP")),
    }
}

fn is_good(status: u16, good: &[u16]) -> bool {
    if good.is_empty() { status < FIRST_BAD } else { good.contains(&status) }
}
