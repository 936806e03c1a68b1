//! What is true of a host, asked of Docker, systemd and the programs themselves, and not of the agent.

use anyhow::{Context as _, Result};
use oml_lab::Host;

use crate::action::{COMPONENTS, Component};

/// A container as Docker shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Container {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) status: String,
    pub(crate) started: String,
    pub(crate) image: String,
    /// The settings that `docker update` can change.
    pub(crate) settings: String,
    /// Whether its process was stopped by a signal.
    pub(crate) is_frozen: bool,
}

/// A unit as systemd shows it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Unit {
    pub(crate) load: String,
    pub(crate) active: String,
}

/// The facts about one host at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Facts {
    /// Every container; none if Docker does not answer.
    pub(crate) containers: Option<Vec<Container>>,
    pub(crate) units: Vec<Unit>,
    /// What the port of every component answers.
    pub(crate) answers: Vec<String>,
    /// Whether each unit has a drop-in of somebody else.
    pub(crate) has_drop_in: Vec<bool>,
    /// How often the main process of each unit ended within the last hour, by systemd's own words in the journal. It
    /// has none for the process that ended well: only that the unit did so, without a stop before.
    pub(crate) ends: Vec<usize>,
    pub(crate) agent_runs: bool,
    pub(crate) free_kib: u64,
}

/// Prints one fact a line: its kind and its words.
const SCRIPT: &str = "\
if ids=$(timeout 5 docker ps -aq --no-trunc 2>/dev/null); then
  echo engine up
  [ -z \"$ids\" ] || docker inspect -f 'container {{.Id}} {{.Name}} {{.State.Status}} {{.State.StartedAt}} {{.Image}} {{.HostConfig.Memory}}/{{.HostConfig.RestartPolicy.Name}} {{.State.Pid}}' $ids |
  while read -r line; do echo \"$line $(ps -o stat= -p ${line##* })\"; done
fi
unit() { echo unit $1 $(systemctl show -P LoadState $1) $(systemctl show -P ActiveState $1); }
answer() { echo answer $1 $(curl -s -m 2 $2 http://127.0.0.1:$1/); }
ends() { echo ends $1 $(journalctl -q -o cat --since=-1h -u $1 | awk '
  /^Stopping / { stops = 1 }
  /Main process exited/ { ends++; counted = 1 }
  /Deactivated successfully/ { if (!stops && !counted) ends++ }
  /Deactivated successfully|Failed with result|^Started / { stops = counted = 0 }
  END { print ends + 0 }'); }
unit omlagent.service
echo free $(df -k --output=avail /var/lib/docker | tail -1)
";

/// Asks a host.
pub(crate) fn observe(host: &Host) -> Result<Facts> {
    let mut script = SCRIPT.to_owned();
    for Component { unit, port, shown, .. } in COMPONENTS {
        script += &format!(
            "unit {unit}\nanswer {port} '{shown}'\nends {unit}\n\
             ! ls /etc/systemd/system/{unit}.d 2>/dev/null | grep -qv '^50-oml.conf$' || echo drop-in {unit}\n"
        );
    }
    // A container may vanish between the list and its inspection; the next look is whole again.
    let text = host.exec(&["sh", "-c", &script])?.stdout;
    let lines: Vec<Vec<&str>> = text.lines().map(|line| line.split(' ').collect()).collect();
    read(&lines)
}

/// Reads the facts from what the script printed, a list of words a line.
fn read(lines: &[Vec<&str>]) -> Result<Facts> {
    let containers = lines.iter().filter_map(|words| match words.as_slice() {
        ["container", id, name, status, started, image, settings, _, process @ ..] => {
            Some(Container {
                id: (*id).to_owned(),
                name: name.trim_start_matches('/').to_owned(),
                status: (*status).to_owned(),
                started: (*started).to_owned(),
                image: (*image).to_owned(),
                settings: (*settings).to_owned(),
                is_frozen: process.first().is_some_and(|state| state.starts_with('T')),
            })
        }
        _ => None,
    });
    let unit = |name: &str| {
        lines.iter().find_map(|words| match words.as_slice() {
            ["unit", unit, load, active] if *unit == name => {
                Some(Unit { load: (*load).to_owned(), active: (*active).to_owned() })
            }
            _ => None,
        })
    };
    let answer = |port: u16| {
        lines.iter().find_map(|words| match words.as_slice() {
            ["answer", of, said @ ..] if *of == port.to_string() => Some(said.join(" ")),
            _ => None,
        })
    };
    let ends = |name: &str| {
        lines.iter().find_map(|words| match words.as_slice() {
            ["ends", unit, times] if *unit == name => times.parse().ok(),
            _ => None,
        })
    };
    let free = lines.iter().find_map(|words| match words.as_slice() {
        ["free", kib] => kib.parse().ok(),
        _ => None,
    });
    Ok(Facts {
        containers: lines
            .iter()
            .any(|words| words == &["engine", "up"])
            .then(|| containers.collect()),
        units: COMPONENTS.iter().map(|it| unit(it.unit).unwrap_or_default()).collect(),
        answers: COMPONENTS.iter().map(|it| answer(it.port).unwrap_or_default()).collect(),
        has_drop_in: COMPONENTS
            .iter()
            .map(|it| lines.iter().any(|words| words == &["drop-in", it.unit]))
            .collect(),
        ends: COMPONENTS.iter().map(|it| ends(it.unit).unwrap_or_default()).collect(),
        agent_runs: unit("omlagent.service").is_some_and(|unit| unit.active == "active"),
        free_kib: free.context("read the free space")?,
    })
}

impl Facts {
    /// Returns the container that has the name of a component's.
    pub(crate) fn of(&self, component: Component) -> Option<&Container> {
        let name = component.container?;
        self.containers.iter().flatten().find(|container| container.name == name)
    }
}
