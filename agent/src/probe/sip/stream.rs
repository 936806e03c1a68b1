//! SIP over TCP, where `Content-Length` says how long a message is (RFC 3261 §18.3).

use oml_daemon::env::Random;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::{Request, Silence, answers_with};

const HEAD_BYTES_MAX: usize = 8 << 10;
const BODY_BYTES_MAX: usize = 64 << 10;

/// Asks once, because TCP brings it there; the caller bounds the time.
pub(in crate::probe) async fn ask_over_tcp(
    mut stream: TcpStream,
    random: &Random,
) -> Result<String, Silence> {
    let request = Request::new("TCP", stream.peer_addr()?, stream.local_addr()?, random);
    stream.write_all(request.text().as_bytes()).await?;
    let mut read = Vec::new();
    loop {
        // Line breaks between messages keep a connection alive (RFC 3261 §7.5, RFC 5626 §3.5.1).
        let breaks = read.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
        read.drain(..breaks);
        if let Some(length) = message_length(&read)? {
            let text = String::from_utf8_lossy(&read[..length]).into_owned();
            if let Some(status) = request.final_status(&text) {
                return Ok(answers_with(status));
            }
            read.drain(..length);
            continue;
        }
        if stream.read_buf(&mut read).await? == 0 {
            return Err(Silence::Closed);
        }
    }
}

/// Returns the length of the first message, if all of it was read.
fn message_length(read: &[u8]) -> Result<Option<usize>, Silence> {
    let Some(end) = read.windows(4).position(|bytes| bytes == b"\r\n\r\n") else {
        return if read.len() > HEAD_BYTES_MAX { Err(NOT_SIP) } else { Ok(None) };
    };
    let head = String::from_utf8_lossy(&read[..end]);
    let is_length =
        |name: &str| name.eq_ignore_ascii_case("Content-Length") || name.eq_ignore_ascii_case("l");
    let length = head.lines().filter_map(|line| line.split_once(':'));
    let length = length.into_iter().find(|(name, _)| is_length(name.trim()));
    let body: usize = match length {
        Some((_, value)) => value.trim().parse().map_err(|_| NOT_SIP)?,
        None => return Err(NOT_SIP),
    };
    if body > BODY_BYTES_MAX {
        return Err(NOT_SIP);
    }
    let whole = end + 4 + body;
    Ok((read.len() >= whole).then_some(whole))
}

const NOT_SIP: Silence = Silence::NotOf("SIP");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_ends_where_its_length_says() {
        for (text, expected) in [
            ("SIP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n", Some(37)),
            ("SIP/2.0 200 OK\r\nl:  2 \r\n\r\nabSIP/2.0", Some(28)),
            ("SIP/2.0 200 OK\r\nl: 2\r\n\r\na", None),
            ("SIP/2.0 200 OK\r\n", None),
            ("", None),
        ] {
            let length = message_length(text.as_bytes()).unwrap();
            assert_eq!(length, expected, "{text:?}");
        }
    }

    #[test]
    fn what_says_no_length_or_too_much_is_not_sip() {
        let long = "x".repeat(HEAD_BYTES_MAX + 1);
        for text in ["HTTP/1.1 200\r\n\r\n", "l: x\r\n\r\n", "l: 99999999\r\n\r\n", &long] {
            assert!(message_length(text.as_bytes()).is_err(), "{text:.20}");
        }
    }
}
