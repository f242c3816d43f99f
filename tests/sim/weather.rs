//! Weather: what goes wrong with one call, drawn from the seed.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use evenkeel::model::operation::{Effect, operation};

use super::dice::Dice;
use super::happening::Who;

/// Whom a call goes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Target {
    Aws,
    Store,
}

/// What goes wrong with a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Strike {
    /// F1: refused as too fast.
    Throttled,
    /// F2: HTTP 500, nothing done.
    ErrorBefore,
    /// F3: HTTP 500, all done.
    ErrorAfter,
    /// F4: no answer, nothing done.
    LostBefore,
    /// F5: no answer, all done.
    LostAfter,
    /// F6: no answer, and the effect sets in later.
    Late,
    /// F7: delivered twice.
    Twice,
    /// F11: a page with nothing on it and no more to come.
    EmptyPage,
    /// F12: the credentials have expired.
    Expired,
    /// F13: not permitted.
    Denied,
    /// F25: a proxy's page, with status 200.
    Html,
    /// F25: nothing at all, with status 200.
    Nothing,
    /// F26: no connection.
    Refused,
    /// F26: the connection breaks after the effect.
    Reset,
    /// The connection stands still for ever.
    Hang,
    /// The answer takes seconds.
    Slow,
    /// The store: another transaction was at the same rows.
    Conflict,
}

/// All of them.
pub const STRIKES: [Strike; 17] = [
    Strike::Throttled,
    Strike::ErrorBefore,
    Strike::ErrorAfter,
    Strike::LostBefore,
    Strike::LostAfter,
    Strike::Late,
    Strike::Twice,
    Strike::EmptyPage,
    Strike::Expired,
    Strike::Denied,
    Strike::Html,
    Strike::Nothing,
    Strike::Refused,
    Strike::Reset,
    Strike::Hang,
    Strike::Slow,
    Strike::Conflict,
];

impl Strike {
    /// Whether it can happen to a call.
    pub fn strikes(self, target: Target, name: &str) -> bool {
        let reads = operation(name).is_some_and(|op| op.effect == Effect::Read)
            || [
                "dynamodb.GetItem",
                "dynamodb.Query",
                "dynamodb.BatchGetItem",
            ]
            .contains(&name);
        match self {
            // An effect that a reading does not have can neither come late nor twice.
            Strike::Late => !reads,
            // Twice is two revisions, whoever sent it.
            Strike::Twice => !reads && name != "ecs.RegisterTaskDefinition",
            // An answer that names each service that was asked for cannot leave one out unsaid.
            Strike::EmptyPage => name == "ecs.DescribeServices",
            Strike::Conflict => target == Target::Store && name == "dynamodb.TransactWriteItems",
            Strike::Denied | Strike::Expired => target == Target::Aws,
            _ => true,
        }
    }
}

/// What never gets better in a run: the rest has to come to rest all the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frozen {
    /// L4: every write to what has this in its name is denied.
    Denied(String),
    /// L5: of a thousand calls to AWS, so many are throttled.
    Throttled(u32),
}

/// The weather of a run.
#[derive(Debug)]
pub struct Weather {
    seed: u64,
    /// What can strike at all in this run.
    kinds: Vec<Strike>,
    /// In a thousand calls.
    per_mille: u32,
    /// Whether anything strikes now.
    pub rough: bool,
    /// What strikes all the time.
    pub frozen: Option<Frozen>,
    /// Nobody is reached there until this true time.
    pub away: BTreeMap<Target, Duration>,
    /// Strikes so far, left-out ones included.
    pub count: usize,
    pub left_out: BTreeSet<usize>,
    /// How often each struck, by target.
    pub struck: BTreeMap<(Strike, String), u64>,
}

impl Weather {
    /// Draws which faults this run has, and how many.
    pub fn draw(seed: u64, left_out: BTreeSet<usize>) -> Self {
        let mut dice = Dice::of(seed, "weather");
        let share = *dice.pick(&[0, 200, 400, 700]);
        let kinds = STRIKES.into_iter().filter(|_| dice.chance(share)).collect();
        Self {
            seed,
            kinds,
            per_mille: *dice.pick(&[10, 30, 80, 200]),
            rough: true,
            frozen: None,
            away: BTreeMap::new(),
            count: 0,
            left_out,
            struck: BTreeMap::new(),
        }
    }

    /// What strikes the `nth` call of a replica, if anything.
    pub fn strike(
        &mut self,
        who: Who,
        nth: usize,
        (target, name, objects): (Target, &str, &[String]),
        now: Duration,
    ) -> Option<Strike> {
        if let Some(strike) = self.standing(who, nth, (target, name, objects)) {
            return Some(strike);
        }
        if self.away.get(&target).is_some_and(|until| now < *until) {
            return Some(Strike::Refused);
        }
        if !self.rough {
            return None;
        }
        let mut dice = Dice::of(self.seed, ("strike", who.replica, who.life, nth));
        // Writes are few beside the readings, and worth more trouble.
        let writes = operation(name).is_some_and(|op| op.effect == Effect::Write);
        let often = if writes { 4 } else { 1 };
        if !dice.chance((self.per_mille * often).min(400)) {
            return None;
        }
        let fitting: Vec<Strike> = self
            .kinds
            .iter()
            .copied()
            .filter(|kind| kind.strikes(target, name))
            .collect();
        if fitting.is_empty() {
            return None;
        }
        let strike = *dice.pick(&fitting);
        let number = self.count;
        self.count += 1;
        if self.left_out.contains(&number) {
            return None;
        }
        *self.struck.entry((strike, name.to_owned())).or_default() += 1;
        Some(strike)
    }
}

impl Weather {
    fn standing(
        &self,
        who: Who,
        nth: usize,
        (target, name, objects): (Target, &str, &[String]),
    ) -> Option<Strike> {
        match self.frozen.as_ref()? {
            Frozen::Denied(what) => {
                let writes = operation(name).is_some_and(|op| op.effect == Effect::Write);
                let meant = objects.iter().any(|object| object.contains(what));
                (target == Target::Aws && writes && meant).then_some(Strike::Denied)
            }
            Frozen::Throttled(per_mille) => {
                let mut dice = Dice::of(self.seed, ("frozen", who.replica, who.life, nth));
                (target == Target::Aws && dice.chance(*per_mille)).then_some(Strike::Throttled)
            }
        }
    }
}

/// How long a request and its answer are on their way.
pub fn ways(seed: u64, who: Who, nth: usize, target: Target) -> (Duration, Duration) {
    let mut dice = Dice::of(seed, ("way", who.replica, who.life, nth));
    let most = match target {
        Target::Aws => 60,
        Target::Store => 12,
    };
    let mut way = || Duration::from_millis(dice.between(1..most));
    (way(), way())
}

/// How late a late effect comes: mostly within the call's own timeout, now and then far outside.
pub fn lateness(seed: u64, who: Who, nth: usize) -> Duration {
    let mut dice = Dice::of(seed, ("late", who.replica, who.life, nth));
    let most = if dice.chance(200) { 120_000 } else { 9_000 };
    Duration::from_millis(dice.between(1..most))
}
