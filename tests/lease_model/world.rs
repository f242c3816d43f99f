//! The modelled world: lease rows, writes and processes, with ages in place of times.
//!
//! Ages grow only as far as a rule tells them apart (see `rules.rs`), and neither processes nor apps
//! have names: states that differ in nothing else are one. So the world stays finite and small.

use super::flaws::Spec;

/// Most processes.
pub const HOLDERS: usize = 3;
/// Most apps.
pub const APPS: usize = 2;
/// Most epochs of an app: grants, and releases by a person, each with a token of its own.
pub const EPOCHS: usize = 3;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct World {
    pub apps: [App; APPS],
    pub holders: [Holder; HOLDERS],
    pub left: Faults,
    /// Entries of the specification that have been violated, a bit each.
    pub broken: u16,
}

/// How many faults of each kind may still come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Faults {
    /// A process stands still for as long as it likes, with a call under way or not.
    pub pauses: u8,
    /// A process dies; another with a fresh memory may begin in its place.
    pub crashes: u8,
    /// A request or its answer is lost.
    pub losses: u8,
    /// A person runs `evenkeel lock release`.
    pub fences: u8,
    /// Of all kinds together.
    pub total: u8,
}

impl Faults {
    /// One fault of the kind that `kind` picks has come.
    pub fn spend(&mut self, kind: impl Fn(&mut Self) -> &mut u8) {
        *kind(self) -= 1;
        self.total -= 1;
        if self.total == 0 {
            *self = Self::default();
        }
    }
}

/// What DynamoDB and AWS hold of one app. It has one object.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct App {
    pub row: Row,
    /// The write that each token has under way, if any. Those that are over are forgotten.
    pub writes: [Write; EPOCHS],
    /// A renewal of this token is in the air though its sender has gone on; 0 is none.
    pub straggler: u8,
    /// Tokens of which a write had its effect after a newer token was made, a bit each.
    pub late: u8,
}

/// The lease row. Who holds it is told by [`Run::granted`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Row {
    /// 0 before the first grant.
    pub token: u8,
    pub held: bool,
    /// Its process is known to have ended, where that may be asked after.
    pub ended: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Write {
    pub status: Status,
    /// Age of the intent, while it is open.
    pub age: u8,
    pub flight: Flight,
}

/// What the ledger says of a write.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Status {
    /// Nothing, or all that there was to say.
    #[default]
    None,
    Open,
    Applied,
    NotApplied,
}

/// Where the request of a write is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Flight {
    /// Not sent, or lost.
    #[default]
    None,
    /// Past the door, in a process that stopped right there.
    AtDoor,
    Air {
        age: u8,
        /// Its sender had stopped between the door and the wire, so nothing bounds its coming.
        stalled: bool,
    },
    /// It had its effect.
    Landed,
}

/// One process, at work on several apps side by side.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Holder {
    pub paused: bool,
    pub runs: [Run; APPS],
}

/// What a process does about one app.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Run {
    pub phase: Phase,
    /// The token of its lease; 0 is none.
    pub token: u8,
    /// Age of the newest renewal that it knows to have happened, by when it was sent.
    pub sent: u8,
    /// It has been told that the lease is gone.
    pub gone: bool,
    /// The row carries this run's grant. A fact, not what the process knows.
    pub granted: bool,
    /// A renewal got no answer; the next comes after a pause.
    pub tried: bool,
    /// A person took this lease away.
    pub fenced: bool,
    /// Age of a call whose answer came while the process stood still.
    pub answer: Option<u8>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Phase {
    #[default]
    Idle,
    /// Somebody holds the lease: for how long has its row stood still?
    Watching { age: u8 },
    /// About to put its grant over the row with token `over`.
    Granting {
        over: u8,
        /// The row is as it was read.
        fresh: bool,
        origin: Origin,
        /// Age of the first attempt without an answer.
        lost: Option<u8>,
    },
    /// Lets pass what the last holder may have sent. For so long nothing has been recorded under an
    /// older lease, by its own clock.
    Yielding { left: u8, quiet: u8 },
    /// About to read what is open.
    Reading { quiet: u8 },
    /// Resolves the open write of this token when so much more time has passed. The token is 0 when
    /// another has resolved that one meanwhile.
    Resolving { token: u8, left: u8 },
    /// Planned, and about to record an intent, or to give the lease back.
    Ready,
    /// The intent got no answer, and is sent again.
    Intending { lost: u8, recorded: bool },
    /// Has a permit whose intent was sent this long ago.
    Permitted { age: u8, recorded: bool },
    /// Awaits AWS's answer.
    Sent { age: u8 },
    /// Has an outcome to record.
    Settling { outcome: Known },
    /// Gives the lease back.
    Leaving,
}

/// How a lease was come by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Origin {
    Free,
    /// Its row had stood still.
    Silent,
    /// Its process was seen to have ended.
    Ended,
}

/// What a sender knows of its write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Known {
    Applied,
    /// The door let it not out.
    NotSent,
    Unknown,
}

impl World {
    pub fn violates(&mut self, spec: Spec) {
        self.broken |= 1 << spec as u16;
    }

    pub fn is_broken(&self, spec: Spec) -> bool {
        self.broken & 1 << spec as u16 != 0
    }

    /// The one world that stands for all that differ in the names of processes and apps only.
    pub fn canonical(mut self, holders: usize, apps: usize) -> Self {
        self.holders[..holders].sort_unstable();
        if apps < 2 {
            return self;
        }
        let mut other = self;
        other.apps.swap(0, 1);
        for holder in &mut other.holders {
            holder.runs.swap(0, 1);
        }
        other.holders[..holders].sort_unstable();
        self.min(other)
    }
}

impl App {
    pub fn write(&mut self, token: u8) -> &mut Write {
        &mut self.writes[usize::from(token) - 1]
    }

    /// The token whose intent is open, but for those of `but`.
    pub fn open(&self, but: u8) -> Option<u8> {
        (1..=EPOCHS as u8)
            .find(|t| *t != but && self.writes[usize::from(*t) - 1].status == Status::Open)
    }
}

impl Write {
    /// Forgets what can have no effect any more.
    pub fn tidy(&mut self) {
        let under_way = matches!(self.flight, Flight::AtDoor | Flight::Air { .. });
        if self.status != Status::Open {
            self.age = 0;
            if !under_way {
                *self = Self::default();
            }
        }
    }

    pub fn is_in_the_air(&self) -> bool {
        matches!(self.flight, Flight::Air { .. })
    }
}

impl Run {
    /// A run without a lease, in `phase`.
    pub fn at(phase: Phase) -> Self {
        Self {
            phase,
            ..Self::default()
        }
    }

    pub fn is_under_lease(&self) -> bool {
        self.token > 0
    }
}
