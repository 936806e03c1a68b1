//! Proxies, which the environment names: `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and
//! `NO_PROXY`, or the same in lower case.

use std::collections::BTreeSet;
use std::io;
use std::net::IpAddr;

use bytes::Bytes;
use http_body_util::Empty;
use hyper::client::conn::http1;
use hyper::header::{HOST, HeaderValue, PROXY_AUTHORIZATION};
use hyper::{Method, Request, Uri};
use hyper_util::client::proxy::matcher::Matcher;
use hyper_util::rt::TokioIo;
use oml_common::text::problem::{Problem, Problems};
use tokio::net::TcpStream;

/// The variables that name a proxy. The first that is set counts, those of all schemes last.
const HTTPS: [&str; 2] = ["HTTPS_PROXY", "https_proxy"];
const HTTP: [&str; 2] = ["HTTP_PROXY", "http_proxy"];
const ALL: [&str; 2] = ["ALL_PROXY", "all_proxy"];
/// The variables with the hosts that are reached without a proxy.
const NONE: [&str; 2] = ["NO_PROXY", "no_proxy"];
/// The port of a proxy that names none.
const PORT_DEFAULT: u16 = 80;

/// The proxies of a program, and the hosts that it reaches without one.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Proxies {
    /// The proxy for HTTPS, with its scheme; empty if there is none.
    https: String,
    /// The proxy for plain HTTP, with its scheme; empty if there is none.
    http: String,
    /// The hosts without a proxy, separated by commas.
    none: String,
}

/// The proxies that an environment names.
#[derive(Debug, Clone, Default)]
pub struct ReadProxies {
    /// Those that can be used.
    pub proxies: Proxies,
    /// A problem for each variable that names no proxy which can be used.
    pub wrong: Problems,
}

/// What a program uses proxies for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Use {
    /// HTTPS and other connections with TLS.
    Tls,
    /// These, and plain HTTP.
    TlsAndHttp,
}

/// The proxy of one request.
#[derive(Debug, Clone)]
pub struct Proxy {
    host: String,
    port: u16,
    /// The login that the address of the proxy has.
    pub authorization: Option<HeaderValue>,
}

impl Proxies {
    /// Reads the environment of the process. See [`Self::read`].
    #[expect(clippy::disallowed_methods, reason = "a program calls this once, at its start")]
    #[must_use]
    pub fn of_environment(of: Use) -> ReadProxies {
        Self::read(of, |name| std::env::var(name).ok())
    }

    /// Reads the variables of which a program would use one.
    #[must_use]
    pub fn read(of: Use, variable: impl Fn(&str) -> Option<String>) -> ReadProxies {
        let mut wrong = BTreeSet::new();
        let set = |names: &[&'static str]| -> Vec<(&'static str, String)> {
            let all = names.iter().filter_map(|name| Some((*name, variable(name)?)));
            all.filter(|(_, value)| !value.trim().is_empty()).collect()
        };
        let mut proxy = |names: [&'static str; 2]| {
            for (name, value) in set(&[names, ALL].concat()) {
                if let Some(proxy) = usable(value.trim()) {
                    return proxy;
                }
                wrong.insert(name);
            }
            String::new()
        };
        let https = proxy(HTTPS);
        let http = match of {
            Use::Tls => String::new(),
            Use::TlsAndHttp => proxy(HTTP),
        };
        let none = set(&NONE).into_iter().next().map(|(_, value)| excepted(&value));
        // A value may hold a password, so it is not shown.
        let problem = |name: &str| {
            Problem::new(name, "is not the address of an HTTP proxy")
                .hint("write it as http://proxy.example.com:3128")
        };
        let none = none.unwrap_or_default();
        let wrong = Problems(wrong.into_iter().map(problem).collect());
        ReadProxies { proxies: Self { https, http, none }, wrong }
    }

    /// Returns the proxy that is for an address. This host itself is never reached through one.
    #[must_use]
    pub fn of(&self, url: &Uri) -> Option<Proxy> {
        let host = url.host()?.trim_matches(['[', ']']);
        let is_here = host == "localhost" || host.parse().is_ok_and(|ip: IpAddr| ip.is_loopback());
        if is_here {
            return None;
        }
        let Self { https, http, none } = self;
        let named = Matcher::builder().https(&**https).http(&**http).no(&**none);
        let found = named.build().intercept(url)?;
        let (proxy, authorization) = (found.uri(), found.basic_auth().cloned());
        let host = proxy.host()?.trim_matches(['[', ']']).to_owned();
        Some(Proxy { host, port: proxy.port_u16().unwrap_or(PORT_DEFAULT), authorization })
    }

