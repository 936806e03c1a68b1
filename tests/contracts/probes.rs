//! What the catalogs ask of a component, against what the contract of its image says that it answers. The stand-ins of the
//! lab are made from the same contracts, so they answer what is found here.

use std::collections::BTreeMap;

use oml_common::document::catalog::{Catalog, Component, WorkloadTemplate};
use oml_common::document::instance::{
    Check, Container, HttpDetails, Instance, Network, SipTransport,
};
use oml_common::document::plan::Plan;
use oml_lab::contract::{Action, Command, Context, Listen, Runs, Speaks};

use crate::check::image;
use crate::contract::{Contract, Line, catalog_of, lines};
use crate::line_of;
use crate::values::layout;

/// The catalogs of which the lab makes images.
const LINES: [&str; 4] = ["1.26", "2.2", "2.6", "3"];

/// A component as a host of a plan has it, and the contract of its image.
pub(crate) struct Case<'a> {
    pub(crate) node: &'a str,
    pub(crate) name: &'a str,
    component: &'a Component,
    pub(crate) instance: &'a Instance,
    pub(crate) contract: &'a Contract,
    env: BTreeMap<String, String>,
    words: Vec<String>,
}

/// What a probe needs at a port.
struct Wanted<'a> {
    port: u16,
    speaks: &'a [Speaks],
    /// The path, and what else a check of HTTP says.
    http: Option<(&'a str, HttpDetails)>,
}

/// Returns everything that a catalog asks on a host with everything, and that nobody answers.
fn unanswered(line: &Line, catalog: &Catalog) -> Vec<String> {
    unanswered_of(&layout(line, catalog), line, catalog)
}

/// Returns everything that a plan asks and that nobody answers.
pub(crate) fn unanswered_of(plan: &Plan, line: &Line, catalog: &Catalog) -> Vec<String> {
    let all = cases(plan, line, catalog);
    let named = all.iter().flat_map(|case| case.complaints().map(move |what| (case, what)));
    named
        .map(|(case, what)| {
            format!("{}, {}: {what} ({})", line.catalog, case.name, case.contract.image)
        })
        .collect()
}

/// Returns every container of a plan whose image has one contract.
pub(crate) fn cases<'a>(plan: &'a Plan, line: &'a Line, catalog: &'a Catalog) -> Vec<Case<'a>> {
    let of_nodes = plan.nodes.iter().flat_map(|(node, share)| {
        share.instances.iter().map(move |(name, desired)| (node.as_str(), name, desired))
    });
    let mut found = Vec::new();
    for (node, name, desired) in of_nodes {
        let component = &catalog.components[name];
        let WorkloadTemplate::Container(template) = &component.workload else { continue };
        let Some(container) = desired.instance.container() else { continue };
        let matching = line.matching(&image(catalog, template), name.as_str());
        let &[(_, contract)] = matching.as_slice() else { continue };
        let mut env: BTreeMap<String, String> = container
            .env
            .iter()
            .map(|(key, value)| (key.as_str().to_owned(), value.clone()))
            .collect();
        for (key, _) in template.secrets.iter().filter(|(_, secret)| secret.file.is_none()) {
            env.insert(key.as_str().to_owned(), "a secret".to_owned());
        }
        let (instance, words) = (&*desired.instance, words_of(container));
        found.push(Case { node, name: name.as_str(), component, instance, contract, env, words });
    }
    found
}

/// Returns the command with which a container starts; without a shell that only starts another one.
fn words_of(container: &Container) -> Vec<String> {
    let words: Vec<String> =
        container.options.entrypoint.iter().chain(&container.command).cloned().collect();
    if let [shell, flag, script] = words.as_slice()
        && ["sh", "bash"].contains(&shell.as_str())
        && flag == "-c"
    {
        let started = script.rsplit_once("exec ").map_or("", |(_, started)| started);
        return started.split_whitespace().map(str::to_owned).collect();
    }
    words
}

