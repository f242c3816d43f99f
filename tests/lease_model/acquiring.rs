//! Acquiring: looking at the row, watching it, and putting a grant over it. Mirrors `src/store/lease.rs`.

use evenkeel::store::watch::Verdict;

use super::flaws::{Event, Flaw, Spec};
use super::rules::Rules;
use super::steps::{Answer, Work};
use super::world::{EPOCHS, Origin, Phase, Run};

impl Work<'_> {
    /// The row has changed: who watched it sees life or freedom, and who read it has read the past.
    pub fn touch_row(&mut self) {
        let moved = self.model.rules.moved;
        let app = self.app;
        for holder in &mut self.world.holders {
            let run = &mut holder.runs[app];
            match &mut run.phase {
                // Its next look says so, and changes nothing else.
                phase @ Phase::Watching { .. } if moved == Verdict::Held => *phase = Phase::Idle,
                Phase::Granting { fresh, .. } => *fresh = false,
                _ => {}
            }
        }
    }

    pub fn look(&mut self) {
        let row = self.app().row;
        let verdict = self.model.verdict(&row, &self.run().phase);
        let granting = |origin| Phase::Granting {
            over: row.token,
            fresh: true,
            origin,
            lost: None,
        };
        let phase = match verdict {
            _ if usize::from(row.token) == EPOCHS => Phase::Idle,
            Verdict::Held => Phase::Idle,
            Verdict::Watch(_) => Phase::Watching { age: 0 },
            Verdict::Free => granting(Origin::Free),
            Verdict::Dead if row.ended => granting(Origin::Ended),
            Verdict::Dead => granting(Origin::Silent),
        };
        *self.run() = Run::at(phase);
    }

    pub fn grant(&mut self, answer: Answer) {
        let Phase::Granting {
            over,
            fresh,
            origin,
            lost,
        } = self.run().phase
        else {
            return;
        };
        let row = self.app().row;
        let holds = self.model.grant_holds(&row, over, fresh);
        if answer != Answer::LostBefore && holds {
            let token = match self.model.flaw {
                Some(Flaw::TokenKept) => over.max(1),
                _ => Rules::next_token(over),
            };
            if token <= row.token {
                self.world.violates(Spec::S1);
            }
            self.touch_row();
            match origin {
                Origin::Free => {}
                Origin::Silent => self.model.seen.note(Event::SilentTakenOver),
                Origin::Ended => self.model.seen.note(Event::EndedTakenOver),
            }
            let app = self.app();
            app.row.token = token;
            app.row.held = true;
            app.row.ended = false;
            for holder in 0..self.world.holders.len() {
                self.world.holders[holder].runs[self.app].granted = false;
            }
            self.run().granted = true;
            match answer {
                Answer::Came => self.begin(token, 0, origin),
                _ => self.to(Phase::Granting {
                    over,
                    fresh: false,
                    origin,
                    lost: lost.or(Some(0)),
                }),
            }
            return;
        }
        if answer == Answer::LostBefore {
            return self.to(Phase::Granting {
                over,
                fresh,
                origin,
                lost: lost.or(Some(0)),
            });
        }
        let Some(sent) = lost else {
            self.model.seen.note(Event::GrantOverAMovedRowRefused);
            *self.run() = Run::default();
            return;
        };
        // The refusal may be the echo of our own success: the row says whose grant it is.
        let ours = self.run().granted && row.held;
        if ours || self.has(Flaw::EchoBelieved) {
            self.model.seen.note(Event::LostGrantFoundOurs);
            self.begin(Rules::next_token(over), sent, origin);
        } else {
            self.model.seen.note(Event::LostGrantFoundAnothers);
            *self.run() = Run::default();
        }
    }

    pub fn begin(&mut self, token: u8, sent: u8, origin: Origin) {
        let rival = (0..self.world.holders.len())
            .filter(|h| *h != self.holder)
            .any(|h| self.world.holders[h].runs[self.app].token == token);
        if rival {
            self.world.violates(Spec::S1);
        }
        let phase = match origin {
            Origin::Free => Phase::Reading { quiet: 0 },
            Origin::Silent => Phase::Yielding {
                left: 1,
                quiet: self.model.rules.dead.first(),
            },
            Origin::Ended => Phase::Yielding { left: 1, quiet: 0 },
        };
        let Run {
            granted, fenced, ..
        } = *self.run();
        *self.run() = Run {
            phase,
            token,
            sent,
            granted,
            fenced,
            ..Run::default()
        };
    }
}
