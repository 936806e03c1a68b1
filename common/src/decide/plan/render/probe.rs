//! Fills in the probe of a component.

use core::net::{IpAddr, Ipv6Addr};

use crate::document::catalog::{CheckTemplate, ProbeTemplate};
use crate::document::instance::{
    ActiveProbe, ActiveSource, Check, HttpDetails, Probe, WebSocketDetails,
};
use crate::id::Address;

use super::Writer;

impl Writer<'_> {
    pub(super) fn probe(&mut self, template: &ProbeTemplate) -> Probe {
        let check = match &template.check {
            CheckTemplate::Http { port, path, tls, details } => {
                let port = self.number("probe.port", port);
                let (path, tls) = (path.clone(), *tls);
                if details == &HttpDetails::default() {
                    Check::Http { port, path, tls }
                } else {
                    Check::HttpDetailed { port, path, tls, details: self.http_details(details) }
                }
            }
            CheckTemplate::Tcp { port } => Check::Tcp { port: self.number("probe.port", port) },
            CheckTemplate::SipOptions { port, stream: None } => {
                Check::SipOptions { port: self.number("probe.port", port) }
            }
            CheckTemplate::SipOptions { port, stream: Some((transport, details)) } => {
                let port = self.number("probe.port", port);
                let details = self.web_socket_details(details);
                Check::SipStream { port, transport: *transport, details }
            }
            CheckTemplate::Redis { port } => Check::Redis { port: self.number("probe.port", port) },
            CheckTemplate::Postgres { port, user } => Check::Postgres {
                port: self.number("probe.port", port),
                user: self.fill("probe.user", user),
            },
            CheckTemplate::Exec { command } => {
                Check::Exec { command: self.words("probe.command", command) }
            }
            CheckTemplate::UnitActive => Check::UnitActive,
            CheckTemplate::Rtpengine { port } => {
                Check::Rtpengine { port: self.number("probe.port", port) }
            }
            CheckTemplate::Gearman { port } => {
                Check::Gearman { port: self.number("probe.port", port) }
            }
            CheckTemplate::Rabbitmq { port } => {
                Check::Rabbitmq { port: self.number("probe.port", port) }
            }
        };
        let address = template.address.as_deref();
        let address = address.and_then(|address| self.address("probe.address", address));
        let ProbeTemplate { interval_ms, timeout_ms, failures_max, .. } = *template;
        Probe { check, address, interval_ms, timeout_ms, failures_max }
    }

    /// Fills in the commands that count calls.
    pub(super) fn active(&mut self, template: &ActiveProbe) -> ActiveProbe {
        let several = template.several.iter().map(|source| ActiveSource {
            command: self.words("active.command", &source.command),
            before: source.before.clone(),
        });
        let several = several.collect();
        let command = self.words("active.command", &template.command);
        ActiveProbe { command, several, ..template.clone() }
    }

    fn http_details(&mut self, template: &HttpDetails) -> HttpDetails {
        let HttpDetails { host, statuses, tls_name } = template;
        let host = self.host_header(host.as_deref());
        let tls_name = self.tls_name(tls_name.as_deref());
        HttpDetails { host, statuses: statuses.clone(), tls_name }
    }

    fn web_socket_details(&mut self, template: &WebSocketDetails) -> WebSocketDetails {
        let WebSocketDetails { path, host, tls_name } = template;
        let host = self.host_header(host.as_deref());
        let tls_name = self.tls_name(tls_name.as_deref());
        WebSocketDetails { path: path.clone(), host, tls_name }
    }

    /// Fills in a `Host` header: a host, which may have a port behind it (RFC 9110 §7.2).
    fn host_header(&mut self, template: Option<&str>) -> Option<String> {
        let text = self.filled("probe.host", template?)?;
        if text.parse::<Ipv6Addr>().is_ok() {
            return Some(format!("[{text}]"));
        }
        let (host, port) = text.rsplit_once(':').map_or((&*text, None), |(h, p)| (h, Some(p)));
        let is_port = port.is_none_or(|port| port.parse::<u16>().is_ok());
        let in_brackets = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        let is_host = match in_brackets {
            Some(address) => address.parse::<Ipv6Addr>().is_ok(),
            None => host.parse::<Address>().is_ok(),
        };
        if !is_host || !is_port {
            let message = format!("{text:?} is no host name or IP address, with or without a port");
            self.problem("probe.host", message);
            return None;
        }
        Some(text)
    }

    /// Fills in the name of a TLS handshake, in which no address is sent (RFC 6066 §3).
    fn tls_name(&mut self, template: Option<&str>) -> Option<String> {
        let text = self.filled("probe.tls_name", template?)?;
        if text.parse::<Address>().is_err() || text.parse::<IpAddr>().is_ok() {
            self.problem("probe.tls_name", format!("{text:?} is no host name"));
            return None;
        }
        Some(text)
    }
}