impl Case<'_> {
    /// Returns every place where the contract says that the program listens, filled in, with whether it is one of UDP.
    pub(crate) fn listens(&self) -> Result<Vec<(String, u16, bool)>, String> {
        let listens = match self.contract.runs {
            Some(Runs::StandIn) => self.command().map(|it| it.listens).unwrap_or_default(),
            Some(_) | None => self.contract.listens.clone(),
        };
        let context = Context { env: &self.env, words: &self.words };
        let filled = listens.iter().map(|listen| {
            let (host, port) = context.address(&listen.at)?;
            Ok((host, port, listen.speaks.is_udp()))
        });
        filled.collect()
    }

    fn complaints(&self) -> impl Iterator<Item = String> {
        let is_stand_in = self.contract.runs == Some(Runs::StandIn);
        let mut found = Vec::new();
        let probed = match (is_stand_in, self.command()) {
            (false, _) => self.check_probe(&self.contract.listens, &[]),
            (true, Some(command)) => self.check_probe(&command.listens, &command.words),
            (true, None) => Err(format!("no command of the contract is {:?}", self.words)),
        };
        found.extend(probed.err());
        if is_stand_in {
            found.extend(self.unknown_operations());
            found.extend(self.uncounted_calls());
        }
        found.into_iter()
    }

    /// The command of the contract that serves in the end.
    fn command(&self) -> Option<Command> {
        let commands = self.contract.all_commands();
        let find = |words: &[String]| commands.iter().find(|it| it.is_for(words, &self.env));
        let first = find(&self.words)?;
        let last = if first.becomes.is_empty() { first } else { find(&first.becomes)? };
        (last.action == Action::Serve && last.becomes.is_empty()).then(|| last.clone())
    }

    fn check_probe(&self, listens: &[Listen], words: &[String]) -> Result<(), String> {
        let wanted = match &self.instance.probe.check {
            Check::UnitActive => return Ok(()),
            Check::Exec { command } => return check_process(command, words),
            Check::Http { port, path, tls } => Wanted {
                http: Some((path.as_str(), HttpDetails::default())),
                ..of_http(*port, *tls)
            },
            Check::HttpDetailed { port, path, tls, details } => {
                Wanted { http: Some((path.as_str(), details.clone())), ..of_http(*port, *tls) }
            }
            Check::Tcp { port } => of_port(*port, &[Speaks::Tcp, Speaks::Http]),
            Check::SipOptions { port } => of_port(*port, &[Speaks::SipUdp]),
            Check::SipStream { port, transport: SipTransport::Tcp, .. } => {
                of_port(*port, &[Speaks::SipTcp])
            }
            Check::SipStream { port, transport: SipTransport::Ws | SipTransport::Wss, .. } => {
                of_port(*port, &[])
            }
            Check::Redis { port } => of_port(*port, &[Speaks::Redis]),
            Check::Postgres { port, .. } => of_port(*port, &[Speaks::Postgres]),
            Check::Rtpengine { port } => of_port(*port, &[Speaks::Rtpengine]),
            Check::Gearman { port } => of_port(*port, &[Speaks::Gearman]),
            Check::Rabbitmq { port } => of_port(*port, &[Speaks::Amqp]),
        };
        let mut nearly = Vec::new();
        for listen in listens {
            match self.answers(listen, &wanted) {
                Ok(()) => return Ok(()),
                Err(why) => nearly.push(why),
            }
        }
        Err(format!("nothing answers its probe: {}", nearly.join("; ")))
    }

    /// Says why a place does not answer a probe.
    fn answers(&self, listen: &Listen, wanted: &Wanted<'_>) -> Result<(), String> {
        let context = Context { env: &self.env, words: &self.words };
        let (host, port) = context.address(&listen.at)?;
        let at = &listen.at;
        if port != wanted.port {
            return Err(format!("{at} is port {port}, not {}", wanted.port));
        }
        if !wanted.speaks.contains(&listen.speaks) {
            return Err(format!("{at} speaks {:?}, not {:?}", listen.speaks, wanted.speaks));
        }
        let asked = self.instance.probe.address.as_ref();
        if asked.is_some_and(|asked| host != "0.0.0.0" && host != *asked) {
            return Err(format!("{at} is at {host}, and {asked:?} is asked"));
        }
        let network = self.instance.container().map(|it| &it.options.network);
        if network.is_some_and(|it| *it != Network::Host) && host.starts_with("127.") {
            return Err(format!("{at} is at {host}, and nobody outside of the container is there"));
        }
        let Some((path, details)) = &wanted.http else { return Ok(()) };
        if let Some(hosts) = &listen.hosts {
            let hosts = context.fill(hosts)?;
            let name = details.host.as_deref().unwrap_or("localhost");
            if !hosts.split(',').any(|host| host == name) {
                return Err(format!("{at} is {hosts}, and {name} is asked"));
            }
        }
        let status = listen.paths.get(*path).or_else(|| listen.paths.get("*")).copied();
        let status = status.unwrap_or(404);
        let good = &details.statuses;
        match if good.is_empty() { status < 400 } else { good.contains(&status) } {
            true => Ok(()),
            false => Err(format!("{at} answers {path} with {status}")),
        }
    }

    /// The operations whose commands the contract does not know as those that run once.
    fn unknown_operations(&self) -> Vec<String> {
        let commands = self.contract.all_commands();
        let ends = |words: &[String]| {
            let found = commands.iter().find(|command| command.is_for(words, &self.env));
            found.is_some_and(|it| matches!(it.action, Action::End | Action::Migrate))
        };
        let operations = self.component.operations.iter();
        let unknown = operations.filter_map(|(name, operation)| {
            let words: Vec<String> =
                operation.entrypoint.iter().chain(&operation.command).cloned().collect();
            (words.is_empty() || !ends(&words)).then(|| format!("{name} runs {words:?}, unknown"))
        });
        unknown.collect()
    }

    /// The command that counts calls, if the contract does not answer it.
    fn uncounted_calls(&self) -> Option<String> {
        let active = self.component.active.as_ref()?;
        let commands = self.contract.all_commands();
        let found = commands.iter().find(|it| it.is_for(&active.command, &self.env));
        let says = |line: &String| line.starts_with("0 ") && line.contains(&active.before);
        let is_counted = found.is_some_and(|it| it.prints.iter().any(says));
        (!is_counted).then(|| format!("nothing answers {:?}", active.command))
    }
}