    /// Connects to a host with which TLS is spoken, through its proxy if there is one. The
    /// caller limits the time.
    ///
    /// # Errors
    /// Returns an error that names the proxy if that is where it failed.
    pub async fn tunnel(&self, host: &str, port: u16) -> io::Result<TcpStream> {
        let authority = match host.contains(':') {
            true => format!("[{host}]:{port}"),
            false => format!("{host}:{port}"),
        };
        let url: Option<Uri> = format!("https://{authority}/").parse().ok();
        match url.and_then(|url| self.of(&url)) {
            Some(proxy) => proxy.tunnel(&authority).await,
            None => TcpStream::connect((host, port)).await,
        }
    }
}

/// Returns the address of a proxy that speaks plain HTTP, with its scheme.
fn usable(text: &str) -> Option<String> {
    let text = if text.contains("://") { text.to_owned() } else { format!("http://{text}") };
    let url: Uri = text.parse().ok()?;
    let is_http = url.scheme_str() == Some("http") && matches!(url.path(), "" | "/");
    (is_http && url.host().is_some_and(|host| !host.is_empty())).then_some(text)
}

/// Returns the hosts of `NO_PROXY` in the one spelling that is matched. `*.corp` is what is below
/// a name, and a port is left out: the host is excepted with all its ports.
fn excepted(text: &str) -> String {
    let host = |entry: &str| -> String {
        let entry = entry.trim();
        let entry = entry.strip_prefix('*').filter(|rest| rest.starts_with('.')).unwrap_or(entry);
        let is_port = |port: &str| !port.is_empty() && port.chars().all(|c| c.is_ascii_digit());
        let host = match entry.rsplit_once(':') {
            Some((host, port)) if is_port(port) && entry.parse::<IpAddr>().is_err() => host,
            Some(_) | None => entry,
        };
        host.trim_matches(['[', ']']).to_owned()
    };
    text.split(',').map(host).collect::<Vec<_>>().join(",")
}

impl Proxy {
    /// Connects to the proxy.
    ///
    /// # Errors
    /// Returns an error that names the proxy.
    pub async fn connect(&self) -> io::Result<TcpStream> {
        let connected = TcpStream::connect((self.host.as_str(), self.port)).await;
        connected.map_err(|error| {
            let kind = error.kind();
            io::Error::new(kind, format!("cannot connect to {self}: {error}"))
        })
    }

    /// Asks the proxy for a connection (RFC 9110 §9.3.6).
    async fn tunnel(&self, authority: &str) -> io::Result<TcpStream> {
        let failed = |error: hyper::Error| io::Error::other(format!("{self}: {error}"));
        let mut request = Request::new(Empty::<Bytes>::new());
        *request.method_mut() = Method::CONNECT;
        *request.uri_mut() = authority.parse().map_err(io::Error::other)?;
        let host = HeaderValue::from_str(authority).map_err(io::Error::other)?;
        request.headers_mut().insert(HOST, host);
        if let Some(login) = &self.authorization {
            request.headers_mut().insert(PROXY_AUTHORIZATION, login.clone());
        }
        let stream = TokioIo::new(self.connect().await?);
        let (mut sender, connection) = http1::handshake(stream).await.map_err(failed)?;
        // What else is in the response is dropped here, or the connection would wait for it.
        let asked = async move { sender.send_request(request).await.map(|said| said.status()) };
        let (status, connection) = tokio::join!(asked, connection.without_shutdown());
        let status = status.map_err(failed)?;
        if !status.is_success() {
            let message = format!("{self} responded with {status} for {authority}");
            return Err(io::Error::other(message));
        }
        Ok(connection.map_err(failed)?.io.into_inner())
    }
}

/// Shows no address of a proxy, which may hold a password.
impl std::fmt::Debug for Proxies {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Proxies").field("none", &self.none).finish_non_exhaustive()
    }
}

impl std::fmt::Display for Proxy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "the proxy {}:{}", self.host, self.port)
    }
}

#[cfg(test)]
mod tests;
