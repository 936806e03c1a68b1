//! SIP OPTIONS (RFC 3261 §11): over UDP one request that is sent again until a final answer comes
//! (§17.1.2), over TCP (§18) and WebSocket (RFC 7118) one that is sent once.

use std::net::SocketAddr;
use std::time::Duration;

use oml_daemon::env::Random;
use tokio::net::UdpSocket;

use super::{Silence, address};

mod stream;
mod websocket;

pub(super) use stream::ask_over_tcp;
pub(super) use websocket::{Opening, ask_over_websocket};

/// T1 and T2 of RFC 3261: the first pause before sending again, and the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(4);
const ANSWER_BYTES_MAX: usize = 2048;

/// Asks until answered; the caller bounds the time.
pub(super) async fn ask_over_udp(address: SocketAddr, random: &Random) -> Result<String, Silence> {
    let socket = address::connect_udp(address).await?;
    let request = Request::new("UDP", address, socket.local_addr()?, random);
    let text = request.text();
    let mut pause = FIRST_PAUSE;
    loop {
        socket.send(text.as_bytes()).await?;
        if let Ok(answer) = tokio::time::timeout(pause, final_answer(&socket, &request)).await {
            return answer;
        }
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

async fn final_answer(socket: &UdpSocket, request: &Request) -> Result<String, Silence> {
    let mut buffer = [0; ANSWER_BYTES_MAX];
    loop {
        let length = socket.recv(&mut buffer).await?;
        let text = String::from_utf8_lossy(&buffer[..length]);
        if let Some(status) = request.final_status(&text) {
            return Ok(answers_with(status));
        }
    }
}

fn answers_with(status: u16) -> String {
    format!("answers OPTIONS with {status}")
}

/// What an answer must repeat.
#[derive(Debug)]
struct Request {
    /// As a Via header names it.
    transport: &'static str,
    address: SocketAddr,
    local: SocketAddr,
    branch: String,
    call_id: String,
}

impl Request {
    fn new(
        transport: &'static str,
        address: SocketAddr,
        local: SocketAddr,
        random: &Random,
    ) -> Self {
        let number = || format!("{:08x}{:08x}", random.spread(), random.spread());
        Self {
            transport,
            address,
            local,
            branch: format!("z9hG4bK{}", number()),
            call_id: format!("{}@localhost", number()),
        }
    }

    fn text(&self) -> String {
        let Self { transport, address, local, branch, call_id } = self;
        let tag = &branch[branch.len() - 8..];
        format!(
            "OPTIONS sip:{address} SIP/2.0\r\n\
             Via: SIP/2.0/{transport} {local};branch={branch};rport\r\n\
             Max-Forwards: 70\r\n\
             From: <sip:omlagent@{local}>;tag={tag}\r\n\
             To: <sip:{address}>\r\n\
             Call-ID: {call_id}\r\n\
             CSeq: 1 OPTIONS\r\n\
             Contact: <sip:omlagent@{local}>\r\n\
             Accept: application/sdp\r\n\
             User-Agent: omlagent\r\n\
             Content-Length: 0\r\n\r\n"
        )
    }

    /// The status of a final answer to this request; none for anything else.
    fn final_status(&self, text: &str) -> Option<u16> {
        let mut lines = text.lines();
        let status = lines.next()?.strip_prefix("SIP/2.0 ")?.split(' ').next()?.parse().ok()?;
        let headers: Vec<(&str, &str)> = lines
            .take_while(|line| !line.is_empty())
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.trim(), value.trim()))
            .collect();
        let header = |long: &str, short: &str| {
            let is_it =
                |name: &str| name.eq_ignore_ascii_case(long) || name.eq_ignore_ascii_case(short);
            headers.iter().find(|(name, _)| is_it(name)).map(|(_, value)| *value)
        };
        let is_ours = header("Call-ID", "i") == Some(&self.call_id)
            && header("CSeq", "CSeq")
                .is_some_and(|value| value.split_whitespace().eq(["1", "OPTIONS"]))
            && header("Via", "v").is_some_and(|via| {
                via.split(';').any(|part| part.trim().strip_prefix("branch=") == Some(&self.branch))
            });
        (is_ours && status >= 200).then_some(status)
    }
}

#[cfg(test)]
mod tests;
