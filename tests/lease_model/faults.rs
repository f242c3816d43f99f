//! What happens to processes and packets: time, pauses, crashes, late and lost packets, people.

use super::LeaseModel;
use super::flaws::{Event, Flaw, Spec};
use super::steps::{Answer, Step, Work};
use super::world::{Flight, Known, Phase, Run, Status, World};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// One tick passes; for all, since clocks differ by less than the door's margin.
    Tick,
    Do {
        holder: usize,
        app: usize,
        step: Step,
    },
    /// The write of `token` has its effect.
    Land {
        app: usize,
        token: u8,
        answer: Answer,
    },
    /// It is lost.
    Lose {
        app: usize,
        token: u8,
    },
    /// A renewal whose sender has gone on arrives.
    StragglerLands {
        app: usize,
    },
    Pause {
        holder: usize,
    },
    /// A store call takes effect, and the process stands still before it sees the answer.
    PauseInCall {
        holder: usize,
        app: usize,
    },
    /// The door lets a write out, and the process stands still before it is on the wire.
    PauseAtDoor {
        holder: usize,
        app: usize,
    },
    Resume {
        holder: usize,
    },
    Crash {
        holder: usize,
    },
    Fence {
        app: usize,
    },
}

impl LeaseModel {
    /// The world after the action. Only what [`LeaseModel::actions`] offers is asked for.
    pub fn after(&self, world: &World, action: Action) -> World {
        let mut work = Work {
            model: self,
            world: *world,
            holder: 0,
            app: 0,
        };
        let (holder, app) = match action {
            Action::Do { holder, app, .. }
            | Action::PauseInCall { holder, app }
            | Action::PauseAtDoor { holder, app } => (holder, app),
            Action::Pause { holder } | Action::Resume { holder } | Action::Crash { holder } => {
                (holder, 0)
            }
            Action::Land { app, .. }
            | Action::Lose { app, .. }
            | Action::StragglerLands { app }
            | Action::Fence { app } => (0, app),
            Action::Tick => (0, 0),
        };
        (work.holder, work.app) = (holder, app);
        match action {
            Action::Tick => work.tick(),
            Action::Do { step, .. } => {
                let lossy = match step {
                    Step::Grant(answer)
                    | Step::Renew(answer)
                    | Step::Intend(answer)
                    | Step::Settle(answer)
                    | Step::Resolve(answer)
                    | Step::Release(answer) => answer != Answer::Came,
                    _ => false,
                };
                if lossy {
                    work.world.left.spend(|left| &mut left.losses);
                }
                work.take(step);
            }
            Action::Land { token, answer, .. } => work.land(token, answer),
            Action::Lose { token, .. } => {
                work.world.left.spend(|left| &mut left.losses);
                let write = work.app().write(token);
                write.flight = Flight::None;
                write.tidy();
            }
            Action::StragglerLands { .. } => work.straggler_lands(),
            Action::Pause { .. } => work.pause(),
            Action::PauseInCall { .. } => work.pause_in_call(),
            Action::PauseAtDoor { .. } => {
                work.send_to(Flight::AtDoor);
                work.pause();
            }
            Action::Resume { .. } => work.resume(),
            Action::Crash { .. } => work.crash(),
            Action::Fence { .. } => work.fence(),
        }
        for app in 0..self.bounds.apps {
            self.judge(&mut work.world, app);
        }
        work.world.canonical(self.bounds.holders, self.bounds.apps)
    }
}

impl LeaseModel {
    /// What can be seen of a world as it stands.
    fn judge(&self, world: &mut World, app: usize) {
        let it = world.apps[app];
        let (mut believers, mut ready) = (0, false);
        for holder in &world.holders {
            let run = &holder.runs[app];
            let believes =
                run.is_under_lease() && !run.gone && !self.rules.disbelieves.holds(run.sent);
            believers += u8::from(believes && !run.fenced);
            ready |= run.phase == Phase::Ready && self.still_ours(&it.row, run);
        }
        if believers > 1 {
            world.violates(Spec::S2);
        }
        if ready && it.open(0).is_some() {
            world.violates(Spec::L2);
        }
    }
}

