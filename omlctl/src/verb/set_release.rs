//! `omlctl set-release` sets the versions of a published release.

use clap::ValueHint;
use oml_common::id::{ReleaseName, TenantId};
use oml_common::text::problem::Problem;

use crate::change::{ChangeArgs, ChangeRequest};
use crate::error::CommandError;
use crate::pairs::Pairs;

/// Set the versions of a release of the tenant's catalog as one change, and wait for the rollout
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  omlctl set-release tenant=acme 2.6.6
  omlctl set-release tenant=acme 2.6.6 --dry-run
  omlctl releases tenant=acme     # shows the releases")]
pub(crate) struct Arguments {
    /// The tenant and the release: tenant=NAME RELEASE
    #[arg(value_name = "tenant=NAME RELEASE", value_hint = ValueHint::Other, required = true)]
    words: Vec<String>,
    #[command(flatten)]
    pub(super) args: ChangeArgs,
}

impl Arguments {
    pub(super) fn request(&self) -> Result<ChangeRequest, CommandError> {
        let (pairs, bare): (Vec<String>, Vec<String>) =
            self.words.iter().cloned().partition(|word| word.contains('='));
        let mut pairs = Pairs::parse(&pairs, &["tenant", "release"])?;
        let tenant: TenantId = pairs.need("tenant", "acme")?;
        let given: Option<ReleaseName> = pairs.optional("release")?;
        let release = match (given, bare.as_slice()) {
            (Some(release), []) => release,
            (None, [release]) => release.parse().map_err(|error: oml_common::id::InvalidId| {
                CommandError::usage(&Problem::new("release", error.to_string()))
            })?,
            (Some(_) | None, _) => {
                let problem = Problem::new("", "one release is needed");
                let hint = format!("omlctl releases tenant={tenant} shows them");
                return Err(CommandError::usage(&problem.hint(hint)));
            }
        };
        Ok(ChangeRequest::SetRelease { tenant: tenant.into(), release: release.into() })
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::cli::{Cli, Verb};

    fn request(words: &[&str]) -> Result<ChangeRequest, CommandError> {
        let words = ["omlctl", "set-release"].iter().chain(words);
        let Verb::SetRelease(arguments) = Cli::parse_from(words).verb else { panic!("the verb") };
        arguments.request()
    }

    #[test]
    fn a_release_is_a_word_of_its_own_or_a_pair() {
        for words in
            [["tenant=acme", "2.6.6"], ["2.6.6", "tenant=acme"], ["tenant=acme", "release=2.6.6"]]
        {
            let ChangeRequest::SetRelease { tenant, release } = request(&words).unwrap() else {
                panic!("another request")
            };
            assert_eq!((tenant.as_str(), release.as_str()), ("acme", "2.6.6"));
        }
    }

    #[test]
    fn none_or_several_releases_are_refused_with_the_command_that_lists_them() {
        for words in [
            vec!["tenant=acme"],
            vec!["tenant=acme", "1", "2"],
            vec!["tenant=acme", "release=1", "2"],
        ] {
            let error = request(&words).unwrap_err().to_string();
            assert!(error.contains("omlctl releases tenant=acme shows them"), "{error}");
        }
        assert!(request(&["2.6.6"]).unwrap_err().to_string().contains("tenant= is missing"));
    }
}
