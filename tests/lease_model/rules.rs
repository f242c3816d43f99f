//! The real rules in ticks: what the code decides at each age, asked of the code itself.

use std::time::Duration;

use evenkeel::aws::door::{CALL_TIMEOUT, LEASE_MARGIN, outlasts_a_write};
use evenkeel::engine::resolve::{CLOCKS_APART, still_to_wait};
use evenkeel::model::memory::OpenIntent;
use evenkeel::model::tree::Tree;
use evenkeel::store::watch::{self, LeaseRow, LeaseState, Patience, Verdict};
use jiff::Timestamp;

/// One tick. As short as the longest wait for AWS, and a divisor of every other bound; what is shorter
/// (a store call, a look at a lease) takes no time here, and comes in any order within the tick.
pub const TICK: Duration = CALL_TIMEOUT;

/// Ages that are asked about. No rule says anything new after half as many.
const ASKED: u8 = 16;

/// A rule that says no up to some age, and yes from then on.
#[derive(Clone, Copy, Debug)]
pub struct From(u8);

impl From {
    fn of(rule: impl Fn(Duration) -> bool) -> Self {
        let says: Vec<bool> = (0..ASKED).map(|age| rule(TICK * u32::from(age))).collect();
        let first = says.iter().position(|yes| *yes).unwrap_or(says.len());
        assert!(
            says[first..].iter().all(|yes| *yes) && first < usize::from(ASKED) / 2,
            "a rule that does not stay with its answer: {says:?}"
        );
        Self(first as u8)
    }

    /// The age from which it says yes.
    pub fn first(self) -> u8 {
        self.0
    }

    pub fn holds(self, age: u8) -> bool {
        age >= self.0
    }

    /// One tick later, no further than this rule can tell.
    pub fn grow(self, age: u8) -> u8 {
        (age + 1).min(self.0)
    }
}

#[derive(Clone, Debug)]
pub struct Rules {
    /// A row that stood still for so long belongs to a dead holder.
    pub dead: From,
    /// A holder no longer believes.
    pub disbelieves: From,
    /// A renewal is due.
    pub due: From,
    /// The door lets no write out any more.
    pub shut: From,
    /// The specification's own words for the same (S4).
    pub too_late: From,
    /// An intent of this age can be resolved, though its date makes it as old as it can.
    pub readable: From,
    /// An older lease's intent can be resolved after so long a quiet, though its date makes it young.
    pub quiet: From,
    /// A write has come, or comes no more, unless its sender stopped between the door and the wire.
    pub landed: From,
    /// The specification's bound for taking over a silent holder (L3), but for one poll.
    pub overdue: From,
    /// What the code does with a lease row that moved while it was watched.
    pub moved: Verdict,
    pub released: Verdict,
    pub first_look: Verdict,
}

/// By which wall clock an intent is dated. One that is ahead makes it younger than it is, which only
/// makes others wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Date {
    Right,
    FarBehind,
}

fn wait(token: u8, ours: u8, quiet: Duration, age: Duration) -> Duration {
    let now = Timestamp::from_second(NOW.as_secs() as i64).unwrap();
    let open = OpenIntent {
        id: String::new(),
        at: now - age,
        token: token.into(),
        operation: String::new(),
        step: Tree::Null,
        drift: Vec::new(),
        commit: None,
    };
    still_to_wait(&open, ours.into(), quiet, now)
}

/// The clock at age 0: later than any age.
const NOW: Duration = Duration::from_secs(1_000_000);

impl Rules {
    pub fn of_the_code() -> Self {
        let row = |version, state| LeaseRow {
            version,
            state,
            ..watch::granted("a", None, "h", "g", Timestamp::UNIX_EPOCH)
        };
        let look = |then: Option<&LeaseRow>, now: &LeaseRow, age| {
            let mut sighting = None;
            if let Some(then) = then {
                watch::judge(Some(then), &mut sighting, NOW - age, Patience::UntilDead);
            }
            watch::judge(Some(now), &mut sighting, NOW, Patience::UntilDead)
        };
        let held = row(1, LeaseState::Held);
        let moved = look(Some(&held), &row(2, LeaseState::Held), TICK);
        Self {
            dead: From::of(|age| look(Some(&held), &held, age) == Verdict::Dead),
            disbelieves: From::of(|age| watch::deadline(NOW - age) <= NOW),
            due: From::of(|age| watch::renewal_due(NOW - age) <= NOW),
            shut: From::of(|age| !outlasts_a_write(watch::deadline(NOW - age), NOW)),
            too_late: From::of(|age| {
                NOW + CALL_TIMEOUT + LEASE_MARGIN > watch::deadline(NOW - age)
            }),
            readable: From::of(|age| wait(1, 2, Duration::ZERO, age + CLOCKS_APART).is_zero()),
            quiet: From::of(|quiet| wait(1, 2, quiet, Duration::ZERO).is_zero()),
            landed: From::of(|age| age >= CALL_TIMEOUT),
            overdue: From::of(|age| age >= watch::LEASE_DURATION),
            moved,
            released: look(Some(&held), &row(2, LeaseState::Released), TICK),
            first_look: look(None, &held, TICK),
        }
    }

    /// How many ticks an intent of `token` is waited for by the holder of `ours`.
    pub fn wait(token: u8, ours: u8, quiet: u8, age: u8, date: Date) -> u8 {
        let seems = match date {
            Date::Right => TICK * u32::from(age),
            Date::FarBehind => TICK * u32::from(age) + CLOCKS_APART,
        };
        let wait = wait(token, ours, TICK * u32::from(quiet), seems);
        wait.as_nanos().div_ceil(TICK.as_nanos()) as u8
    }

    /// The token of a grant over a row that has this one.
    pub fn next_token(over: u8) -> u8 {
        let row = LeaseRow {
            token: u64::from(over),
            ..watch::granted("a", None, "h", "g", Timestamp::UNIX_EPOCH)
        };
        let over = (over > 0).then_some(&row);
        watch::granted("a", over, "h", "g", Timestamp::UNIX_EPOCH).token as u8
    }
}
