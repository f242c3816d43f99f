//! The rules of leases: who may take one, when a holder counts as dead, until when a holder may believe.
//!
//! Pure: rows and clock readings are arguments, so that a test can try every order of events.
//! Nothing here compares wall clocks, and no clock of one machine is compared with another's.

use std::time::Duration;

use jiff::Timestamp;

use super::process::Process;

/// How long a lease runs after the last renewal was *sent*: long enough for two renewals to get
/// lost and a third to come through (it is renewed every third), short enough that nobody goes
/// for coffee when a holder has died.
pub const LEASE_DURATION: Duration = Duration::from_secs(30);

/// How often a watcher looks at a lease that somebody else holds.
pub const WATCH_INTERVAL: Duration = Duration::from_secs(2);

/// One app's lease row. It is never deleted, and its token only grows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeaseRow {
    /// The app.
    pub app: String,
    /// Who holds it, or held it last: `user@host/pid`, for people.
    pub holder: String,
    /// The fencing token: one more with every grant.
    pub token: u64,
    /// One more with every write of the row; its standing still is what a death looks like.
    pub version: u64,
    /// Whether anybody holds it.
    pub state: LeaseState,
    /// Since when it has been in this state, by the writer's wall clock; for people.
    pub since: Timestamp,
    /// When it was renewed last, by the holder's wall clock; for people.
    pub renewed: Timestamp,
    /// What makes this grant different from every other; tells an echo from a rival.
    pub grant: String,
    /// The process that holds it, where that may be asked after.
    pub process: Option<Process>,
    /// Why a person released it, when one did.
    pub reason: Option<String>,
    /// Who that person was: `user@host/pid`.
    pub released_by: Option<String>,
}

/// Whether a lease is held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LeaseState {
    /// Somebody holds it, alive or dead.
    Held,
    /// Nobody does.
    Released,
    /// The row cannot be read: why. `evenkeel lock release` mends it.
    Corrupt(String),
}

/// What a would-be holder does when somebody holds the lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Patience {
    /// It says so and goes.
    No,
    /// It watches for one lease duration whether the holder still lives.
    UntilDead,
}

/// A row as it was seen, and when: a boot clock reading taken *after* the answer came, so that the
/// row had stood so at that time or longer ago.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sighting {
    version: u64,
    token: u64,
    /// Token and version begin anew where the row was deleted and no chain tells what they were.
    grant: String,
    at: Duration,
}

impl Sighting {
    fn is_of(&self, row: &LeaseRow) -> bool {
        (self.version, self.token, &self.grant) == (row.version, row.token, &row.grant)
    }
}

/// What to do after a look at the row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Nobody holds it: take it, on condition that the row has not changed.
    Free,
    /// Its holder has been silent for a lease duration: take it, on the same condition.
    Dead,
    /// Its holder lives, or was not watched.
    Held,
    /// Look again after this long.
    Watch(Duration),
}

/// Judges the row as it was read at `now` (boot clock, after the answer came). `sighting` is this
/// watcher's own memory between looks and begins as `None`.
pub fn judge(
    row: Option<&LeaseRow>,
    sighting: &mut Option<Sighting>,
    now: Duration,
    patience: Patience,
) -> Verdict {
    let row = match row {
        Some(row) if row.state != LeaseState::Released => row,
        _ => return Verdict::Free,
    };
    if patience == Patience::No {
        return Verdict::Held;
    }
    match sighting {
        None => {
            *sighting = Some(Sighting {
                version: row.version,
                token: row.token,
                grant: row.grant.clone(),
                at: now,
            });
            Verdict::Watch(WATCH_INTERVAL)
        }
        Some(first) if !first.is_of(row) => Verdict::Held,
        Some(first) => {
            let left = LEASE_DURATION.saturating_sub(now.saturating_sub(first.at));
            if left.is_zero() {
                Verdict::Dead
            } else {
                Verdict::Watch(left.min(WATCH_INTERVAL))
            }
        }
    }
}

/// Until when a holder may believe, if its grant or renewal was sent at `sent` (boot clock, before
/// the call) and said to have happened.
pub fn deadline(sent: Duration) -> Duration {
    sent + LEASE_DURATION
}

/// When a holder renews, if its last renewal was sent at `sent`.
pub fn renewal_due(sent: Duration) -> Duration {
    sent + LEASE_DURATION / 3
}

