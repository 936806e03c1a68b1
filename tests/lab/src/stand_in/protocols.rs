//! As much of two protocols as probes ask for.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;

/// A protocol header of AMQP 0-9-1.
const HEADER: [u8; 8] = *b"AMQP\x00\x00\x09\x01";
/// The method `connection.start`: class 10, method 10, version 0-9.
const START: [u8; 6] = [0, 10, 0, 10, 0, 9];
/// The end of every frame.
const FRAME_END: u8 = 0xCE;
const LINE_BYTES_MAX: u64 = 8192;

/// Answers commands of administrators as gearmand does (its file PROTOCOL): `version`, and `status`, which lists no
/// function, because no worker can register one.
pub(super) fn gearman(mut stream: &TcpStream, tag: &str) -> io::Result<()> {
    let mut reader = BufReader::new(stream);
    loop {
        let mut line = String::new();
        if (&mut reader).take(LINE_BYTES_MAX).read_line(&mut line)? == 0 {
            return Ok(());
        }
        let answer = match line.trim_end() {
            "version" => format!("OK 1.1.19.1+stand-in.{tag}\n"),
            "status" | "workers" => ".\n".to_owned(),
            _ => "ERR UNKNOWN_COMMAND Unknown+server+command\n".to_owned(),
        };
        stream.write_all(answer.as_bytes())?;
    }
}

/// Answers a protocol header of AMQP 0-9-1 by offering to log in, and every other one by this header, as its
/// specification says (sections 2.2.4 and 4.2.2). Nobody can log in.
pub(super) fn amqp(mut stream: &TcpStream) -> io::Result<()> {
    let mut header = [0; HEADER.len()];
    stream.read_exact(&mut header)?;
    if header != HEADER {
        return stream.write_all(&HEADER);
    }
    let mut method = START.to_vec();
    // No properties of the server, then the mechanisms and the languages.
    for text in ["", "PLAIN", "en_US"] {
        method.extend(u32::try_from(text.len()).unwrap_or_default().to_be_bytes());
        method.extend(text.as_bytes());
    }
    let mut frame = vec![1, 0, 0];
    frame.extend(u32::try_from(method.len()).unwrap_or_default().to_be_bytes());
    frame.extend(method);
    frame.push(FRAME_END);
    stream.write_all(&frame)?;
    io::copy(&mut stream.take(LINE_BYTES_MAX), &mut io::sink()).map(drop)
}
