//! The beginning of a connection of AMQP 0-9-1 (its specification, sections 2.2.4 and 4.2.2): the
//! protocol header, which the server answers by `connection.start`.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::Silence;

const HEADER: [u8; 8] = *b"AMQP\x00\x00\x09\x01";
/// A method frame on channel 0.
const FRAME: [u8; 3] = [1, 0, 0];
/// The method `connection.start`: class 10, method 10.
const START: [u8; 4] = [0, 10, 0, 10];

pub(super) async fn ask(mut stream: TcpStream) -> Result<String, Silence> {
    stream.write_all(&HEADER).await?;
    // The frame has its length between the two.
    let mut answer = [0; FRAME.len() + 4 + START.len()];
    stream.read_exact(&mut answer).await?;
    if answer.starts_with(&FRAME) && answer.ends_with(&START) {
        return Ok("offers an AMQP 0-9-1 login".to_owned());
    }
    Err(Silence::NotOf("AMQP 0-9-1"))
}
