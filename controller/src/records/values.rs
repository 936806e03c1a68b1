//! The types of the records: documents of version 1, which `common` defines.

pub use oml_common::document::acme::{AcmeAccount, AcmeOrder, AcmeRecord};
pub use oml_common::document::assignment::Assigned;
pub use oml_common::document::cluster::{AuditRecord, Epoch, OperatorRecord, PublicEndpoint};
pub use oml_common::document::node::{AgentRecord, LastReport, NodeRecord};
pub use oml_common::document::operation::RunRecord;
pub use oml_common::document::revision::{Head, IdempotencyRecord, Revision, RevisionKind, Target};
pub use oml_common::document::rollout::RolloutOutcome;
pub use oml_common::document::secret::{SealedVersion, SecretRecord};
pub use oml_common::id::{InvalidMachineId, MachineId};
