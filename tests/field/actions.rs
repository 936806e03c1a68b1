//! Everything that people do to a host by hand, in groups of which each is drawn equally often.

use crate::action::{Action, Effect, action, with_effects};

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
    action(
        "its supervisor is frozen",
        "p=$(systemctl show -P MainPID $U) && [ $p -gt 0 ] && kill -STOP $p",
    ),
    action(
        "its supervisor goes on",
        "p=$(systemctl show -P MainPID $U) && [ $p -gt 0 ] && kill -CONT $p",
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
    action("docker update --restart=on-failure", "docker update --restart=on-failure:3 $C"),
    action("docker update --memory", "docker update --memory 64m --memory-swap 64m $C"),
    action("docker rm -f", "docker rm -f $C"),
    action("docker rmi -f", "docker rmi -f $(docker inspect -f '{{.Image}}' $C)"),
    with_effects("docker container prune", "docker container prune -f", &[Effect::RemovesStopped]),
    action("docker image prune", "docker image prune -af"),
    with_effects("docker system prune -af", "docker system prune -af", &[Effect::RemovesStopped]),
];

/// These make containers that are not ours.
const COPIES: &[Action] = &[
    with_effects(
        "docker commit and run",
        "docker commit $C copy:$X >/dev/null && \
         docker run -d --network host --entrypoint sleep copy:$X 1d",
        &[Effect::MakesForeign],
    ),
    with_effects(
        "docker run of its image",
        "docker run -d --entrypoint sleep $(docker inspect -f '{{.Image}}' $C) 1d",
        &[Effect::MakesForeign],
    ),
    with_effects(
        "a copy takes the name",
        "docker commit $C copy:$X >/dev/null && docker rename $C mine-$X && \
         docker run -d --name $C --entrypoint sleep copy:$X 1d",
        &[Effect::MakesForeign],
    ),
    with_effects(
        "a copy takes the name of the previous one",
        "docker commit $C copy:$X >/dev/null && \
         docker run -d --name $C-prev --entrypoint sleep copy:$X 1d",
        &[Effect::MakesForeign],
    ),
    with_effects(
        "docker rm -f of a copy with the name",
        "docker rm -f $C",
        &[Effect::RemovesForeign],
    ),
];

/// What people do to every unit.
const UNITS: &[Action] = &[
    with_effects("systemctl stop", "systemctl stop $U", &[Effect::Stops]),
    with_effects("systemctl stop", "systemctl stop $U", &[Effect::Stops]),
    with_effects("systemctl start", "systemctl start --no-block $U", &[Effect::Starts]),
    with_effects("systemctl restart", "systemctl restart --no-block $U", &[Effect::Starts]),
    action("systemctl kill -s KILL", "systemctl kill -s KILL $U"),
    action("systemctl kill -s TERM", "systemctl kill -s TERM $U"),
    action("systemctl disable", "systemctl disable $U"),
    with_effects("systemctl disable --now", "systemctl disable --now $U", &[Effect::Stops]),
    action("systemctl reset-failed", "systemctl reset-failed $U"),
    with_effects("systemctl mask --runtime", "systemctl mask --runtime $U", &[Effect::ForgetsStop]),
    with_effects("systemctl unmask", "systemctl unmask $U", &[Effect::ForgetsStop]),
    action(
        "a drop-in is added",
        "mkdir -p /etc/systemd/system/$U.d && \
         printf '[Service]\\nRestartSec=7s\\n' > /etc/systemd/system/$U.d/99-hand.conf && \
         systemctl daemon-reload",
    ),
    // `systemctl edit` itself needs a terminal.
    action(
        "systemctl edit",
        "mkdir -p /etc/systemd/system/$U.d && \
         printf '[Service]\\nNice=5\\n' > /etc/systemd/system/$U.d/override.conf && \
         systemctl daemon-reload",
    ),
    action("systemctl set-property", "systemctl set-property $U CPUWeight=50"),
];

