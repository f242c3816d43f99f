//! The lease model: every order in which three holders can take, use and lose the leases of two apps.
//!
//! The protocol of `src/store` and `src/engine` as a state machine that stateright explores whole:
//! coarse time, processes that stop and die, answers that are lost, writes that land late. What the
//! code decides by pure functions is asked of those functions (`rules.rs`). The same model with one
//! thing taken out must violate the entry of the specification that the thing is there for.
//!
//! Not in here: that conditions hold in the engine as they are written (`tests/store.rs` and the
//! oracles), the hash chain of the ledger, readings of AWS that lag. They are tested on the real code.

mod acquiring;
mod choices;
mod faults;
mod flaws;
mod rules;
mod steps;
mod world;

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};

use stateright::{Checker, HasDiscoveries, Model, Property};

use faults::Action;
pub use flaws::Event;
use flaws::{Flaw, Seen, Spec};
use rules::Rules;
use world::{APPS, EPOCHS, Faults, HOLDERS, Phase, World};

#[derive(Debug)]
pub struct LeaseModel {
    bounds: Bounds,
    flaw: Option<Flaw>,
    /// The violation that is looked for; without one, any.
    sought: Option<Spec>,
    rules: Rules,
    seen: Seen,
    /// Worlds in which nobody can go on and no time can help, though there are tokens left.
    stuck: AtomicU64,
}

/// How large a world is explored.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    pub holders: usize,
    pub apps: usize,
    pub faults: Faults,
    /// All on one machine, so that a holder that has ended is known to have ended.
    pub one_machine: bool,
}

impl LeaseModel {
    fn new(bounds: Bounds, flaw: Option<Flaw>, sought: Option<Spec>) -> Self {
        Self {
            bounds,
            flaw,
            sought,
            rules: Rules::of_the_code(),
            seen: Seen::default(),
            stuck: AtomicU64::new(0),
        }
    }
}

impl Model for LeaseModel {
    type State = World;
    type Action = Action;

    fn init_states(&self) -> Vec<World> {
        vec![World {
            left: self.bounds.faults,
            ..World::default()
        }]
    }

