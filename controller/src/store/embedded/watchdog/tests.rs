use std::sync::mpsc;
use std::time::Duration;

use super::Watchdog;

fn watchdog(limit_ms: u64) -> (Watchdog, mpsc::Receiver<&'static str>) {
    let (gave_up, reasons) = mpsc::channel();
    let limit = Duration::from_millis(limit_ms);
    let watchdog = Watchdog::start(limit, move |reason| gave_up.send(reason).unwrap());
    (watchdog.unwrap(), reasons)
}

#[test]
fn work_that_ends_in_time_has_no_effect() {
    let (watchdog, reasons) = watchdog(10_000);
    for n in 0..100 {
        assert_eq!(watchdog.run(|| n), n);
    }
    drop(watchdog);
    assert!(reasons.recv().is_err(), "the watchdog must end without giving up");
}

#[test]
fn work_that_hangs_makes_the_watchdog_give_up() {
    let (watchdog, reasons) = watchdog(10);
    let reason = watchdog.run(|| reasons.recv().unwrap());
    assert_eq!(reason, "a write hangs");
}

#[test]
fn a_worker_thread_that_ends_during_its_work_makes_the_watchdog_give_up() {
    let (watchdog, reasons) = watchdog(10_000);
    let worker =
        std::thread::spawn(move || watchdog.run(|| std::panic::resume_unwind(Box::new(()))));
    assert!(worker.join().is_err());
    assert_eq!(reasons.recv().unwrap(), "the writer thread ended during a write");
}
