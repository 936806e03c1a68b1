//! Reads one component of a catalog.

use std::collections::BTreeSet;
use std::num::NonZeroU32;

use crate::document::instance::{Network, PidsLimit, RestartUnhealthy, Timing};
use crate::document::spec::read_bytes;
use crate::id::EnvName;
use crate::text::problem::Problems;
use crate::text::yaml::{FieldNode, Fields, Value};

use super::place::Places;
use super::{
    CheckTemplate, Component, ContainerTemplate, Lookup, ProbeTemplate, WorkloadTemplate,
    is_template,
};
use super::{
    active, condition, env, file, image, literal, operation, options, ports, probe, reload,
    secrets, tolerated, volume,
};

const START_TIMEOUT_MS: u64 = 120_000;
const STOP_GRACE_MS: u64 = 10_000;
/// Below this many, an entry point and its probes hardly run.
const PIDS_LIMIT_MIN: u64 = 16;
/// The kernel allows no more processes and threads on a whole host (`PID_MAX_LIMIT`).
const PIDS_LIMIT_MAX: u64 = 1 << 22;

pub(super) fn read(
    field: &FieldNode<'_>,
    templates: &Lookup<'_>,
    problems: &mut Problems,
    tolerated: &mut Problems,
) -> Option<Component> {
    let mut fields = Fields::open(field, problems)?;
    let roles = fields.need("roles", problems).map(|p| p.parse_list(problems)).unwrap_or_default();
    let when = fields.get("when").and_then(|p| condition::read(&p, problems));
    let unit = fields.need("unit", problems).and_then(|p| p.parse(problems));
    let kinds = [("container", true), ("unit", false)];
    let is_container =
        fields.get("kind").map_or(Some(true), |field| field.choice(&kinds, problems))?;
    let workload = if is_container {
        read_container(&mut fields, templates, problems).map(WorkloadTemplate::Container)
    } else {
        Some(read_unit(&mut fields, problems))
    };
    let after = fields.get("after").map(|p| p.parse_list(problems)).unwrap_or_default();
    let ports =
        ports::read(fields.get("ports").as_ref(), has_own_network(workload.as_ref()), problems);
    let probe_field = fields.need("probe", problems);
    let probe = probe_field.as_ref().and_then(|p| probe::read(p, problems, tolerated));
    if workload.is_some() && has_own_network(workload.as_ref()) {
        refuse_bare_connection(probe_field.as_ref(), probe.as_ref(), problems);
    }
    let active_field = fields.get("active");
    let active = active_field.as_ref().and_then(|p| active::read(p, problems, tolerated));
    if !is_container {
        let has_other_probe = probe.as_ref().is_some_and(|p| p.check != CheckTemplate::UnitActive);
        refuse_probes(probe_field.filter(|_| has_other_probe), active_field, problems);
    }
    let timing = read_timing(&mut fields, problems, tolerated);
    let restart_unhealthy =
        fields.get("restart_unhealthy").and_then(|p| read_restart(&p, is_container, problems));
    let metrics = fields.get("metrics").and_then(|p| read_metrics(&p, problems, tolerated));
    let operations = fields.get("operations");
    let secrets = is_container.then(|| variables_of_secrets(workload.as_ref()));
    let operations = operations.map(|p| operation::read_all(&p, secrets.as_ref(), problems));
    fields.finish(problems);
    Some(Component {
        roles,
        when,
        unit: unit?,
        workload: workload?,
        after,
        ports,
        probe: probe?,
        active,
        timing,
        restart_unhealthy: restart_unhealthy.unwrap_or_default(),
        metrics,
        operations: operations.unwrap_or_default(),
    })
}

fn read_unit(fields: &mut Fields<'_>, problems: &mut Problems) -> WorkloadTemplate {
    if let Some(field) = fields.get("files") {
        let message = "a packaged unit has no files of the catalog";
        let hint = "write its settings into drop_in, or run the component in a container";
        problems.push(field.problem(message).hint(hint));
    }
    if let Some(field) = fields.get("reload") {
        let message = "a packaged unit has no files that it could take over";
        problems.push(field.problem(message).hint("remove it"));
    }
    let drop_in = fields.get("drop_in").and_then(|p| literal::drop_in(&p, problems));
    WorkloadTemplate::Unit { drop_in: drop_in.unwrap_or_default() }
}

