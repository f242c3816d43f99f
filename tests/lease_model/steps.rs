//! What a process does by itself: one step of acquiring, renewing, writing, resolving or releasing.
//!
//! Each step is one call of the store or of AWS with the deciding before and after it. Steps mirror
//! `src/store/lease.rs`, `src/store/ledger.rs`, `src/engine/{app,object,resolve}.rs`.

use super::LeaseModel;
use super::flaws::{Event, Flaw, Spec};
use super::rules::{Date, Rules};
use super::world::{App, EPOCHS, Flight, Known, Phase, Run, Status, World};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    Look,
    Grant(Answer),
    Renew(Answer),
    ReadWhatIsOpen(Date),
    Intend(Answer),
    GiveUpIntending,
    Send,
    TimeOut,
    Settle(Answer),
    Resolve(Answer),
    Release(Answer),
    /// The work is over while a renewal is in the air, which is dropped there.
    ReleaseBesideARenewal,
}

/// What becomes of a request and its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    Came,
    /// The request was lost.
    LostBefore,
    /// It took effect, and its answer was lost.
    LostAfter,
}

/// One run at work: the world, and which process does what about which app.
pub struct Work<'m> {
    pub model: &'m LeaseModel,
    pub world: World,
    pub holder: usize,
    pub app: usize,
}

