//! A change and its outcome as JSON or YAML.

use std::borrow::Cow;

use oml_common::text::error::chain;
use oml_proto::v1::{ChangeHolds, ChangeReply, Rollout};
use serde::Serialize;

use crate::error::CommandError;
use crate::wait::{Ended, ExitOutcome};

/// The result of a change as JSON or YAML.
#[derive(Debug, Serialize)]
pub(super) struct Answer<'a> {
    pub(super) op_id: &'a str,
    pub(super) dry_run: bool,
    #[serde(flatten)]
    pub(super) reply: &'a ChangeReply,
    /// Absent if the command did not wait for the end.
    pub(super) outcome: Option<Outcome<'a>>,
}

#[derive(Debug, Serialize)]
pub(super) struct Outcome<'a> {
    /// `done`, `failed`, `rolled-back`, `waiting`, or `unknown` if waiting failed or this
    /// program does not know the outcome.
    pub(super) result: &'static str,
    pub(super) message: Cow<'a, str>,
    /// The later revision that superseded the change.
    pub(super) superseded_by: Option<u64>,
    /// `contained`, `altered` or `unknown`: whether the later revision contains the change.
    pub(super) holds: Option<&'static str>,
    /// The revision that all nodes run, if the change ended with one.
    pub(super) in_effect: Option<u64>,
    pub(super) rollout: Option<&'a Rollout>,
}

impl<'a> Outcome<'a> {
    pub(super) fn new(ended: &'a Ended) -> Self {
        let result = match ended.outcome {
            ExitOutcome::Done => "done",
            ExitOutcome::Failed => "failed",
            ExitOutcome::RolledBack => "rolled-back",
            ExitOutcome::Waiting => "waiting",
            ExitOutcome::NotHealthy | ExitOutcome::Unknown => "unknown",
        };
        let holds = match ended.holds {
            ChangeHolds::Unspecified => None,
            ChangeHolds::Contained => Some("contained"),
            ChangeHolds::Altered => Some("altered"),
            ChangeHolds::Unknown => Some("unknown"),
        };
        Self {
            result,
            message: ended.sentence.as_str().into(),
            superseded_by: ended.superseded_by,
            holds,
            in_effect: ended.in_effect,
            rollout: ended.rollout.as_ref(),
        }
    }

    pub(super) fn unknown(error: &CommandError) -> Self {
        Self {
            result: "unknown",
            message: chain(error).into(),
            superseded_by: None,
            holds: None,
            in_effect: None,
            rollout: None,
        }
    }
}
