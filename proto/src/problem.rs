//! Problems on the wire: the details of an INVALID_ARGUMENT status.

use oml_common::problem::{Problem, Problems};
use prost::Message as _;

use crate::v1;

/// A status that carries every problem.
#[must_use]
pub fn to_status(problems: &Problems) -> tonic::Status {
    let message = v1::Problems { problems: problems.0.iter().map(to_wire).collect() };
    let details = message.encode_to_vec();
    // The text is for callers that cannot read the details.
    let text = problems.0.first().map(ToString::to_string).unwrap_or_default();
    tonic::Status::with_details(tonic::Code::InvalidArgument, text, details.into())
}

/// The problems a status carries, if it carries any.
#[must_use]
pub fn from_status(status: &tonic::Status) -> Option<Problems> {
    if status.code() != tonic::Code::InvalidArgument {
        return None;
    }
    let message = v1::Problems::decode(status.details()).ok()?;
    let problems: Problems = message.problems.into_iter().map(from_wire).collect();
    (!problems.0.is_empty()).then_some(problems)
}

fn to_wire(problem: &Problem) -> v1::Problem {
    v1::Problem {
        path: problem.path.clone(),
        line: problem.line.unwrap_or_default(),
        message: problem.message.clone(),
        hint: problem.hint.clone().unwrap_or_default(),
    }
}

fn from_wire(problem: v1::Problem) -> Problem {
    Problem {
        path: problem.path,
        line: (problem.line > 0).then_some(problem.line),
        message: problem.message,
        hint: (!problem.hint.is_empty()).then_some(problem.hint),
    }
}

#[cfg(test)]
mod tests {
    //! Problems survive the way through a status.

    use super::*;

    #[test]
    fn problems_survive_the_way_through_a_status() {
        let sent: Problems = vec![
            Problem::new("components.astrisk", "unknown component").at_line(3).hint("asterisk?"),
            Problem::new("", "no nodes"),
        ]
        .into_iter()
        .collect();
        assert_eq!(from_status(&to_status(&sent)), Some(sent));
    }
}
