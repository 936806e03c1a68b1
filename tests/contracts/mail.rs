//! What the application gets to send e-mail with, and the key of its sessions, in every line.

use std::collections::{BTreeMap, BTreeSet};

use oml_common::document::instance::Instance;
use oml_common::document::plan::Plan;

use crate::contract::{Line, catalog_of};
use crate::rotation::real_lines;
use crate::values::{chosen, layout, layout_with};

const PASSWORD: &str = "email_password";
/// The variables by which a program that sends e-mail knows the server.
const BACKEND: &str = "EMAIL_BACKEND";

fn instances(plan: &Plan) -> impl Iterator<Item = (&str, &Instance)> {
    let all = plan.nodes.values().flat_map(|share| &share.instances);
    all.map(|(name, desired)| (name.as_str(), &*desired.instance))
}

/// Returns the variables of every component that may send e-mail. That of the Enterprise edition of 1.26 does not read
/// the address of a server.
fn senders(plan: &Plan) -> BTreeMap<&str, BTreeMap<&str, &str>> {
    let containers = instances(plan).filter_map(|(name, it)| Some((name, it.container()?)));
    let variables = containers.map(|(name, container)| {
        (name, container.env.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect())
    });
    let sends = |(name, env): &(&str, BTreeMap<&str, &str>)| {
        env.contains_key(BACKEND) && *name != "redis2postgres"
    };
    variables.filter(sends).collect()
}

/// Returns the components that have the password of the mail server.
fn with_password(plan: &Plan) -> BTreeSet<&str> {
    let has = |it: &Instance| it.program_secrets().any(|secret| secret.name.as_str() == PASSWORD);
    instances(plan).filter(|(_, it)| has(it)).map(|(name, _)| name).collect()
}

fn with_settings(line: &Line, settings: &str) -> Plan {
    let mut line = line.clone();
    for (name, value) in settings.split_whitespace().filter_map(|it| it.split_once('=')) {
        line.tenant.settings.insert(name.to_owned(), value.to_owned());
    }
    let at = format!("secrets: {{{PASSWORD}: controller}}\n");
    layout_with(&line, &catalog_of(&line), &at, &chosen([PASSWORD]))
}

#[test]
fn without_a_mail_server_nothing_is_sent_and_no_password_is_needed() {
    for line in real_lines() {
        let plan = layout(&line, &catalog_of(&line));
        assert!(with_password(&plan).is_empty(), "{}", line.catalog);
        for (name, env) in senders(&plan) {
            assert_eq!(env[BACKEND], "django.core.mail.backends.dummy.EmailBackend", "{name}");
            let told: Vec<_> = env.keys().filter(|key| key.starts_with("EMAIL_")).collect();
            assert_eq!(told, [&BACKEND], "{}: {name}", line.catalog);
        }
    }
}

#[test]
fn all_that_send_know_the_mail_server_and_have_its_password_as_a_secret() {
    let server = "email_host=mail.example.com email_port=587 email_security=starttls \
                  email_user=pbx email_default_from=pbx@example.com";
    for line in real_lines() {
        let plan = with_settings(&line, server);
        let senders = senders(&plan);
        assert!(senders.len() >= 3, "{}: {senders:?}", line.catalog);
        for (name, env) in &senders {
            let get = |key: &str| env.get(key).copied().unwrap_or_default();
            let place = format!("{}: {name}: {env:?}", line.catalog);
            assert_eq!(get(BACKEND), "django.core.mail.backends.smtp.EmailBackend", "{place}");
            let server = (get("EMAIL_HOST"), get("EMAIL_PORT"));
            assert_eq!(server, ("mail.example.com", "587"), "{place}");
            let sender = (get("EMAIL_HOST_USER"), get("DEFAULT_FROM_EMAIL"));
            assert_eq!(sender, ("pbx", "pbx@example.com"), "{place}");
            assert_eq!((get("EMAIL_USE_TLS"), get("EMAIL_USE_SSL")), ("True", ""), "{place}");
        }
        assert_eq!(with_password(&plan), senders.into_keys().collect(), "{}", line.catalog);
    }
}

#[test]
fn a_mail_server_that_asks_for_no_login_needs_no_password() {
    for line in real_lines() {
        let plan = with_settings(&line, "email_host=mail.example.com email_security=tls");
        assert!(with_password(&plan).is_empty(), "{}", line.catalog);
        for (name, env) in senders(&plan) {
            assert!(!env.contains_key("EMAIL_HOST_USER"), "{}: {name}", line.catalog);
            assert_eq!(env["EMAIL_USE_SSL"], "True", "{}: {name}", line.catalog);
        }
    }
}

#[test]
fn the_application_has_a_key_of_its_own_in_the_lines_whose_image_reads_one() {
    for line in real_lines() {
        let reads_one = line.contracts.iter().any(|it| it.reads.declares("SECRET_KEY"));
        let plan = layout(&line, &catalog_of(&line));
        let found = instances(&plan).find(|(name, _)| *name == "omnileads");
        let (_, application) = found.expect("it is there");
        let secrets = &application.container().expect("it is a container").secrets;
        let key = secrets.iter().find(|(key, _)| key.as_str() == "SECRET_KEY");
        let name = key.map(|(_, name)| name.as_str());
        assert_eq!(name, reads_one.then_some("django_secret_key"), "{}", line.catalog);
    }
}
