//! The order in which tests get a fleet. Those that take minutes go first, so that no fleet works long after the others.

/// The tests that take longest, the longest first. Most of them repeat something, or wait until a pause is over.
const LONGEST: &[&str] = &[
    crate::contract::NAME_ON_TRIXIE,
    "an_agent_killed_at_any_step_leaves_the_host_running",
    "the_old_version_is_kept_alive_while_the_pull_of_the_next_is_blocked",
    "a_stop_of_a_packaged_unit_is_respected_while_the_agent_is_away",
    "a_packaged_unit_that_dies_again_and_again_is_crash_looping",
    "a_login_that_stays_refused_ends_the_change_with_its_reason",
    "the_wordpress_example_installs_changes_and_refuses_as_its_chapter_says",
    "data_outlives_upgrades_and_a_version_that_cannot_read_it_is_refused",
    "a_faulty_registry_never_stops_the_old_version",
    "a_stop_after_the_supervisor_was_killed_28_times_is_respected",
    "a_stop_after_systemd_gave_up_on_the_supervisor_is_respected",
    "a_stop_while_systemd_waits_to_start_a_packaged_unit_is_respected",
    "a_tenant_runs_images_of_five_registries_with_three_logins",
    "the_certificate_of_a_tenant_is_served_and_renewed",
    "a_controller_killed_at_any_step_loses_nothing",
    "a_crash_loop_is_reported_by_status_and_explain",
    "a_packaged_unit_whose_start_is_skipped_is_started_once_its_condition_holds",
    "the_watchdog_restarts_a_hanging_agent_and_no_container",
];

/// Returns the place of a test among those that wait for a fleet: the lowest gets it first.
pub(crate) fn place(name: &str) -> usize {
    LONGEST.iter().position(|long| *long == name).unwrap_or(LONGEST.len())
}

/// Returns the names in the order above that are no test.
pub(crate) fn unknown(is_test: impl Fn(&str) -> bool) -> Vec<&'static str> {
    LONGEST.iter().copied().filter(|name| !is_test(name)).collect()
}
