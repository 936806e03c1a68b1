//! Requests of HTTP/1.1 (RFC 9112), one for each connection, and answers that only have a status.

use std::collections::BTreeSet;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;

use serde_json::json;

use super::site::Site;

const HEAD_BYTES_MAX: u64 = 64 * 1024;
const NOT_FOUND: u16 = 404;
const BAD_REQUEST: u16 = 400;

/// The head of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct HttpRequest {
    pub(super) method: String,
    /// The path as it was sent, without the query.
    pub(super) path: String,
    pub(super) query: String,
    headers: Vec<(String, String)>,
}

/// An answer, whose body is text or a stored object.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct HttpAnswer {
    pub(super) status: u16,
    pub(super) kind: &'static str,
    pub(super) location: Option<String>,
    pub(super) body: Vec<u8>,
}

impl HttpRequest {
    /// Reads the head of a request; none if there is none, or no whole one.
    pub(super) fn read(reader: &mut impl BufRead) -> io::Result<Option<Self>> {
        let mut lines = Vec::new();
        let mut bounded = reader.take(HEAD_BYTES_MAX);
        loop {
            let mut line = String::new();
            if bounded.read_line(&mut line)? == 0 {
                return Ok(None);
            }
            let line = line.trim_end();
            if line.is_empty() {
                break;
            }
            lines.push(line.to_owned());
        }
        Ok(Self::parse(&lines))
    }

    fn parse(lines: &[String]) -> Option<Self> {
        let (first, headers) = lines.split_first()?;
        let mut words = first.split(' ');
        let (method, target) = (words.next()?.to_owned(), words.next()?);
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let header = |line: &String| {
            let (name, value) = line.split_once(':')?;
            Some((name.to_ascii_lowercase(), value.trim().to_owned()))
        };
        let headers = headers.iter().filter_map(header).collect();
        Some(Self { method, path: path.to_owned(), query: query.to_owned(), headers })
    }

    /// Returns the value of a header, whose name is in small letters.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Returns the length of its body, which is empty unless it says otherwise.
    pub(super) fn body_bytes(&self) -> u64 {
        self.header("content-length").and_then(|text| text.parse().ok()).unwrap_or(0)
    }
}

impl HttpAnswer {
    /// Returns an answer with a JSON document that says who answers.
    pub(super) fn of(site: &Site, request: &HttpRequest) -> Self {
        let status = status(site, request);
        let paths = &site.listen.paths;
        let login = paths.iter().find(|(_, status)| **status == 200).map(|(path, _)| path.clone());
        let component = site.image.rsplit('/').next().unwrap_or_default();
        let body = json!({
            "stand_in": true,
            "component": component,
            "version": site.tag,
            "path": request.path,
        });
        Self {
            status,
            kind: "application/json",
            location: login.filter(|_| (300..400).contains(&status)),
            body: format!("{body}\n").into_bytes(),
        }
    }

    /// Sends the answer, without its body to a HEAD.
    pub(super) fn send(&self, mut stream: &TcpStream, request: &HttpRequest) -> io::Result<()> {
        let Self { status, kind, location, body } = self;
        let mut head = format!(
            "HTTP/1.1 {status} {}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\
             Server: stand-in\r\nConnection: close\r\n",
            reason(*status),
            body.len()
        );
        if let Some(location) = location {
            head += &format!("Location: {location}\r\n");
        }
        stream.write_all((head + "\r\n").as_bytes())?;
        if request.method != "HEAD" {
            stream.write_all(body)?;
        }
        stream.flush()
    }
}

/// Answers the request of a connection.
pub(super) fn serve_connection(stream: &TcpStream, site: &Site) -> io::Result<()> {
    let mut reader = BufReader::new(stream);
    let Some(request) = HttpRequest::read(&mut reader)? else { return Ok(()) };
    io::copy(&mut reader.take(request.body_bytes()), &mut io::sink())?;
    HttpAnswer::of(site, &request).send(stream, &request)
}

fn status(site: &Site, request: &HttpRequest) -> u16 {
    let host = request.header("host").unwrap_or_default();
    let host = host.rsplit_once(':').map_or(host, |(host, _port)| host);
    let is_refused = |hosts: &BTreeSet<String>| !hosts.contains(host) && !hosts.contains("*");
    if site.hosts.as_ref().is_some_and(is_refused) {
        return BAD_REQUEST;
    }
    let paths = &site.listen.paths;
    paths.get(&request.path).or_else(|| paths.get("*")).copied().unwrap_or(NOT_FOUND)
}

fn reason(status: u16) -> &'static str {
    match status {
        200..=299 => "OK",
        300..=399 => "Found",
        400 => "Bad Request",
        401 => "Unauthorized",
        404 => "Not Found",
        _ => "Refused",
    }
}
