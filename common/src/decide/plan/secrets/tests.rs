//! Where the secrets of a component come from, and what is refused.

use crate::decide::diff::diff;
use crate::decide::secrets::{ChosenSecret, ChosenSecrets};
use crate::document::Feature;
use crate::document::instance::Container;
use crate::document::plan::Plan;
use crate::testing::{CATALOG, SPEC, nodes, plan_of, plan_on, plan_with_secrets};

/// The catalog, whose database has these secrets.
fn catalog(secrets: &str) -> String {
    let changed =
        CATALOG.replace("    env: {WHO", &format!("    secrets: {{{secrets}}}\n    env: {{WHO"));
    assert_ne!(changed, CATALOG);
    changed
}

fn chosen(names: &[(&str, u64)]) -> ChosenSecrets {
    let secret = |(name, version): &(&str, u64)| {
        let mark = format!("{version:032x}").parse().unwrap();
        (name.parse().unwrap(), ChosenSecret { version: *version, mark, has_lines: false })
    };
    names.iter().map(secret).collect()
}

fn database(plan: &Plan) -> Container {
    let desired = &plan.nodes[&"n1".parse().unwrap()].instances[&"db".parse().unwrap()];
    desired.instance.container().unwrap().clone()
}

fn planned(spec: &str, secrets: &str, kept: &[(&str, u64)]) -> Result<Container, String> {
    let plan = plan_with_secrets(spec, &catalog(secrets), &chosen(kept), 1);
    plan.map(|plan| database(&plan)).map_err(|problems| problems.to_string())
}

#[test]
fn a_bare_name_is_a_secret_of_the_host_as_before() {
    let before = planned(SPEC, "PGPASSWORD: postgres", &[]).unwrap();
    assert_eq!(before.secrets[&"PGPASSWORD".parse().unwrap()].as_str(), "postgres");
    assert!(before.kept_secrets.is_empty());
    // The tenant has such a secret, and nobody said that it should be used.
    assert_eq!(planned(SPEC, "PGPASSWORD: postgres", &[("postgres", 1)]).unwrap(), before);
    let host = "PGPASSWORD: {name: postgres, from: host}";
    assert_eq!(planned(SPEC, host, &[("postgres", 1)]).unwrap(), before);
}

#[test]
fn a_workload_names_the_version_of_a_secret_of_the_controller() {
    let secrets = "PGPASSWORD: {name: postgres, from: controller}, \
                   KEY_FILE: {name: key, from: controller, file: /run/secrets/key}";
    let container = planned(SPEC, secrets, &[("postgres", 2), ("key", 1), ("other", 1)]).unwrap();
    let named: Vec<String> = container
        .kept_secrets
        .iter()
        .map(|(variable, secret)| format!("{variable}: {secret} {:?}", secret.file))
        .collect();
    assert_eq!(
        named,
        [
            "KEY_FILE: secret key version 1 Some(\"/run/secrets/key\")",
            "PGPASSWORD: secret postgres version 2 None"
        ]
    );
    assert!(container.secrets.is_empty());
}

#[test]
fn a_tenant_chooses_where_a_secret_is_kept_of_which_the_catalog_does_not_say_it() {
    let spec = SPEC.replace("components:", "secrets: {postgres: controller}\ncomponents:");
    let kept = planned(&spec, "PGPASSWORD: postgres", &[("postgres", 3)]).unwrap();
    assert_eq!(kept.kept_secrets[&"PGPASSWORD".parse().unwrap()].version, 3);
    let fixed = planned(&spec, "PGPASSWORD: {name: postgres, from: host}", &[]).unwrap();
    assert!(fixed.kept_secrets.is_empty() && fixed.secrets.len() == 1);
}