impl Work<'_> {
    fn tick(&mut self) {
        let rules = &self.model.rules;
        for holder in &mut self.world.holders {
            let paused = holder.paused;
            for run in &mut holder.runs {
                if let Phase::Watching { age } = run.phase
                    && rules.overdue.holds(age)
                    && !paused
                {
                    self.world.broken |= 1 << Spec::L3 as u16;
                }
                run.tried = false;
                if run.is_under_lease() {
                    run.sent = rules.disbelieves.grow(run.sent);
                }
                run.answer = run.answer.map(|age| rules.disbelieves.grow(age));
                run.phase = match run.phase {
                    Phase::Watching { age } => Phase::Watching {
                        age: rules.dead.grow(age),
                    },
                    Phase::Granting {
                        over,
                        fresh,
                        origin,
                        lost,
                    } => Phase::Granting {
                        over,
                        fresh,
                        origin,
                        lost: lost.map(|age| rules.disbelieves.grow(age)),
                    },
                    Phase::Yielding { left, quiet } => {
                        let quiet = rules.quiet.grow(quiet);
                        match left - 1 {
                            0 => Phase::Reading { quiet },
                            left => Phase::Yielding { left, quiet },
                        }
                    }
                    Phase::Reading { quiet } => Phase::Reading {
                        quiet: rules.quiet.grow(quiet),
                    },
                    Phase::Intending { lost, recorded } => Phase::Intending {
                        lost: rules.disbelieves.grow(lost),
                        recorded,
                    },
                    Phase::Permitted { age, recorded } => Phase::Permitted {
                        age: rules.disbelieves.grow(age),
                        recorded,
                    },
                    Phase::Resolving { token, left } => Phase::Resolving {
                        token,
                        left: left.saturating_sub(1),
                    },
                    Phase::Sent { age } => Phase::Sent {
                        age: rules.landed.grow(age),
                    },
                    other => other,
                };
            }
        }
        for app in &mut self.world.apps {
            for write in &mut app.writes {
                if write.status == Status::Open {
                    write.age = rules.readable.grow(write.age);
                }
                if let Flight::Air { age, .. } = &mut write.flight {
                    *age = rules.landed.grow(*age);
                }
            }
        }
    }

    fn land(&mut self, token: u8, answer: Answer) {
        let newest = self.app().row.token;
        let app = self.app();
        let write = app.write(token);
        let Flight::Air { stalled, .. } = write.flight else {
            return;
        };
        let given_up = write.status == Status::NotApplied;
        write.flight = Flight::Landed;
        write.tidy();
        if given_up {
            self.model.seen.note(Event::EffectAfterItWasGivenUp);
            if !stalled {
                self.world.violates(Spec::S26);
            }
        }
        if token < newest {
            self.model.seen.note(Event::LateEffect);
            if self.app().late & 1 << token != 0 {
                self.world.violates(Spec::S6);
            }
            self.app().late |= 1 << token;
        }
        if let Some(holder) = self.sender(token) {
            if answer == Answer::Came {
                self.world.holders[holder].runs[self.app].phase = Phase::Settling {
                    outcome: Known::Applied,
                };
            } else {
                self.world.left.spend(|left| &mut left.losses);
            }
        }
    }

    /// Who still awaits the answer to the write of `token`.
    fn sender(&self, token: u8) -> Option<usize> {
        self.world.sender(self.app, token)
    }

    fn straggler_lands(&mut self) {
        let token = std::mem::take(&mut self.app().straggler);
        let row = self.app().row;
        let blind = self.model.flaw == Some(Flaw::ReleaseNotTerminal);
        // A token has one grant, so asking for both is asking for one.
        if row.token == token && (row.held || blind) {
            if !row.held {
                self.world.violates(Spec::S5);
            }
            self.touch_row();
        } else {
            self.model.seen.note(Event::StragglerRefused);
        }
    }

    fn pause(&mut self) {
        self.world.left.spend(|left| &mut left.pauses);
        self.world.holders[self.holder].paused = true;
    }

    fn pause_in_call(&mut self) {
        let before = *self.run();
        if before.is_under_lease() {
            self.renew(Answer::LostAfter);
        } else {
            self.take(Step::Grant(Answer::LostAfter));
        }
        let run = self.run();
        run.tried = before.tried;
        if let (Phase::Granting { lost, .. }, Phase::Granting { lost: first, .. }) =
            (&mut run.phase, before.phase)
        {
            *lost = first;
        }
        run.answer = Some(0);
        self.pause();
    }

    fn resume(&mut self) {
        self.world.holders[self.holder].paused = false;
        for app in 0..self.model.bounds.apps {
            self.app = app;
            let run = *self.run();
            if let Some(age) = run.answer {
                self.run().answer = None;
                let from_the_answer = self.model.flaw == Some(Flaw::BeliefFromTheAnswer);
                let sent = if from_the_answer { 0 } else { age };
                if let Phase::Granting { over, origin, .. } = run.phase {
                    self.begin(super::rules::Rules::next_token(over), sent, origin);
                } else {
                    self.run().sent = run.sent.min(sent);
                }
            }
            if run.is_under_lease() && self.app().write(run.token).flight == Flight::AtDoor {
                self.app().write(run.token).flight = Flight::Air {
                    age: 0,
                    stalled: true,
                };
            }
        }
    }

    fn crash(&mut self) {
        self.world.left.spend(|left| &mut left.crashes);
        for app in 0..self.model.bounds.apps {
            self.app = app;
            let run = *self.run();
            if run.is_under_lease() {
                let write = self.app().write(run.token);
                if write.flight == Flight::AtDoor {
                    write.flight = Flight::None;
                    write.tidy();
                }
            }
            let same_machine = self.model.bounds.one_machine;
            let row = &mut self.app().row;
            row.ended |= same_machine && row.held && run.granted;
            *self.run() = Run::default();
        }
        self.world.holders[self.holder].paused = false;
    }

    fn fence(&mut self) {
        self.world.left.spend(|left| &mut left.fences);
        self.touch_row();
        let app = self.app;
        let row = &mut self.world.apps[app].row;
        row.token += 1;
        row.held = false;
        row.ended = false;
        for holder in &mut self.world.holders {
            let run = &mut holder.runs[app];
            run.fenced |= run.granted;
        }
    }
}

impl World {
    pub fn sender(&self, app: usize, token: u8) -> Option<usize> {
        self.holders.iter().position(|holder| {
            let run = &holder.runs[app];
            run.token == token && matches!(run.phase, Phase::Sent { .. })
        })
    }
}

impl Action {
    pub fn is_a_fault(self) -> bool {
        matches!(
            self,
            Self::Pause { .. }
                | Self::PauseInCall { .. }
                | Self::PauseAtDoor { .. }
                | Self::Crash { .. }
                | Self::Lose { .. }
                | Self::Fence { .. }
        )
    }
}
