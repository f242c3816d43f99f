//! The specification that the model is held to, and the flaws that must each violate a part of it.

use std::sync::atomic::{AtomicU64, Ordering};

/// An entry of the list of invariants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spec {
    S1,
    S2,
    S2Sends,
    S3,
    S4,
    S5,
    S6,
    S24,
    S24Outcome,
    S25,
    S26,
    L2,
    L3,
}

impl Spec {
    pub const ALL: [Self; 13] = [
        Self::S1,
        Self::S2,
        Self::S2Sends,
        Self::S3,
        Self::S4,
        Self::S5,
        Self::S6,
        Self::S24,
        Self::S24Outcome,
        Self::S25,
        Self::S26,
        Self::L2,
        Self::L3,
    ];

    pub fn words(self) -> &'static str {
        match self {
            Self::S1 => "S1 tokens grow with every grant, and no two leases share one",
            Self::S2 => "S2 at most one holder believes, but for one that a person fenced off",
            Self::S2Sends => "S2 no two writes of an app are in the air within their bounds",
            Self::S3 => "S3 no intent is recorded with a token lower than the highest granted",
            Self::S4 => "S4 no write is sent unless its answer comes under the lease",
            Self::S5 => "S5 nothing succeeds with a token that was released",
            Self::S6 => "S6 a take-over meets at most one late effect",
            Self::S24 => "S24 every write that is sent has a recorded intent",
            Self::S24Outcome => "S24 an intent gets one outcome",
            Self::S25 => "S25 an object has one open intent",
            Self::S26 => "S26 an outcome is what became of the write",
            Self::L2 => "L2 who is ready to write has resolved what was open",
            Self::L3 => "L3 a silent holder's lease is taken within lease and one poll",
        }
    }
}

/// The protocol with one thing taken out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// An intent does not ask whether the lease is still ours.
    NoFence,
    /// A grant keeps the token.
    TokenKept,
    /// A grant asks for the token that was read and not for the version, so a renewal in between
    /// does not refuse it.
    GrantOverALivingHolder,
    /// A refused grant whose earlier answer was lost is taken for one's own, without reading.
    EchoBelieved,
    /// A holder counts its belief from the answer and not from before the call.
    BeliefFromTheAnswer,
    /// A renewal or intent does not ask whether the row is still held.
    ReleaseNotTerminal,
    /// The door asks only whether the lease still runs.
    NoMargin,
    /// The door does not look at the lease.
    NoDoor,
    /// An open intent is resolved at once.
    ResolvedTooSoon,
    /// An open intent is taken to be as old as its writer's wall clock says.
    DateTrusted,
    /// How long one's own lease has run is taken to say something of intents of a newer one, too.
    QuietSpeaksForAll,
    /// An unknown outcome is taken for a failure.
    UnknownIsFailure,
    /// Who takes a lease does not look for open intents.
    NothingResolved,
    /// The same, and an intent does not ask for there being none.
    OpenIntentsIgnored,
    /// An intent without an answer is taken for recorded.
    UnansweredIntentBelieved,
    /// A watcher waits to be told and does not look again.
    WatcherSleeps,
    /// An outcome does not ask whether the intent is still open.
    OutcomeUnconditional,
}

/// What must have come to pass for a run of the model to mean anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    SilentTakenOver,
    EndedTakenOver,
    LostGrantFoundOurs,
    LostGrantFoundAnothers,
    GrantOverAMovedRowRefused,
    RenewalOfALostLeaseRefused,
    StragglerRefused,
    IntentOfALostLeaseRefused,
    ReplayedIntentMetAShutDoor,
    DoorShut,
    ResolvedApplied,
    ResolvedNotApplied,
    OutcomeCameLate,
    LateEffect,
    EffectAfterItWasGivenUp,
}

impl Event {
    pub const ALL: [Self; 15] = [
        Self::SilentTakenOver,
        Self::EndedTakenOver,
        Self::LostGrantFoundOurs,
        Self::LostGrantFoundAnothers,
        Self::GrantOverAMovedRowRefused,
        Self::RenewalOfALostLeaseRefused,
        Self::StragglerRefused,
        Self::IntentOfALostLeaseRefused,
        Self::ReplayedIntentMetAShutDoor,
        Self::DoorShut,
        Self::ResolvedApplied,
        Self::ResolvedNotApplied,
        Self::OutcomeCameLate,
        Self::LateEffect,
        Self::EffectAfterItWasGivenUp,
    ];
}

/// How often each event came to pass, over all transitions.
#[derive(Debug, Default)]
pub struct Seen([AtomicU64; Event::ALL.len()]);

impl Seen {
    pub fn note(&self, event: Event) {
        self.0[event as usize].fetch_add(1, Ordering::Relaxed);
    }

    pub fn count(&self, event: Event) -> u64 {
        self.0[event as usize].load(Ordering::Relaxed)
    }
}
