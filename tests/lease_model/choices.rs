//! What can happen next in a world: every step of every process, and every fault that is left.

use evenkeel::store::watch::Verdict;

use super::LeaseModel;
use super::faults::Action;
use super::flaws::Flaw;
use super::rules::Date;
use super::steps::{Answer, Step};
use super::world::{EPOCHS, Flight, Phase, Row, Run, Status, World};

/// Whether time may pass before something is done.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Urgency {
    /// A process that runs does it within the tick.
    Now,
    /// It waits for time, or for an occasion.
    Waits,
}

impl LeaseModel {
    pub fn choices(&self, world: &World, actions: &mut Vec<Action>) {
        let mut urgency = Urgency::Waits;
        for holder in 0..self.bounds.holders {
            let it = &world.holders[holder];
            let idle = it.runs.iter().all(|run| run.phase == Phase::Idle);
            if it.paused {
                actions.push(Action::Resume { holder });
            } else {
                for app in 0..self.bounds.apps {
                    if self.steps(world, holder, app, actions) == Urgency::Now {
                        urgency = Urgency::Now;
                    }
                }
                if world.left.pauses > 0 && !idle {
                    actions.push(Action::Pause { holder });
                }
            }
            if world.left.crashes > 0 && !idle {
                actions.push(Action::Crash { holder });
            }
        }
        for app in 0..self.bounds.apps {
            if self.packets(world, app, actions) == Urgency::Now {
                urgency = Urgency::Now;
            }
            let row = world.apps[app].row;
            if world.left.fences > 0 && row.held && usize::from(row.token) < EPOCHS {
                actions.push(Action::Fence { app });
            }
        }
        if urgency == Urgency::Waits {
            actions.push(Action::Tick);
        }
    }

    fn packets(&self, world: &World, app: usize, actions: &mut Vec<Action>) -> Urgency {
        let mut urgency = Urgency::Waits;
        let lossy = world.left.losses > 0;
        for token in 1..=EPOCHS as u8 {
            let write = world.apps[app].writes[usize::from(token) - 1];
            let Flight::Air { age, .. } = write.flight else {
                continue;
            };
            if self.rules.landed.holds(age) {
                urgency = Urgency::Now;
            }
            let answer = Answer::Came;
            actions.push(Action::Land { app, token, answer });
            if lossy {
                actions.push(Action::Lose { app, token });
                if world.sender(app, token).is_some() {
                    let answer = Answer::LostAfter;
                    actions.push(Action::Land { app, token, answer });
                }
            }
        }
        if world.apps[app].straggler > 0 {
            actions.push(Action::StragglerLands { app });
            urgency = Urgency::Now;
        }
        urgency
    }

