//! Sorts the answers to a pull or to the creation of a container: what is wrong, and whether another
//! try can help.
//!
//! The engine passes on what a registry, the network or its own disk said as one text, whose
//! parts stand between colons. Only a whole part counts: a code of the distribution
//! specification, a status of HTTP, an error of the operating system, or one of the engine's own
//! sentences by their first words. A word inside a name or an address means nothing.

/// The kind of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    DiskFull,
    LoginRefused,
    NotThere,
    /// The registry does not say which of the two it is.
    NotThereOrLoginRefused,
    /// The image is here, and could not be unpacked this time.
    Unpacking,
    /// The image is for other platforms, or in a form that the engine cannot read.
    Unusable,
    /// The registry's certificate is not trusted, or it does not speak TLS.
    Untrusted,
    /// The registry's certificate is not valid yet or any more, by the clock of this host.
    OutOfDate,
    /// The engine finds the request itself wrong.
    BadRequest,
    /// The registry finds the request itself wrong.
    Refused,
    TooMany,
    Away,
    Other,
}

impl Refusal {
    /// Sorts an answer by the engine's status, if there is one, and by its text.
    pub(super) fn of(status: Option<u16>, text: &str) -> Self {
        let parts = || text.lines().flat_map(|line| line.split(": ")).map(bare);
        let begins = |begin: &[&str]| parts().any(|part| begin.iter().any(|b| part.starts_with(b)));
        let is_missing = begins(ASKS_REGISTRY) && parts().any(|part| part == "not found");
        let known = parts().find_map(Self::of_part).map(|kind| {
            let is_out_of_date = kind == Self::Untrusted && begins(OUT_OF_DATE);
            if is_out_of_date { Self::OutOfDate } else { kind }
        });
        let known = known.or(is_missing.then_some(Self::NotThere));
        // It may hold a cause that is known, such as a full disk.
        let known = known.or(begins(UNPACKS).then_some(Self::Unpacking));
        let by_status = match status {
            Some(400) => Some(Self::BadRequest),
            // The engine passes these on.
            Some(status @ (401 | 403 | 404 | 429)) => Self::of_status(status),
            Some(_) | None => None,
        };
        known.or(by_status).unwrap_or(Self::Other)
    }

    /// Returns true if the same request will be answered otherwise without anybody's doing.
    pub(super) fn is_transient(self) -> bool {
        match self {
            Self::DiskFull | Self::TooMany | Self::Away | Self::Unpacking | Self::Other => true,
            // The clock is set late after a boot, and a certificate may be renewed late.
            Self::OutOfDate => true,
            Self::LoginRefused
            | Self::NotThere
            | Self::NotThereOrLoginRefused
            | Self::Unusable
            | Self::Untrusted
            | Self::BadRequest
            | Self::Refused => false,
        }
    }

    /// Describes what is wrong with this registry.
    pub(super) fn cause(self, registry: &str) -> String {
        match self {
            Self::DiskFull => "the engine's disk is full".to_owned(),
            Self::LoginRefused => format!("the registry {registry} refused the login"),
            Self::NotThere => format!("the registry {registry} does not have it"),
            Self::NotThereOrLoginRefused => {
                format!("the registry {registry} does not have it, or refused the login")
            }
            Self::Unpacking => "the engine of this host could not unpack it".to_owned(),
            Self::Unusable => "the engine of this host cannot use the image".to_owned(),
            Self::Untrusted => format!("the engine does not trust the registry {registry}"),
            Self::OutOfDate => format!(
                "the certificate of the registry {registry} is not valid at the time of this host"
            ),
            Self::BadRequest => "the engine refused the request".to_owned(),
            Self::Refused => format!("the registry {registry} refused the request"),
            Self::TooMany => format!("the registry {registry} asks to wait"),
            Self::Away => format!("the registry {registry} does not answer"),
            Self::Other => format!("the registry {registry} failed"),
        }
    }

