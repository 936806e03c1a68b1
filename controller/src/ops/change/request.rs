//! What operators ask for, and what they are told.

use std::collections::BTreeMap;

use oml_common::document::revision::Change;
use oml_common::document::spec::TenantSpec;
use oml_common::id::{ComponentName, ContentHash, RevisionNumber, TenantId, Version};
use oml_common::text::problem::Problem;
use oml_daemon::tls::OperatorName;
use serde::Serialize;

use crate::ops::{OpsError, Result};

/// What an operator asks for.
#[derive(Debug, Clone, Serialize)]
pub enum ChangeRequest {
    Apply {
        /// As the operator wrote it.
        spec_yaml: String,
    },
    /// The present specification with other versions.
    SetVersion { tenant: TenantId, versions: BTreeMap<ComponentName, Version> },
    /// An earlier specification.
    Rollback { tenant: TenantId, to: RevisionNumber },
}

/// How it is asked.
#[derive(Debug, Clone)]
pub struct RequestContext {
    pub who: OperatorName,
    /// The same id twice is the same change once.
    pub op_id: Option<IdempotencyKey>,
    pub dry_run: bool,
    /// In the operator's words.
    pub why: String,
}

/// An operator's own id of a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdempotencyKey(String);

impl std::str::FromStr for IdempotencyKey {
    type Err = Problem;

    fn from_str(text: &str) -> Result<Self, Problem> {
        let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
        let valid = (1..=64).contains(&text.len()) && text.bytes().all(allowed);
        let message = "an operation's id is 1 to 64 letters, digits, dots, hyphens and underscores";
        if valid { Ok(Self(text.to_owned())) } else { Err(Problem::new("op_id", message)) }
    }
}

impl std::fmt::Display for IdempotencyKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangeResult {
    pub tenant: TenantId,
    /// The revision made (of a dry run: that would be made), or the present one.
    pub revision: RevisionNumber,
    pub changed: bool,
    /// What differs on the nodes; nothing when only the specification's text does.
    pub changes: Vec<Change>,
}

impl ChangeRequest {
    /// Whose it is, and the specification that came with it.
    pub(super) fn read(&self) -> Result<(TenantId, Option<TenantSpec>)> {
        match self {
            ChangeRequest::Apply { spec_yaml } => {
                let spec = TenantSpec::parse(spec_yaml).map_err(OpsError::Problems)?;
                Ok((spec.tenant.clone(), Some(spec)))
            }
            ChangeRequest::SetVersion { tenant, .. } | ChangeRequest::Rollback { tenant, .. } => {
                Ok((tenant.clone(), None))
            }
        }
    }

    pub(super) fn fingerprint(&self) -> ContentHash {
        let text =
            serde_json::to_vec(self).expect("a request has string keys and no failing serializer");
        ContentHash::of(&text)
    }
}
