//! What people do to a host by hand, as the shell commands that they type.

use anyhow::Result;
use oml_daemon::env::Random;

/// A component of the tenant, by its index in [`COMPONENTS`].
pub(crate) type ComponentIndex = usize;

/// A component on a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Component {
    pub(crate) name: &'static str,
    /// The name of its container; none if it is the unit of a package.
    pub(crate) container: Option<&'static str>,
    pub(crate) unit: &'static str,
    pub(crate) port: u16,
    /// What curl shows of its answer, and the answer if all is well.
    pub(crate) shown: &'static str,
    pub(crate) answer: &'static str,
}

/// The components of every host, those in containers first.
pub(crate) const COMPONENTS: [Component; 3] = [
    in_container("first", "oml-first", "oml-first.service", 8081),
    in_container("second", "oml-second", "oml-second.service", 8082),
    Component {
        name: "exporter",
        container: None,
        unit: "prometheus-node-exporter.service",
        port: 9100,
        shown: "-o /dev/null -w %{http_code}",
        answer: "200",
    },
];
/// The number of components in containers.
const CONTAINERS_COUNT: usize = 2;

const fn in_container(
    name: &'static str,
    container: &'static str,
    unit: &'static str,
    port: u16,
) -> Component {
    Component { name, container: Some(container), unit, port, shown: "", answer: "v1" }
}

/// What an action means for what must run afterwards, beyond its command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Effect {
    /// The host must undo it or report it.
    None,
    /// The person wants the component to stop.
    Stops,
    /// The person wants the component to run.
    Starts,
    /// Whether it was stopped by hand cannot be known afterwards.
    ForgetsStop,
    /// The command prints the ids of containers that are not ours.
    MakesForeign,
    /// The command removes stopped containers, also those that are not ours.
    RemovesStopped,
    /// The command removes the container that is not ours and has the name of ours.
    RemovesForeign,
}

/// One thing that people do. In the script `$C` is the container, `$U` the unit, `$N` the component,
/// `$O` the other container, and `$X` a number that no other action has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Action {
    pub(crate) name: &'static str,
    pub(crate) script: &'static str,
    pub(crate) effect: Effect,
    /// True if it is done on the controller's host.
    pub(crate) on_controller: bool,
}

const fn action(name: &'static str, script: &'static str) -> Action {
    with_effect(name, script, Effect::None)
}

const fn with_effect(name: &'static str, script: &'static str, effect: Effect) -> Action {
    Action { name, script, effect, on_controller: false }
}

/// The state folder of the agent, the folder of units and the file of the current document.
const CONTAINERS: &[Action] = &[
    action("docker stop", "docker stop -t 1 $C"),
    action("docker kill", "docker kill $C"),
    action("docker kill -s TERM", "docker kill -s TERM $C"),
    action("kill its process", "kill -9 $(docker inspect -f '{{.State.Pid}}' $C)"),
    action(
        "docker restart",
        "[ $(docker inspect -f '{{.State.Running}}' $C) = true ] && docker restart -t 1 $C",
    ),
    action(
        "its process is frozen",
        "p=$(docker inspect -f '{{.State.Pid}}' $C) && [ $p -gt 0 ] && kill -STOP $p",
    ),
    action(
        "its process goes on",
        "p=$(docker inspect -f '{{.State.Pid}}' $C) && [ $p -gt 0 ] && kill -CONT $p",
    ),
    action("docker pause", "docker pause $C"),
    action("docker unpause", "docker unpause $C"),
    action("docker rename, to another name", "docker rename $C was-$C-$X"),
    action("docker rename, to -prev", "docker rename $C $C-prev"),
    action(
        "docker rename, two swapped",
        "docker rename $C s-$X && docker rename $O $C; docker rename s-$X $O",
    ),
    action("docker update --restart=always", "docker update --restart=always $C"),
    action("docker update --memory", "docker update --memory 64m --memory-swap 64m $C"),
    action("docker rm -f", "docker rm -f $C"),
    action("docker rmi -f", "docker rmi -f $(docker inspect -f '{{.Image}}' $C)"),
    with_effect("docker container prune", "docker container prune -f", Effect::RemovesStopped),
    action("docker image prune", "docker image prune -af"),
    with_effect("docker system prune -af", "docker system prune -af", Effect::RemovesStopped),
];

