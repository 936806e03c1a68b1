//! The requests of operators for changes, and their results.

use std::collections::BTreeMap;

use oml_common::decide::diff::StrategyChange;
use oml_common::decide::plan::presence::{self, Absent};
use oml_common::decide::release::VersionDecision;
use oml_common::document::revision::{Change, ChangeKind};
use oml_common::document::spec::TenantSpec;
use oml_common::id::{
    ComponentName, ContentHash, ImageVersion, ReleaseName, RevisionNumber, SecretName, TenantId,
};
use oml_common::text::problem::{Problem, Problems};
use oml_daemon::tls::OperatorName;
use serde::Serialize;

use crate::ops::secrets::{GivenPem, NewValue, OrderedPem, TlsPart};
use crate::ops::{OpsError, Result};

/// The change that an operator requests.
#[derive(Debug, Clone, Serialize)]
pub enum ChangeRequest {
    Apply {
        /// The specification as the operator wrote it.
        spec_yaml: String,
    },
    /// The current specification with other versions.
    SetVersion { tenant: TenantId, versions: BTreeMap<ComponentName, ImageVersion> },
    /// The current specification with the versions of a release.
    SetRelease { tenant: TenantId, release: ReleaseName },
    /// The specification of an earlier revision.
    Rollback { tenant: TenantId, to: RevisionNumber },
    /// The current specification with a new version of a secret.
    RotateSecret {
        tenant: TenantId,
        name: SecretName,
        /// Only a keyed hash of it is a part of the fingerprint, which is recorded.
        #[serde(skip)]
        value: NewValue,
    },
    /// The current specification with a certificate that an operator gives.
    SetCertificate {
        tenant: TenantId,
        /// No part of the fingerprint, which is recorded.
        #[serde(skip)]
        pem: GivenPem,
    },
    /// The current specification with another certificate of the tenant's own authority.
    RenewCertificate {
        tenant: TenantId,
        /// Whether another authority is made too, which browsers have to be given.
        new_authority: bool,
    },
    /// The current specification and plan with a certificate that was ordered from an ACME directory.
    TakeOrdered {
        tenant: TenantId,
        /// The certificate; none if it is kept already.
        #[serde(skip)]
        pem: Option<OrderedPem>,
    },
}

/// The version of the way in which the fingerprint of a request is computed.
const FINGERPRINT_VERSION: &str = "change-request-1";

/// The circumstances of a request.
#[derive(Debug, Clone)]
pub struct RequestContext {
    pub who: OperatorName,
    /// The operation id. A request that is repeated with the same id makes one change.
    pub op_id: Option<IdempotencyKey>,
    pub dry_run: bool,
    /// The reason that the operator gives.
    pub why: String,
    /// The revision of the dry run that the operator has seen. The change is refused if it
    /// would be another one now.
    pub if_revision: Option<RevisionNumber>,
    /// Whether a change that removes an instance is refused.
    pub no_removals: bool,
    /// Whether a change over a step without a way back is refused.
    pub no_one_way: bool,
    /// Why the change is made although the releases of the catalog forbid it; empty if it is not.
    pub force: String,
}

impl RequestContext {
    /// Checks that the operator has seen the change that is made now.
    pub(super) fn check_revision(&self, tenant: &TenantId, now: RevisionNumber) -> Result<()> {
        match self.if_revision {
            Some(seen) if seen != now => {
                let message = format!(
                    "{tenant} was changed meanwhile: this would be revision {now}, and you have seen revision {seen}"
                );
                let problem = Problem::new("if_revision", message).hint("look at the plan again");
                Err(OpsError::ChangedMeanwhile(problem))
            }
            Some(_) | None => Ok(()),
        }
    }

    /// Checks that the change removes nothing, if the operator has not seen what it removes.
    pub(super) fn check_removals(&self, tenant: &TenantId, changes: &[Change]) -> Result<()> {
        let removed = changes.iter().find(|change| change.kind == ChangeKind::Remove);
        let Some(removed) = removed.filter(|_| self.no_removals && !self.dry_run) else {
            return Ok(());
        };
        let Change { component, node, .. } = removed;
        let message = format!("this would remove {component} of {tenant} from {node}");
        let hint = "look at the plan (dry_run), then send the change again without no_removals and \
                    with the revision of the plan as if_revision";
        Err(OpsError::Removes(Problem::new("", message).hint(hint)))
    }

    /// Checks that there is a way back from the change, if the operator has not seen that there is
    /// none.
    pub(super) fn check_one_way(&self, decision: &VersionDecision) -> Result<()> {
        let Some(step) = decision.one_way().filter(|_| self.no_one_way && !self.dry_run) else {
            return Ok(());
        };
        let hint = "look at the plan (dry_run), then send the change again without no_one_way and \
                    with the revision of the plan as if_revision";
        Err(OpsError::OneWay(Problem::new("", step.to_string()).hint(hint)))
    }
}

/// An operation id that an operator chose.
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

