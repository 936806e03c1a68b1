//! Tests of the display during a change.

use std::io;
use std::sync::{Arc, Mutex};

use indicatif::{ProgressDrawTarget, TermLike};
use oml_proto::v1::{
    Change, Health, InstanceReport, NodeState, Phase, PhaseName, Report, Rollout, RolloutState,
};

use super::*;
use crate::clock::Clock;

const NOON_MS: u64 = 1_714_564_800_000;

/// A terminal of 80 columns that keeps the last picture.
#[derive(Debug, Clone, Default)]
struct Screen {
    drawing: Arc<Mutex<Vec<String>>>,
    drawn: Arc<Mutex<Vec<String>>>,
}

impl TermLike for Screen {
    fn width(&self) -> u16 {
        80
    }

    fn move_cursor_up(&self, _lines: usize) -> io::Result<()> {
        Ok(())
    }

    fn move_cursor_down(&self, _lines: usize) -> io::Result<()> {
        Ok(())
    }

    fn move_cursor_right(&self, _columns: usize) -> io::Result<()> {
        Ok(())
    }

    fn move_cursor_left(&self, _columns: usize) -> io::Result<()> {
        Ok(())
    }

    fn write_line(&self, text: &str) -> io::Result<()> {
        self.write_str(text)
    }

    fn write_str(&self, text: &str) -> io::Result<()> {
        if !text.trim().is_empty() {
            self.drawing.lock().unwrap().push(text.to_owned());
        }
        Ok(())
    }

    fn clear_line(&self) -> io::Result<()> {
        Ok(())
    }

    fn flush(&self) -> io::Result<()> {
        *self.drawn.lock().unwrap() = std::mem::take(&mut *self.drawing.lock().unwrap());
        Ok(())
    }
}

fn instance(phase: Phase, reason: &str) -> InstanceReport {
    InstanceReport {
        phase: Some(phase),
        reason: reason.into(),
        health: Health::Healthy.into(),
        ..InstanceReport::default()
    }
}

fn phase(name: PhaseName, at_ms: u64) -> Phase {
    Phase { name: name.into(), at_ms, ..Phase::default() }
}

fn node(name: &str, instances: &[(&str, InstanceReport)]) -> NodeStatus {
    let instances = instances.iter().map(|(name, state)| ((*name).to_owned(), state.clone()));
    let report = Report { at_ms: NOON_MS, instances: instances.collect(), ..Report::default() };
    NodeStatus {
        node: name.into(),
        state: NodeState::Connected.into(),
        last_seen_ms: NOON_MS,
        target: 8,
        report: Some(report),
        ..NodeStatus::default()
    }
}

fn tenant() -> TenantStatus {
    let pulling =
        Phase { bytes_done: 12 << 20, bytes_total: 40 << 20, ..phase(PhaseName::Pulling, 0) };
    let ready = instance(phase(PhaseName::Ready, 0), "");
    let draining = instance(phase(PhaseName::Draining, NOON_MS + 1_800_000), "12 calls are up");
    let soaking = instance(phase(PhaseName::Soaking, NOON_MS + 30_000), "");
    let starting = || instance(phase(PhaseName::Starting, 0), "");
    let away = NodeStatus {
        state: NodeState::Unreachable.into(),
        last_seen_ms: NOON_MS - 65_000,
        ..node("acme-spare", &[])
    };
    let app = [
        ("daphne", starting()),
        ("kamailio", soaking),
        ("nginx", starting()),
        ("omnileads", starting()),
    ];
    let nodes = vec![
        node("acme-data", &[("postgres", instance(pulling, "")), ("redis", ready.clone())]),
        node("acme-voice", &[("asterisk", draining), ("rtpengine", ready.clone())]),
        node("acme-app", &app),
        node("acme-new", &[("redis", ready)]),
        away,
    ];
    let rollout = Rollout {
        from: 7,
        to: 8,
        state: RolloutState::Progressing.into(),
        wave: 1,
        waves: 3,
        ..Rollout::default()
    };
    let rollout = Some(rollout);
    TenantStatus { tenant: "acme".into(), nodes, rollout, ..TenantStatus::default() }
}

#[test]
fn every_node_has_a_line_with_its_instances_in_change() {
    let screen = Screen::default();
    let target = ProgressDrawTarget::term_like(Box::new(screen.clone()));
    let change = Change {
        node: "acme-voice".into(),
        component: "asterisk".into(),
        to: "230215.01".into(),
        ..Change::default()
    };
    let labels = Labels::new(Clock::utc(), 8, &[change]);
    let mut live = ProgressBars::on(MultiProgress::with_draw_target(target), labels);
    live.show(NOON_MS, &tenant());
    let drawn = screen.drawn.lock().unwrap().clone();
    let (head, nodes) = drawn.split_first().unwrap();
    assert!(head.contains("acme revision 7 → 8: progressing (wave 2 of 3)"), "{head}");
    let nodes: Vec<&str> = nodes.iter().map(|line| line.trim_end()).collect();
    assert_eq!(
        nodes,
        [
            "    acme-data   postgres: pulling 12.0 of 40.0 MiB",
            "    acme-voice  asterisk 230215.01: draining until 12:30:00: 12 calls are up",
            "    acme-app    daphne: starting; kamailio: soaking until 12:00:30; nginx: start",
            "    acme-new    ready",
            "    acme-spare  unreachable, last seen 1m 5s ago",
        ]
    );
    live.finish();
    assert_eq!(screen.drawn.lock().unwrap().concat().trim(), "");
}
