//! Reads from which ACME directory (RFC 8555) a tenant has its certificate.

// Of `core`, which has addresses and no sockets.
use core::net::Ipv6Addr;

use crate::id::TlsName;
use crate::text::problem::{Problem, Problems};
use crate::text::yaml::{FieldNode, Fields};

/// The directory of a document that names none: that of Let's Encrypt.
pub const LETS_ENCRYPT: &str = "https://acme-v02.api.letsencrypt.org/directory";
/// The largest length of the address of a directory, in bytes.
const DIRECTORY_BYTES_MAX: usize = 512;
/// The largest length of a mail address, in bytes (RFC 5321 §4.5.3.1.3).
const CONTACT_BYTES_MAX: usize = 254;

/// The account with which a tenant orders its certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AcmeSpec {
    /// The mail address to which the directory writes about the account.
    pub contact: String,
    /// The address of the directory.
    pub directory: String,
}

/// Reads the keys of the mode `acme`. In another mode, they are refused; nothing is said of them if the mode
/// itself cannot be read.
pub(super) fn read(
    fields: &mut Fields<'_>,
    is_acme: Option<bool>,
    problems: &mut Problems,
) -> Option<AcmeSpec> {
    let (contact, directory) = (fields.get("contact"), fields.get("directory"));
    if !is_acme? {
        for field in [contact, directory].iter().flatten() {
            let problem = field.problem("is only for mode: acme");
            problems.push(problem.hint("remove it, or write mode: acme"));
        }
        return None;
    }
    let contact = fields.need("contact", problems);
    let contact = contact.and_then(|field| read_contact(&field, problems));
    let directory = match directory {
        Some(field) => read_directory(&field, problems),
        None => Some(LETS_ENCRYPT.to_owned()),
    };
    Some(AcmeSpec { contact: contact?, directory: directory? })
}

fn read_contact(field: &FieldNode<'_>, problems: &mut Problems) -> Option<String> {
    let text = field.text(problems)?;
    if is_mail_address(text) {
        return Some(text.to_owned());
    }
    let problem = field.problem("must be one mail address");
    problems.push(problem.hint("for example contact: it@example.com"));
    None
}

/// Whether a text is a mail address that can be written into a `mailto:` as it is (RFC 8555 §7.3 allows
/// neither headers nor several addresses).
fn is_mail_address(text: &str) -> bool {
    let Some((user, host)) = text.split_once('@') else { return false };
    let is_plain = |b: u8| b.is_ascii_alphanumeric() || b"._+-".contains(&b);
    let is_host = host.parse::<TlsName>().is_ok_and(|host| host.beyond_http_01().is_none());
    text.len() <= CONTACT_BYTES_MAX && !user.is_empty() && user.bytes().all(is_plain) && is_host
}

fn read_directory(field: &FieldNode<'_>, problems: &mut Problems) -> Option<String> {
    let text = field.text(problems)?;
    if is_directory(text) {
        return Some(text.to_owned());
    }
    let problem = field.problem("must be the https address of an ACME directory, without a login");
    problems.push(problem.hint(format!("for example {LETS_ENCRYPT}, which is also the default")));
    None
}

