//! What actions by hand may leave on a host for the next sequence, and how it is removed.

use std::collections::BTreeSet;

use anyhow::{Result, ensure};
use oml_lab::Host;

/// What is on a host, one trace a line.
pub(crate) type Traces = BTreeSet<String>;

/// Prints everything that an action can change and the reset has to undo: how each unit is loaded and
/// enabled, its files, masks, drop-ins and limits; containers with their names and settings, and
/// images; our documents and folders; frozen processes and daemons that do not run; the size of the disk.
const SCRIPT: &str = "\
frozen() { case $(ps -o stat= -p $1 2>/dev/null) in T*) echo frozen;; *) echo runs;; esac; }
for u in oml-first.service oml-second.service prometheus-node-exporter.service; do
  for p in LoadState ActiveState UnitFileState FragmentPath DropInPaths CPUWeight MemoryMax Nice RestartUSec; do
    echo \"unit $u $p $(systemctl show -P $p $u)\"
  done
  echo \"unit $u process $(frozen $(systemctl show -P MainPID $u))\"
  for d in /etc/systemd/system /run/systemd/system /etc/systemd/system.control /run/systemd/system.control; do
    find $d/$u $d/$u.d -printf 'file %p %y %m %u %l\\n' 2>/dev/null
  done
done
for d in docker.service docker.socket containerd.service omlagent.service dbus.service; do
  echo \"daemon $d $(systemctl show -P ActiveState $d) $(frozen $(systemctl show -P MainPID $d))\"
done
for c in $(timeout 5 docker ps -aq); do
  timeout 5 docker inspect -f 'container {{.Name}} {{.State.Status}} {{.Image}} {{.HostConfig.Memory}}/{{.HostConfig.RestartPolicy.Name}}' $c
  echo \"process $(timeout 5 docker inspect -f '{{.Name}}' $c) $(frozen $(timeout 5 docker inspect -f '{{.State.Pid}}' $c))\"
done
timeout 5 docker images --format 'image {{.Repository}}:{{.Tag}}' copy
find /var/lib/omlagent -maxdepth 1 -name 'instances*' -printf 'folder %p\\n'
find /var/lib/omlagent/instances -mindepth 1 -maxdepth 1 -printf 'folder %p\\n'
find /var/lib/omlagent/instances -mindepth 2 -maxdepth 2 -name current.json -printf 'file %p %y %m %u\\n'
find /run/omlagent -maxdepth 1 -name 'status*' -printf 'folder %p\\n'
echo disk $(df -k --output=size /var/lib/docker | tail -1)
echo end";

/// Reads the traces of a host.
///
/// # Errors
/// The host did not print them to the end.
pub(crate) fn read(host: &Host) -> Result<Traces> {
    let text = host.exec(&["sh", "-c", SCRIPT])?.stdout;
    let traces: Traces = text.lines().map(|line| line.trim_end().to_owned()).collect();
    ensure!(traces.contains("end"), "the traces are not whole: {text}");
    Ok(traces)
}

/// Returns what was not there before and what is missing, a line each.
pub(crate) fn left(before: &Traces, now: &Traces) -> Vec<String> {
    let left = now.difference(before).map(|trace| format!("left: {trace}"));
    let missing = before.difference(now).map(|trace| format!("missing: {trace}"));
    left.chain(missing).collect()
}

/// Undoes everything that an action does and that no agent undoes. Containers go whose name is not that of a
/// component, or whose settings are not `$WANTED`, and the agent makes them again. The modes are those with
/// which the agent writes.
pub(crate) const RESTORE: &str = "\
systemctl kill -s CONT docker containerd omlagent oml-first oml-second prometheus-node-exporter
mount -o remount,size=4g /var/lib/docker
systemctl reset-failed
for u in oml-first.service oml-second.service prometheus-node-exporter.service; do
  [ ! -L /etc/systemd/system/$u ] || rm -f /etc/systemd/system/$u
  systemctl unmask $u
  systemctl unmask --runtime $u
  rm -rf /etc/systemd/system.control/$u.d /run/systemd/system.control/$u.d /run/systemd/system/$u.d
  find /etc/systemd/system/$u.d -type f ! -name 50-oml.conf -delete
  [ ! -e /etc/systemd/system/$u ] || { chown root: /etc/systemd/system/$u; chmod 644 /etc/systemd/system/$u; }
done
rm -f /etc/systemd/system/prometheus-node-exporter.service
rmdir /etc/systemd/system/oml-first.service.d /etc/systemd/system/oml-second.service.d
rm -rf /var/lib/omlagent/instances-* /var/lib/omlagent/instances/*-[0-9]* /run/omlagent/status-*
find /var/lib/omlagent/instances -name current.json \\( ! -user root -o -perm 000 -o -type d \\) -exec rm -rf {} +
systemctl daemon-reload
systemctl start docker.socket docker.service omlagent
for c in $(docker ps -a --format '{{.Names}}'); do
  case $c in oml-first|oml-second) ;; *) docker rm -f $c; continue;; esac
  case \" $FOREIGN \" in *\" $(docker inspect -f '{{.Id}}' $c) \"*) docker rm -f $c; continue;; esac
  docker unpause $c
  p=$(docker inspect -f '{{.State.Pid}}' $c) && [ $p -gt 0 ] && kill -CONT $p
  s=$(docker inspect -f '{{.HostConfig.Memory}}/{{.HostConfig.RestartPolicy.Name}}' $c)
  [ $s = $WANTED ] || docker rm -f $c
done
systemctl start --no-block oml-first oml-second prometheus-node-exporter
docker rmi -f $(docker images -q copy)
true";

/// Removes everything of ours that the agent can make again.
pub(crate) const INSTALL_AGAIN: &str = "\
systemctl stop omlagent oml-first oml-second
docker rm -f $(docker ps -aq)
rm -rf /etc/systemd/system/oml-* /var/lib/omlagent/instances /var/lib/omlagent/updates.json
systemctl daemon-reload
systemctl reset-failed
systemctl start docker.socket docker.service omlagent";
