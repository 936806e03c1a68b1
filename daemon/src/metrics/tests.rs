use super::*;

/// What Prometheus 2.42 sends.
const PROMETHEUS_2: &str = "application/openmetrics-text;version=1.0.0,\
     application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
/// What Prometheus 3 sends.
const PROMETHEUS_3: &str = "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,\
     application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,\
     text/plain;version=0.0.4;q=0.3,*/*;q=0.2";

fn accepted(values: &[&str]) -> Format {
    Format::accepted(values.iter().map(|value| value.as_bytes()))
}

#[test]
fn openmetrics_is_served_only_to_those_who_ask_for_it() {
    for values in [
        &[PROMETHEUS_2][..],
        &[PROMETHEUS_3],
        &["application/openmetrics-text"],
        &["Application/OpenMetrics-Text; Version=\"1.0.0\" ; Q=0.2, text/plain;q=0.1"],
        &["text/html", "application/openmetrics-text"],
    ] {
        assert_eq!(accepted(values), Format::OpenMetrics, "{values:?}");
    }
    for values in [
        &[][..],
        &[""],
        &["*/*"],
        &["text/plain"],
        &["text/*, */*;q=0.1"],
        &["text/html,application/xhtml+xml,*/*;q=0.8"],
        &["application/openmetrics-text;q=0"],
        &["application/openmetrics-text;q=nan"],
        &["application/openmetrics-text;version=2.0.0"],
        &["text/plain;version=0.0.4;q=0.9,application/openmetrics-text;q=0.1"],
        &["application/vnd.google.protobuf", ";;=,,;q"],
    ] {
        assert_eq!(accepted(values), Format::Text, "{values:?}");
    }
    assert_eq!(Format::accepted([&b"\xff\xfe"[..]]), Format::Text);
}

fn registry() -> Registry {
    let mut registry = Registry::with_prefix("oml");
    let (passes, gauges) = (Counters::default(), Gauges::default());
    passes.get_or_create(&vec![("task", "a \"quoted\"\nname".to_owned())]).inc_by(3);
    gauges.get_or_create(&Labels::new()).set(7);
    registry.register("task_passes", "Passes of a task", passes);
    let bytes = prometheus_client::registry::Unit::Bytes;
    registry.register_with_unit("host_disk", "Size of the disk", bytes, gauges);
    registry
}

#[test]
fn help_and_type_name_the_series_of_each_format() {
    let text = "# HELP oml_task_passes_total Passes of a task.\n\
                # TYPE oml_task_passes_total counter\n\
                oml_task_passes_total{task=\"a \\\"quoted\\\"\\nname\"} 3\n\
                # HELP oml_host_disk_bytes Size of the disk.\n\
                # TYPE oml_host_disk_bytes gauge\n\
                oml_host_disk_bytes{} 7\n\
                # EOF\n";
    assert_eq!(Format::Text.page(&registry()), text);
    let openmetrics = "# HELP oml_task_passes Passes of a task.\n\
                       # TYPE oml_task_passes counter\n\
                       oml_task_passes_total{task=\"a \\\"quoted\\\"\\nname\"} 3\n\
                       # HELP oml_host_disk_bytes Size of the disk.\n\
                       # TYPE oml_host_disk_bytes gauge\n\
                       # UNIT oml_host_disk_bytes bytes\n\
                       oml_host_disk_bytes{} 7\n\
                       # EOF\n";
    assert_eq!(Format::OpenMetrics.page(&registry()), openmetrics);
}

/// What `promtool check metrics` asks of names and help.
#[test]
fn every_series_of_hosts_and_instances_has_a_help_text_and_a_proper_name() {
    let mut registry = Registry::with_prefix("oml");
    let (hosts, instances) = (HostMetrics::default(), InstanceMetrics::default());
    let usage = oml_common::document::report::HostUsage {
        memory_total_bytes: 1,
        disk_total_bytes: 1,
        ..Default::default()
    };
    hosts.add(&Labels::new(), &usage);
    let mut report = oml_common::document::report::InstanceReport::new(
        oml_common::document::report::Phase::Ready,
    );
    report.active = Some(1);
    report.calls_cut = Some(2);
    report.started_at = Some(oml_common::time::Timestamp(1500));
    instances.add(&Labels::new(), &"asterisk".parse().unwrap(), &report);
    hosts.register(&mut registry);
    instances.register(&mut registry);
    let page = Format::Text.page(&registry);
    let series: Vec<&str> = page.lines().filter(|line| !line.starts_with('#')).collect();
    assert_eq!(series.len(), 13, "{page}");
    for line in series {
        let name = line.split(['{', ' ']).next().unwrap();
        assert!(page.contains(&format!("# HELP {name} ")), "{name} has no help:\n{page}");
        let is_counter = page.contains(&format!("# TYPE {name} counter\n"));
        assert_eq!(is_counter, name.ends_with("_total"), "{name}");
    }
}
