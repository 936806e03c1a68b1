//! Why there is no session, or why an assignment is not in force, as the host reports it.

use oml_common::document::ReadError;
use oml_common::document::assignment::Refusal;
use oml_common::id::{Generation, NodeName};
use oml_common::text::error::chain;

use crate::identity::IdentityError;

/// Why there is no session, until somebody does something about it.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoSession {
    #[error("this host is not enrolled; it works by its cache")]
    NotEnrolled,
    #[error("no controllers are configured; it works by its cache")]
    NoControllers,
    /// The certificate or the key of this host cannot be used.
    #[error("{}", chain(.0))]
    Identity(IdentityError),
    /// The controller refuses to replace a certificate that has expired.
    #[error(
        "the controller gave no new certificate: {message}; create a token for {node} and run \
         `omlagent enroll --replace` on the host"
    )]
    NotRecovered { message: String, node: NodeName },
}

/// Why an assignment that the controller sent is not in force.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum NotInForce {
    /// It is damaged.
    #[error("cannot read an assignment: {0}")]
    Unreadable(String),
    /// Only a later release can read it.
    #[error("cannot read an assignment: needs a newer agent: {0}")]
    OfLaterRelease(String),
    /// It may not follow the present one.
    #[error("an assignment was refused: {0}")]
    Refused(Refusal),
    #[error("cannot save assignment {generation}; it is not in force: {error}")]
    NotSaved { generation: Generation, error: String },
}

impl From<ReadError> for NotInForce {
    fn from(error: ReadError) -> Self {
        match error.of_later_release() {
            Some(why) => Self::OfLaterRelease(why),
            None => Self::Unreadable(error.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    //! Tests of the words.

    use oml_common::document::assignment::AssignmentDocument;

    use super::*;

    #[test]
    fn a_host_without_a_session_says_why_and_what_to_do() {
        let (message, node) = ("revoked".to_owned(), "n1".parse().unwrap());
        for (reason, words) in [
            (NoSession::NotEnrolled, "this host is not enrolled; it works by its cache"),
            (NoSession::NoControllers, "no controllers are configured; it works by its cache"),
            (
                NoSession::NotRecovered { message, node },
                "the controller gave no new certificate: revoked; create a token for n1 and run \
                 `omlagent enroll --replace` on the host",
            ),
        ] {
            assert_eq!(reason.to_string(), words);
        }
    }

    #[test]
    fn a_host_says_why_an_assignment_is_not_in_force() {
        let read = |text| AssignmentDocument::read(text).map_err(NotInForce::from).unwrap_err();
        let later = read(r#"{"version": 99}"#);
        assert!(matches!(later, NotInForce::OfLaterRelease(_)), "{later}");
        assert!(
            later.to_string().starts_with("cannot read an assignment: needs a newer agent: "),
            "{later}"
        );
        let damaged = read("{");
        assert!(matches!(damaged, NotInForce::Unreadable(_)), "{damaged}");
        let [offered, held] = [3, 4].map(|number| Generation { epoch: 1, number });
        assert_eq!(
            NotInForce::Refused(Refusal::Older { offered, held }).to_string(),
            "an assignment was refused: generation 1.3 is older than 1.4, which this node already has"
        );
        let error = "disk is full".to_owned();
        assert_eq!(
            NotInForce::NotSaved { generation: held, error }.to_string(),
            "cannot save assignment 1.4; it is not in force: disk is full"
        );
    }
}
