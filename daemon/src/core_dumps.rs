//! Core dumps, which would have the secrets in a program's memory.

use nix::sys::prctl::set_dumpable;

/// Makes the kernel write no core dump of this process, and keeps other processes of its user out of
/// its memory (`PR_SET_DUMPABLE`, prctl(2)). The limits that it was started with do not matter.
///
/// # Errors
/// An error of the kernel, with which the process is as it was.
pub fn forbid() -> std::io::Result<()> {
    set_dumpable(false).map_err(std::io::Error::from)
}

#[cfg(test)]
mod tests {
    use nix::sys::prctl::get_dumpable;

    use super::*;

    #[test]
    fn a_process_that_forbids_core_dumps_has_none() {
        forbid().unwrap();
        assert!(!get_dumpable().unwrap());
    }
}