#[test]
fn a_tenant_adds_secrets_beside_env_and_overrides_those_of_the_catalog() {
    let line =
        "  db: {version: \"1\", secrets: {WHO: {name: who, from: controller}, TOKEN: token}}";
    let spec = SPEC.replace("  db: \"1\"", line);
    assert_ne!(spec, SPEC);
    let container = planned(&spec, "TOKEN: other", &[("who", 1)]).unwrap();
    assert!(container.env.is_empty(), "{:?}", container.env);
    assert_eq!(container.kept_secrets.len(), 1);
    assert_eq!(container.secrets[&"TOKEN".parse().unwrap()].as_str(), "token");
}

#[test]
fn every_missing_secret_is_named_at_once_with_what_to_type() {
    let secrets = "A: {name: first, from: controller}, B: {name: second, from: controller}";
    let spec = SPEC.replace(
        "  voice: \"1\"",
        "  voice: {version: \"1\", secrets: {C: {name: third, from: controller}}}",
    );
    assert_eq!(
        planned(&spec, secrets, &[]).unwrap_err(),
        "line 5: components.db.secrets.A: acme has no secret first \
         (omlctl secret generate tenant=acme first)\n\
         line 5: components.db.secrets.B: acme has no secret second \
         (omlctl secret generate tenant=acme second)\n\
         line 6: components.voice.secrets.C: acme has no secret third \
         (omlctl secret generate tenant=acme third)"
    );
}

#[test]
fn the_secrets_of_a_component_without_a_version_are_named_too() {
    let spec = SPEC.replace("  db: \"1\"", "  db: {}");
    assert_eq!(
        planned(&spec, "A: {name: first, from: controller}", &[]).unwrap_err(),
        "line 5: components.db: has no version (write db: \"1.2.3\")\n\
         line 5: components.db.secrets.A: acme has no secret first \
         (omlctl secret generate tenant=acme first)"
    );
}

#[test]
fn a_missing_secret_that_is_a_file_is_given_from_one_unless_it_is_a_password() {
    for (variable, name, command) in [
        ("KEY", "key", "set tenant=acme key < FILE"),
        ("COMPASS_FILE", "map", "set tenant=acme map < FILE"),
        ("ROOT_PASSWORD_FILE", "root", "generate tenant=acme root"),
        ("LOGIN_FILE", "db_password", "generate tenant=acme db_password"),
        ("LOGIN_FILE", "db_pass", "generate tenant=acme db_pass"),
    ] {
        let secrets = format!("{variable}: {{name: {name}, from: controller, file: /run/it}}");
        let problems = planned(SPEC, &secrets, &[]).unwrap_err();
        assert!(problems.ends_with(&format!("(omlctl secret {command})")), "{problems}");
    }
}

#[test]
fn what_cannot_be_is_refused_with_its_place() {
    let refused = |spec: &str, secrets: &str| planned(spec, secrets, &[("key", 1)]).unwrap_err();
    let file = refused(SPEC, "K: {name: key, file: /run/key}");
    assert!(file.contains("only a secret of the controller can be mounted as a file"), "{file}");
    for path in ["run/key", "/", "/run/../key", "/run/a b", "/run//key"] {
        let text = format!("K: {{name: key, from: controller, file: \"{path}\"}}");
        let error = refused(SPEC, &text);
        assert!(error.contains("must be an absolute path"), "{path}: {error}");
    }
    let word = refused(SPEC, "K: {name: key, from: vault}");
    assert!(word.contains("\"vault\" is not a valid value (known: host, controller)"), "{word}");
    let both =
        SPEC.replace("  db: \"1\"", "  db: {version: \"1\", env: {K: x}, secrets: {K: key}}");
    let both = refused(&both, "X: key");
    assert!(both.contains("components.db.secrets.K: the same variable is in env"), "{both}");
    let unit = SPEC.replace("  exporter: {}", "  exporter: {secrets: {K: key}}");
    let unit = refused(&unit, "X: key");
    assert!(unit.contains("a packaged unit does not support secrets"), "{unit}");
}

