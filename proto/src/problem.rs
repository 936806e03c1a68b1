//! Problems on the wire: the details of an INVALID_ARGUMENT status.

use oml_common::text::problem::{Problem, Problems};
use prost::Message as _;

use crate::v1;

/// Encoded problems one status carries. They travel in a header, a third longer
/// as base64, and a client that reads no header above 16 KiB must see them.
const DETAILS_BYTES_MAX: usize = 6 << 10;
/// Longest text of a problem, and of a status: a header may write a byte as three.
const TEXT_BYTES_MAX: usize = 1 << 10;

/// A status that carries every problem that fits, and says how many more there are.
#[must_use]
pub fn to_status(problems: &Problems) -> tonic::Status {
    let mut size_bytes = 0;
    let fits = problems.0.iter().map(to_wire).take_while(|problem| {
        // Its key and length go along.
        size_bytes += problem.encoded_len() + 4;
        size_bytes <= DETAILS_BYTES_MAX
    });
    let mut problems_sent: Vec<v1::Problem> = fits.collect();
    let hidden = problems.0.len() - problems_sent.len();
    if hidden > 0 {
        let more = Problem::new("", format!("{hidden} more problems are not shown"));
        problems_sent.push(to_wire(&more));
    }
    let details = v1::Problems { problems: problems_sent }.encode_to_vec();
    // The text is for callers that cannot read the details.
    let text = problems.0.first().map(ToString::to_string).unwrap_or_default();
    tonic::Status::with_details(tonic::Code::InvalidArgument, text_that_fits(&text), details.into())
}

/// The text, cut to what a status can carry.
#[must_use]
pub fn text_that_fits(text: &str) -> String {
    if text.len() <= TEXT_BYTES_MAX {
        return text.to_owned();
    }
    format!("{}…", &text[..text.floor_char_boundary(TEXT_BYTES_MAX)])
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
    fn one_endless_problem_is_cut() {
        let endless = "ä".repeat(1 << 20);
        let sent = Problems::from(Problem::new(&endless, &endless).hint(&endless));
        let status = to_status(&sent);
        assert!(status.details().len() < 6 << 10 && status.message().len() < 2 << 10);
        assert!(from_status(&status).unwrap().0[0].message.ends_with("ä…"));
    }
}
