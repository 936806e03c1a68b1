//! Compares the options of two containers.

use crate::document::instance::ContainerOptions;

/// Returns the options that differ, by their words in a catalog.
#[must_use]
pub(super) fn differing(old: &ContainerOptions, new: &ContainerOptions) -> Vec<&'static str> {
    // Every field is named, so that a new one does not compile before it has its word.
    let ContainerOptions {
        entrypoint,
        user,
        network,
        privileged,
        cap_add,
        cap_drop,
        devices,
        ulimits,
        cpu_rt_runtime_us,
        shm_bytes,
        tmpfs,
        sysctls,
        stop_signal,
        extra_hosts,
        log,
        files,
        reloaded,
    } = old;
    let compared = [
        ("entrypoint", *entrypoint == new.entrypoint),
        ("user", *user == new.user),
        ("network", *network == new.network),
        ("privileged", *privileged == new.privileged),
        ("cap_add", *cap_add == new.cap_add),
        ("cap_drop", *cap_drop == new.cap_drop),
        ("devices", *devices == new.devices),
        ("ulimits", *ulimits == new.ulimits),
        ("cpu_rt_runtime", *cpu_rt_runtime_us == new.cpu_rt_runtime_us),
        ("shm_size", *shm_bytes == new.shm_bytes),
        ("tmpfs", *tmpfs == new.tmpfs),
        ("sysctls", *sysctls == new.sysctls),
        ("stop_signal", *stop_signal == new.stop_signal),
        ("extra_hosts", *extra_hosts == new.extra_hosts),
        ("log", *log == new.log),
        ("files", *files == new.files),
        ("reload", *reloaded == new.reloaded),
    ];
    compared.into_iter().filter_map(|(word, is_same)| (!is_same).then_some(word)).collect()
}
