//! The driver: nudges, panics, failures.

use std::sync::atomic::AtomicU32;

use tokio::sync::mpsc;

use super::*;
use crate::ops::OpsError;

/// Panics at its first pass, fails at its second, and reports every pass.
struct Failing {
    presence: watch::Receiver<u64>,
    passes: AtomicU32,
    passed: mpsc::UnboundedSender<Trigger>,
}

#[async_trait]
impl Task for Failing {
    fn name(&self) -> &'static str {
        "failing"
    }

    fn nudges(&self) -> Nudges {
        Nudges { stored: Vec::new(), presence: Some(self.presence.clone()) }
    }

    async fn pass(&self, trigger: Trigger) -> ops::Result<Passed> {
        self.passed.send(trigger).unwrap();
        match self.passes.fetch_add(1, Ordering::SeqCst) {
            0 => panic!("the first pass"),
            1 => Err(OpsError::Busy),
            _ => Ok(Passed::default()),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_pass_that_panics_or_fails_is_counted_and_tried_again() {
    let (nudge, presence) = watch::channel(0);
    let (passed, mut passes) = mpsc::unbounded_channel();
    let task = Failing { presence, passes: AtomicU32::new(0), passed };
    let counters = Arc::new(TaskCounters::default());
    let driven = tokio::spawn(drive(Arc::new(task), Arc::clone(&counters)));
    for _ in 0..3 {
        assert_eq!(passes.recv().await, Some(Trigger::Resync));
    }
    nudge.send_replace(1);
    assert_eq!(passes.recv().await, Some(Trigger::Change));
    assert_eq!(counters.read(), TaskStats { passes: 4, failures: 1, panics: 1 });
    // Without any nudge it looks again all the same.
    assert_eq!(passes.recv().await, Some(Trigger::Resync));
    driven.abort();
}

/// Always has a tenant that failed, to be tried again a second later.
struct WithOneFailing {
    passed: mpsc::UnboundedSender<(Trigger, Duration)>,
    start: Instant,
}

#[async_trait]
impl Task for WithOneFailing {
    fn name(&self) -> &'static str {
        "with-one-failing"
    }

    fn nudges(&self) -> Nudges {
        Nudges::default()
    }

    async fn pass(&self, trigger: Trigger) -> ops::Result<Passed> {
        self.passed.send((trigger, self.start.elapsed())).unwrap();
        let retry_at = Some(Instant::now() + Duration::from_secs(20));
        Ok(Passed { failures: 1, panics: 0, retry_at })
    }
}

#[tokio::test(start_paused = true)]
async fn what_failed_is_tried_again_in_time_and_does_not_put_off_the_look_at_everything() {
    let (passed, mut passes) = mpsc::unbounded_channel();
    let counters = Arc::new(TaskCounters::default());
    let task = Arc::new(WithOneFailing { passed, start: Instant::now() });
    let driven = tokio::spawn(drive(task, Arc::clone(&counters)));
    let mut seen = Vec::new();
    while seen.len() < 4 {
        let (trigger, after) = passes.recv().await.unwrap();
        seen.push((trigger, after.as_secs()));
    }
    use Trigger::{Resync, Retry};
    assert_eq!(seen, [(Resync, 0), (Retry, 20), (Resync, 30), (Retry, 50)]);
    assert_eq!(counters.read(), TaskStats { passes: 4, failures: 4, panics: 0 });
    driven.abort();
}
