//! Redis `PING` as an inline command.

use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use super::{Silence, first_line};

pub(super) async fn ask(mut stream: TcpStream) -> Result<String, Silence> {
    stream.write_all(b"PING\r\n").await?;
    let line = first_line(&mut stream).await?;
    if line == "+PONG" {
        return Ok("answers PING".to_owned());
    }
    // One that wants a password is up and serves those who have it.
    if line.starts_with("-NOAUTH") || line.starts_with("-DENIED") {
        return Ok("answers PING, wants a login".to_owned());
    }
    Err(Silence::NoPong(line))
}
