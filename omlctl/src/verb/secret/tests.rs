//! The words of `omlctl secret`, and what its list shows.

use clap::Parser as _;

use super::*;
use crate::cli::{Cli, Verb};
use crate::clock::Clock;
use crate::output::Format;
use crate::table::TableStyle;

fn request(line: &str) -> Result<SecretRequest, String> {
    let cli = Cli::try_parse_from(line.split(' ')).map_err(|error| error.to_string())?;
    let Verb::Secret(arguments) = cli.verb else { panic!("{line} is another verb") };
    arguments.request().map_err(|error| error.to_string())
}

#[test]
fn a_secret_is_named_beside_its_tenant() {
    let read = request("omlctl secret generate tenant=acme postgres redis --length 40").unwrap();
    let SecretRequest::Generate { tenant, names, length } = read else { panic!("{read:?}") };
    assert_eq!((tenant.as_str(), names.join(" ").as_str(), length), ("acme", "postgres redis", 40));
    let read = request("omlctl secret rotate postgres tenant=acme --generate").unwrap();
    let SecretRequest::Rotate { name, generate_length, .. } = read else { panic!("{read:?}") };
    assert_eq!((name.as_str(), generate_length), ("postgres", Some(32)));
}

#[test]
fn wrong_words_are_refused_with_what_to_write() {
    for (line, part) in [
        ("omlctl secret set tenant=acme", "no secret is named (for example tenant=acme postgres)"),
        ("omlctl secret set postgres", "tenant= is missing"),
        ("omlctl secret set tenant=acme a b", "2 secrets are named"),
        ("omlctl secret generate tenant=acme a b a", "secret a is named twice (name it once)"),
        ("omlctl secret set tenant=acme Postgres", "not a secret name"),
        ("omlctl secret set tenant=acme postgres=s3cret", "unknown key"),
        ("omlctl secret generate tenant=acme a --length 4", "8..=256"),
        ("omlctl secret rotate tenant=acme a --length 40", "--generate"),
    ] {
        let error = request(line).unwrap_err();
        assert!(error.contains(part), "{line}: {error}");
    }
}

#[test]
fn a_list_shows_versions_and_users_and_no_value() {
    let used_by = [("redis".to_owned(), 2), ("web".to_owned(), 1)].into();
    let secret = Secret {
        name: "redis_password".to_owned(),
        version: 2,
        at_ms: 1_764_000_000_000,
        who: "maria".to_owned(),
        used_by,
        kept: vec![1, 2],
    };
    let tables = TableStyle { width: None, coloured: false };
    let output = Output { format: Format::Table, clock: Clock::utc(), tables, is_terminal: false };
    insta::assert_snapshot!(table(&output, &[secret]), @r"
    SECRET          VERSION  SINCE                BY     USED BY
    redis_password  2        2025-11-24 16:00:00  maria  redis, web (version 1)
    ");
}