impl Work<'_> {
    pub fn run(&mut self) -> &mut Run {
        &mut self.world.holders[self.holder].runs[self.app]
    }

    pub fn app(&mut self) -> &mut App {
        &mut self.world.apps[self.app]
    }

    pub fn has(&self, flaw: Flaw) -> bool {
        self.model.flaw == Some(flaw)
    }

    pub fn to(&mut self, phase: Phase) {
        self.run().phase = phase;
    }

    pub fn take(&mut self, step: Step) {
        match step {
            Step::Look => self.look(),
            Step::Grant(answer) => self.grant(answer),
            Step::Renew(answer) => self.renew(answer),
            Step::ReadWhatIsOpen(date) => self.read_what_is_open(date),
            Step::Intend(answer) => self.intend(answer),
            Step::GiveUpIntending => self.to(Phase::Leaving),
            Step::Send => self.send(),
            Step::TimeOut => self.to(Phase::Settling {
                outcome: Known::Unknown,
            }),
            Step::Settle(answer) => self.settle(answer),
            Step::Resolve(answer) => self.resolve(answer),
            Step::Release(answer) => self.release(answer),
            Step::ReleaseBesideARenewal => {
                let token = self.run().token;
                self.release(Answer::Came);
                self.app().straggler = token;
            }
        }
    }

    fn is_still_ours(&mut self) -> bool {
        let row = self.app().row;
        let run = *self.run();
        self.model.still_ours(&row, &run)
    }

    /// Something succeeds under the lease.
    fn succeeds(&mut self) {
        if !self.app().row.held {
            self.world.violates(Spec::S5);
        }
        self.touch_row();
    }

    /// One beat of the heartbeat.
    pub fn renew(&mut self, answer: Answer) {
        let ours = self.is_still_ours();
        if answer != Answer::LostBefore && ours {
            self.succeeds();
        }
        match answer {
            Answer::Came if ours => self.run().sent = 0,
            Answer::Came => {
                self.model.seen.note(Event::RenewalOfALostLeaseRefused);
                self.run().gone = true;
            }
            _ => self.run().tried = true,
        }
    }

    fn read_what_is_open(&mut self, date: Date) {
        let Phase::Reading { quiet } = self.run().phase else {
            return;
        };
        let ours = self.run().token;
        let looks = !self.has(Flaw::NothingResolved) && !self.has(Flaw::OpenIntentsIgnored);
        let open = self.app().open(0).filter(|_| looks);
        let phase = match open {
            Some(token) => {
                let age = self.app().write(token).age;
                let left = match (self.model.flaw, date) {
                    (Some(Flaw::DateTrusted), Date::FarBehind) => 0,
                    // As if every open intent were of an older lease.
                    (Some(Flaw::QuietSpeaksForAll), _) => Rules::wait(0, ours, quiet, age, date),
                    _ => Rules::wait(token, ours, quiet, age, date),
                };
                Phase::Resolving { token, left }
            }
            None => Phase::Ready,
        };
        self.to(phase);
    }

    fn intend(&mut self, answer: Answer) {
        let token = self.run().token;
        let (lost, recorded) = match self.run().phase {
            Phase::Intending { lost, recorded } => (Some(lost), recorded),
            _ => (None, false),
        };
        if answer == Answer::LostBefore {
            let lost = lost.unwrap_or(0);
            return self.to(Phase::Intending { lost, recorded });
        }
        let believed = self.has(Flaw::UnansweredIntentBelieved) && lost.is_some();
        // DynamoDB answers a repeated client request token as it did the first time.
        let replayed = recorded || believed;
        if !replayed {
            if !self.is_still_ours() && !self.has(Flaw::NoFence) {
                self.model.seen.note(Event::IntentOfALostLeaseRefused);
                self.run().gone = true;
                return self.to(Phase::Leaving);
            }
            let other = self.app().open(token).is_some();
            if other && !self.has(Flaw::OpenIntentsIgnored) {
                return self.to(Phase::Leaving);
            }
            if token < self.app().row.token {
                self.world.violates(Spec::S3);
            }
            if other {
                self.world.violates(Spec::S25);
            }
            self.succeeds_as_intent(token);
        }
        let recorded = recorded || !believed;
        if answer == Answer::LostAfter {
            let lost = lost.unwrap_or(0);
            return self.to(Phase::Intending { lost, recorded });
        }
        // What the answer is the answer to was sent no later than the first attempt.
        let age = lost.unwrap_or(0);
        let run = self.run();
        run.sent = run.sent.min(age);
        run.phase = Phase::Permitted { age, recorded };
    }

    fn succeeds_as_intent(&mut self, token: u8) {
        let row = self.app().row;
        if token == row.token && !row.held {
            self.world.violates(Spec::S5);
        }
        self.touch_row();
        let write = self.app().write(token);
        write.status = Status::Open;
        write.flight = Flight::None;
        write.age = 0;
    }

    /// Whether the door lets the write out. What stops between here and the wire is `at_door`.
    pub fn send_to(&mut self, flight: Flight) -> bool {
        let Phase::Permitted { age, recorded } = self.run().phase else {
            return false;
        };
        let rules = &self.model.rules;
        if !self.model.door_opens(age) {
            return false;
        }
        if rules.too_late.holds(age) {
            self.world.violates(Spec::S4);
        }
        if !recorded {
            self.world.violates(Spec::S24);
        }
        let token = self.run().token;
        let rival = (1..=EPOCHS as u8)
            .filter(|other| *other != token)
            .any(|other| {
                let flight = self.app().write(other).flight;
                matches!(flight, Flight::Air { stalled: false, .. })
            });
        if rival && flight != Flight::AtDoor {
            self.world.violates(Spec::S2Sends);
        }
        let write = self.app().write(token);
        write.flight = flight;
        if write.status == Status::None {
            // Resolved by another already, which is forgotten.
            write.status = Status::NotApplied;
        }
        self.to(Phase::Sent { age: 0 });
        true
    }

    fn send(&mut self) {
        let air = Flight::Air {
            age: 0,
            stalled: false,
        };
        if self.send_to(air) {
            return;
        }
        let (token, gone) = (self.run().token, self.run().granted);
        self.model.seen.note(Event::DoorShut);
        if self.app().row.token > token && !gone {
            self.model.seen.note(Event::ReplayedIntentMetAShutDoor);
        }
        self.to(Phase::Settling {
            outcome: Known::NotSent,
        });
    }

    fn settle(&mut self, answer: Answer) {
        let Phase::Settling { outcome } = self.run().phase else {
            return;
        };
        let token = self.run().token;
        let is_open = self.app().write(token).status == Status::Open;
        if answer == Answer::LostBefore {
            return self.to(Phase::Leaving);
        }
        if !is_open && !self.has(Flaw::OutcomeUnconditional) {
            // Kept as late testimony.
            self.model.seen.note(Event::OutcomeCameLate);
            return self.to(Phase::Leaving);
        }
        let next = match outcome {
            Known::Applied => {
                self.close(token, Status::Applied);
                Phase::Ready
            }
            Known::NotSent => {
                self.close(token, Status::NotApplied);
                Phase::Ready
            }
            Known::Unknown if self.has(Flaw::UnknownIsFailure) => {
                self.close(token, Status::NotApplied);
                Phase::Ready
            }
            // What it remembers of the intent is dated now.
            Known::Unknown => Phase::Resolving {
                token,
                left: Rules::wait(token, token, 0, 0, Date::Right),
            },
        };
        self.to(match answer {
            Answer::Came => next,
            _ => Phase::Leaving,
        });
    }

    /// Records the outcome of the write of `token`.
    fn close(&mut self, token: u8, status: Status) {
        let write = self.app().write(token);
        let (was, landed) = (write.status, write.flight == Flight::Landed);
        write.status = status;
        write.tidy();
        // Intents have ids: who resolves this one does not resolve the next under the same token.
        let app = self.app;
        for holder in &mut self.world.holders {
            if let Phase::Resolving { token: other, .. } = &mut holder.runs[app].phase
                && *other == token
            {
                *other = 0;
            }
        }
        if was != Status::Open {
            self.world.violates(Spec::S24Outcome);
        } else if landed != (status == Status::Applied) {
            self.world.violates(Spec::S26);
        }
    }

    fn resolve(&mut self, answer: Answer) {
        let Phase::Resolving { token, .. } = self.run().phase else {
            return;
        };
        if answer == Answer::LostBefore {
            // It could not be read: it stays open, and its object is held.
            return self.to(Phase::Leaving);
        }
        if token > 0 {
            let write = *self.app().write(token);
            let (status, event) = match write.flight {
                Flight::Landed => (Status::Applied, Event::ResolvedApplied),
                _ => (Status::NotApplied, Event::ResolvedNotApplied),
            };
            self.model.seen.note(event);
            self.close(token, status);
        }
        self.to(Phase::Ready);
    }

    fn release(&mut self, answer: Answer) {
        let ours = self.is_still_ours();
        if answer != Answer::LostBefore && ours {
            self.touch_row();
            self.app().row.held = false;
        }
        *self.run() = Run::default();
    }
}
