//! Why a directory gives no certificate, in one sentence.

use std::iter;

use instant_acme::{Error, Problem};
use oml_common::decide::acme::{AcmeRefusal, REASON_CHARS_MAX};
use oml_common::text::error::chain;
use oml_common::text::printable::{printable, shortened};

/// The type of the problem of somebody who asks too often (RFC 8555 §6.6).
const RATE_LIMITED: &str = "urn:ietf:params:acme:error:rateLimited";
/// The type of the problem of an account that is not known (RFC 8555 §6.7).
const NO_ACCOUNT: &str = "urn:ietf:params:acme:error:accountDoesNotExist";
/// The type of the problem of a request that came too late or twice (RFC 8555 §6.5). The library repeats it a few
/// times by itself.
const BAD_NONCE: &str = "urn:ietf:params:acme:error:badNonce";
/// The first status of an error of the directory itself (RFC 9110 §15.6).
const SERVER_ERROR: u16 = 500;

/// Why a directory gives no certificate.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.reason)]
pub struct AcmeError(pub AcmeRefusal);

impl AcmeError {
    /// Makes the error of something that is wrong on this side.
    pub(crate) fn of_ours(reason: String) -> Self {
        Self(AcmeRefusal::of_order(reason))
    }

    /// Makes the error of a request, with what the directory said of when to ask again.
    pub(super) fn of_request(error: &Error, retry_after_ms: Option<u64>) -> Self {
        let Error::Api(problem) = error else {
            let reason = shortened(&printable(&chain(error)), REASON_CHARS_MAX);
            let refusal = AcmeRefusal::of_order(reason);
            return Self(AcmeRefusal { keeps_order: true, retry_after_ms, ..refusal });
        };
        let kind = problem.r#type.as_deref();
        let is_limit = kind == Some(RATE_LIMITED);
        let is_passing = is_limit || kind == Some(BAD_NONCE);
        Self(AcmeRefusal {
            reason: reason(problem),
            keeps_order: is_passing || problem.status.is_some_and(|it| it >= SERVER_ERROR),
            is_limit,
            is_unknown: kind == Some(NO_ACCOUNT),
            retry_after_ms,
        })
    }
}

/// Returns the reason that a directory gives, with what it says of each host name.
pub(super) fn reason(problem: &Problem) -> String {
    let kind = problem.r#type.as_deref();
    let detail = problem.detail.as_deref().or(kind).unwrap_or("the directory says no reason");
    let of_names = problem.subproblems.iter().map(ToString::to_string);
    let parts: Vec<_> = iter::once(detail.to_owned()).chain(of_names).collect();
    shortened(&printable(&parts.join("; ")), REASON_CHARS_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(kind: &str, status: u16) -> AcmeRefusal {
        let text = format!(
            r#"{{"type":"urn:ietf:params:acme:error:{kind}","detail":"no, thanks","status":{status}}}"#
        );
        let problem: Problem = serde_json::from_str(&text).unwrap();
        AcmeError::of_request(&Error::Api(problem), Some(7)).0
    }

    #[test]
    fn what_a_directory_says_decides_what_is_kept() {
        for (kind, status, keeps_order, is_limit, is_unknown) in [
            ("malformed", 400, false, false, false),
            ("rateLimited", 429, true, true, false),
            ("serverInternal", 500, true, false, false),
            ("badNonce", 400, true, false, false),
            ("accountDoesNotExist", 400, false, false, true),
        ] {
            let refusal = refused(kind, status);
            let said = (refusal.keeps_order, refusal.is_limit, refusal.is_unknown);
            assert_eq!(said, (keeps_order, is_limit, is_unknown), "{kind}");
            assert_eq!(refusal.retry_after_ms, Some(7), "{kind}");
            assert_eq!(refusal.reason, "no, thanks");
        }
    }

    #[test]
    fn a_request_without_an_answer_keeps_the_order() {
        let error = Error::Other("cannot ask the directory".to_owned().into());
        let AcmeError(refusal) = AcmeError::of_request(&error, None);
        assert!(refusal.keeps_order && !refusal.is_limit, "{refusal:?}");
        assert_eq!(refusal.reason, "cannot ask the directory");
    }
}