    fn actions(&self, world: &World, actions: &mut Vec<Action>) {
        // Nothing need be known of what comes after a violation.
        let ends = |spec| world.is_broken(spec);
        if self.sought.map_or(world.broken != 0, ends) {
            return;
        }
        self.choices(world, actions);
        let goes_on = actions.iter().any(|action| match action {
            Action::Tick => self.after(world, Action::Tick) != *world,
            action => !action.is_a_fault(),
        });
        let used_up = |app: &world::App| usize::from(app.row.token) == EPOCHS;
        if !goes_on && !world.apps[..self.bounds.apps].iter().all(used_up) {
            self.stuck.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn next_state(&self, world: &World, action: Action) -> Option<World> {
        Some(self.after(world, action))
    }

    fn properties(&self) -> Vec<Property<Self>> {
        macro_rules! always {
            ($($spec:ident),*) => {
                vec![$(Property::<Self>::always(
                    Spec::$spec.words(),
                    |_, world| !world.is_broken(Spec::$spec),
                )),*]
            };
        }
        let mut properties = always![
            S1, S2, S2Sends, S3, S4, S5, S6, S24, S24Outcome, S25, S26, L2, L3
        ];
        assert_eq!(properties.len(), Spec::ALL.len());
        properties.push(Property::<Self>::sometimes(
            "every token is used",
            |model, world| {
                let apps = &world.apps[..model.bounds.apps];
                apps.iter().all(|app| usize::from(app.row.token) == EPOCHS)
            },
        ));
        if self.bounds.apps == APPS {
            properties.push(Property::<Self>::sometimes(
                "S7 two that hold one app each wait for the other's",
                |_, world| {
                    let holds_and_waits = |first: usize| {
                        world.holders.iter().any(|holder| {
                            let watches =
                                matches!(holder.runs[1 - first].phase, Phase::Watching { .. });
                            holder.runs[first].is_under_lease() && watches
                        })
                    };
                    holds_and_waits(0) && holds_and_waits(1)
                },
            ));
        }
        properties
    }
}

/// What takes a fault to come to pass.
const FAULTY: [Event; 12] = [
    Event::SilentTakenOver,
    Event::EndedTakenOver,
    Event::LostGrantFoundOurs,
    Event::LostGrantFoundAnothers,
    Event::RenewalOfALostLeaseRefused,
    Event::IntentOfALostLeaseRefused,
    Event::ReplayedIntentMetAShutDoor,
    Event::DoorShut,
    Event::ResolvedNotApplied,
    Event::OutcomeCameLate,
    Event::LateEffect,
    Event::EffectAfterItWasGivenUp,
];

/// Explores the whole world within `bounds`; every entry must hold and every event must come to pass
/// but for those that these bounds leave no room for.
pub fn explore(name: &str, bounds: Bounds, impossible: &[Event]) -> usize {
    let model = LeaseModel::new(bounds, None, None);
    let checker = model.checker().threads(1).spawn_bfs().join();
    println!(
        "{name}: {} states, {} transitions, {} deep",
        checker.unique_state_count(),
        checker.state_count(),
        checker.max_depth(),
    );
    let counts = Event::ALL.map(|event| (event, checker.model().seen.count(event)));
    for (event, count) in counts {
        println!("{count:>12}  {event:?}");
    }
    checker.assert_properties();
    for (event, count) in counts {
        assert_eq!(count == 0, impossible.contains(&event), "{event:?}");
    }
    assert_eq!(checker.model().stuck.load(Ordering::Relaxed), 0, "stuck");
    checker.unique_state_count()
}

/// The flawed model must violate `spec`; the way there is printed.
fn must_violate(flaw: Flaw, spec: Spec, bounds: Bounds) {
    let name = spec.words();
    let model = LeaseModel::new(bounds, Some(flaw), Some(spec));
    let found = HasDiscoveries::AnyOf(BTreeSet::from([name]));
    let checker = model
        .checker()
        .threads(1)
        .finish_when(found)
        .spawn_bfs()
        .join();
    let states = checker.unique_state_count();
    let Some(path) = checker.discovery(name) else {
        panic!("{flaw:?} does not violate {name} in {states} states");
    };
    let actions = path.into_actions();
    println!(
        "{flaw:?} violates {name}: {} actions, {states} states",
        actions.len()
    );
    for action in actions {
        println!("    {action:?}");
    }
}

/// At most so many faults of each kind, and so many of all kinds together; at any place, in any order.
pub const fn faults(pauses: u8, crashes: u8, losses: u8, fences: u8, total: u8) -> Faults {
    Faults {
        pauses,
        crashes,
        losses,
        fences,
        total,
    }
}

const NONE: Faults = faults(0, 0, 0, 0, 0);
const ONE_OF_EACH: Faults = faults(1, 1, 1, 1, 4);

/// Three processes on machines of their own, one app.
pub const fn one_app(faults: Faults) -> Bounds {
    Bounds {
        holders: HOLDERS,
        apps: 1,
        faults,
        one_machine: false,
    }
}

pub const fn two_apps(faults: Faults) -> Bounds {
    Bounds {
        apps: APPS,
        ..one_app(faults)
    }
}

/// Three processes on one machine, where the death of one is seen.
const fn one_machine(faults: Faults) -> Bounds {
    Bounds {
        one_machine: true,
        ..one_app(faults)
    }
}

#[test]
fn three_holders_of_one_app_stay_apart_whatever_stops_dies_or_is_lost() {
    explore("one app", one_app(ONE_OF_EACH), &[Event::EndedTakenOver]);
}

#[test]
fn holders_on_one_machine_stay_apart_though_the_lease_of_a_dead_one_is_taken_at_once() {
    explore("one machine", one_machine(faults(1, 1, 1, 0, 3)), &[]);
}

#[test]
fn two_apps_are_worked_side_by_side_and_nobody_waits_for_ever() {
    explore("two apps", two_apps(NONE), &FAULTY);
}

/// One thing taken out, the entry that it is there for, and the world in which it is missed.
const FLAWS: &[(Flaw, Spec, Bounds)] = {
    let pause = one_app(faults(1, 0, 0, 0, 1));
    let crash = one_app(faults(0, 1, 0, 0, 1));
    let loss = one_app(faults(0, 0, 1, 0, 1));
    let fence = one_app(faults(0, 0, 0, 1, 1));
    let ended = one_machine(faults(0, 1, 0, 0, 1));
    &[
        (Flaw::NoFence, Spec::S3, pause),
        (Flaw::NoFence, Spec::S6, fence),
        (Flaw::TokenKept, Spec::S1, one_app(NONE)),
        (Flaw::EchoBelieved, Spec::S1, loss),
        (Flaw::GrantOverALivingHolder, Spec::S2, pause),
        (Flaw::BeliefFromTheAnswer, Spec::S2, pause),
        (Flaw::NoMargin, Spec::S4, pause),
        (Flaw::NoDoor, Spec::S2Sends, pause),
        (Flaw::NoDoor, Spec::S26, pause),
        (Flaw::ReleaseNotTerminal, Spec::S5, one_app(NONE)),
        (Flaw::UnansweredIntentBelieved, Spec::S24, loss),
        (Flaw::OutcomeUnconditional, Spec::S24Outcome, pause),
        (Flaw::OpenIntentsIgnored, Spec::S25, crash),
        (Flaw::ResolvedTooSoon, Spec::S26, ended),
        (Flaw::DateTrusted, Spec::S26, ended),
        (Flaw::QuietSpeaksForAll, Spec::S26, pause),
        (Flaw::UnknownIsFailure, Spec::S26, loss),
        (Flaw::NothingResolved, Spec::L2, crash),
        (Flaw::WatcherSleeps, Spec::L3, crash),
    ]
};

#[test]
fn with_any_one_thing_taken_out_the_model_violates_what_the_thing_is_for() {
    for (flaw, spec, bounds) in FLAWS {
        must_violate(*flaw, *spec, *bounds);
    }
    for spec in Spec::ALL {
        let seen = FLAWS.iter().any(|(_, of, _)| *of == spec);
        assert!(seen, "nothing taken out violates {}", spec.words());
    }
}