#[test]
fn a_variable_of_the_tenant_and_a_secret_of_the_catalog_do_not_both_reach_the_container() {
    let env = SPEC.replace("  db: \"1\"", "  db: {version: \"1\", env: {PGPASSWORD: x}}");
    let problems = planned(&env, "PGPASSWORD: postgres", &[]).unwrap_err();
    assert_eq!(
        problems,
        "line 5: components.db.env.PGPASSWORD: the variable is secret postgres of the catalog (remove \
         it from env; its value is that of the secret)"
    );
    let container = planned(SPEC, "PGPASSWORD: postgres", &[]).unwrap();
    assert!(container.secrets.keys().all(|variable| !container.env.contains_key(variable)));
    // What an operation of the catalog sets would be overridden by a secret of the tenant.
    let operations = "    operations:\n      go: {run: on-demand, means: Goes, command: [go], \
                      env: {WAY: a}}\n";
    let catalog = CATALOG.replace("    image: db\n", &format!("    image: db\n{operations}"));
    let spec = SPEC.replace("  db: \"1\"", "  db: {version: \"1\", secrets: {WAY: way}}");
    let problems = plan_with_secrets(&spec, &catalog, &chosen(&[]), 1).unwrap_err().to_string();
    assert_eq!(
        problems,
        "line 5: components.db.secrets.WAY: operation go of the catalog sets the same variable \
         (choose another variable for the secret)"
    );
}

#[test]
fn a_mounted_secret_is_not_in_the_way_of_what_else_is_mounted() {
    let mounted = |variable: &str, name: &str, path: &str| {
        format!("{variable}: {{name: {name}, from: controller, file: {path}}}")
    };
    let of_catalog = mounted("A", "key", "/run/secrets/key");
    let catalog = catalog(&of_catalog);
    let catalog = catalog.replace(
        "    image: db\n",
        "    image: db\n    volumes: [data:/var/lib/db]\n    tmpfs: [/scratch]\n",
    );
    let planned = |name: &str, path: &str| {
        let line = format!("  db: {{version: \"1\", secrets: {{{}}}}}", mounted("B", name, path));
        let spec = SPEC.replace("  db: \"1\"", &line);
        let kept = chosen(&[("key", 1), ("other", 1)]);
        plan_with_secrets(&spec, &catalog, &kept, 1).map(|plan| database(&plan).kept_secrets.len())
    };
    for (name, path, expected) in [
        ("other", "/run/secrets/key", "is in the way of /run/secrets/key, where secret key is"),
        ("other", "/run/secrets", "is in the way of /run/secrets/key, where secret key is"),
        ("other", "/var/lib/db/key", "is in the way of /var/lib/db, where data is"),
        ("other", "/scratch", "is in the way of the folder in memory /scratch"),
        ("other", "/etc/hosts", "cannot be mounted: /etc/hosts is the engine's own"),
    ] {
        let problems = planned(name, path).unwrap_err().to_string();
        let line = format!("line 5: components.db.secrets.B: {path} {expected}");
        assert!(problems.contains(&line), "{path}: {problems}");
    }
    // One secret at one place is mounted once, and two variables hold its path.
    assert_eq!(planned("key", "/run/secrets/key").unwrap(), 2);
    assert_eq!(planned("other", "/run/secrets/other").unwrap(), 2);
}

#[test]
fn a_value_of_several_lines_is_mounted_and_never_in_an_environment() {
    let mut kept = chosen(&[("key", 1)]);
    kept.values_mut().for_each(|secret| secret.has_lines = true);
    let plan = |secrets: &str| plan_with_secrets(SPEC, &catalog(secrets), &kept, 1);
    let problems = plan("KEY: {name: key, from: controller}").unwrap_err().to_string();
    assert!(problems.contains("the value of secret key has several lines"), "{problems}");
    assert!(plan("KEY: {name: key, from: controller, file: /run/secrets/key}").is_ok());
}

