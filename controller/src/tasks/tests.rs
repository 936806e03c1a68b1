//! The driver: nudges, panics, failures.

use std::sync::atomic::AtomicU32;

use tokio::sync::mpsc;

use super::*;
use crate::ops::OpsError;

/// Panics at its first pass, fails at its second, and tells of every pass.
struct Troubled {
    live: watch::Receiver<u64>,
    passes: AtomicU32,
    told: mpsc::UnboundedSender<Why>,
}

#[async_trait]
impl Task for Troubled {
    fn name(&self) -> &'static str {
        "troubled"
    }

    fn nudges(&self) -> Nudges {
        Nudges { stored: Vec::new(), live: Some(self.live.clone()) }
    }

    async fn pass(&self, why: Why) -> ops::Result<()> {
        self.told.send(why).unwrap();
        match self.passes.fetch_add(1, Ordering::SeqCst) {
            0 => panic!("the first pass"),
            1 => Err(OpsError::Busy),
            _ => Ok(()),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_pass_that_panics_or_fails_is_counted_and_tried_again() {
    let (nudge, live) = watch::channel(0);
    let (told, mut passes) = mpsc::unbounded_channel();
    let task = Troubled { live, passes: AtomicU32::new(0), told };
    let count = Arc::new(Count::default());
    let driven = tokio::spawn(drive(Arc::new(task), Arc::clone(&count)));
    for _ in 0..3 {
        assert_eq!(passes.recv().await, Some(Why::Period));
    }
    nudge.send_replace(1);
    assert_eq!(passes.recv().await, Some(Why::Nudged));
    assert_eq!(count.read(), Fared { passes: 4, failures: 1, panics: 1 });
    // Without any nudge it looks again all the same.
    assert_eq!(passes.recv().await, Some(Why::Period));
    driven.abort();
}
