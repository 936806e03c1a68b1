//! `omlctl tls` shows and replaces the certificate of a tenant's web servers. Those of hosts and
//! operators are others: the controller's own authority makes them.

use std::path::PathBuf;

use clap::{Subcommand, ValueHint};
use oml_common::id::TenantId;
use oml_common::text::problem::Problem;
use oml_proto::v1::{GetTlsReply, GetTlsRequest};

use super::Session;
use crate::change::{self, ChangeArgs, ChangeRequest};
use crate::error::CommandError;
use crate::output::Format;
use crate::pairs::Pairs;
use crate::view;
use crate::wait::ExitOutcome;

mod pem;

/// Show or replace the certificate of a tenant's web servers
#[derive(Debug, clap::Args)]
#[command(after_help = "\
The document of the tenant says where its certificate comes from: tls: {mode: selfsigned,
names: [pbx.example.com]}, tls: {mode: custom}, or tls: {mode: acme, names: [pbx.example.com],
contact: it@example.com}, which is ordered from Let's Encrypt and renewed by itself.

Examples:
  omlctl tls show tenant=acme
  omlctl tls show tenant=acme --ca > acme-ca.pem       # for the browsers
  omlctl tls set tenant=acme --certificate chain.pem --key key.pem
  omlctl tls renew tenant=acme")]
pub(crate) struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Show the certificate: its names, who signed it, until when it is valid, and who uses it
    #[command(after_help = "\
Examples:
  omlctl tls show tenant=acme
  omlctl tls show tenant=acme --ca > acme-ca.pem
  omlctl tls show tenant=acme -o json | jq .certificate.expires_ms")]
    Show {
        /// The tenant
        #[arg(value_name = "tenant=NAME", value_hint = ValueHint::Other, required = true)]
        words: Vec<String>,
        /// Print the certificate of the tenant's own authority, which browsers are given, in PEM
        #[arg(long)]
        ca: bool,
    },
    /// Give the tenant a certificate with its key, and change the components that use it, in waves
    #[command(after_help = "\
Both are in PEM. The certificate of the server comes first, then each one that signed the one
before it; the key is not encrypted. Without --certificate and --key, both are read from
standard input. Nothing changes if anything is wrong with them.

Examples:
  omlctl tls set tenant=acme --certificate fullchain.pem --key privkey.pem --dry-run
  omlctl tls set tenant=acme --certificate fullchain.pem --key privkey.pem
  cat fullchain.pem privkey.pem | omlctl tls set tenant=acme")]
    Set {
        /// The tenant
        #[arg(value_name = "tenant=NAME", value_hint = ValueHint::Other, required = true)]
        words: Vec<String>,
        /// The file with the certificate and those that signed it, or - for standard input
        #[arg(long, value_name = "FILE", requires = "key")]
        certificate: Option<PathBuf>,
        /// The file with the private key, or - for standard input
        #[arg(long, value_name = "FILE", requires = "certificate")]
        key: Option<PathBuf>,
        #[command(flatten)]
        args: ChangeArgs,
    },
    /// Let the tenant's own authority issue another certificate, and change the components that use it, in waves
    #[command(after_help = "\
With tls: {mode: acme}, another certificate is ordered from the directory instead. It comes
later, as a revision of its own; omlctl tls show says what becomes of the order.

Examples:
  omlctl tls renew tenant=acme --dry-run
  omlctl tls renew tenant=acme
  omlctl tls renew tenant=acme --new-ca     # the browsers have to be given another one")]
    Renew {
        /// The tenant
        #[arg(value_name = "tenant=NAME", value_hint = ValueHint::Other, required = true)]
        words: Vec<String>,
        /// Make another authority too, because the key of the present one was lost or read by others
        #[arg(long)]
        new_ca: bool,
        #[command(flatten)]
        args: ChangeArgs,
    },
}

#[derive(Debug)]
pub(super) enum TlsRequest {
    Show { tenant: String, ca: bool },
    Set { tenant: String, files: pem::PemFiles, args: ChangeArgs },
    Renew { tenant: String, new_authority: bool, args: ChangeArgs },
}

impl Arguments {
    pub(super) fn request(&self) -> Result<TlsRequest, CommandError> {
        Ok(match &self.action {
            Action::Show { words, ca } => TlsRequest::Show { tenant: tenant(words)?, ca: *ca },
            Action::Set { words, certificate, key, args } => {
                let files = pem::PemFiles::of(certificate.clone(), key.clone())?;
                TlsRequest::Set { tenant: tenant(words)?, files, args: args.clone() }
            }
            Action::Renew { words, new_ca, args } => TlsRequest::Renew {
                tenant: tenant(words)?,
                new_authority: *new_ca,
                args: args.clone(),
            },
        })
    }
}

fn tenant(words: &[String]) -> Result<String, CommandError> {
    let mut pairs = Pairs::parse(words, &["tenant"])?;
    let tenant: TenantId = pairs.need("tenant", "acme")?;
    Ok(tenant.into())
}

pub(super) async fn run(
    session: Session,
    request: TlsRequest,
) -> Result<ExitOutcome, CommandError> {
    let Session { target, output } = &session;
    match request {
        TlsRequest::Show { tenant, ca } => {
            let mut controller = target.connect().await?;
            let request = GetTlsRequest { tenant: tenant.clone() };
            let reply: GetTlsReply =
                controller.call(|fleet, request| fleet.get_tls(request), request).await?;
            if ca && output.format == Format::Table {
                output.text(authority(&tenant, &reply)?)?;
            } else {
                output.data(&reply, || view::tls(output, &tenant, &reply))?;
            }
            Ok(ExitOutcome::Done)
        }
        TlsRequest::Set { tenant, files, args } => {
            let pem::ReadPem { certificate, key } = files.read()?;
            let request = ChangeRequest::SetCertificate { tenant, certificate, key };
            change::make(target, output, request, &args).await
        }
        TlsRequest::Renew { tenant, new_authority, args } => {
            let request = ChangeRequest::RenewCertificate { tenant, new_authority };
            change::make(target, output, request, &args).await
        }
    }
}

/// Returns the certificate of the tenant's own authority.
fn authority<'r>(tenant: &str, reply: &'r GetTlsReply) -> Result<&'r str, CommandError> {
    if !reply.problem.is_empty() {
        return Err(CommandError::Refused(reply.problem.clone()));
    }
    if reply.authority_pem.is_empty() {
        let problem = Problem::new("", format!("{tenant} has no authority of its own"));
        let hint = "only with tls: {mode: selfsigned, …} is there one";
        return Err(CommandError::Refused(problem.hint(hint).to_string()));
    }
    Ok(reply.authority_pem.trim_end())
}

#[cfg(test)]
mod tests;
