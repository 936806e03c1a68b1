//! Converts problems to and from the details of a status `INVALID_ARGUMENT`.

use oml_common::text::problem::{Problem, Problems};
use prost::Message as _;

use crate::v1;

/// The size of the encoded problems of a status. They are sent in a header, where base64 adds
/// a third, and some clients accept at most 16 KiB of headers.
const DETAILS_BYTES_MAX: usize = 6 << 10;
/// The length of the longest text of a problem or status. A header may encode a byte as three.
const TEXT_BYTES_MAX: usize = 1 << 10;

/// Makes a status with the problems that fit, and the number of those that do not.
#[must_use]
pub fn to_status(problems: &Problems) -> tonic::Status {
    with_refusal(problems, v1::Refusal::Unspecified)
}

/// Makes a status with a problem and with the refusal that programs act on.
#[must_use]
pub fn to_refusal(problem: &Problem, refusal: v1::Refusal) -> tonic::Status {
    with_refusal(&Problems::from(problem.clone()), refusal)
}

fn with_refusal(problems: &Problems, refusal: v1::Refusal) -> tonic::Status {
    let mut size_bytes = 0;
    let fits = problems.0.iter().map(to_wire).take_while(|problem| {
        // Four bytes are for the key and the length of the field.
        size_bytes += problem.encoded_len() + 4;
        size_bytes <= DETAILS_BYTES_MAX
    });
    let mut problems_sent: Vec<v1::Problem> = fits.collect();
    let hidden = problems.0.len() - problems_sent.len();
    if hidden > 0 {
        let more = Problem::new("", format!("{hidden} more problems are not shown"));
        problems_sent.push(to_wire(&more));
    }
    let details = v1::Problems { problems: problems_sent, refusal: refusal.into() }.encode_to_vec();
    // The text is for clients that cannot read the details.
    let text = problems.0.first().map(ToString::to_string).unwrap_or_default();
    tonic::Status::with_details(tonic::Code::InvalidArgument, text_that_fits(&text), details.into())
}

/// Cuts a text to the length that fits into a status.
#[must_use]
pub fn text_that_fits(text: &str) -> String {
    if text.len() <= TEXT_BYTES_MAX {
        return text.to_owned();
    }
    format!("{}…", &text[..text.floor_char_boundary(TEXT_BYTES_MAX)])
}

/// Returns the problems in the details of a status, if it has any.
#[must_use]
pub fn from_status(status: &tonic::Status) -> Option<Problems> {
    if status.code() != tonic::Code::InvalidArgument {
        return None;
    }
    let message = v1::Problems::decode(status.details()).ok()?;
    let problems: Problems = message.problems.into_iter().map(from_wire).collect();
    (!problems.0.is_empty()).then_some(problems)
}

/// Returns the refusal that a status has; unspecified if it has none, or one that only a later
/// release knows.
#[must_use]
pub fn refusal(status: &tonic::Status) -> v1::Refusal {
    if status.code() != tonic::Code::InvalidArgument {
        return v1::Refusal::Unspecified;
    }
    v1::Problems::decode(status.details()).unwrap_or_default().refusal()
}

fn to_wire(problem: &Problem) -> v1::Problem {
    v1::Problem {
        path: text_that_fits(&problem.path),
        line: problem.line.unwrap_or_default(),
        message: text_that_fits(&problem.message),
        hint: text_that_fits(problem.hint.as_deref().unwrap_or_default()),
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
    //! Tests that problems are unchanged by the conversion to a status and back.

    use super::*;

    #[test]
    fn problems_are_the_same_after_a_round_trip() {
        let sent: Problems = vec![
            Problem::new("components.astrisk", "unknown component").at_line(3).hint("asterisk?"),
            Problem::new("", "no nodes"),
        ]
        .into_iter()
        .collect();
        assert_eq!(from_status(&to_status(&sent)), Some(sent));
    }

    #[test]
    fn a_refusal_is_read_beside_its_problem() {
        let problem = Problem::new("", "acme was changed meanwhile");
        let status = to_refusal(&problem, v1::Refusal::ChangedMeanwhile);
        assert_eq!(refusal(&status), v1::Refusal::ChangedMeanwhile);
        assert_eq!(refusal(&to_status(&Problems::from(problem.clone()))), v1::Refusal::Unspecified);
        assert_eq!(from_status(&status), Some(Problems::from(problem)));
    }

    #[test]
    fn problems_that_do_not_fit_into_a_header_are_counted() {
        let hint = "known: ä".repeat(40);
        let sent: Problems = (0..50)
            .map(|n| Problem::new(format!("settings.x{n}"), "unknown").hint(&hint))
            .collect();
        let status = to_status(&sent);
        let mut headers = tonic::codegen::http::HeaderMap::new();
        status.add_header(&mut headers).unwrap();
        let size_bytes: usize =
            headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 32).sum();
        assert!(size_bytes < 16 << 10, "{size_bytes}");
        let read = from_status(&status).unwrap().0;
        let (last, shown) = read.split_last().unwrap();
        assert_eq!(shown, &sent.0[..shown.len()]);
        assert_eq!(last.message, format!("{} more problems are not shown", 50 - shown.len()));
    }

    #[test]
    fn a_problem_that_is_too_long_is_cut() {
        let endless = "ä".repeat(1 << 20);
        let sent = Problems::from(Problem::new(&endless, &endless).hint(&endless));
        let status = to_status(&sent);
        assert!(status.details().len() < 6 << 10 && status.message().len() < 2 << 10);
        assert!(from_status(&status).unwrap().0[0].message.ends_with("ä…"));
    }
}