/// These make containers that are not ours.
const COPIES: &[Action] = &[
    with_effect(
        "docker commit and run",
        "docker commit $C copy:$X >/dev/null && \
         docker run -d --network host --entrypoint sleep copy:$X 1d",
        Effect::MakesForeign,
    ),
    with_effect(
        "docker run of its image",
        "docker run -d --entrypoint sleep $(docker inspect -f '{{.Image}}' $C) 1d",
        Effect::MakesForeign,
    ),
    with_effect(
        "a copy takes the name",
        "docker commit $C copy:$X >/dev/null && docker rename $C mine-$X && \
         docker run -d --name $C --entrypoint sleep copy:$X 1d",
        Effect::MakesForeign,
    ),
    with_effect(
        "a copy takes the name of the previous one",
        "docker commit $C copy:$X >/dev/null && \
         docker run -d --name $C-prev --entrypoint sleep copy:$X 1d",
        Effect::MakesForeign,
    ),
    with_effect("docker rm -f of a copy with the name", "docker rm -f $C", Effect::RemovesForeign),
];

/// What people do to every unit.
const UNITS: &[Action] = &[
    with_effect("systemctl stop", "systemctl stop $U", Effect::Stops),
    with_effect("systemctl stop", "systemctl stop $U", Effect::Stops),
    with_effect("systemctl start", "systemctl start --no-block $U", Effect::Starts),
    with_effect("systemctl restart", "systemctl restart --no-block $U", Effect::Starts),
    action("systemctl kill -s KILL", "systemctl kill -s KILL $U"),
    action("systemctl kill -s TERM", "systemctl kill -s TERM $U"),
    action("systemctl disable", "systemctl disable $U"),
    with_effect("systemctl disable --now", "systemctl disable --now $U", Effect::Stops),
    action("systemctl reset-failed", "systemctl reset-failed $U"),
    with_effect("systemctl mask --runtime", "systemctl mask --runtime $U", Effect::ForgetsStop),
    with_effect("systemctl unmask", "systemctl unmask $U", Effect::ForgetsStop),
    action(
        "a drop-in is added",
        "mkdir -p /etc/systemd/system/$U.d && \
         printf '[Service]\\nRestartSec=7s\\n' > /etc/systemd/system/$U.d/99-hand.conf && \
         systemctl daemon-reload",
    ),
];

/// What people do to the file of a unit of ours.
const UNIT_FILES: &[Action] = &[
    with_effect(
        "the unit is masked",
        "cd /etc/systemd/system && rm -f $U && ln -s /dev/null $U && systemctl daemon-reload",
        Effect::ForgetsStop,
    ),
    action(
        "the unit file is edited",
        "sed -i 's/^RestartSec=.*/RestartSec=9s/' /etc/systemd/system/$U && systemctl daemon-reload",
    ),
    action(
        "the unit file is edited without a reload",
        "echo 'Environment=BY_HAND=1' >> /etc/systemd/system/$U",
    ),
    action(
        "the program in the unit file is replaced",
        "sed -i 's:^ExecStart=.*:ExecStart=/bin/false:' /etc/systemd/system/$U && \
         systemctl daemon-reload",
    ),
    with_effect(
        "the unit file is removed",
        "rm -f /etc/systemd/system/$U && systemctl daemon-reload",
        Effect::ForgetsStop,
    ),
];

/// What people do to the unit of a package and to our drop-in for it.
const PACKAGED_UNITS: &[Action] = &[
    with_effect("systemctl mask", "systemctl mask $U", Effect::ForgetsStop),
    action(
        "our drop-in is edited",
        "echo 'Environment=BY_HAND=1' >> /etc/systemd/system/$U.d/50-oml.conf",
    ),
    action(
        "our drop-in is removed",
        "rm -f /etc/systemd/system/$U.d/50-oml.conf && systemctl daemon-reload",
    ),
];

