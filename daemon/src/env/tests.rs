//! The parts together.

use super::*;

#[test]
fn clones_make_one_row_of_ids() {
    let env =
        Env::new(Clock::of("one", || Timestamp(7), || 0), Random::seeded(1), Listen::given([]));
    let (first, second) = (env.uuid().unwrap(), env.clone().uuid().unwrap());
    assert!(first < second);
}

#[test]
fn the_process_has_a_time_and_makes_ids() {
    let env = Env::system();
    assert!(env.now() > Timestamp(1_700_000_000_000));
    assert_ne!(env.uuid().unwrap(), env.uuid().unwrap());
}

#[tokio::test]
async fn a_program_that_is_given_no_port_listens_nowhere() {
    let env = Simulated::new(1).env();
    assert!(env.listen("127.0.0.1:0".parse().unwrap()).await.is_err());
}