/// The row after a grant to `holder`, over `row`.
pub fn granted(
    app: &str,
    row: Option<&LeaseRow>,
    holder: &str,
    grant: &str,
    now: Timestamp,
) -> LeaseRow {
    LeaseRow {
        app: app.to_owned(),
        holder: holder.to_owned(),
        token: row.map_or(0, |r| r.token) + 1,
        version: row.map_or(0, |r| r.version) + 1,
        state: LeaseState::Held,
        since: now,
        renewed: now,
        grant: grant.to_owned(),
        process: None,
        reason: None,
        released_by: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn row(token: u64, version: u64, state: LeaseState) -> LeaseRow {
        LeaseRow {
            token,
            version,
            state,
            ..granted("shop", None, "me@here/1", "g", Timestamp::UNIX_EPOCH)
        }
    }

    #[test]
    fn a_holder_that_moves_is_alive_and_one_that_stands_still_is_dead() {
        let mut sighting = None;
        let patience = Patience::UntilDead;
        let held = row(1, 5, LeaseState::Held);
        let at = Duration::from_secs;
        assert_eq!(
            judge(Some(&held), &mut sighting, at(100), patience),
            Verdict::Watch(WATCH_INTERVAL)
        );
        assert_eq!(
            judge(Some(&held), &mut sighting, at(129), patience),
            Verdict::Watch(at(1))
        );
        assert_eq!(
            judge(Some(&held), &mut sighting, at(130), patience),
            Verdict::Dead
        );
        let moved = row(1, 6, LeaseState::Held);
        assert_eq!(
            judge(Some(&moved), &mut sighting, at(130), patience),
            Verdict::Held
        );
        // Its row was deleted, and another was granted the lease with the same numbers.
        let anew = LeaseRow {
            grant: "another".into(),
            ..held
        };
        assert_eq!(
            judge(Some(&anew), &mut sighting, at(130), patience),
            Verdict::Held
        );
    }

    #[test]
    fn a_released_lease_is_taken_at_once_however_patient() {
        for patience in [Patience::No, Patience::UntilDead] {
            let released = row(1, 5, LeaseState::Released);
            assert_eq!(
                judge(Some(&released), &mut None, Duration::ZERO, patience),
                Verdict::Free
            );
            assert_eq!(
                judge(None, &mut None, Duration::ZERO, patience),
                Verdict::Free
            );
        }
    }

    /// One actor of the model: its own boot clock begins anywhere.
    #[derive(Clone, Debug, Default)]
    struct Actor {
        boot_at_zero: Duration,
        sighting: Option<Sighting>,
        read: Option<LeaseRow>,
        held: Option<(u64, Duration)>,
    }

    #[derive(Clone, Debug)]
    enum Event {
        /// The world goes on.
        Pass(u64),
        /// An actor reads the row; the answer takes so long.
        Look(usize, u64),
        /// An actor acts on what it read.
        Act(usize, u64),
        /// An actor renews; the call takes so long to get there.
        Renew(usize, u64),
        /// An actor gives its lease back.
        Release(usize),
        /// A person fences whoever holds it.
        Force,
    }

    fn event() -> impl Strategy<Value = Event> {
        let actor = 0..3usize;
        prop_oneof![
            3 => (0..20u64).prop_map(Event::Pass),
            4 => (actor.clone(), 0..6u64).prop_map(|(a, d)| Event::Look(a, d)),
            4 => (actor.clone(), 0..6u64).prop_map(|(a, d)| Event::Act(a, d)),
            2 => (actor.clone(), 0..6u64).prop_map(|(a, d)| Event::Renew(a, d)),
            1 => actor.prop_map(Event::Release),
            1 => Just(Event::Force),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        /// Whatever the order, the delays and the offsets of the clocks: tokens grow, and no two
        /// actors believe at one time, unless a person released the lease under the first.
        #[test]
        fn no_two_holders_believe_at_once_and_tokens_only_grow(
            offsets in proptest::array::uniform3(0..1_000_000u64),
            events in proptest::collection::vec(event(), 1..120),
        ) {
            let mut now = Duration::ZERO;
            let mut stored: Option<LeaseRow> = None;
            let mut highest = 0;
            let mut forced: Option<u64> = None;
            let mut actors: Vec<Actor> = offsets
                .iter()
                .map(|o| Actor { boot_at_zero: Duration::from_secs(*o), ..Actor::default() })
                .collect();
            for event in events {
                match event {
                    Event::Pass(s) => now += Duration::from_secs(s),
                    Event::Look(a, delay) => {
                        actors[a].read.clone_from(&stored);
                        now += Duration::from_secs(delay);
                    }
                    Event::Act(a, delay) => {
                        let actor = &mut actors[a];
                        let boot = actor.boot_at_zero + now;
                        let read = actor.read.clone();
                        let verdict =
                            judge(read.as_ref(), &mut actor.sighting, boot, Patience::UntilDead);
                        match verdict {
                            Verdict::Held => actor.sighting = None,
                            Verdict::Watch(_) => {}
                            Verdict::Free | Verdict::Dead => {
                                now += Duration::from_secs(delay);
                                actor.sighting = None;
                                if stored == read {
                                    let row = granted("shop", read.as_ref(), "x", "g", Timestamp::UNIX_EPOCH);
                                    prop_assert!(row.token > highest);
                                    highest = row.token;
                                    actor.held = Some((row.token, deadline(boot)));
                                    stored = Some(row);
                                }
                            }
                        }
                    }
                    Event::Renew(a, delay) => {
                        let sent = actors[a].boot_at_zero + now;
                        now += Duration::from_secs(delay);
                        if let (Some((token, _)), Some(row)) = (actors[a].held, stored.as_mut())
                            && row.token == token
                            && row.state == LeaseState::Held
                        {
                            row.version += 1;
                            actors[a].held = Some((token, deadline(sent)));
                        }
                    }
                    Event::Release(a) => {
                        if let (Some((token, _)), Some(row)) = (actors[a].held.take(), stored.as_mut())
                            && row.token == token
                        {
                            row.state = LeaseState::Released;
                            row.version += 1;
                        }
                    }
                    Event::Force => {
                        if let Some(row) = stored.as_mut() {
                            row.token += 1;
                            row.version += 1;
                            row.state = LeaseState::Released;
                            highest = row.token;
                            forced = Some(row.token);
                        }
                    }
                }
                let believers = actors
                    .iter()
                    .filter_map(|a| a.held.map(|(token, until)| (a, token, until)))
                    .filter(|(a, token, until)| {
                        a.boot_at_zero + now < *until && forced.is_none_or(|f| *token > f)
                    })
                    .count();
                prop_assert!(believers <= 1, "{believers} holders believe at {now:?}");
            }
        }
    }
}
