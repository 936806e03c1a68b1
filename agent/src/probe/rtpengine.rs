//! A `ping` of rtpengine's ng control protocol (the file `docs/ng_control_protocol.md` of rtpengine):
//! a cookie and a dictionary in the notation of BitTorrent, sent over UDP until it is answered.

use std::net::SocketAddr;
use std::time::Duration;

use oml_daemon::env::Random;
use tokio::net::UdpSocket;

use super::{Silence, address};

const PING: &str = "d7:command4:pinge";
/// The answer's dictionary holds this pair, among others that a release may add.
const PONG: &str = "6:result4:pong";
const PAUSE: Duration = Duration::from_millis(500);
const ANSWER_BYTES_MAX: usize = 2048;

/// Asks until answered; the caller bounds the time.
pub(super) async fn ask(address: SocketAddr, random: &Random) -> Result<String, Silence> {
    let socket = address::connect_udp(address).await?;
    // rtpengine gives the answer of before to a cookie that it knows.
    let cookie = format!("{:08x}{:08x}", random.spread(), random.spread());
    let question = format!("{cookie} {PING}");
    loop {
        socket.send(question.as_bytes()).await?;
        if let Ok(answer) = tokio::time::timeout(PAUSE, answer(&socket, &cookie)).await {
            return answer;
        }
    }
}

/// Waits for the answer to this cookie.
async fn answer(socket: &UdpSocket, cookie: &str) -> Result<String, Silence> {
    let mut buffer = [0; ANSWER_BYTES_MAX];
    loop {
        let length = socket.recv(&mut buffer).await?;
        let text = String::from_utf8_lossy(&buffer[..length]);
        match text.strip_prefix(cookie).and_then(|rest| rest.strip_prefix(' ')) {
            Some(answer) if answer.contains(PONG) => return Ok("answers the ng ping".to_owned()),
            Some(answer) => return Err(Silence::NoNgPong(answer.to_owned())),
            None => {}
        }
    }
}
