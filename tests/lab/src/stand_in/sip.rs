//! Answers SIP requests: OPTIONS by 200, every other one by 501 (RFC 3261 §11 and §8.2).

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;

use super::site::Site;

/// What every answer repeats, by the long and the short name.
const REPEATED: [(&str, &str); 5] =
    [("Via", "v"), ("From", "f"), ("To", "t"), ("Call-ID", "i"), ("CSeq", "CSeq")];
const HEAD_BYTES_MAX: u64 = 64 * 1024;

/// Answers every request of a connection.
pub(super) fn serve_connection(mut stream: &TcpStream, site: &Site) -> io::Result<()> {
    let mut reader = BufReader::new(stream);
    while let Some(head) = read_head(&mut reader)? {
        let length = header(&head, "Content-Length", "l").next();
        let length = length.and_then(|text| text.parse().ok()).unwrap_or(0);
        io::copy(&mut (&mut reader).take(length), &mut io::sink())?;
        if let Some(answer) = answer(&head, site) {
            stream.write_all(answer.as_bytes())?;
        }
    }
    Ok(())
}

/// Reads up to the empty line, or nothing if the connection has ended.
fn read_head(reader: &mut impl BufRead) -> io::Result<Option<String>> {
    let mut head = String::new();
    let mut bounded = reader.take(HEAD_BYTES_MAX);
    loop {
        let start = head.len();
        if bounded.read_line(&mut head)? == 0 {
            return Ok(None);
        }
        let is_empty = head.get(start..).is_some_and(|line| line.trim_end().is_empty());
        // Empty lines before a request keep a connection open (RFC 5626 §4.4.1).
        if is_empty && start == 0 {
            head.clear();
        } else if is_empty {
            return Ok(Some(head));
        }
    }
}

/// Returns the answer to a request; none to an ACK, an answer or anything else.
pub(super) fn answer(request: &str, site: &Site) -> Option<String> {
    let mut first = request.lines().next()?.split(' ');
    let method = first.next()?;
    if first.nth(1)? != "SIP/2.0" || method == "ACK" {
        return None;
    }
    let status = if method == "OPTIONS" { "200 OK" } else { "501 Not Implemented" };
    let mut answer = format!("SIP/2.0 {status}\r\n");
    for (long, short) in REPEATED {
        for value in header(request, long, short) {
            let is_untagged = long == "To" && !value.contains(";tag=");
            let tag = if is_untagged { ";tag=stand-in" } else { "" };
            answer += &format!("{long}: {value}{tag}\r\n");
        }
    }
    let Site { image, tag, .. } = site;
    answer += &format!("Allow: OPTIONS\r\nServer: stand-in for {image} {tag}\r\n");
    Some(answer + "Content-Length: 0\r\n\r\n")
}

/// Returns every value of a header, in their order.
fn header<'a>(head: &'a str, long: &str, short: &str) -> impl Iterator<Item = &'a str> {
    let lines = head.lines().skip(1).take_while(|line| !line.is_empty());
    lines.filter_map(move |line| {
        let (name, value) = line.split_once(':')?;
        let name = name.trim();
        let is_it = name.eq_ignore_ascii_case(long) || name.eq_ignore_ascii_case(short);
        is_it.then(|| value.trim())
    })
}