const FILES: &[Action] = &[
    action("the instance's folder is removed", "rm -rf /var/lib/omlagent/instances/$N"),
    action("the instance's folder is renamed", "cd /var/lib/omlagent/instances && mv $N $N-$X"),
    action(
        "the folder of instances is renamed",
        "cd /var/lib/omlagent && mv instances instances-$X",
    ),
    action(
        "a folder takes the place of the document",
        "cd /var/lib/omlagent/instances/$N && rm -f current.json && mkdir current.json",
    ),
    action(
        "the document cannot be read",
        "cd /var/lib/omlagent/instances/$N && head -c 4096 /dev/urandom > current.json",
    ),
    action("the document is cut", "echo '{' > /var/lib/omlagent/instances/$N/current.json"),
    action(
        "the document is edited",
        "sed -i 's/v1/v9/' /var/lib/omlagent/instances/$N/current.json",
    ),
    action("the record of changes is cut", "truncate -s 20 /var/lib/omlagent/updates.json"),
    action(
        "the cached records are removed",
        "rm -f /var/lib/omlagent/assignment.json /var/lib/omlagent/updates.json",
    ),
    action("the status file is removed", "rm -f /run/omlagent/status/$N.json"),
    action(
        "the other's document is copied",
        "cp /var/lib/omlagent/instances/${O#oml-}/current.json /var/lib/omlagent/instances/$N/; systemctl restart $U",
    ),
    action("the folder of status files is removed", "rm -rf /run/omlagent/status"),
    action(
        "the folder of status files is renamed",
        "mv /run/omlagent/status /run/omlagent/status-$X",
    ),
    action(
        "the disk of images is full",
        "mount -o remount,size=$(df -k --output=used /var/lib/docker | tail -1)k /var/lib/docker",
    ),
    action("the disk of images has room", "mount -o remount,size=4g /var/lib/docker"),
];

const DAEMONS: &[Action] = &[
    action("docker restarts", "systemctl reset-failed docker; systemctl restart docker"),
    action("docker is killed", "systemctl reset-failed docker; systemctl kill -s KILL docker"),
    action("docker is stopped", "systemctl stop docker.socket docker.service"),
    action("docker is started", "systemctl start docker.socket docker.service"),
    action("containerd restarts", "systemctl restart containerd"),
    action("the agent restarts", "systemctl restart omlagent"),
    action("the agent is killed", "systemctl kill -s KILL omlagent"),
    action("the agent is stopped", "systemctl stop omlagent"),
    action("the agent is started", "systemctl start omlagent"),
    action("dbus restarts", "systemctl restart dbus"),
    action("systemd is executed again", "systemctl daemon-reexec"),
    Action {
        name: "the controller restarts",
        script: "systemctl reset-failed omlcontroller; systemctl restart omlcontroller",
        effect: Effect::None,
        on_controller: true,
    },
];

/// The actions on components in containers, and those on the unit of a package.
const GROUPS: [&[Action]; 6] = [CONTAINERS, COPIES, UNITS, UNIT_FILES, FILES, DAEMONS];
const PACKAGED_GROUPS: [&[Action]; 4] = [UNITS, PACKAGED_UNITS, FILES, DAEMONS];

/// One action in a sequence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SequenceStep {
    pub(crate) action: Action,
    pub(crate) on: ComponentIndex,
    /// True if the host is left alone afterwards until it is as it should be.
    pub(crate) waits: bool,
}

impl std::fmt::Display for SequenceStep {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let component = COMPONENTS[self.on].name;
        let then = if self.waits { ", wait" } else { "" };
        write!(f, "{} ({component}){then}", self.action.name)
    }
}

/// The longest sequence.
const STEPS_MAX: u64 = 6;

/// Returns the sequence that follows from a seed.
pub(crate) fn sequence(seed: u64) -> Result<Vec<SequenceStep>> {
    let random = Random::seeded(seed);
    let below = |bound: u64| -> Result<u64> { Ok(u64::from_le_bytes(random.bytes()?) % bound) };
    let pick = |len: usize| -> Result<usize> { Ok(usize::try_from(below(len as u64)?)?) };
    (0..=below(STEPS_MAX)?)
        .map(|_| {
            let on = pick(COMPONENTS.len())?;
            let groups: &[&[Action]] =
                if on < CONTAINERS_COUNT { &GROUPS } else { &PACKAGED_GROUPS };
            let group = groups[pick(groups.len())?];
            let action = group[pick(group.len())?];
            Ok(SequenceStep { action, on, waits: below(3)? == 0 })
        })
        .collect()
}