#[test]
fn another_version_replaces_exactly_the_components_that_use_the_secret_and_is_named() {
    let catalog = catalog("PGPASSWORD: {name: postgres, from: controller}");
    let plan = |version| {
        plan_with_secrets(
            SPEC,
            &catalog,
            &chosen(&[("postgres", version), ("x", version)]),
            version,
        )
    };
    let (one, two) = (plan(1).unwrap(), plan(2).unwrap());
    let changes = diff(Some(&one), &two);
    let shown: Vec<String> = changes
        .iter()
        .map(|change| format!("{} {} {}", change.kind.as_str(), change.component, change.note))
        .collect();
    assert_eq!(shown, ["replace db secret postgres version 2"]);
    // Without the secret, what differs is said without a version.
    let without = plan_of(SPEC, 3).unwrap();
    let note = &diff(Some(&two), &without)[0].note;
    assert_eq!(note, "container settings");
}

#[test]
fn an_agent_that_does_not_know_such_secrets_is_named() {
    let catalog = catalog("PGPASSWORD: {name: postgres, from: controller}");
    let plan = plan_with_secrets(SPEC, &catalog, &chosen(&[("postgres", 1)]), 1).unwrap();
    let needs = database(&plan);
    assert!(!needs.kept_secrets.is_empty());
    let desired = &plan.nodes[&"n1".parse().unwrap()].instances[&"db".parse().unwrap()];
    assert!(desired.instance.needs().contains(&Feature::ControllerSecrets));
    let before = plan_on(&nodes(), SPEC, CATALOG, 1).unwrap();
    let desired = &before.nodes[&"n1".parse().unwrap()].instances[&"db".parse().unwrap()];
    assert!(!desired.instance.needs().contains(&Feature::ControllerSecrets));
}

const OPTIONAL: &str = "C: {name: tls_certificate, from: controller, file: /c, optional: true}, \
                        K: {name: tls_key, from: controller, file: /k, optional: true}";

fn with_tls(tls: &str) -> String {
    SPEC.replace("components:", &format!("tls: {tls}\ncomponents:"))
}

#[test]
fn a_part_of_the_certificate_that_may_be_missing_is_there_with_a_certificate_only() {
    let plain = planned(SPEC, "", &[]).unwrap();
    assert_eq!(planned(SPEC, OPTIONAL, &[]).unwrap(), plain, "the workload stays as it was");
    let spec = with_tls("{mode: selfsigned, names: [a.example.com]}");
    let container = planned(&spec, OPTIONAL, &[("tls_certificate", 3), ("tls_key", 3)]).unwrap();
    let named: Vec<&str> = container.kept_secrets.values().map(|it| it.name.as_str()).collect();
    assert_eq!(named, ["tls_certificate", "tls_key"]);
    let error =
        planned(SPEC, "X: {name: smtp, from: controller, optional: true}", &[]).unwrap_err();
    assert!(error.contains("only the certificate of the tenant can be left out"), "{error}");
}

#[test]
fn an_authority_that_may_be_missing_is_left_out_with_a_given_certificate() {
    let secrets = format!(
        "{OPTIONAL}, A: {{name: tls_ca, from: controller, file: /ca/ca.pem, optional: true}}"
    );
    let catalog =
        catalog(&secrets).replace("    env: {WHO", "    volumes: [/etc/ca:/ca]\n    env: {WHO");
    let planned = |tls: &str, kept: &[(&str, u64)]| {
        let plan = plan_with_secrets(&with_tls(tls), &catalog, &chosen(kept), 1).unwrap();
        let container = database(&plan);
        (container.kept_secrets.len(), container.volumes.len())
    };
    let pair = [("tls_certificate", 1), ("tls_key", 1)];
    assert_eq!(planned("{mode: custom}", &pair), (2, 1), "the folder of the host is there");
    let all = [("tls_certificate", 1), ("tls_key", 1), ("tls_ca", 1)];
    assert_eq!(planned("{mode: selfsigned, names: [a.example.com]}", &all), (3, 0));
}