/// The result of a change request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangeResult {
    pub tenant: TenantId,
    /// The revision that was made, that a dry run would make, or the current one if
    /// nothing changed.
    pub revision: RevisionNumber,
    pub changed: bool,
    /// Whether the new text of the specification has the same content as the current one. It
    /// is kept with the current revision, and nothing is rolled out.
    pub text_changed: bool,
    /// Whether the tenant had no revision before.
    pub new_tenant: bool,
    /// The differences on the nodes; empty if only the text of the specification differs.
    pub changes: Vec<Change>,
    /// The settings that change how the rollout goes through the nodes.
    pub settings: Vec<StrategyChange>,
    /// The number of the version that the rotation of a secret made, or would make.
    pub secret_version: Option<u64>,
    /// The certificate that it made, or would make.
    pub certificate: Option<TlsPart>,
    /// What the releases of the catalog say about it.
    pub warnings: Vec<String>,
    /// The release that the versions are.
    pub release: Option<ReleaseName>,
    /// Whether it leads over a step without a way back.
    pub one_way: bool,
    /// What is right and may surprise, in lines for people.
    pub notes: Vec<String>,
    /// The ACME directory from which another certificate is ordered, or would be.
    pub ordered_from: Option<String>,
}

impl ChangeResult {
    /// The result of a request that changes nothing of the tenant's current revision.
    pub(super) fn nothing(tenant: TenantId, revision: RevisionNumber) -> Self {
        let (changes, settings, notes) = (Vec::new(), Vec::new(), Vec::new());
        let (changed, text_changed, new_tenant) = (false, false, false);
        let (secret_version, certificate) = (None, None);
        let (warnings, release, one_way) = (Vec::new(), None, false);
        let ordered_from = None;
        Self {
            tenant,
            revision,
            changed,
            text_changed,
            new_tenant,
            changes,
            settings,
            secret_version,
            certificate,
            notes,
            warnings,
            release,
            one_way,
            ordered_from,
        }
    }
}

/// A specification that came with a request, as far as it could be read.
pub(super) struct GivenSpec {
    pub(super) spec: TenantSpec,
    /// The mistakes of the document. The request is refused for them, together with all others.
    pub(super) problems: Problems,
}

/// What a request says by itself.
pub(super) struct ReadRequest {
    pub(super) tenant: TenantId,
    pub(super) given: Option<GivenSpec>,
}

impl ChangeRequest {
    /// Reads the tenant, and the specification that came with the request.
    pub(super) fn read(&self) -> Result<ReadRequest> {
        match self {
            ChangeRequest::Apply { spec_yaml } => {
                let read = TenantSpec::read_partly(spec_yaml).map_err(OpsError::Problems)?;
                let (spec, problems) = read;
                let (tenant, given) = (spec.tenant.clone(), Some(GivenSpec { spec, problems }));
                Ok(ReadRequest { tenant, given })
            }
            ChangeRequest::SetVersion { tenant, .. }
            | ChangeRequest::SetRelease { tenant, .. }
            | ChangeRequest::Rollback { tenant, .. }
            | ChangeRequest::RotateSecret { tenant, .. }
            | ChangeRequest::SetCertificate { tenant, .. }
            | ChangeRequest::RenewCertificate { tenant, .. }
            | ChangeRequest::TakeOrdered { tenant, .. } => {
                Ok(ReadRequest { tenant: tenant.clone(), given: None })
            }
        }
    }

    /// Returns the revision to which a rollback leads.
    pub(super) fn back_to(&self) -> Option<RevisionNumber> {
        match self {
            ChangeRequest::Rollback { to, .. } => Some(*to),
            ChangeRequest::Apply { .. }
            | ChangeRequest::SetVersion { .. }
            | ChangeRequest::SetRelease { .. }
            | ChangeRequest::RotateSecret { .. }
            | ChangeRequest::SetCertificate { .. }
            | ChangeRequest::RenewCertificate { .. }
            | ChangeRequest::TakeOrdered { .. } => None,
        }
    }

    /// Returns a line for every component that the request names and that does not exist with
    /// the settings of the tenant.
    pub(super) fn notes(&self, absent: &Absent) -> Vec<String> {
        presence::notes(absent, |component| match self {
            ChangeRequest::Apply { .. } | ChangeRequest::Rollback { .. } => true,
            ChangeRequest::SetVersion { versions, .. } => versions.contains_key(component),
            // A release has versions of all components, also of those that a tenant leaves out.
            ChangeRequest::SetRelease { .. }
            | ChangeRequest::RotateSecret { .. }
            | ChangeRequest::SetCertificate { .. }
            | ChangeRequest::RenewCertificate { .. }
            | ChangeRequest::TakeOrdered { .. } => false,
        })
    }

    /// Returns the hash by which a repeated request is recognised. It is recorded, so
    /// another way to compute it needs another word for its version. `value` stands for the value
    /// of a secret, and is empty in a request without one.
    pub(super) fn fingerprint(&self, value: &str) -> ContentHash {
        let text = serde_json::to_string(self)
            .expect("a request has string keys and no failing serializer");
        let value = if value.is_empty() { String::new() } else { format!(" {value}") };
        ContentHash::of(format!("{FINGERPRINT_VERSION} {text}{value}").as_bytes())
    }
}

#[cfg(test)]
mod tests;