/// What people do to the file of a unit of ours.
const UNIT_FILES: &[Action] = &[
    with_effects(
        "the unit is masked",
        "cd /etc/systemd/system && rm -f $U && ln -s /dev/null $U && systemctl daemon-reload",
        &[Effect::ForgetsStop],
    ),
    action(
        "the unit file is edited",
        "sed -i 's/^RestartSec=.*/RestartSec=9s/' /etc/systemd/system/$U && systemctl daemon-reload",
    ),
    action(
        "the unit file is edited without a reload",
        "echo 'Environment=BY_HAND=1' >> /etc/systemd/system/$U",
    ),
    with_effects(
        "the unit file is edited, and the unit restarted",
        "sed -i 's/^RestartSec=.*/RestartSec=8s/' /etc/systemd/system/$U && \
         systemctl daemon-reload && systemctl restart --no-block $U",
        &[Effect::Starts],
    ),
    action(
        "the unit file belongs to somebody else",
        "chown nobody /etc/systemd/system/$U && chmod 666 /etc/systemd/system/$U",
    ),
    action(
        "the program in the unit file is replaced",
        "sed -i 's:^ExecStart=.*:ExecStart=/bin/false:' /etc/systemd/system/$U && \
         systemctl daemon-reload",
    ),
    with_effects(
        "the unit file is removed",
        "rm -f /etc/systemd/system/$U && systemctl daemon-reload",
        &[Effect::ForgetsStop],
    ),
];

/// What people do to the unit of a package and to our drop-in for it.
const PACKAGED_UNITS: &[Action] = &[
    with_effects("systemctl mask", "systemctl mask $U", &[Effect::ForgetsStop]),
    action(
        "our drop-in is edited",
        "echo 'Environment=BY_HAND=1' >> /etc/systemd/system/$U.d/50-oml.conf",
    ),
    action(
        "our drop-in is removed",
        "rm -f /etc/systemd/system/$U.d/50-oml.conf && systemctl daemon-reload",
    ),
    // What `systemctl edit --full` makes; a mask in its place stays.
    action(
        "systemctl edit --full",
        "[ ! -e /etc/systemd/system/$U ] && \
         cp /lib/systemd/system/$U /etc/systemd/system/$U && \
         echo '# by hand' >> /etc/systemd/system/$U && systemctl daemon-reload",
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
    action("the document is removed", "rm -f /var/lib/omlagent/instances/$N/current.json"),
    action(
        "the document has no permissions",
        "chmod 000 /var/lib/omlagent/instances/$N/current.json",
    ),
    action(
        "the document belongs to somebody else",
        "chown nobody /var/lib/omlagent/instances/$N/current.json",
    ),
    action("the record of changes is cut", "truncate -s 20 /var/lib/omlagent/updates.json"),
    action(
        "the cached records are removed",
        "rm -f /var/lib/omlagent/assignment.json /var/lib/omlagent/updates.json",
    ),
    action("the status file is removed", "rm -f /run/omlagent/status/$N.json"),
    with_effects(
        "the other's document is copied",
        "cp /var/lib/omlagent/instances/${O#oml-}/current.json /var/lib/omlagent/instances/$N/; \
         systemctl restart --no-block $U",
        &[Effect::Starts],
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
    action(
        "docker is frozen",
        "p=$(systemctl show -P MainPID docker) && [ $p -gt 0 ] && kill -STOP $p",
    ),
    action(
        "docker goes on",
        "p=$(systemctl show -P MainPID docker) && [ $p -gt 0 ] && kill -CONT $p",
    ),
    action("containerd restarts", "systemctl restart containerd"),
    with_effects("the agent restarts", "systemctl restart omlagent", &[Effect::EndsAgent]),
    with_effects("the agent is killed", "systemctl kill -s KILL omlagent", &[Effect::EndsAgent]),
    with_effects("the agent is stopped", "systemctl stop omlagent", &[Effect::EndsAgent]),
    action("the agent is started", "systemctl start omlagent"),
    with_effects("dbus restarts", "systemctl restart dbus", &[Effect::EndsBus]),
    with_effects("systemd is executed again", "systemctl daemon-reexec", &[Effect::EndsBus]),
    Action {
        name: "the controller restarts",
        script: "systemctl reset-failed omlcontroller; systemctl restart omlcontroller",
        effects: &[],
        on_controller: true,
    },
];

/// The actions on components in containers.
pub(crate) const GROUPS: [&[Action]; 6] = [CONTAINERS, COPIES, UNITS, UNIT_FILES, FILES, DAEMONS];
/// The actions on the unit of a package.
pub(crate) const PACKAGED_GROUPS: [&[Action]; 4] = [UNITS, PACKAGED_UNITS, FILES, DAEMONS];

/// Returns every action, some of them twice.
pub(crate) fn all() -> impl Iterator<Item = &'static Action> {
    GROUPS.into_iter().chain(PACKAGED_GROUPS).flatten()
}