#[test]
fn a_certificate_that_is_not_there_is_refused_with_what_to_write_or_type() {
    let needed = OPTIONAL.replace(", optional: true", "");
    let error = planned(SPEC, &needed, &[]).unwrap_err();
    assert!(error.contains("acme has no certificate: its document has no tls"), "{error}");
    assert!(error.contains("(add tls: {mode: selfsigned, names: [pbx.example.com]}"), "{error}");
    let error = planned(&with_tls("{mode: custom}"), &needed, &[]).unwrap_err();
    let expected = "line 4: tls: acme has no certificate yet (omlctl tls set tenant=acme --certificate FILE --key FILE)";
    assert_eq!(error, expected);
    let authority = "A: {name: tls_ca, from: controller, file: /a}";
    let error = planned(&with_tls("{mode: custom}"), authority, &[]).unwrap_err();
    assert!(
        error.contains("tls_ca is the tenant's own authority, which acme does not have"),
        "{error}"
    );
    let key = "A: {name: tls_ca_key, from: controller, file: /a}";
    let error = planned(&with_tls("{mode: custom}"), key, &[]).unwrap_err();
    assert!(error.contains("the private key of an authority, which no host gets"), "{error}");
}

#[test]
fn the_certificate_takes_the_place_of_the_folder_of_the_host_around_it() {
    let place =
        "C: {name: tls_certificate, from: controller, file: /certs/cert.pem, optional: true}";
    let catalog = catalog(place)
        .replace("    env: {WHO", "    volumes: [/etc/certs:/certs, data:/data]\n    env: {WHO");
    let planned = |spec: &str| {
        let kept = chosen(&[("tls_certificate", 1)]);
        let plan = plan_with_secrets(spec, &catalog, &kept, 1).unwrap();
        let targets = database(&plan).volumes.into_iter().map(|volume| volume.target);
        targets.collect::<Vec<_>>()
    };
    assert_eq!(planned(SPEC), ["/certs", "/data"]);
    assert_eq!(planned(&with_tls("{mode: selfsigned, names: [a.example.com]}")), ["/data"]);
}

/// Plans the tenant with this mail server, whose password the database needs where there is one.
fn with_mail(server: &str) -> Result<Container, String> {
    let secrets = "MAIL_PASSWORD: {name: mail, from: controller, when: {mail: {not: \"\"}}}";
    let catalog = catalog(secrets).replace("colour:}", "colour:, mail: \"\"}");
    let spec = SPEC.replace("blue}", &format!("blue, mail: \"{server}\"}}"));
    let plan = plan_with_secrets(&spec, &catalog, &ChosenSecrets::new(), 1);
    plan.map(|plan| database(&plan)).map_err(|problems| problems.to_string())
}

#[test]
fn a_secret_with_a_condition_is_needed_only_where_it_holds() {
    assert!(with_mail("").unwrap().kept_secrets.is_empty());
    let refused = with_mail("mail.example.com").unwrap_err();
    let expected = "components.db.secrets.MAIL_PASSWORD: acme has no secret mail (omlctl secret generate \
                    tenant=acme mail)";
    assert!(refused.contains(expected), "{refused}");
}

#[test]
fn the_condition_of_a_secret_names_a_setting_of_the_catalog_and_is_nothing_for_a_tenant() {
    let unknown = planned(SPEC, "MAIL: {name: mail, when: {mial: {not: \"\"}}}", &[]).unwrap_err();
    let expected = "components.db.secrets.MAIL.when.mial: mial is not a setting of the catalog";
    assert!(unknown.contains(expected), "{unknown}");
    let own = "  db: {version: \"1\", secrets: {MAIL: {name: mail, when: {mail: x}}}}\n";
    let spec = SPEC.replace("  db: \"1\"\n", own);
    assert_ne!(spec, SPEC);
    let refused = crate::document::spec::TenantSpec::parse(&spec).unwrap_err().to_string();
    assert!(refused.contains("components.db.secrets.MAIL.when: unknown key"), "{refused}");
}