fn read_timing(
    fields: &mut Fields<'_>,
    problems: &mut Problems,
    tolerated: &mut Problems,
) -> Timing {
    let start = tolerated::duration_ms(fields.get("start_timeout"), problems, tolerated);
    // What needs no time to stop has a grace of 0.
    let stop = fields.get("stop_grace").and_then(|field| field.duration_ms(problems));
    Timing {
        start_timeout_ms: start.unwrap_or(START_TIMEOUT_MS),
        stop_grace_ms: stop.unwrap_or(STOP_GRACE_MS),
    }
}

/// Whether a workload has a network of its own, or may have one because it cannot be read.
fn has_own_network(workload: Option<&WorkloadTemplate>) -> bool {
    match workload {
        Some(WorkloadTemplate::Container(container)) => container.options.network != Network::Host,
        Some(WorkloadTemplate::Unit { .. }) => false,
        None => true,
    }
}

/// Returns the variables of a container that are secrets.
fn variables_of_secrets(workload: Option<&WorkloadTemplate>) -> BTreeSet<EnvName> {
    match workload {
        Some(WorkloadTemplate::Container(container)) => container.secrets.keys().cloned().collect(),
        Some(WorkloadTemplate::Unit { .. }) | None => BTreeSet::new(),
    }
}

/// Refuses to ask a published port whether it accepts connections, because the engine does so in
/// place of the program.
fn refuse_bare_connection(
    field: Option<&FieldNode<'_>>,
    probe: Option<&ProbeTemplate>,
    problems: &mut Problems,
) {
    let is_bare = probe.is_some_and(|it| matches!(it.check, CheckTemplate::Tcp { .. }));
    if let Some(field) = field.filter(|_| is_bare) {
        let message = "the engine itself accepts every connection at a published port";
        let hint = "use a check in the program's own words, or exec";
        problems.push(field.problem(message).hint(hint));
    }
}

/// Refuses probes of a packaged unit. It has no supervisor that could run them.
fn refuse_probes(
    probe: Option<FieldNode<'_>>,
    active: Option<FieldNode<'_>>,
    problems: &mut Problems,
) {
    if let Some(field) = probe {
        let message = "a packaged unit supports only the probe unit-active";
        problems.push(field.problem(message).hint("write {check: unit-active}"));
    }
    if let Some(field) = active {
        let message = "a packaged unit does not support active";
        problems
            .push(field.problem(message).hint("remove it, or run the component in a container"));
    }
}

fn read_container(
    fields: &mut Fields<'_>,
    templates: &Lookup<'_>,
    problems: &mut Problems,
) -> Option<ContainerTemplate> {
    let name = fields.need("container", problems).and_then(|p| p.parse(problems));
    let image = fields.need("image", problems).and_then(|p| image::read(&p, problems));
    let env = fields.get("env").map(|p| env::read(&p, problems)).unwrap_or_default();
    let secrets_field = fields.get("secrets");
    let secrets = secrets_field.as_ref().map(|p| secrets::read(p, problems));
    let (secrets, secret_conditions) = secrets.unwrap_or_default();
    let volumes = fields.get("volumes").map(|p| volume::read_all(&p, problems));
    let volumes = volumes.unwrap_or_default();
    let command = literal::templates(fields.get("command").as_ref(), problems);
    let memory_max = fields.get("memory_max").and_then(|p| read_memory(&p, problems));
    let has_reason = has_reason(fields, problems);
    let (pids_limit, may_gain_privileges) = read_confinement(fields, has_reason, problems);
    let options = Box::new(options::read(fields, &volumes, has_reason, problems));
    let mut places = Places::new(&volumes, &options.tmpfs);
    let files = fields.get("files");
    let files = files.map(|f| file::read_all(&f, &mut places, templates, problems));
    let stop_signal = options.stop_signal.as_deref();
    let reload = fields.get("reload").and_then(|it| reload::read(&it, stop_signal, problems));
    let reload = reload.map(Box::new);
    if let Some(field) = &secrets_field {
        secrets::check(field, &secrets, &env, &mut places, problems);
    }
    Some(ContainerTemplate {
        name: name?,
        image: image?,
        env,
        secrets,
        secret_conditions,
        volumes,
        files: files.unwrap_or_default(),
        reload,
        command,
        memory_max,
        pids_limit,
        may_gain_privileges,
        options,
    })
}

