//! What the catalog of OMniLeads 2.2.x says, compared with what its images expect.

use super::lines::{assert_names, assert_one_environment, assert_unset, container, counted};
use super::omnileads_2_6::{containers, names_of};
use super::*;

#[test]
fn every_long_running_service_of_omnileads_2_2_is_a_component() {
    let catalog = Catalog::parse(OMNILEADS_2_2).unwrap();
    assert_eq!(
        names_of(&catalog, "data").join(" "),
        "minio node-exporter postgres postgres-exporter promtail rabbitmq redis redis-exporter"
    );
    assert_eq!(
        names_of(&catalog, "voice").join(" "),
        "asterisk asterisk-retrieve-conf interaction-processor node-exporter promtail rtpengine"
    );
    assert_eq!(
        names_of(&catalog, "app").join(" "),
        "ami daphne fastagi kamailio nginx node-exporter omlcron omnileads prometheus promtail \
         sentiment-analysis survey-worker wallboard-listener wallboard-worker websockets"
    );
    assert_eq!(names_of(&catalog, "qa").join(" "), "mysql nginx-qa node-exporter pstn wombat");
    assert_eq!(catalog.components.len(), 29);
}

#[test]
fn the_units_containers_and_volumes_of_2_2_are_those_of_its_deploy_tool() {
    let catalog = Catalog::parse(OMNILEADS_2_2).unwrap();
    let expect = |name, unit, in_engine, volumes| {
        assert_names(&catalog, name, unit, in_engine, volumes);
    };
    expect("postgres", "postgresql.service", "oml-postgresql-server", "oml_postgres");
    let of_asterisk = "asterisk_callrec asterisk_conf asterisk_sounds";
    expect("asterisk", "asterisk.service", "oml-asterisk-server", of_asterisk);
    let static_files = "django_static django_callrec_zip";
    expect("omnileads", "omnileads.service", "oml-uwsgi-server", static_files);
    let rabbitmq = "/etc/default/rabbitmq.conf";
    expect("rabbitmq", "rabbitmq.service", "oml-rabbitmq-server", rabbitmq);
    let processor = "interaction_processor.service";
    let in_engine = "oml-interaction_processor-server";
    expect("interaction-processor", processor, in_engine, "asterisk_callrec");
    expect("pstn", "pstn.service", "oml-pstn-server", "");
}

#[test]
fn the_sounds_of_2_2_are_in_a_folder_of_their_own() {
    let catalog = Catalog::parse(OMNILEADS_2_2).unwrap();
    let targets = container(&catalog, "asterisk").volumes.iter().map(|it| it.target.as_str());
    let expected = [
        "/var/spool/asterisk/monitor",
        "/etc/asterisk/retrieve_conf",
        "/var/lib/asterisk/sounds/oml",
    ];
    assert_eq!(targets.collect::<Vec<_>>(), expected);
}

#[test]
fn no_variable_is_set_that_no_image_of_omnileads_2_2_reads() {
    let catalog = Catalog::parse(OMNILEADS_2_2).unwrap();
    let unread = [
        "ASTERISK_SIP_PORT",
        "KAMAILIO_SIP_PORT",
        "RTPENGINE_NG_PORT",
        "LAN_IP",
        "WAN_IP",
        "SHM_MEMORY",
        "PKG_MEMORY",
        "COMPONENT",
        "PORT",
        "NGINX_PORT",
        "GEARMAN_HOST",
        "OML_DIALER_ENGINE",
        "OMNIDIALER_HOST",
        "NG_BIND_UDP_PORT",
        "CRON_ENABLE",
        "DAPHNE_ENABLE",
        "AUTHEPH_SK",
    ];
    assert_unset(&catalog, &unread);
}

#[test]
fn the_processes_of_the_application_of_2_2_have_one_environment_and_a_command() {
    let catalog = Catalog::parse(OMNILEADS_2_2).unwrap();
    assert_one_environment(&catalog, "omlapp", 5, &["UWSGI_PORT", "DAPHNE_PORT"]);
    for (name, container) in containers(&catalog) {
        let is_app = container.image.as_str() == "omlapp";
        assert!(!is_app || !container.command.is_empty(), "{name} has no command");
    }
}

#[test]
fn the_asterisk_of_2_2_and_that_of_its_tests_count_their_channels() {
    let catalog = Catalog::parse(OMNILEADS_2_2).unwrap();
    assert_eq!(counted(&catalog), [("asterisk", "active channel"), ("pstn", "active channel")]);
}
