//! What the catalog of OMniLeads 1.26 says, compared with what its images expect.

use super::lines::{assert_names, assert_one_environment, assert_unset, container, counted};
use super::omnileads_2_6::names_of;
use super::*;

#[test]
fn every_long_running_service_of_omnileads_1_26_is_a_component() {
    let catalog = Catalog::parse(OMNILEADS_1_26).unwrap();
    assert_eq!(
        names_of(&catalog, "data").join(" "),
        "loki minio node-exporter postgres postgres-exporter promtail redis redis-exporter"
    );
    assert_eq!(
        names_of(&catalog, "voice").join(" "),
        "asterisk heplify homer node-exporter promtail rtpengine"
    );
    assert_eq!(
        names_of(&catalog, "app").join(" "),
        "daphne kamailio nginx node-exporter omlcron omnileads prometheus promtail pstn \
         redis2postgres websockets"
    );
    assert_eq!(names_of(&catalog, "haproxy"), ["haproxy"]);
    assert_eq!(catalog.components.len(), 22);
}

#[test]
fn the_units_containers_and_volumes_of_1_26_are_those_of_its_deploy_tool() {
    let catalog = Catalog::parse(OMNILEADS_1_26).unwrap();
    let expect = |name, unit, in_engine, volumes| {
        assert_names(&catalog, name, unit, in_engine, volumes);
    };
    expect("postgres", "postgresql.service", "oml-postgresql-server", "oml_postgres");
    expect("asterisk", "asterisk.service", "oml-asterisk-server", "/etc/asterisk/custom");
    let static_files = "django_static django_callrec_zip";
    expect("omnileads", "omnileads.service", "oml-django-server", static_files);
    expect("omlcron", "omlcron.service", "oml-cron-server", "");
    expect("heplify", "heplify.service", "heplify-server", "");
    expect("redis-exporter", "prometheus_redis.service", "oml-prometheus-redis", "");
}

#[test]
fn no_variable_is_set_that_no_image_of_omnileads_1_26_reads() {
    let catalog = Catalog::parse(OMNILEADS_1_26).unwrap();
    let later = [
        "ARQ",
        "SCALE",
        "FASTAGI",
        "RABBITMQ_HOST",
        "GEARMAN_HOST",
        "RTPENGINE_HOSTNAME_NODE_1",
        "PUBLIC_IP",
        "WSGI_PORT",
        "ASGI_PORT",
        "WEBUI_MODE",
        "UWSGI_PORT",
        "DAPHNE_PORT",
        "AUTHEPH_SK",
        "S3_ENDPOINT_MINIO",
        "NG_BIND_UDP_PORT",
        "OMNIDIALER_HOST",
    ];
    assert_unset(&catalog, &later);
}

#[test]
fn the_image_of_1_26_chooses_its_program_by_a_variable_and_has_no_command() {
    let catalog = Catalog::parse(OMNILEADS_1_26).unwrap();
    let choice = ["CRON_ENABLE", "DAPHNE_ENABLE"];
    // The scripts of cron ask the bucket themselves; the others give its address to browsers.
    assert_one_environment(&catalog, "omlapp", 3, &[choice[0], choice[1], "S3_ENDPOINT"]);
    let endpoint = |name| &container(&catalog, name).env[&"S3_ENDPOINT".parse().unwrap()].value;
    assert!(
        endpoint("omlcron").contains("host.minio") && endpoint("daphne").contains("host.nginx")
    );
    for (name, expected) in [
        ("omnileads", [Some("false"), None]),
        ("daphne", [None, Some("True")]),
        ("omlcron", [None, None]),
    ] {
        let container = container(&catalog, name);
        let found = choice.map(|variable| container.env.get(&variable.parse().unwrap()));
        assert_eq!(found.map(|it| it.map(|it| it.value.as_str())), expected, "{name}");
        assert!(container.command.is_empty(), "{name}");
    }
}

#[test]
fn the_ports_of_uwsgi_and_daphne_of_1_26_are_the_other_way_round() {
    let catalog = Catalog::parse(OMNILEADS_1_26).unwrap();
    assert_eq!(catalog.settings["uwsgi_port"].default.as_deref(), Some("8098"));
    assert_eq!(catalog.settings["daphne_port"].default.as_deref(), Some("8099"));
}

#[test]
fn the_asterisk_of_1_26_counts_its_channels_and_writes_into_postgres_itself() {
    let catalog = Catalog::parse(OMNILEADS_1_26).unwrap();
    assert_eq!(counted(&catalog), [("asterisk", "active channel"), ("pstn", "active channel")]);
    assert!(container(&catalog, "asterisk").env.contains_key(&"PGHOST".parse().unwrap()));
}
