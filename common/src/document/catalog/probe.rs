//! Reads the probe of a component.

use crate::document::instance::{HttpDetails, SipTransport, WebSocketDetails};
use crate::text::problem::Problems;
use crate::text::yaml::{FieldNode, Fields, Value};

use super::{CheckTemplate, ProbeTemplate, tolerated};

const INTERVAL_MS: u64 = 10_000;
const TIMEOUT_MS: u64 = 2_000;
const FAILURES_MAX: u32 = 3;
/// The words of a catalog. They are not those of documents, which have kinds of their own for what
/// release 0.1.0 does not know of a check.
const CHECKS: [&str; 10] = [
    "http",
    "tcp",
    "sip-options",
    "redis",
    "postgres",
    "exec",
    "unit-active",
    "rtpengine",
    "gearman",
    "rabbitmq",
];
const TRANSPORTS: [(&str, Option<SipTransport>); 4] = [
    ("udp", None),
    ("tcp", Some(SipTransport::Tcp)),
    ("ws", Some(SipTransport::Ws)),
    ("wss", Some(SipTransport::Wss)),
];

pub(super) fn read(
    field: &FieldNode<'_>,
    problems: &mut Problems,
    tolerated: &mut Problems,
) -> Option<ProbeTemplate> {
    let mut fields = Fields::open(field, problems)?;
    let choices = CHECKS.map(|word| (word, word));
    let kind = fields.need("check", problems).and_then(|p| p.choice(&choices, problems));
    let check = kind.and_then(|kind| read_check(kind, &mut fields, problems, tolerated));
    let address_field = fields.get("address");
    let address = address_field.as_ref().and_then(|p| p.text(problems)).map(str::to_owned);
    let asks_no_port =
        matches!(check, Some(CheckTemplate::Exec { .. } | CheckTemplate::UnitActive));
    if let Some(field) = address_field.filter(|_| asks_no_port) {
        problems.push(field.problem("this check asks no port, so it has no address"));
    }
    let mut duration = |name, default| {
        let read = tolerated::duration_ms(fields.get(name), problems, tolerated);
        // One of 0 always meant the default.
        read.filter(|ms| *ms > 0).unwrap_or(default)
    };
    let interval_ms = duration("interval", INTERVAL_MS);
    let timeout_ms = duration("timeout", TIMEOUT_MS);
    let failures_max = fields
        .get("failures")
        .and_then(|p| p.number(1..=100, problems))
        .and_then(|n| u32::try_from(n).ok())
        .unwrap_or(FAILURES_MAX);
    fields.finish(problems);
    Some(ProbeTemplate { check: check?, address, interval_ms, timeout_ms, failures_max })
}

fn read_check(
    kind: &str,
    fields: &mut Fields<'_>,
    problems: &mut Problems,
    tolerated: &mut Problems,
) -> Option<CheckTemplate> {
    let mut text = |name: &'static str, problems: &mut Problems| {
        fields.need(name, problems).and_then(|p| p.text(problems)).map(str::to_owned)
    };
    Some(match kind {
        "http" => {
            let port = text("port", problems);
            let path = fields.get("path").and_then(|p| tolerated::path(&p, problems, tolerated));
            let path = path.unwrap_or_else(|| "/".to_owned());
            let tls = fields.get("tls").and_then(|p| p.flag(problems)).unwrap_or(false);
            let details = read_details(tls, fields, problems);
            CheckTemplate::Http { port: port?, path, tls, details }
        }
        "tcp" => CheckTemplate::Tcp { port: text("port", problems)? },
        "sip-options" => {
            let port = text("port", problems);
            let transport = fields.get("transport").and_then(|p| p.choice(&TRANSPORTS, problems));
            let transport = transport.flatten();
            let details = read_web_socket(transport, fields, problems, tolerated);
            let stream = transport.map(|transport| (transport, details));
            CheckTemplate::SipOptions { port: port?, stream }
        }
        "redis" => CheckTemplate::Redis { port: text("port", problems)? },
        "postgres" => {
            let (port, user) = (text("port", problems), text("user", problems));
            CheckTemplate::Postgres { port: port?, user: user? }
        }
        "exec" => {
            let field = fields.need("command", problems);
            let command = tolerated::command(field.as_ref(), problems, tolerated);
            CheckTemplate::Exec { command }
        }
        "rtpengine" => CheckTemplate::Rtpengine { port: text("port", problems)? },
        "gearman" => CheckTemplate::Gearman { port: text("port", problems)? },
        "rabbitmq" => CheckTemplate::Rabbitmq { port: text("port", problems)? },
        _ => CheckTemplate::UnitActive,
    })
}

fn read_details(has_tls: bool, fields: &mut Fields<'_>, problems: &mut Problems) -> HttpDetails {
    let host = read_text(fields.get("host").as_ref(), problems);
    let statuses = fields.get("status").map(|field| read_statuses(&field, problems));
    let tls_name = read_tls_name(has_tls, fields, problems);
    HttpDetails { host, statuses: statuses.unwrap_or_default(), tls_name }
}

fn read_web_socket(
    transport: Option<SipTransport>,
    fields: &mut Fields<'_>,
    problems: &mut Problems,
    tolerated: &mut Problems,
) -> WebSocketDetails {
    let (path, host) = (fields.get("path"), fields.get("host"));
    if !matches!(transport, Some(SipTransport::Ws | SipTransport::Wss)) {
        for field in [&path, &host].into_iter().flatten() {
            let problem = field.problem("only a WebSocket has it");
            problems.push(problem.hint("add transport: ws, or wss"));
        }
    }
    let path = path.and_then(|field| tolerated::path(&field, problems, tolerated));
    let host = read_text(host.as_ref(), problems);
    let tls_name = read_tls_name(transport == Some(SipTransport::Wss), fields, problems);
    WebSocketDetails { path, host, tls_name }
}

fn read_text(field: Option<&FieldNode<'_>>, problems: &mut Problems) -> Option<String> {
    field.and_then(|field| field.text(problems)).map(str::to_owned)
}

fn read_tls_name(
    has_tls: bool,
    fields: &mut Fields<'_>,
    problems: &mut Problems,
) -> Option<String> {
    let field = fields.get("tls_name")?;
    if !has_tls {
        let problem = field.problem("nothing asks for this name without TLS");
        problems.push(problem.hint("add tls: true, or transport: wss"));
    }
    read_text(Some(&field), problems)
}

/// Reads one HTTP status or a list of them.
fn read_statuses(field: &FieldNode<'_>, problems: &mut Problems) -> Vec<u16> {
    let mut number = |field: &FieldNode<'_>| {
        let number = field.number(100..=599, problems)?;
        u16::try_from(number).ok()
    };
    if let Value::List(_) = field.node.value {
        let items = field.list(&mut Problems::default());
        let numbers = items.iter().filter_map(&mut number).collect();
        if items.is_empty() {
            problems.push(field.problem("names no status").hint("leave it out: below 400 is good"));
        }
        return numbers;
    }
    number(field).into_iter().collect()
}

#[cfg(test)]
mod tests;
