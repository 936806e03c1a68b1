//! Properties of every rollout, with any failure and with any change that supersedes it.

use proptest::prelude::*;

use super::*;
use crate::testing::node_facts;

const NODES: usize = 5;

/// Something that happens.
#[derive(Debug, Clone)]
enum Event {
    Decide,
    Assign,
    /// The node takes what it was given, and is at it.
    Take(usize),
    /// The node comes to the end of what it was given.
    Obey(usize),
    Away(usize),
    Back(usize),
    Removed(usize),
    /// An operator asks for one of [`specs`].
    Change(usize),
}

fn event() -> impl Strategy<Value = Event> {
    let node = || 1..=NODES;
    prop_oneof![
        10 => Just(Event::Decide),
        8 => Just(Event::Assign),
        4 => node().prop_map(Event::Take),
        12 => node().prop_map(Event::Obey),
        1 => node().prop_map(Event::Away),
        2 => node().prop_map(Event::Back),
        1 => (3..=NODES).prop_map(Event::Removed),
        2 => (0usize..7).prop_map(Event::Change),
    ]
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    proptest::collection::vec(event(), 1..120)
}

/// How many pointers one step moves: the real number, or so few that it matters.
fn moves_max() -> impl Strategy<Value = usize> {
    prop_oneof![2 => Just(MOVES_MAX), 1 => 1usize..4]
}

fn specs(max_parallel: u32) -> Vec<String> {
    let manner = format!("max_parallel: {max_parallel}, min_healthy_for");
    let spec = |db: &str, voice: &str| {
        SPEC.replace("min_healthy_for", &manner)
            .replace("db: \"1\"", &format!("db: \"{db}\""))
            .replace("voice: \"1\"", &format!("voice: {voice}"))
    };
    vec![
        spec("1", "\"1\""),
        spec("1", "\"2\""),
        spec("2", "\"bad\""),
        spec("bad", "\"2\""),
        spec("2", "{version: \"1\", nodes: [n2]}"),
        spec("1", "{version: \"bad\", nodes: [n2]}")
            .replace("exporter: {}", "exporter: {nodes: [n1]}"),
        spec("2", "\"bad\"").replace("min_healthy", "on_failure: pause, min_healthy"),
    ]
}

fn installed(max_parallel: u32, moves_max: usize) -> World {
    let mut world = World::install_on(node_facts(NODES), &specs(max_parallel)[0]);
    world.settle("");
    world.moves_max = moves_max;
    world
}

/// A tenant that all of this befell.
fn befallen(max_parallel: u32, moves_max: usize, events: &[Event]) -> World {
    let specs = specs(max_parallel);
    let mut world = installed(max_parallel, moves_max);
    for event in events {
        world.befall(event, &specs);
    }
    world
}

impl World {
    fn befall(&mut self, event: &Event, specs: &[String]) {
        let name = |number: &usize| format!("n{number}");
        match event {
            Event::Decide => {
                self.decide();
            }
            Event::Assign => self.assign(),
            Event::Take(node) if self.is_new(&name(node)) => self.take(&name(node)),
            Event::Obey(node) if self.hears(&name(node)) => self.obey(&name(node), "bad"),
            Event::Take(_) | Event::Obey(_) => {}
            Event::Away(node) => self.away.push(name(node).parse().unwrap()),
            Event::Back(node) => self.away.retain(|away| away.as_str() != name(node)),
            Event::Removed(node) => self.remove(&name(node)),
            Event::Change(spec) => self.change(&specs[*spec]),
        }
    }

    fn hears(&self, node: &str) -> bool {
        let node: NodeName = node.parse().unwrap();
        self.enrolled.contains_key(&node) && !self.away.contains(&node)
    }

    fn is_new(&self, node: &str) -> bool {
        let name: NodeName = node.parse().unwrap();
        let given = self.assignments.get(&name).map(|assignment| assignment.generation);
        self.hears(node) && given != self.reports.get(&name).and_then(|report| report.applied)
    }

    /// Not yet heard to have come to an end with what its pointer asks.
    fn on_the_way(&self) -> Vec<&str> {
        let at_it = |node: &&NodeName| {
            let plan = self.targets.get(*node).map(|target| &self.plans[&target.0]);
            let wanted = plan.and_then(|plan| plan.nodes.get(*node)).cloned().unwrap_or_default();
            let Some(given) = self.assignments.get(*node) else {
                return !wanted.instances.is_empty();
            };
            let ended = self.reports.get(*node).is_some_and(|report| {
                report.applied == Some(given.generation)
                    && report.instances.values().all(|instance| !is_at_it(instance.phase))
            });
            !ended || given.content.share.hash() != wanted.hash()
        };
        self.enrolled.keys().filter(at_it).map(AsRef::as_ref).collect()
    }