    fn steps(
        &self,
        world: &World,
        holder: usize,
        app: usize,
        actions: &mut Vec<Action>,
    ) -> Urgency {
        let row = world.apps[app].row;
        let run = &world.holders[holder].runs[app];
        let lossy = world.left.losses > 0;
        let may_pause = world.left.pauses > 0;
        let ours = self.still_ours(&row, run);
        let own = run.token.checked_sub(1);
        let own = own.map(|at| world.apps[app].writes[usize::from(at)]);
        let mut add = |step| actions.push(Action::Do { holder, app, step });
        let mut urgency = Urgency::Now;
        match run.phase {
            Phase::Idle => {
                if usize::from(row.token) < EPOCHS {
                    add(Step::Look);
                }
                urgency = Urgency::Waits;
            }
            Phase::Watching { .. } => {
                let waits = matches!(self.verdict(&row, &run.phase), Verdict::Watch(_));
                if waits || self.flaw == Some(Flaw::WatcherSleeps) {
                    urgency = Urgency::Waits;
                } else {
                    add(Step::Look);
                }
            }
            Phase::Granting {
                over, fresh, lost, ..
            } => {
                add(Step::Grant(Answer::Came));
                let holds = self.grant_holds(&row, over, fresh);
                if lossy && lost.is_none() {
                    add(Step::Grant(Answer::LostBefore));
                }
                if lossy && holds {
                    add(Step::Grant(Answer::LostAfter));
                }
                if may_pause && holds {
                    actions.push(Action::PauseInCall { holder, app });
                }
            }
            Phase::Yielding { .. } => urgency = Urgency::Waits,
            Phase::Reading { .. } => {
                add(Step::ReadWhatIsOpen(Date::Right));
                if world.apps[app].open(0).is_some() {
                    add(Step::ReadWhatIsOpen(Date::FarBehind));
                }
            }
            Phase::Ready => {
                let free =
                    own.is_some_and(|own| own.status == Status::None && own.flight == Flight::None);
                if free && !run.gone {
                    add(Step::Intend(Answer::Came));
                    if lossy {
                        add(Step::Intend(Answer::LostBefore));
                        if ours {
                            add(Step::Intend(Answer::LostAfter));
                        }
                    }
                }
                add(Step::Release(Answer::Came));
                if lossy && ours {
                    add(Step::Release(Answer::LostBefore));
                }
                if ours && self.renews(run) && world.apps[app].straggler == 0 {
                    add(Step::ReleaseBesideARenewal);
                }
            }
            Phase::Intending { recorded, .. } => {
                add(Step::Intend(Answer::Came));
                add(Step::GiveUpIntending);
                if lossy && ours && !recorded {
                    add(Step::Intend(Answer::LostAfter));
                }
            }
            Phase::Permitted { age, .. } => {
                add(Step::Send);
                if may_pause && self.door_opens(age) {
                    actions.push(Action::PauseAtDoor { holder, app });
                }
            }
            Phase::Sent { age } => {
                let in_the_air = own.is_some_and(|own| own.is_in_the_air());
                let over = self.rules.landed.holds(age);
                if over {
                    add(Step::TimeOut);
                }
                if !over || in_the_air {
                    urgency = Urgency::Waits;
                }
            }
            Phase::Settling { .. } => {
                add(Step::Settle(Answer::Came));
                if lossy && own.is_some_and(|own| own.status == Status::Open) {
                    add(Step::Settle(Answer::LostBefore));
                    add(Step::Settle(Answer::LostAfter));
                }
            }
            Phase::Resolving { left, .. } => {
                if left == 0 || self.flaw == Some(Flaw::ResolvedTooSoon) {
                    add(Step::Resolve(Answer::Came));
                    if lossy {
                        add(Step::Resolve(Answer::LostBefore));
                    }
                } else {
                    urgency = Urgency::Waits;
                }
            }
            Phase::Leaving => {
                add(Step::Release(Answer::Came));
                if lossy && ours {
                    add(Step::Release(Answer::LostBefore));
                }
            }
        }
        if self.renews(run) {
            urgency = Urgency::Now;
            let mut add = |step| actions.push(Action::Do { holder, app, step });
            add(Step::Renew(Answer::Came));
            if lossy {
                add(Step::Renew(Answer::LostBefore));
            }
            if lossy && ours {
                add(Step::Renew(Answer::LostAfter));
            }
            if may_pause && ours {
                actions.push(Action::PauseInCall { holder, app });
            }
        }
        urgency
    }

    /// Whether the heartbeat is about to renew: it stops with the work.
    fn renews(&self, run: &Run) -> bool {
        run.is_under_lease()
            && !run.gone
            && !run.tried
            && run.phase != Phase::Leaving
            && self.rules.due.holds(run.sent)
    }

    /// `STILL_OURS`, as the store asks it of the row.
    pub fn still_ours(&self, row: &Row, run: &Run) -> bool {
        let held = row.held || self.flaw == Some(Flaw::ReleaseNotTerminal);
        row.token == run.token && run.granted && held
    }

    /// The condition of a grant.
    pub fn grant_holds(&self, row: &Row, over: u8, fresh: bool) -> bool {
        match self.flaw {
            Some(Flaw::GrantOverALivingHolder) => row.token == over,
            _ => fresh,
        }
    }

    /// Whether the door lets out a write whose permit is so old.
    pub fn door_opens(&self, age: u8) -> bool {
        match self.flaw {
            Some(Flaw::NoMargin) => !self.rules.disbelieves.holds(age),
            Some(Flaw::NoDoor) => true,
            _ => !self.rules.shut.holds(age),
        }
    }

    /// What the code makes of the row, seen from this phase.
    pub fn verdict(&self, row: &Row, phase: &Phase) -> Verdict {
        if row.held && row.ended {
            // `Store::holder_ended` comes before `judge`.
            return Verdict::Dead;
        }
        match phase {
            _ if !row.held => self.rules.released,
            Phase::Watching { age } if self.rules.dead.holds(*age) => Verdict::Dead,
            // Of the rest only that it is a wait matters.
            _ => self.rules.first_look,
        }
    }
}