/// Reads a size, or a template of one.
fn read_memory(field: &FieldNode<'_>, problems: &mut Problems) -> Option<String> {
    let text = field.text(problems)?;
    if !is_template(text) {
        read_bytes(field, problems)?;
    }
    Some(text.to_owned())
}

/// Whether a component says why it has unusual rights or limits.
fn has_reason(fields: &mut Fields<'_>, problems: &mut Problems) -> bool {
    let because = fields.get("because");
    because.and_then(|field| field.text(problems)).is_some_and(|text| !text.trim().is_empty())
}

/// Reads the limit of processes and whether they may gain privileges. More than the default
/// needs a reason.
fn read_confinement(
    fields: &mut Fields<'_>,
    has_reason: bool,
    problems: &mut Problems,
) -> (PidsLimit, bool) {
    let check = |field: &FieldNode<'_>, message: String, problems: &mut Problems| {
        if !has_reason {
            let hint = "write because: and the reason, in the same component";
            problems.push(field.problem(message).hint(hint));
        }
    };
    let mut pids_limit = PidsLimit::default();
    if let Some(field) = fields.get("pids_limit") {
        let number = field.number(PIDS_LIMIT_MIN..=PIDS_LIMIT_MAX, problems);
        let number = number.and_then(|n| u32::try_from(n).ok()).and_then(NonZeroU32::new);
        if let Some(limit) = number.map(PidsLimit) {
            if limit > pids_limit {
                let default = pids_limit.0;
                check(&field, format!("a limit above {default} needs a reason"), problems);
            }
            pids_limit = limit;
        }
    }
    let mut may_gain_privileges = false;
    if let Some(field) = fields.get("no_new_privileges")
        && field.flag(problems) == Some(false)
    {
        check(&field, "false needs a reason".to_owned(), problems);
        may_gain_privileges = true;
    }
    (pids_limit, may_gain_privileges)
}

/// Reads `never`, a duration, or `{after: 5m, cut_calls: true}`.
fn read_restart(
    field: &FieldNode<'_>,
    is_container: bool,
    problems: &mut Problems,
) -> Option<RestartUnhealthy> {
    if !is_container {
        let message = "a packaged unit does not support restart_unhealthy";
        problems.push(field.problem(message).hint("write Restart= into its drop_in"));
        return None;
    }
    let read = read_restart_of_container(field, problems)?;
    if read.after_ms == Some(0) {
        problems.push(field.problem("must be longer than 0").hint("write never to leave it alone"));
        return None;
    }
    Some(read)
}

fn read_restart_of_container(
    field: &FieldNode<'_>,
    problems: &mut Problems,
) -> Option<RestartUnhealthy> {
    match &field.node.value {
        Value::Text(text) if text == "never" => {
            Some(RestartUnhealthy { after_ms: None, cuts_calls: false })
        }
        Value::Map(_) => {
            let mut fields = Fields::open(field, problems)?;
            let after_ms = fields.need("after", problems).and_then(|p| p.duration_ms(problems));
            let cuts_calls = fields.get("cut_calls").and_then(|p| p.flag(problems));
            fields.finish(problems);
            let cuts_calls = cuts_calls.unwrap_or(false);
            Some(RestartUnhealthy { after_ms: Some(after_ms?), cuts_calls })
        }
        Value::Text(_) | Value::Empty | Value::List(_) => {
            let after_ms = Some(field.duration_ms(problems)?);
            Some(RestartUnhealthy { after_ms, cuts_calls: false })
        }
    }
}

fn read_metrics(
    field: &FieldNode<'_>,
    problems: &mut Problems,
    tolerated: &mut Problems,
) -> Option<(String, String)> {
    if let Value::Text(port) = &field.node.value {
        return Some((port.clone(), "/metrics".to_owned()));
    }
    let mut fields = Fields::open(field, problems)?;
    let port = fields.need("port", problems).and_then(|p| p.text(problems)).map(str::to_owned);
    let path = fields.get("path").and_then(|p| tolerated::path(&p, problems, tolerated));
    let path = path.unwrap_or_else(|| "/metrics".to_owned());
    fields.finish(problems);
    Some((port?, path))
}