    /// Runs all that the revision wanted asks of it.
    fn runs_what_is_wanted(&self, node: &NodeName) -> bool {
        let wanted = self.plans[&self.rollout.to.0].nodes.get(node).cloned().unwrap_or_default();
        let given =
            self.assignments.get(node).map(|given| (given.generation, given.content.share.hash()));
        let report = self.reports.get(node);
        let runs = |report: &Report| {
            given.as_ref().is_some_and(|(generation, _)| report.applied == Some(*generation))
                && report.instances.values().all(|instance| instance.phase == Phase::Ready)
        };
        given.as_ref().is_some_and(|(_, hash)| *hash == wanted.hash()) && report.is_some_and(runs)
    }
}

fn is_at_it(phase: Phase) -> bool {
    matches!(phase, Phase::Starting | Phase::Removing)
}

/// The wave of every node that is moved forward in order, not turned round.
fn waves(rollout: &Rollout) -> BTreeMap<NodeName, usize> {
    let numbered = rollout.waves.iter().enumerate();
    let all =
        numbered.flat_map(|(number, wave)| wave.iter().map(move |node| (node.clone(), number)));
    all.filter(|(node, _)| !rollout.inherited.contains(node)).collect()
}

proptest! {
    #[test]
    fn never_more_nodes_are_on_the_way_than_allowed(
        max_parallel in 1u32..4, moves_max in moves_max(), events in events(),
    ) {
        let specs = specs(max_parallel);
        let mut world = installed(max_parallel, moves_max);
        for event in &events {
            world.befall(event, &specs);
            let on_the_way = world.on_the_way();
            prop_assert!(on_the_way.len() <= max_parallel as usize, "{event:?}: {on_the_way:?}");
        }
    }

    #[test]
    fn no_wave_starts_before_all_of_the_one_before_it_runs_what_is_wanted(
        max_parallel in 1u32..4, moves_max in moves_max(), events in events(),
    ) {
        let specs = specs(max_parallel);
        let mut world = installed(max_parallel, moves_max);
        let mut passed: BTreeSet<NodeName> = BTreeSet::new();
        for event in &events {
            let before = world.targets.clone();
            let is_there = |node: &&NodeName| world.rollout.moved.contains(*node) && world.runs_what_is_wanted(node);
            passed.extend(world.enrolled.keys().filter(is_there).cloned());
            world.befall(event, &specs);
            if matches!(event, Event::Change(_)) {
                passed.clear();
            }
            let rollout = &world.rollout;
            if !matches!(rollout.state, State::Progressing { .. }) {
                continue;
            }
            let waves = waves(rollout);
            for (node, wave) in &waves {
                if before.get(node) == world.targets.get(node) {
                    continue;
                }
                let earlier = waves.iter().filter(|(_, other)| *other < wave);
                let mut late = earlier.filter(|(other, _)| {
                    world.enrolled.contains_key(*other) && !passed.contains(*other)
                });
                prop_assert_eq!(late.next(), None, "{} was moved before", node);
            }
        }
    }

    #[test]
    fn a_way_back_from_anywhere_ends_where_everything_was_good(
        max_parallel in 1u32..4, moves_max in moves_max(), events in events(),
    ) {
        let mut world = befallen(max_parallel, moves_max, &events);
        world.change(&specs(max_parallel)[2]);
        world.away.clear();
        let good = world.rollout.from.unwrap();
        world.settle("bad");
        prop_assert_eq!(world.rollout.state.as_str(), "rolled-back", "{:?}", world.rollout);
        let plan = &world.plans[&good.0];
        let stable_target = |node: &NodeName| plan.nodes.get(node).map(|_| good);
        for node in world.enrolled.keys() {
            prop_assert_eq!(world.targets.get(node).copied(), stable_target(node), "{}", node);
        }
        // A node that was removed may have none, but none of a revision that failed.
        for (node, target) in &world.targets {
            prop_assert_eq!(Some(*target), stable_target(node), "{}", node);
        }
    }

    #[test]
    fn every_rollout_comes_to_an_end_once_its_nodes_obey(
        max_parallel in 1u32..4, moves_max in moves_max(), events in events(),
    ) {
        let mut world = befallen(max_parallel, moves_max, &events);
        world.away.clear();
        world.settle("bad");
        let last = world.pass();
        prop_assert!(world.rollout.is_ended(), "{last}: {:?}", world.rollout);
        if world.rollout.state == State::Completed {
            let to = &world.plans[&world.rollout.to.0];
            let expected: BTreeMap<NodeName, RevisionNumber> =
                to.nodes.keys().map(|node| (node.clone(), to.revision)).collect();
            prop_assert_eq!(&world.targets, &expected);
        }
    }
}

#[test]
fn a_node_that_was_assigned_nothing_takes_a_place_when_it_comes_back() {
    use Event::{Assign, Change, Decide, Obey};
    let on_voice = [Change(6), Decide, Assign, Obey(1), Decide];
    let empties_n3_and_fails = [Change(5), Decide, Assign, Obey(2), Obey(3), Decide];
    let mut world = befallen(2, MOVES_MAX, &[&on_voice[..], &empties_n3_and_fails].concat());
    assert_eq!(world.on_the_way(), ["n2", "n3"]);
    world.befall(&Change(0), &specs(2));
    world.befall(&Decide, &specs(2));
    assert_eq!(world.on_the_way(), ["n2", "n3"], "n1 was moved with them");
}
