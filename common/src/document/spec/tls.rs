//! Reads where the certificate of a tenant comes from, and which names it is for.

use std::collections::BTreeSet;

use crate::id::TlsName;
use crate::text::problem::Problems;
use crate::text::yaml::{FieldNode, Fields};

use super::acme::{self, AcmeSpec};

/// The largest number of names of a certificate.
pub const TLS_NAMES_MAX: usize = 100;
/// The largest length of all names together, in bytes: the certificate is a secret, and those are bounded.
const TLS_NAMES_BYTES_MAX: usize = 8 << 10;

/// The certificate that a tenant wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsSpec {
    pub mode: TlsMode,
    /// The names that it must be for. One of the tenant's own authority has exactly these.
    pub names: BTreeSet<TlsName>,
    /// The account at an ACME directory; only of the mode `acme`.
    pub acme: Option<AcmeSpec>,
}

/// Where the certificate of a tenant comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TlsMode {
    /// The controller makes it, with an authority of the tenant's own.
    SelfSigned,
    /// An operator gives it.
    Custom,
    /// The controller orders it from an ACME directory, with HTTP-01 challenges that the tenant's own web
    /// server answers.
    Acme,
}

impl TlsMode {
    /// Returns the word of the mode in documents.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::SelfSigned => "selfsigned",
            Self::Custom => "custom",
            Self::Acme => "acme",
        }
    }
}

/// Reads where the certificate comes from. What cannot be read counts as one that the controller makes,
/// for which an operator has nothing to give.
pub(super) fn read(field: &FieldNode<'_>, problems: &mut Problems) -> TlsSpec {
    let modes = [TlsMode::SelfSigned, TlsMode::Custom, TlsMode::Acme];
    let modes = modes.map(|mode| (mode.as_str(), mode));
    let Some(mut fields) = Fields::open(field, problems) else {
        return TlsSpec { mode: TlsMode::SelfSigned, names: BTreeSet::new(), acme: None };
    };
    let mode = fields.need("mode", problems).and_then(|field| field.choice(&modes, problems));
    let names_field = fields.get("names");
    let names: Vec<TlsName> =
        names_field.as_ref().map(|field| field.parse_list(problems)).unwrap_or_default();
    let acme = acme::read(&mut fields, mode.map(|mode| mode == TlsMode::Acme), problems);
    fields.finish(problems);
    let place = names_field.as_ref().unwrap_or(field);
    if names.len() > TLS_NAMES_MAX {
        let message =
            format!("{} names are too many; a certificate has {TLS_NAMES_MAX}", names.len());
        problems.push(place.problem(message));
    }
    let size_bytes: usize = names.iter().map(|name| name.as_str().len()).sum();
    if size_bytes > TLS_NAMES_BYTES_MAX {
        let message =
            format!("the names have {size_bytes} bytes together (maximum {TLS_NAMES_BYTES_MAX})");
        problems.push(place.problem(message));
    }
    // A list with mistakes has been reported with each of them.
    let has_none =
        names_field.as_ref().is_none_or(|field| field.list(&mut Problems::default()).is_empty());
    if has_none && let Some(example) = mode.and_then(example_of_names) {
        let word = mode.map_or("", TlsMode::as_str);
        let message = format!("a certificate of mode {word} needs the names that browsers open");
        problems.push(place.problem(message).hint(format!("for example names: {example}")));
    }
    if mode == Some(TlsMode::Acme) {
        problems.0.extend(acme::check_names(place, &names));
    }
    let mode = mode.unwrap_or(TlsMode::SelfSigned);
    TlsSpec { mode, names: names.into_iter().collect(), acme }
}

/// Returns an example of the names of a certificate whose document must say them.
fn example_of_names(mode: TlsMode) -> Option<&'static str> {
    match mode {
        TlsMode::SelfSigned => Some("[pbx.example.com, 10.0.0.5]"),
        TlsMode::Acme => Some("[pbx.example.com]"),
        TlsMode::Custom => None,
    }
}

#[cfg(test)]
mod tests {
    use crate::document::spec::{TenantSpec, TlsMode};

    fn read(tls: &str) -> Result<TenantSpec, String> {
        let text = format!("tenant: acme\ncatalog: test\ntls: {tls}\ncomponents: {{web: \"1\"}}\n");
        TenantSpec::parse(&text).map_err(|problems| problems.to_string())
    }

    fn names(spec: &TenantSpec) -> Vec<&str> {
        spec.tls.iter().flat_map(|tls| &tls.names).map(|name| name.as_str()).collect()
    }

    #[test]
    fn a_tenant_says_where_its_certificate_comes_from_and_which_names_it_has() {
        let spec = read("{mode: selfsigned, names: [PBX.example.com, 10.0.0.5, pbx.example.com]}");
        let spec = spec.unwrap();
        assert_eq!(spec.tls.as_ref().map(|tls| tls.mode), Some(TlsMode::SelfSigned));
        assert_eq!(names(&spec), ["10.0.0.5", "pbx.example.com"]);
        let custom = read("{mode: custom}").unwrap();
        assert_eq!(custom.tls.as_ref().map(|tls| tls.mode), Some(TlsMode::Custom));
        assert!(!custom.says_the_same_as(&spec));
    }

    #[test]
    fn mistakes_are_shown_at_once_with_their_places() {
        let error = read("{mode: acem, names: [10.0.0.300, a_b], key: x}").unwrap_err();
        for part in [
            "line 3: tls.mode: ",
            "\"10.0.0.300\" is neither a host name",
            "\"a_b\" is neither a host name",
            "tls.key: unknown key",
        ] {
            assert!(error.contains(part), "{part}: {error}");
        }
        let error = read("{mode: selfsigned}").unwrap_err();
        assert!(
            error.contains("needs the names that browsers open (for example names: ["),
            "{error}"
        );
        let error = read("{names: [a.example.com]}").unwrap_err();
        assert!(error.contains("line 3: tls.mode: is missing"), "{error}");
        let many: Vec<String> = (0..101).map(|n| format!("h{n}.example.com")).collect();
        let error = read(&format!("{{mode: custom, names: [{}]}}", many.join(", "))).unwrap_err();
        assert!(error.contains("101 names are too many"), "{error}");
        let label = "x".repeat(60);
        let long: Vec<String> =
            (0..60).map(|n| format!("h{n}.{label}.{label}.example.com")).collect();
        let error = read(&format!("{{mode: custom, names: [{}]}}", long.join(", "))).unwrap_err();
        assert!(error.contains("bytes together (maximum 8192)"), "{error}");
    }
}
