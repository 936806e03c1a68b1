use std::sync::Mutex;

use oml_daemon::env::Env;

use super::*;

/// A runtime that has nothing, and writes down when it was listed.
#[derive(Clone)]
struct Nothing {
    changes: watch::Sender<u64>,
    listed: Arc<Mutex<Vec<u128>>>,
    start: Instant,
    unseen: usize,
}

impl Nothing {
    fn new(unseen: usize) -> Self {
        let (changes, start) = (watch::Sender::new(0), Instant::now());
        Self { changes, listed: Arc::default(), start, unseen }
    }
}

#[async_trait]
impl ListSource for Nothing {
    /// The number of objects that it did not tell about.
    type Listing = usize;

    async fn list(&self, _desired: &[InstanceDocument]) -> Result<usize, RuntimeError> {
        self.listed.lock().unwrap().push(self.start.elapsed().as_millis());
        Ok(self.unseen)
    }

    fn is_partial(listing: &usize) -> bool {
        *listing > 0
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
    let source = Nothing::new(0);
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

#[tokio::test(start_paused = true)]
async fn a_listing_that_lacks_something_is_soon_repeated() {
    for (unseen, expected) in [(0, &[0][..]), (1, &[0, 2_000, 4_000])] {
        let source = Nothing::new(unseen);
        let (_changes, listed) = (source.changes.clone(), Arc::clone(&source.listed));
        let (_questions, wanted) = watch::channel(Question::default());
        let (snapshots, _answers) = watch::channel(Snapshot::default());
        let clock = Env::system().clock().clone();
        tokio::spawn(Informer { source, wanted, snapshots, clock }.run());
        pass_time(5_000).await;
        assert_eq!(*listed.lock().unwrap(), expected);
    }
}
