//! Finds and kills processes of the lab. They are identified by an argument that only they have, never by the program's
//! name alone.

use std::fs;
use std::path::Path;
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::error::{LabError, Result};
use crate::wait::until;

const END_LIMIT: Duration = Duration::from_secs(20);

/// Returns the processes that were started as `program` with an argument that starts with `argument`. Zombies are not
/// included, because they have no arguments.
pub(crate) fn find_by_argument(program: &str, argument: &str) -> Result<Vec<u32>> {
    let entries = fs::read_dir("/proc").map_err(LabError::io("list", "/proc"))?;
    Ok(entries
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter(|pid| arguments_match(*pid, program, argument))
        .collect())
}

fn arguments_match(pid: u32, program: &str, argument: &str) -> bool {
    let Ok(line) = fs::read(format!("/proc/{pid}/cmdline")) else {
        return false;
    };
    let line = String::from_utf8_lossy(&line);
    let mut words = line.split('\0');
    let name = words.next().and_then(|first| Path::new(first).file_name()?.to_str());
    name == Some(program) && words.any(|word| word.starts_with(argument))
}

/// Returns true if the process is running. A zombie is not running.
pub(crate) fn is_alive(pid: u32) -> bool {
    fs::read_to_string(format!("/proc/{pid}/stat"))
        .is_ok_and(|stat| !stat.rsplit(')').next().unwrap_or("").starts_with(" Z"))
}

/// Returns the start time of a process in clock ticks since boot. It distinguishes a process from a later one with the
/// same id.
pub(crate) fn start_ticks(pid: u32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit(')').next()?.split(' ').nth(20)?.parse().ok()
}

/// Returns the process ids of a process's children.
pub(crate) fn children(pid: u32) -> Vec<u32> {
    fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"))
        .map(|list| list.split_whitespace().filter_map(|word| word.parse().ok()).collect())
        .unwrap_or_default()
}

/// Sends a signal to a process. It succeeds if the process does not exist.
pub(crate) fn signal(pid: u32, signal: Signal) -> Result<()> {
    let Ok(raw) = i32::try_from(pid) else {
        return Err(LabError::Invalid(format!("{pid} is not a process id")));
    };
    match kill(Pid::from_raw(raw), signal) {
        Ok(()) | Err(Errno::ESRCH) => Ok(()),
        Err(error) => Err(LabError::io("signal", format!("/proc/{pid}"))(error.into())),
    }
}

/// Kills the processes and waits until they have ended.
pub(crate) fn kill_all(pids: &[u32]) -> Result<()> {
    for pid in pids {
        signal(*pid, Signal::SIGKILL)?;
    }
    until("the end of killed processes", END_LIMIT, || {
        let left: Vec<_> = pids.iter().filter(|pid| is_alive(**pid)).collect();
        if left.is_empty() { Ok(()) } else { Err(format!("processes {left:?} are still running")) }
    })
}
