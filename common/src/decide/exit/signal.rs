//! Which signals ask a program to end.

/// The signals by which most programs read their files again (signal(7)): their numbers, and their
/// names as an engine knows them without `SIG`.
const RELOADS: [(&str, &str); 4] = [("1", "HUP"), ("10", "USR1"), ("12", "USR2"), ("28", "WINCH")];

/// Returns true if a signal asks the program of a container to end, which is stopped by
/// `stop_signal`; none is that of the engine, `SIGTERM`. Each is a name or a number. A signal that the engine
/// does not name may be any.
#[must_use]
pub fn asks_for_end(signal: Option<&str>, stop_signal: Option<&str>) -> bool {
    match signal.and_then(reload) {
        Some(number) => stop_signal.and_then(reload) == Some(number),
        None => true,
    }
}

/// Returns the number of a signal by which most programs read their files again; none for any other.
fn reload(signal: &str) -> Option<&'static str> {
    let name = signal.trim().to_ascii_uppercase();
    let name = name.strip_prefix("SIG").unwrap_or(&name);
    let known = RELOADS.into_iter().find(|(number, known)| name == *number || name == *known);
    known.map(|(number, _)| number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signal_to_read_files_again_asks_for_no_end() {
        for signal in ["1", "10", "12", "28", "SIGHUP", "usr1"] {
            for stop_signal in [None, Some("SIGTERM"), Some("SIGQUIT"), Some("15")] {
                assert!(!asks_for_end(Some(signal), stop_signal), "{signal} {stop_signal:?}");
            }
        }
        for signal in [None, Some("9"), Some("15"), Some("SIGKILL"), Some("37")] {
            assert!(asks_for_end(signal, None), "{signal:?}");
        }
    }

    #[test]
    fn the_stop_signal_of_a_container_asks_for_its_end_however_it_is_written() {
        for (signal, stop_signal) in
            [("10", "SIGUSR1"), ("10", "USR1"), ("SIGUSR1", "10"), ("28", "sigwinch")]
        {
            assert!(asks_for_end(Some(signal), Some(stop_signal)), "{signal} {stop_signal}");
        }
        assert!(!asks_for_end(Some("1"), Some("SIGUSR1")));
    }
}
