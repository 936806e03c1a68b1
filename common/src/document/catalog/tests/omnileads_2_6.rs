//! What the catalog of OMniLeads 2.6.x says, compared with what its images expect.

use super::*;

/// The components of one role, by their names.
pub(super) fn names_of(catalog: &Catalog, role: &str) -> Vec<String> {
    let has_role = |component: &Component| component.roles.iter().any(|it| it.as_ref() == role);
    let carried = catalog.components.iter().filter(|(_, component)| has_role(component));
    carried.map(|(name, _)| name.to_string()).collect()
}

/// Every container with the name of its component.
pub(super) fn containers(catalog: &Catalog) -> Vec<(&str, &ContainerTemplate)> {
    let containers = catalog.components.iter().filter_map(|(name, component)| {
        let WorkloadTemplate::Container(container) = &component.workload else { return None };
        Some((name.as_str(), container))
    });
    containers.collect()
}

#[test]
fn every_long_running_service_of_omnileads_2_6_is_a_component() {
    let catalog = Catalog::parse(OMNILEADS_2_6).unwrap();
    assert_eq!(
        names_of(&catalog, "data").join(" "),
        "gearman gearman-exporter minio node-exporter postgres postgres-exporter promtail redis \
         redis-exporter"
    );
    assert_eq!(
        names_of(&catalog, "voice").join(" "),
        "asterisk asterisk-retrieve-conf callrec-transcriber interaction-processor node-exporter \
         promtail rtpengine"
    );
    assert_eq!(
        names_of(&catalog, "app").join(" "),
        "ami background-dialer-tasks background-tasks bulk-messages call-logger daphne \
         email-events-processor fastagi kamailio nginx node-exporter omlcron omnileads prometheus \
         promtail uwsgi-exporter wallboard-listener wallboard-worker websockets whatsapp"
    );
    assert_eq!(
        names_of(&catalog, "dialer").join(" "),
        "dialer-asterisk dialer-dialplan dialer-flask dialer-incidence-rules dialer-listener \
         dialer-manage dialer-manage-campaign dialer-process-campaign-1 dialer-process-campaign-10 \
         dialer-process-campaign-2 dialer-process-campaign-3 dialer-process-campaign-4 \
         dialer-process-campaign-5 dialer-process-campaign-6 dialer-process-campaign-7 \
         dialer-process-campaign-8 dialer-process-campaign-9 dialer-process-contact-1 \
         dialer-process-event-1 dialer-render-template dialer-scheduler dialer-send-reports \
         node-exporter promtail"
    );
    assert_eq!(names_of(&catalog, "qa").join(" "), "nginx-qa pstn");
    assert_eq!(catalog.components.len(), 56);
}

#[test]
fn the_units_containers_and_volumes_are_those_of_the_deploy_tool() {
    let catalog = Catalog::parse(OMNILEADS_2_6).unwrap();
    for (name, unit, container, volumes) in [
        ("postgres", "postgresql.service", "oml-postgresql-server", "oml_postgres"),
        (
            "asterisk",
            "asterisk.service",
            "oml-asterisk-server",
            "asterisk_callrec asterisk_conf asterisk_sounds",
        ),
        (
            "omnileads",
            "omnileads.service",
            "oml-uwsgi-server",
            "django_static django_callrec_zip django_media",
        ),
        (
            "interaction-processor",
            "interaction_processor.service",
            "oml-interaction_processor-server",
            "asterisk_callrec",
        ),
        (
            "dialer-process-campaign-2",
            "dialer_process_campaign@2.service",
            "dialer-process-campaign-2",
            "",
        ),
    ] {
        let component = &catalog.components[&name.parse().unwrap()];
        assert_eq!(component.unit.as_str(), unit);
        let WorkloadTemplate::Container(found) = &component.workload else { unreachable!() };
        assert_eq!(found.name.as_str(), container);
        let sources: Vec<&str> = found.volumes.iter().map(|it| it.source.as_str()).collect();
        assert_eq!(sources.join(" "), volumes, "{name}");
    }
}

#[test]
fn no_variable_is_set_that_no_image_of_omnileads_2_6_reads() {
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
        "RABBITMQ_HOST",
        "BIND_IP",
        "ROLE",
        "CRON_ENABLE",
        "DAPHNE_ENABLE",
    ];
    let catalog = Catalog::parse(OMNILEADS_2_6).unwrap();
    for (name, container) in containers(&catalog) {
        let set = container.env.keys().chain(container.secrets.keys());
        let wrong: Vec<&str> = set.map(AsRef::as_ref).filter(|it| unread.contains(it)).collect();
        assert!(wrong.is_empty(), "{name} sets {wrong:?}");
    }
    let nginx = &catalog.components[&"nginx".parse().unwrap()].workload;
    let WorkloadTemplate::Container(nginx) = nginx else { unreachable!() };
    for needed in ["WSGI_PORT", "ASGI_PORT", "S3_ENDPOINT", "DJANGO_HOSTNAME", "DAPHNE_HOSTNAME"] {
        let name: EnvName = needed.parse().unwrap();
        let is_set = nginx.env.get(&name).is_some_and(|it| !it.value.is_empty());
        assert!(is_set, "nginx ends without {needed}");
    }
}

#[test]
fn the_processes_of_the_application_have_one_environment() {
    let catalog = Catalog::parse(OMNILEADS_2_6).unwrap();
    let mut all = containers(&catalog);
    all.retain(|(_, container)| container.image.as_str() == "omlapp");
    assert_eq!(all.len(), 10);
    let common = |container: &ContainerTemplate| {
        let mut env = container.env.clone();
        env.retain(|name, _| !["UWSGI_PORT", "DAPHNE_PORT"].contains(&name.as_str()));
        (env, container.secrets.clone())
    };
    let expected = common(all[0].1);
    for (name, container) in all {
        assert_eq!(common(container), expected, "{name}");
        assert!(!container.command.is_empty(), "the image of {name} has no command of its own");
    }
}

#[test]
fn every_asterisk_counts_its_channels_before_it_stops() {
    let catalog = Catalog::parse(OMNILEADS_2_6).unwrap();
    let counted = catalog.components.iter().filter_map(|(name, component)| {
        let active = component.active.as_ref()?;
        Some((name.as_str(), active.before.as_str()))
    });
    let expected = ["asterisk", "dialer-asterisk", "pstn"].map(|name| (name, "active channel"));
    assert_eq!(counted.collect::<Vec<_>>(), expected);
}
