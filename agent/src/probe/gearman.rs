//! The command `version` of Gearman's text protocol (the file PROTOCOL of gearmand, "Administrative
//! Protocol").

use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use super::{Silence, first_line};

pub(super) async fn ask(mut stream: TcpStream) -> Result<String, Silence> {
    stream.write_all(b"version\n").await?;
    let line = first_line(&mut stream).await?;
    // gearmand says OK before its version, older servers only the version.
    let version = line.strip_prefix("OK ").unwrap_or(&line);
    if version.starts_with(|c: char| c.is_ascii_digit()) {
        return Ok(format!("Gearman {version}"));
    }
    Err(Silence::NotOf("Gearman's"))
}