/// Whether a text is an https address without a login that a request can be sent to as it is (RFC 3986).
fn is_directory(text: &str) -> bool {
    let Some(rest) = text.strip_prefix("https://") else { return false };
    let (server, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
    let is_plain = |b: u8| b.is_ascii_alphanumeric() || b"/?:@-._~!$&()*+,;=%".contains(&b);
    is_server(server) && path.bytes().all(is_plain) && text.len() <= DIRECTORY_BYTES_MAX
}

/// Whether a text is a host name or an address, with a port or without.
fn is_server(text: &str) -> bool {
    let is_port = |port: &str| {
        let is_number = port.bytes().all(|b| b.is_ascii_digit());
        is_number && port.parse::<u16>().is_ok_and(|port| port != 0)
    };
    if let Some(rest) = text.strip_prefix('[') {
        let Some((address, port)) = rest.split_once(']') else { return false };
        let is_port = port.is_empty() || port.strip_prefix(':').is_some_and(is_port);
        return address.parse::<Ipv6Addr>().is_ok() && is_port;
    }
    let (host, port) = text.split_once(':').map_or((text, None), |(host, port)| (host, Some(port)));
    let is_plain = |b: u8| b.is_ascii_alphanumeric() || b"-._".contains(&b);
    !host.is_empty() && host.bytes().all(is_plain) && port.is_none_or(is_port)
}

/// Refuses the names for which no HTTP-01 challenge can be answered (RFC 8555 §8.3).
pub(super) fn check_names(place: &FieldNode<'_>, names: &[TlsName]) -> Vec<Problem> {
    let refused = names.iter().filter_map(|name| Some((name, name.beyond_http_01()?)));
    let refused = refused.map(|(name, what)| {
        let problem =
            place.problem(format!("{name} is {what}, for which mode: acme gets no certificate"));
        problem.hint("name every host by itself, or use mode: custom or selfsigned")
    });
    refused.collect()
}

#[cfg(test)]
mod tests {
    use crate::document::spec::{LETS_ENCRYPT, TenantSpec, TlsMode};

    fn read(tls: &str) -> Result<TenantSpec, String> {
        let text = format!("tenant: acme\ncatalog: test\ntls: {tls}\ncomponents: {{web: \"1\"}}\n");
        TenantSpec::parse(&text).map_err(|problems| problems.to_string())
    }

    #[test]
    fn a_certificate_of_a_directory_has_a_contact_and_names() {
        let spec = read("{mode: acme, names: [PBX.example.com], contact: it@example.com}").unwrap();
        let tls = spec.tls.unwrap();
        assert_eq!(tls.mode, TlsMode::Acme);
        let acme = tls.acme.unwrap();
        assert_eq!(
            (acme.contact.as_str(), acme.directory.as_str()),
            ("it@example.com", LETS_ENCRYPT)
        );
        let own = "{mode: acme, names: [a.example.com], contact: a.b+c@x.example.com, \
                   directory: \"https://ca.lab:14000/dir\"}";
        let acme = read(own).unwrap().tls.unwrap().acme.unwrap();
        assert_eq!(acme.directory, "https://ca.lab:14000/dir");
        assert_eq!(read("{mode: custom}").unwrap().tls.unwrap().acme, None);
    }

    #[test]
    fn what_no_directory_gives_is_refused_at_once_with_its_place() {
        let error = read(
            "{mode: acme, names: [\"*.example.com\", 10.0.0.5], contact: \"a@b.example.com,c@d.example.com\", \
             directory: \"http://ca.lab/dir\"}",
        );
        let error = error.unwrap_err();
        for part in [
            "line 3: tls.names: *.example.com is a wildcard",
            "line 3: tls.names: 10.0.0.5 is an address",
            "line 3: tls.contact: must be one mail address (for example contact: it@example.com)",
            "line 3: tls.directory: must be the https address of an ACME directory",
        ] {
            assert!(error.contains(part), "{part}: {error}");
        }
        let error = read("{mode: acme}").unwrap_err();
        assert!(error.contains("line 3: tls.contact: is missing"), "{error}");
        assert!(error.contains("needs the names that browsers open"), "{error}");
        let error = read("{mode: custom, contact: a@b.example.com, directory: x}").unwrap_err();
        for part in ["tls.contact: is only for mode: acme", "tls.directory: is only for mode: acme"]
        {
            assert!(error.contains(part), "{part}: {error}");
        }
    }

    #[test]
    fn a_contact_or_a_directory_that_would_say_more_than_itself_is_refused() {
        for contact in ["x", "@example.com", "a@10.0.0.5", "a b@example.com", "a?cc=b@example.com"]
        {
            let text = format!("{{mode: acme, names: [a.example.com], contact: \"{contact}\"}}");
            assert!(read(&text).unwrap_err().contains("must be one mail address"), "{contact}");
        }
        for directory in ["https://", "https://user:x@ca.lab/", "ftp://ca.lab/", "https://a b/"] {
            let text = format!(
                "{{mode: acme, names: [a.example.com], contact: a@example.com, directory: \"{directory}\"}}"
            );
            assert!(read(&text).unwrap_err().contains("must be the https address"), "{directory}");
        }
    }

    #[test]
    fn a_directory_that_no_request_can_be_sent_to_is_refused() {
        for directory in [
            "https://ca.lab:14000:1/dir",
            "https://ca.lab:/dir",
            "https://ca.lab:0/dir",
            "https://ca.lab:65536/dir",
            "https://ca.lab:+1/dir",
            "https://:443/dir",
            "https://ca|lab/dir",
            "https://ca^lab/dir",
            "https://ca%lab/dir",
            "https://ca.lab/`dir",
            "https://ca.lab/{dir}",
            "https://[ca.lab]/dir",
            "https://[::1/dir",
            "https://[::1]x/dir",
            "https://?x",
        ] {
            assert!(!super::is_directory(directory), "{directory}");
        }
        for directory in [
            LETS_ENCRYPT,
            "https://ca.lab",
            "https://ca.lab:14000/dir",
            "https://10.0.0.5:65535/a/b?c=d&e=%20",
            "https://[2001:db8::1]/dir",
            "https://[::1]:14000/dir",
            "https://my_ca.lab?x=y",
        ] {
            assert!(super::is_directory(directory), "{directory}");
        }
        let text = "{mode: acme, names: [a.example.com], contact: a@example.com, \
                    directory: \"https://ca.lab:14000:1/dir\"}";
        let error = read(text).unwrap_err();
        let place = "line 3: tls.directory: must be the https address of an ACME directory";
        assert!(error.contains(place) && error.contains(LETS_ENCRYPT), "{error}");
    }
}
