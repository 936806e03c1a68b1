//! The words of `omlctl tls`.

use clap::Parser as _;

use super::*;
use crate::cli::{Cli, Verb};

fn request(line: &str) -> Result<TlsRequest, String> {
    let cli = Cli::try_parse_from(line.split(' ')).map_err(|error| error.to_string())?;
    let Verb::Tls(arguments) = cli.verb else { panic!("{line} is another verb") };
    arguments.request().map_err(|error| error.to_string())
}

#[test]
fn a_certificate_is_named_by_its_tenant_and_comes_from_files_or_from_standard_input() {
    let read = request("omlctl tls show tenant=acme --ca").unwrap();
    assert!(matches!(read, TlsRequest::Show { ca: true, .. }), "{read:?}");
    let read = request("omlctl tls set tenant=acme --certificate c.pem --key -").unwrap();
    let TlsRequest::Set { tenant, files: pem::PemFiles::Files { key, .. }, .. } = &read else {
        panic!("{read:?}")
    };
    assert_eq!((tenant.as_str(), key.as_path()), ("acme", std::path::Path::new("-")));
    let read = request("omlctl tls set tenant=acme").unwrap();
    assert!(matches!(read, TlsRequest::Set { files: pem::PemFiles::Input, .. }), "{read:?}");
    let read = request("omlctl tls renew tenant=acme --new-ca --no-wait").unwrap();
    assert!(matches!(read, TlsRequest::Renew { new_authority: true, .. }), "{read:?}");
}

#[test]
fn wrong_words_are_refused_with_what_to_write() {
    for (line, part) in [
        ("omlctl tls show", "tenant=NAME"),
        ("omlctl tls show acme", "tenant="),
        ("omlctl tls set tenant=acme --key key.pem", "--certificate"),
        ("omlctl tls set tenant=acme --certificate chain.pem", "--key"),
        ("omlctl tls set tenant=acme --certificate - --key -", "give both in one text"),
        ("omlctl tls renew tenant=Acme", "not a tenant name"),
    ] {
        let error = request(line).unwrap_err();
        assert!(error.contains(part), "{line}: {error}");
    }
}
