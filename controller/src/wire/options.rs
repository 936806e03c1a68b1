//! The options of a change, as they come from an operator.

use oml_common::id::RevisionNumber;
use oml_common::text::problem::Problem;
use oml_daemon::tls::OperatorName;
use oml_proto::v1;

use crate::ops::change::RequestContext;

/// Reads the circumstances of a change that an operator asks for.
///
/// # Errors
/// Returns a problem if the operation id is not one.
pub(crate) fn request_context(
    who: OperatorName,
    options: v1::ChangeOptions,
) -> Result<RequestContext, Problem> {
    let v1::ChangeOptions { op_id, dry_run, why, if_revision, no_removals, force, no_one_way } =
        options;
    let op_id = (!op_id.is_empty()).then(|| op_id.parse()).transpose()?;
    let if_revision = Some(RevisionNumber(if_revision)).filter(|it| it.0 > 0);
    Ok(RequestContext { who, op_id, dry_run, why, if_revision, no_removals, no_one_way, force })
}
