//! PostgreSQL's start-up message (protocol 3.0), as far as the first answer.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::Silence;

const PROTOCOL: u32 = 3 << 16;
const BODY_BYTES_MAX: u32 = 16 * 1024;
/// "Cannot connect now": it starts up, shuts down or recovers.
const NOT_NOW: &str = "57P03";
const TERMINATE: [u8; 5] = [b'X', 0, 0, 0, 4];

pub(super) async fn ask(mut stream: TcpStream, user: &str) -> Result<String, Silence> {
    stream.write_all(&startup(user)).await?;
    let kind = stream.read_u8().await?;
    let length = stream.read_u32().await?;
    if kind == b'R' {
        // A login is asked for, or was not needed.
        stream.write_all(&TERMINATE).await?;
        return Ok("accepts logins".to_owned());
    }
    if kind != b'E' || !(4..=BODY_BYTES_MAX).contains(&length) {
        return Err(Silence::NotOf("PostgreSQL's"));
    }
    // Bounded above.
    let mut body = vec![0; length as usize - 4];
    stream.read_exact(&mut body).await?;
    let (code, message) = (field(&body, b'C'), field(&body, b'M'));
    if code.as_deref() == Some(NOT_NOW) {
        return Err(Silence::NotNow { said: message });
    }
    // It refuses this user or database, so it is up.
    Ok("accepts logins".to_owned())
}

fn startup(user: &str) -> Vec<u8> {
    let mut body = PROTOCOL.to_be_bytes().to_vec();
    for text in ["user", user, "application_name", "omlagent"] {
        body.extend(text.bytes().filter(|byte| *byte != 0));
        body.push(0);
    }
    body.push(0);
    let length = u32::try_from(body.len() + 4).unwrap_or(u32::MAX);
    [&length.to_be_bytes()[..], &body].concat()
}

/// A field of an error: its letter, then its text up to a zero byte.
fn field(body: &[u8], letter: u8) -> Option<String> {
    let mut fields = body.split(|byte| *byte == 0);
    let text = fields.find(|field| field.first() == Some(&letter))?;
    Some(String::from_utf8_lossy(&text[1..]).into_owned())
}
