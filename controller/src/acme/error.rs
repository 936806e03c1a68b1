//! Why a directory gives no certificate, in one sentence.

use instant_acme::{Error, Problem};
use oml_common::decide::acme::{AcmeRefusal, REASON_CHARS_MAX};
use oml_common::text::error::chain;
use oml_common::text::printable::{printable, shortened};

/// The type of the problem of somebody who asks too often (RFC 8555 §6.6).
const RATE_LIMITED: &str = "urn:ietf:params:acme:error:rateLimited";
/// The type of the problem of an account that is not known (RFC 8555 §6.7).
const NO_ACCOUNT: &str = "urn:ietf:params:acme:error:accountDoesNotExist";
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
        Self(AcmeRefusal {
            reason: reason(problem),
            keeps_order: is_limit || problem.status.is_some_and(|it| it >= SERVER_ERROR),
            is_limit,
            is_unknown: kind == Some(NO_ACCOUNT),
            retry_after_ms,
        })
    }
}

/// Returns the reason that a directory gives, with what it says of each host name.
pub(super) fn reason(problem: &Problem) -> String {
    shortened(&printable(&problem.to_string()), REASON_CHARS_MAX)
}
