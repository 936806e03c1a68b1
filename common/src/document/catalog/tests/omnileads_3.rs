//! What the catalog of OMniLeads 3.X says, compared with what its images expect.

use super::lines::{assert_names, assert_one_environment, assert_unset, container, counted};
use super::omnileads_2_6::{containers, names_of};
use super::*;

#[test]
fn every_long_running_service_of_omnileads_3_is_a_component() {
    let catalog = Catalog::parse(OMNILEADS_3).unwrap();
    for (role, expected) in [
        ("data", "minio node-exporter postgres postgres-exporter promtail"),
        ("stateless", "gearman gearman-exporter node-exporter promtail redis redis-exporter"),
        ("edge", "haproxy kamailio-pstn kamailio-webrtc node-exporter promtail rtpengine"),
        ("acd", "acd-app acd-config acd-fastagi acd-server node-exporter promtail"),
        ("callrec", "callrec-compressor callrec-transcriber node-exporter promtail"),
        (
            "web",
            "bulk-messages daphne dialer-api nginx node-exporter omnileads prometheus promtail \
             uwsgi-exporter wallboard-listener wallboard-worker websockets",
        ),
        (
            "workers",
            "background-callrec-tasks background-dialer-tasks call-logger daily-redis-cleanup \
             dashboard-agent-scheduler node-exporter presence-heartbeat-scheduler promtail \
             supervision-agents-scheduler supervision-events-listener whatsapp",
        ),
        (
            "dialer",
            "dialer-channel-audit dialer-incidence-rules dialer-manage-campaign \
             dialer-process-campaign-1 dialer-process-campaign-2 dialer-process-campaign-3 \
             dialer-process-campaign-4 dialer-process-campaign-5 dialer-process-contact-1 \
             dialer-process-event-1 dialer-render-template dialer-scheduler dialer-send-reports \
             node-exporter promtail",
        ),
        ("qa", "nginx-qa pstn"),
    ] {
        assert_eq!(names_of(&catalog, role).join(" "), expected, "{role}");
    }
    assert_eq!(catalog.components.len(), 53);
}

#[test]
fn the_units_containers_and_volumes_of_3_are_those_of_its_deploy_tool() {
    let catalog = Catalog::parse(OMNILEADS_3).unwrap();
    let expect = |name, unit, in_engine, volumes| {
        assert_names(&catalog, name, unit, in_engine, volumes);
    };
    let of_postgres = "oml_postgres_data /etc/omnileads/omnidialer.sql";
    expect("postgres", "postgresql.service", "postgresql-server", of_postgres);
    let of_asterisk = "asterisk_callrec asterisk_conf asterisk_sounds";
    expect("acd-server", "acd-server.service", "acd-server", of_asterisk);
    expect("acd-config", "acd-config.service", "acd-conf", "asterisk_conf asterisk_sounds");
    expect("kamailio-webrtc", "kamailio_webrtc.service", "kamailio-webrtc", "");
    let certificates = "/etc/omnileads/certs";
    expect("kamailio-pstn", "kamailio_pstn.service", "kamailio-pstn-server", certificates);
    expect("websockets", "websockets.service", "websocket-server", "");
    expect("call-logger", "call_logger.service", "oml-call-logger", "");
    let campaign = "dialer_process_campaign@2.service";
    expect("dialer-process-campaign-2", campaign, "dialer-process-campaign-2", "");
    expect("callrec-transcriber", "callrec_transcriber.service", "callrec-transcriptor", "");
}

#[test]
fn no_variable_is_set_that_no_image_of_omnileads_3_reads() {
    let catalog = Catalog::parse(OMNILEADS_3).unwrap();
    let unread = [
        "ARQ",
        "ASTERISK_HOSTNAME",
        "ASTERISK_PUBLIC_IP",
        "ASTERISK_HOST",
        "DIALER_HOST",
        "LAN_IP",
        "WAN_IP",
        "SHM_MEMORY",
        "RABBITMQ_HOST",
        "WOMBAT_HOSTNAME",
        "OML_DIALER_ENGINE",
        "S3_STORAGE_ENABLED",
        "BIND_IP",
        "CRON_ENABLE",
    ];
    assert_unset(&catalog, &unread);
}

#[test]
fn the_variables_without_which_images_of_3_do_not_start_are_set() {
    let catalog = Catalog::parse(OMNILEADS_3).unwrap();
    for (name, variables) in [
        ("acd-server", "TZ AMI_USER AMI_PASSWORD"),
        ("kamailio-webrtc", "KAMAILIO_IFACE AUTHEPH_SK ACD_NET_ADDR"),
        ("kamailio-pstn", "ACD_NODES IPADDR_PRIVATE ITSP_NODES"),
        ("omnileads", "SECRET_KEY SIP_SECRET_KEY DJANGO_ALLOWED_HOSTS"),
        ("nginx", "WSGI_PORT ASGI_PORT"),
    ] {
        let container = container(&catalog, name);
        for variable in variables.split(' ') {
            let variable: EnvName = variable.parse().unwrap();
            let is_set =
                container.env.contains_key(&variable) || container.secrets.contains_key(&variable);
            assert!(is_set, "{name} has no {variable}");
        }
    }
    for setting in ["kamailio_webrtc_iface", "itsp_nodes"] {
        assert_eq!(catalog.settings[setting].default, None, "every tenant must give {setting}");
    }
}

#[test]
fn browsers_and_the_application_share_the_key_that_signs_logins() {
    let catalog = Catalog::parse(OMNILEADS_3).unwrap();
    let signed = &container(&catalog, "omnileads").secrets[&"SIP_SECRET_KEY".parse().unwrap()];
    let checked = &container(&catalog, "kamailio-webrtc").secrets[&"AUTHEPH_SK".parse().unwrap()];
    assert_eq!(signed, checked);
}

#[test]
fn the_processes_of_the_application_of_3_have_one_environment_and_a_command() {
    let catalog = Catalog::parse(OMNILEADS_3).unwrap();
    assert_one_environment(&catalog, "omlapp", 13, &["UWSGI_PORT", "DAPHNE_PORT"]);
    for (name, container) in containers(&catalog) {
        let is_app = container.image.as_str() == "omlapp";
        assert!(!is_app || !container.command.is_empty(), "{name} has no command");
    }
}

#[test]
fn the_acd_counts_channels_because_its_application_runs_calls_without_the_dialplan() {
    let catalog = Catalog::parse(OMNILEADS_3).unwrap();
    assert_eq!(counted(&catalog), [("acd-server", "active channel"), ("pstn", "active channel")]);
}

#[test]
fn postgres_18_has_its_volume_above_the_folder_of_earlier_majors() {
    let catalog = Catalog::parse(OMNILEADS_3).unwrap();
    assert_eq!(container(&catalog, "postgres").volumes[0].target, "/var/lib/postgresql");
}