fn of_port(port: u16, speaks: &[Speaks]) -> Wanted<'_> {
    Wanted { port, speaks, http: None }
}

fn of_http(port: u16, tls: bool) -> Wanted<'static> {
    of_port(port, if tls { &[Speaks::Https] } else { &[Speaks::Http, Speaks::S3] })
}

/// Checks a probe that looks for a word in the commands of all processes, as `[w]ord`.
fn check_process(probe: &[String], words: &[String]) -> Result<(), String> {
    let word = probe.last().and_then(|script| script.split_once('['));
    let word = word.and_then(|(_, rest)| rest.split(' ').next()).unwrap_or_default();
    let word = word.replace(']', "");
    match !word.is_empty() && words.iter().any(|it| it.contains(&word)) {
        true => Ok(()),
        false => Err(format!("{words:?} is not what {probe:?} looks for")),
    }
}

#[test]
fn every_probe_of_the_catalogs_is_answered_by_the_contract_of_its_image() {
    let of_lab =
        |line: &&Line| LINES.iter().any(|it| line.catalog == format!("omnileads-{it}.yaml"));
    let lines = lines();
    let found: Vec<String> =
        lines.iter().filter(of_lab).flat_map(|it| unanswered(it, &catalog_of(it))).collect();
    assert!(found.is_empty(), "mend the catalog or the contract:\n{}", found.join("\n"));
}

#[test]
fn every_component_of_the_four_catalogs_has_an_image_of_the_lab() {
    for name in LINES {
        let line = oml_lab::line(name).expect("the lab has the line");
        let images = oml_lab::images_of(name).expect("its images can be made");
        let catalog = catalog_of(&line);
        for (component, described) in &catalog.components {
            let WorkloadTemplate::Container(template) = &described.workload else { continue };
            let image = image(&catalog, template);
            assert!(images.contains(&image), "{name}: {component} has no image {image}");
        }
    }
}

#[test]
fn what_the_lab_makes_images_from_is_what_the_catalogs_are_compared_with() {
    for name in LINES {
        let made = oml_lab::line(name).expect("the lab has the line");
        let compared = line_of(&format!("omnileads-{name}.yaml"));
        assert_eq!(format!("{made:?}"), format!("{compared:?}"));
    }
}

#[test]
fn a_probe_that_nobody_answers_is_found() {
    for (catalog, from, to, says) in [
        ("2.6", "path: /health, tls", "path: /healthz, tls", ":443 answers /healthz with 404"),
        ("2.6", "path: /ari/asterisk/ping, status: [200, 401]", "path: /ari/asterisk/ping", "401"),
        ("2.6", "[r]unworker", "[r]unworkers", "is not what"),
        ("2.6", "inicializar_entorno]", "inicializar]", "sample-data runs"),
        ("2.6", "before: active channel", "before: live call", "nothing answers"),
        ("3", "check: gearman, port: \"4730\"", "check: gearman, port: \"4731\"", "not 4731"),
        ("3", "python main.py", "python app.py", "no command of the contract is"),
    ] {
        let path =
            crate::contract::folder().join(format!("../../catalog/omnileads-{catalog}.yaml"));
        let text = std::fs::read_to_string(path).expect("the catalog is there");
        assert!(text.contains(from), "{catalog}: {from}");
        let planted = Catalog::parse(&text.replace(from, to)).expect("it is still one");
        let found = unanswered(&line_of(&format!("omnileads-{catalog}.yaml")), &planted);
        assert!(found.iter().any(|one| one.contains(says)), "{catalog}: {found:#?}");
    }
}
