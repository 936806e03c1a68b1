//! What is true of a host, asked of Docker, systemd and the programs themselves, and not of the agent.

use anyhow::{Context as _, Result};
use oml_lab::Host;

use crate::component::{COMPONENTS, Component};

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
    /// Whether its main process, which of ours is the supervisor, was stopped by a signal.
    pub(crate) is_frozen: bool,
    /// The drop-ins of people that systemd has read.
    pub(crate) drop_ins: Vec<String>,
}

/// Our files about a component, each by its hash; "none" if it is no file.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct OurFiles {
    pub(crate) document: String,
    /// The unit in the folder of the administrator. That of a package has none there.
    pub(crate) unit: String,
    /// Our drop-in for the unit of a package.
    pub(crate) drop_in: String,
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
    pub(crate) files: Vec<OurFiles>,
    /// How often the main process of each unit ended within the last hour, by systemd's own words in the journal. It
    /// has none for the process that ended well: only that the unit did so, without a stop before.
    pub(crate) ends: Vec<usize>,
    pub(crate) agent_runs: bool,
    /// Whether systemd answers over D-Bus.
    pub(crate) bus_answers: bool,
    pub(crate) free_kib: u64,
}

/// Prints one fact a line: its kind and its words.
const SCRIPT: &str = "\
if ids=$(timeout 5 docker ps -aq --no-trunc 2>/dev/null); then
  echo engine up
  [ -z \"$ids\" ] || timeout 5 docker inspect -f 'container {{.Id}} {{.Name}} {{.State.Status}} {{.State.StartedAt}} {{.Image}} {{.HostConfig.Memory}}/{{.HostConfig.RestartPolicy.Name}} {{.State.Pid}}' $ids |
  while read -r line; do echo \"$line $(ps -o stat= -p ${line##* })\"; done
fi
unit() {
  echo unit $1 $(systemctl show -P LoadState $1) $(systemctl show -P ActiveState $1) \
    $(ps -o stat= -p $(systemctl show -P MainPID $1) 2>/dev/null)
  for d in $(systemctl show -P DropInPaths $1); do
    case $d in /usr/lib/*|/lib/*|/run/systemd/generator*|*/service.d/*|*/50-oml.conf) ;; *) echo reads $1 $d;; esac
  done
  for d in /etc/systemd/system /etc/systemd/system.control /run/systemd/system /run/systemd/system.control; do
    ! ls $d/$1.d 2>/dev/null | grep -qv '^50-oml.conf$' || echo drop-in $1
  done
}
sum_of() { if [ -f $1 ] && [ ! -L $1 ]; then sha256sum < $1 | cut -c-64; else echo none; fi; }
files() {
  echo files $1 $(sum_of /var/lib/omlagent/instances/$1/current.json) $(sum_of /etc/systemd/system/$2) \
    $(sum_of /etc/systemd/system/$2.d/50-oml.conf)
}
answer() { echo answer $1 $(curl -s -m 2 $2 http://127.0.0.1:$1/); }
ends() { echo ends $1 $(journalctl -q -o cat --since=-1h -u $1 | awk '
  /^Stopping / { stops = 1 }
  /Main process exited/ { ends++; counted = 1 }
  /Deactivated successfully/ { if (!stops && !counted) ends++ }
  /Deactivated successfully|Failed with result|^Started / { stops = counted = 0 }
  END { print ends + 0 }'); }
unit omlagent.service
[ \"$(systemctl show -P ActiveState dbus.service)\" = active ] && timeout 5 busctl --system call \
  org.freedesktop.systemd1 /org/freedesktop/systemd1 org.freedesktop.DBus.Peer Ping >/dev/null 2>&1 && echo bus up
echo free $(df -k --output=avail /var/lib/docker | tail -1)
";

/// Asks a host.
pub(crate) fn observe(host: &Host) -> Result<Facts> {
    let mut script = SCRIPT.to_owned();
    for Component { name, unit, port, shown, .. } in COMPONENTS {
        script +=
            &format!("unit {unit}\nanswer {port} '{shown}'\nends {unit}\nfiles {name} {unit}\n");
    }
    // A container may vanish between the list and its inspection; the next look is whole again.
    read(&host.exec(&["sh", "-c", &script])?.stdout)
}

/// Reads the facts from what the script printed.
pub(crate) fn read(text: &str) -> Result<Facts> {
    let lines: Vec<Vec<&str>> = text.lines().map(|line| line.split(' ').collect()).collect();
    let lines = lines.as_slice();
    let has = |line: &[&str]| lines.iter().any(|words| words.as_slice() == line);
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
    let units = COMPONENTS.iter().map(|it| unit(lines, it.unit).unwrap_or_default());
    Ok(Facts {
        containers: has(&["engine", "up"]).then(|| lines.iter().filter_map(container).collect()),
        units: units.collect(),
        answers: COMPONENTS.iter().map(|it| answer(it.port).unwrap_or_default()).collect(),
        has_drop_in: COMPONENTS.iter().map(|it| has(&["drop-in", it.unit])).collect(),
        files: COMPONENTS.iter().map(|it| files(lines, it.name)).collect(),
        ends: COMPONENTS.iter().map(|it| ends(it.unit).unwrap_or_default()).collect(),
        agent_runs: unit(lines, "omlagent.service").is_some_and(|unit| unit.active == "active"),
        bus_answers: has(&["bus", "up"]),
        free_kib: free.context("read the free space")?,
    })
}

fn container(words: &Vec<&str>) -> Option<Container> {
    match words.as_slice() {
        ["container", id, name, status, started, image, settings, _, process @ ..] => {
            Some(Container {
                id: (*id).to_owned(),
                name: name.trim_start_matches('/').to_owned(),
                status: (*status).to_owned(),
                started: (*started).to_owned(),
                image: (*image).to_owned(),
                settings: (*settings).to_owned(),
                is_frozen: is_frozen(process),
            })
        }
        _ => None,
    }
}

/// Returns true if the state that `ps` shows of a process is that of one that a signal stopped.
fn is_frozen(state: &[&str]) -> bool {
    state.first().is_some_and(|state| state.starts_with('T'))
}

fn unit(lines: &[Vec<&str>], name: &str) -> Option<Unit> {
    let drop_ins = lines.iter().filter_map(|words| match words.as_slice() {
        ["reads", unit, path] if *unit == name => Some((*path).to_owned()),
        _ => None,
    });
    let drop_ins = drop_ins.collect();
    lines.iter().find_map(|words| match words.as_slice() {
        ["unit", unit, load, active, process @ ..] if *unit == name => Some(Unit {
            load: (*load).to_owned(),
            active: (*active).to_owned(),
            is_frozen: is_frozen(process),
            drop_ins: Vec::clone(&drop_ins),
        }),
        _ => None,
    })
}

fn files(lines: &[Vec<&str>], component: &str) -> OurFiles {
    let found = lines.iter().find_map(|words| match words.as_slice() {
        ["files", name, document, unit, drop_in] if *name == component => Some(OurFiles {
            document: (*document).to_owned(),
            unit: (*unit).to_owned(),
            drop_in: (*drop_in).to_owned(),
        }),
        _ => None,
    });
    found.unwrap_or_default()
}

impl Facts {
    /// Returns the container that has the name of a component's.
    pub(crate) fn of(&self, component: Component) -> Option<&Container> {
        let name = component.container?;
        self.containers.iter().flatten().find(|container| container.name == name)
    }
}