    fn of_part(part: &str) -> Option<Self> {
        let found = SENTENCES.iter().find(|(begin, _)| part.starts_with(begin));
        let found = found.or_else(|| WORDS.iter().find(|(word, _)| part == *word));
        if let Some((_, kind)) = found {
            return Some(*kind);
        }
        // A status line, such as "401 Unauthorized", or what stands for one whose body is no JSON.
        let unread = part.strip_prefix("error parsing HTTP ");
        let unread = unread.and_then(|rest| rest.strip_suffix(" response body"));
        let (number, words) = match unread {
            Some(number) => (number, ""),
            None => part.split_once(' ').unwrap_or((part, "")),
        };
        let is_status = number.len() == 3 && words.chars().all(|c| c.is_alphabetic() || c == ' ');
        Self::of_status(number.parse().ok().filter(|_| is_status)?)
    }

    /// Sorts a registry's status; 408, 425 and 429 ask for another try (RFC 9110 §15.5).
    fn of_status(status: u16) -> Option<Self> {
        match status {
            401 | 403 => Some(Self::LoginRefused),
            404 | 410 => Some(Self::NotThere),
            408 | 425 | 504 => Some(Self::Away),
            429 => Some(Self::TooMany),
            400..500 => Some(Self::Refused),
            500..600 => Some(Self::Other),
            _ => None,
        }
    }
}

/// Returns a part without what stands around it, such as the end of a quotation.
fn bare(part: &str) -> &str {
    part.trim_matches(|c: char| c.is_whitespace() || c == '"')
}

/// What the engine was doing with the registry when that did not find something. A bare "not
/// found" elsewhere is about something on this host.
const ASKS_REGISTRY: &[&str] = &["failed to resolve reference ", "failed to copy"];

/// What Go's TLS says of a certificate whose time is over or has not come.
const OUT_OF_DATE: &[&str] = &["certificate has expired or is not yet valid"];

/// What the engine was doing on this host after it had pulled a layer.
const UNPACKS: &[&str] = &[
    "failed to register layer",
    "failed to prepare extraction snapshot",
    "failed to extract layer",
    "failed to unpack",
];

/// The first words of the engine's own sentences.
const SENTENCES: &[(&str, Refusal)] = &[
    ("no matching manifest for ", Refusal::Unusable),
    ("no match for platform in manifest", Refusal::Unusable),
    ("unsupported media type", Refusal::Unusable),
    ("mediaType in manifest should be ", Refusal::Unusable),
    ("media type ", Refusal::Unusable),
    ("Encountered remote ", Refusal::Unusable),
    ("[DEPRECATION NOTICE] Docker Image Format v1", Refusal::Unusable),
    ("pull access denied", Refusal::NotThereOrLoginRefused),
    // Of Go's HTTP client; which of its limits has passed stands in brackets behind.
    ("dial tcp", Refusal::Away),
    ("context deadline exceeded", Refusal::Away),
    ("request canceled", Refusal::Away),
    ("Client.Timeout ", Refusal::Away),
    ("invalid reference format", Refusal::BadRequest),
];

/// Codes and errors that stand alone between two colons.
const WORDS: &[(&str, Refusal)] = &[
    // The operating system's.
    ("no space left on device", Refusal::DiskFull),
    ("disk quota exceeded", Refusal::DiskFull),
    ("connection refused", Refusal::Away),
    ("connection reset by peer", Refusal::Away),
    ("no such host", Refusal::Away),
    ("no route to host", Refusal::Away),
    ("network is unreachable", Refusal::Away),
    ("i/o timeout", Refusal::Away),
    // Of Go's HTTP client.
    ("EOF", Refusal::Away),
    ("TLS handshake timeout", Refusal::Away),
    ("x509", Refusal::Untrusted),
    ("server gave HTTP response to HTTPS client", Refusal::Untrusted),
    ("no basic auth credentials", Refusal::LoginRefused),
    // Of the distribution specification, as the engine writes them.
    ("unauthorized", Refusal::LoginRefused),
    ("denied", Refusal::LoginRefused),
    ("insufficient_scope", Refusal::LoginRefused),
    ("manifest unknown", Refusal::NotThere),
    ("name unknown", Refusal::NotThere),
    ("blob unknown", Refusal::NotThere),
    ("unknown blob", Refusal::NotThere),
    ("name invalid", Refusal::Refused),
    ("unsupported", Refusal::Refused),
    ("toomanyrequests", Refusal::TooMany),
    // Of unpacking.
    ("invalid tar header", Refusal::Unusable),
    ("unsupported compression", Refusal::Unusable),
    ("exec format error", Refusal::Unusable),
];

#[cfg(test)]
mod tests;
