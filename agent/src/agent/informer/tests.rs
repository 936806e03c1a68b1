use std::sync::Mutex;

use oml_daemon::env::Env;

use super::*;

/// A runtime that has nothing, and writes down when it was listed.
#[derive(Clone)]
struct Nothing {
    changes: watch::Sender<u64>,
    listed: Arc<Mutex<Vec<u128>>>,
    start: Instant,
}

#[async_trait]
impl ListSource for Nothing {
    type Listing = ();

    async fn list(&self, _desired: &[InstanceDocument]) -> Result<(), RuntimeError> {
        self.listed.lock().unwrap().push(self.start.elapsed().as_millis());
        Ok(())
    }

    fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }
}

async fn pass_time(ms: u64) {
    tokio::time::sleep(Duration::from_millis(ms)).await;
}

#[tokio::test(start_paused = true)]
async fn nudges_in_a_row_are_one_listing_and_a_question_of_the_loop_does_not_wait_for_it() {
    let source =
        Nothing { changes: watch::Sender::new(0), listed: Arc::default(), start: Instant::now() };
    let (changes, listed) = (source.changes.clone(), Arc::clone(&source.listed));
    let (questions, wanted) = watch::channel(Question::default());
    let (snapshots, answers) = watch::channel(Snapshot::default());
    let clock = Env::system().clock().clone();
    tokio::spawn(Informer { source, wanted, snapshots, clock }.run());
    pass_time(1_000).await;
    for _ in 0..10 {
        changes.send_modify(|number| *number += 1);
        pass_time(15).await;
    }
    pass_time(850).await;
    assert_eq!(*listed.lock().unwrap(), [0, 1_200]);
    changes.send_modify(|number| *number += 1);
    pass_time(10).await;
    questions.send_replace(Question { number: 1, ..Question::default() });
    pass_time(1).await;
    assert_eq!(answers.borrow().number, 1);
    pass_time(1_000).await;
    // The listing for the question also answered the nudge before it.
    assert_eq!(*listed.lock().unwrap(), [0, 1_200, 2_010]);
}
