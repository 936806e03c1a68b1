//! Reports survive being written and read.

use proptest::prelude::*;

use super::*;

fn phase() -> impl Strategy<Value = Phase> {
    let at = || any::<u64>().prop_map(Timestamp);
    prop_oneof![
        Just(Phase::Pending),
        any::<(u64, u64)>()
            .prop_map(|(bytes_done, bytes_total)| Phase::Pulling { bytes_done, bytes_total }),
        Just(Phase::Preparing),
        at().prop_map(|deadline| Phase::Draining { deadline }),
        Just(Phase::Starting),
        at().prop_map(|until| Phase::Soaking { until }),
        Just(Phase::Ready),
        Just(Phase::Unhealthy),
        at().prop_map(|since| Phase::StoppedByHand { since }),
        Just(Phase::RolledBack),
        Just(Phase::Failed),
        Just(Phase::Blocked),
        Just(Phase::Removing),
        Just(Phase::Unknown),
    ]
}

fn hash() -> impl Strategy<Value = ContentHash> {
    any::<u64>().prop_map(|seed| ContentHash::of(&seed.to_be_bytes()))
}

fn version() -> impl Strategy<Value = Option<Version>> {
    proptest::option::of("[a-zA-Z0-9_][a-zA-Z0-9._-]{0,20}".prop_map(|v| v.parse().unwrap()))
}

fn failure() -> impl Strategy<Value = Failure> {
    let tail = proptest::collection::vec(".{0,40}", 0..4);
    (hash(), version(), any::<u64>(), ".{0,60}", any::<Option<i64>>(), tail).prop_map(
        |(hash, version, at, message, exit_code, log_tail)| Failure {
            hash,
            version,
            at: Timestamp(at),
            message,
            exit_code,
            log_tail,
        },
    )
}

fn instance() -> impl Strategy<Value = InstanceReport> {
    let health = prop_oneof![
        Just(Health::Unknown),
        Just(Health::Starting),
        Just(Health::Healthy),
        Just(Health::Unhealthy),
    ];
    let drift =
        (any::<u64>(), ".{0,40}").prop_map(|(at, found)| Drift { at: Timestamp(at), found });
    let what = (phase(), ".{0,40}", version(), proptest::option::of(hash()), health);
    let numbers = any::<(Option<u64>, Option<u64>, u32, Option<u64>, Option<u64>)>();
    let wrong = (proptest::option::of(failure()), proptest::option::of(drift));
    (what, numbers, wrong).prop_map(|(what, numbers, (failure, drift))| {
        let (phase, reason, version, hash, health) = what;
        let (checked_at, started_at, restarts, active, calls_cut) = numbers;
        InstanceReport {
            phase,
            reason,
            reason_key: String::new(),
            version,
            digest: hash.as_ref().map(|hash| format!("sha256:{hash}").parse().unwrap()),
            hash,
            health,
            checked_at: checked_at.map(Timestamp),
            started_at: started_at.map(Timestamp),
            restarts,
            active,
            calls_cut,
            failure,
            drift,
            last_exit: None,
            update_runs: Vec::new(),
        }
    })
}

fn report() -> impl Strategy<Value = Report> {
    let name = "[a-z][a-z0-9]{0,10}".prop_map(|name| name.parse().unwrap());
    let instances = proptest::collection::btree_map(name, instance(), 0..4);
    let texts = (".{0,20}", proptest::collection::vec(".{0,40}", 0..3));
    let numbers = any::<(Option<(u64, u64)>, u64, u64, u32, u64, u64)>();
    (instances, texts, numbers).prop_map(|(instances, (agent_version, errors), numbers)| {
        let (applied, revision, at, cpu_permille, memory, disk) = numbers;
        Report {
            applied: applied.map(|(epoch, number)| Generation { epoch, number }),
            revision: RevisionNumber(revision),
            at: Timestamp(at),
            agent_version,
            errors,
            instances,
            host: HostUsage {
                cpu_permille,
                memory_used_bytes: memory,
                memory_total_bytes: memory,
                disk_used_bytes: disk,
                disk_total_bytes: disk,
                cpu_unknown: revision % 2 == 1,
            },
        }
    })
}

proptest! {
    #[test]
    fn a_report_survives_being_written_and_read(report in report()) {
        let text = serde_json::to_string(&report).unwrap();
        prop_assert_eq!(serde_json::from_str::<Report>(&text).unwrap(), report);
    }
}

#[test]
fn every_phase_that_is_converged_or_given_up_is_idle_and_no_phase_is_both() {
    let at = Timestamp(1);
    let idle: Vec<&str> = [
        Phase::Pending,
        Phase::Pulling { bytes_done: 0, bytes_total: 0 },
        Phase::Preparing,
        Phase::Draining { deadline: at },
        Phase::Starting,
        Phase::Soaking { until: at },
        Phase::Ready,
        Phase::Unhealthy,
        Phase::StoppedByHand { since: at },
        Phase::RolledBack,
        Phase::Failed,
        Phase::Blocked,
        Phase::Removing,
        Phase::Unknown,
    ]
    .into_iter()
    .inspect(|phase| assert!(!(phase.is_converged() && phase.has_given_up())))
    .filter(|phase| phase.is_idle())
    .map(Phase::as_str)
    .collect();
    assert_eq!(idle, ["ready", "unhealthy", "stopped-by-hand", "rolled-back", "failed"]);
}
