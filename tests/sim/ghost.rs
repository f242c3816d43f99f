//! Ghost: what happened so far, as nobody but the simulator can know it. The laws are about this.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use evenkeel::aws::door::CALL_TIMEOUT;
use evenkeel::model::change::Drift;
use evenkeel::model::entry::{Entry, GENESIS, Outcome, Record};
use evenkeel::model::key::ResourceKey;
use evenkeel::model::memory::SETTLING_BOUND;

use super::estate::AppWish;
use super::happening::{Happening, Touch, Who, objects_of};

/// The past.
#[derive(Debug, Default)]
pub struct Ghost {
    /// How long a reading of this run may not show an effect.
    pub read_lag: Duration,
    pub apps: BTreeMap<String, AppGhost>,
    /// By intent.
    pub writes: BTreeMap<String, Write>,
    /// When each replica was last given an answer to each reading of each object.
    pub readings: BTreeMap<(Who, String, String), Duration>,
    /// What each replica's documents said when they were loaded last.
    pub loaded: BTreeMap<Who, Loaded>,
    /// Whose clocks run out of the assumed bound, so that their leases prove nothing.
    pub deranged: BTreeSet<usize>,
    /// When each machine whose clocks had stood still went on; none but these held what they hold.
    pub resumed: BTreeMap<usize, Duration>,
    /// Replicas that may not write.
    pub read_only: BTreeSet<usize>,
    /// The counts that documents ever asked for, by service.
    pub counts: BTreeMap<String, BTreeSet<i64>>,
    /// Services that an update reached when its sender had long given it up, or for a second time: ECS
    /// cannot tell it from a wish of now.
    pub overtaken: BTreeSet<String>,
    /// How often each sort of thing happened.
    pub happened: BTreeMap<&'static str, u64>,
}

/// One app's lease and chain.
#[derive(Debug, Default)]
pub struct AppGhost {
    /// The highest token ever granted or fenced.
    pub highest: u64,
    /// Every grant, and what is known of it.
    pub grants: BTreeMap<String, Grant>,
    /// The grant in the row.
    pub current: Option<String>,
    /// The highest token that a person took from its holder, or that went with a lost row: the next
    /// holder did not wait for what was on its way under it.
    pub fenced: Option<u64>,
    /// Whether the row was deleted by hand.
    pub row_lost: bool,
    pub seq: u64,
    pub hash: String,
    /// Open intents, by object.
    pub open: BTreeMap<ResourceKey, String>,
}

/// One grant of a lease.
#[derive(Debug)]
pub struct Grant {
    pub token: u64,
    pub who: Who,
    pub released: bool,
    /// When it was granted, in true time.
    pub since: Duration,
    /// When its row was last touched, in true time.
    pub touched: Duration,
    /// When its newest renewal that succeeded was sent, on the holder's boot clock.
    pub renewed: Duration,
}

/// One intent and what came of it.
#[derive(Debug)]
pub struct Write {
    pub app: String,
    pub key: ResourceKey,
    pub operation: String,
    /// What it was announced to write to, such as `main/web`.
    pub object: String,
    /// What it is to mend.
    pub drift: Vec<Drift>,
    /// The fields of its object that its documents named when it was announced.
    pub named: BTreeSet<String>,
    pub token: u64,
    pub who: Who,
    pub sent: usize,
    pub landed: usize,
    /// Whether it landed so late that what is looked up when an effect has to show need not show it: such a
    /// one is looked for afterwards.
    pub beyond: bool,
    /// Whether its sender has said that it does not know.
    pub unknown: bool,
    pub outcome: Option<Outcome>,
}

/// One replica's documents.
#[derive(Clone, Debug, Default)]
pub struct Loaded {
    pub frozen: Vec<String>,
    pub wishes: BTreeMap<String, AppWish>,
    /// Since when each is, in true time.
    pub frozen_since: BTreeMap<String, Duration>,
    /// When each app's wish became this one, in true time.
    pub since: BTreeMap<String, Duration>,
}

impl Ghost {
    pub fn app(&mut self, app: &str) -> &mut AppGhost {
        self.apps.entry(app.to_owned()).or_insert_with(|| AppGhost {
            hash: GENESIS.to_owned(),
            ..AppGhost::default()
        })
    }

    /// Takes note of what happened, once the laws were asked.
    pub fn note(&mut self, happening: &Happening) {
        match happening {
            Happening::Granted {
                who,
                app,
                token,
                grant,
                boot,
                at,
            } => {
                let app = self.app(app);
                // With the row of an app that was never written its tokens are forgotten.
                let forgotten = app.row_lost && app.seq == 0;
                app.highest = if forgotten {
                    *token
                } else {
                    app.highest.max(*token)
                };
                app.current = Some(grant.clone());
                let new = Grant {
                    token: *token,
                    who: *who,
                    released: false,
                    since: *at,
                    touched: *at,
                    renewed: *boot,
                };
                app.grants.insert(grant.clone(), new);
            }
            Happening::Touched {
                app,
                grant,
                how,
                boot,
                at,
                ..
            } => {
                let app = self.app(app);
                if *how == Touch::Released {
                    app.current = None;
                }
                if let Some(known) = app.grants.get_mut(grant) {
                    known.released |= *how == Touch::Released;
                    if matches!(how, Touch::Renewed | Touch::Intended) {
                        known.renewed = known.renewed.max(*boot);
                        known.touched = *at;
                    }
                }
            }
            Happening::Fenced { app, token } => {
                let app = self.app(app);
                app.fenced = Some(app.highest);
                app.highest = app.highest.max(*token);
                app.current = None;
            }
            Happening::Appended { who, entry, .. } => self.append(*who, entry),
            Happening::Opened { key, intent } => {
                let app = self.app(&key.app);
                match intent {
                    Some(intent) => app.open.insert(key.clone(), intent.clone()),
                    None => app.open.remove(key),
                };
            }
            Happening::Read {
                who,
                operation,
                objects,
                at,
            } => {
                for object in objects {
                    let reading = (*who, operation.clone(), object.clone());
                    self.readings.insert(reading, *at);
                }
            }
            Happening::Sent(sent) => {
                let write = sent.intent.as_ref().and_then(|i| self.writes.get_mut(i));
                if let Some(write) = write {
                    write.sent += 1;
                }
            }
            Happening::Landed(landed) => {
                let intent = landed.sent.intent.as_ref();
                let sent = &landed.sent;
                let after = landed.at.saturating_sub(sent.at);
                let late = after > CALL_TIMEOUT;
                if let Some(write) = intent.and_then(|i| self.writes.get_mut(i)) {
                    write.landed += 1;
                    write.beyond |= after + self.read_lag > CALL_TIMEOUT + SETTLING_BOUND;
                }
                if sent.operation == "ecs.UpdateService" && (late || landed.again) {
                    let services = objects_of(&sent.operation, &sent.input);
                    self.overtaken.extend(services);
                }
            }
            Happening::Loaded {
                who,
                frozen,
                wishes,
                at,
            } => {
                let loaded = self.loaded.entry(*who).or_default();
                for app in frozen.iter().filter(|app| !loaded.frozen.contains(app)) {
                    loaded.frozen_since.insert(app.clone(), *at);
                }
                loaded.frozen.clone_from(frozen);
                let since = &mut loaded.since;
                loaded.wishes.retain(|app, _| {
                    let stays = wishes.iter().any(|w| w.app == *app);
                    if !stays {
                        since.insert(app.clone(), *at);
                    }
                    stays
                });
                for wish in wishes {
                    if loaded.wishes.get(&wish.app) != Some(wish) {
                        loaded.since.insert(wish.app.clone(), *at);
                        loaded.wishes.insert(wish.app.clone(), wish.clone());
                    }
                }
            }
            Happening::Said { .. } | Happening::FromTheDead { .. } => {}
        }
    }

    fn append(&mut self, who: Who, entry: &Entry) {
        let app = self.app(&entry.app);
        app.seq = entry.seq;
        app.hash.clone_from(&entry.hash);
        match &entry.record {
            Record::Intent {
                id,
                key,
                step,
                drift,
                ..
            } => {
                let wishes = self.loaded.get(&who).map(|loaded| &loaded.wishes);
                let wish = wishes.and_then(|wishes| wishes.get(&entry.app));
                let named = wish.map_or_else(Vec::new, |wish| wish.names(&key.name));
                let write = Write {
                    named: named.into_iter().collect(),
                    app: entry.app.clone(),
                    key: key.clone(),
                    operation: step.operation.clone(),
                    object: step.object.clone(),
                    drift: drift.clone(),
                    token: entry.token,
                    who,
                    sent: 0,
                    landed: 0,
                    beyond: false,
                    unknown: false,
                    outcome: None,
                };
                self.writes.insert(id.clone(), write);
            }
            Record::Outcome {
                intent, outcome, ..
            } => {
                if let Some(write) = self.writes.get_mut(intent) {
                    if *outcome == Outcome::Unknown {
                        write.unknown = true;
                    } else {
                        write.outcome = Some(*outcome);
                    }
                }
            }
        }
    }

    /// The fields that an intent may change: those that it mends, and those that its documents name.
    pub fn named(&self, intent: Option<&String>) -> BTreeSet<String> {
        let write = intent.and_then(|intent| self.writes.get(intent));
        write.map_or_else(BTreeSet::new, |write| {
            let mended = write.drift.iter().map(|d| d.path.to_string());
            mended.chain(write.named.iter().cloned()).collect()
        })
    }

    /// The grant under which a write was announced.
    pub fn grant_of(&self, write: &Write) -> Option<&Grant> {
        // A row that was deleted may have had the same token.
        let grants = self.apps.get(&write.app)?.grants.values();
        grants
            .filter(|g| g.token == write.token && g.who == write.who)
            .max_by_key(|g| g.since)
    }

    /// Whether the lease that a write was announced under proves nothing: its holder's clocks run out
    /// of bounds, or have stood still since it was granted.
    pub fn beyond_bounds(&self, write: &Write) -> bool {
        let replica = write.who.replica;
        let stood_still = || {
            let resumed = self.resumed.get(&replica)?;
            Some(self.grant_of(write)?.since <= *resumed)
        };
        self.deranged.contains(&replica) || stood_still().unwrap_or(false)
    }

    /// How long `who` has lived since `since`: a machine that stands still does not.
    pub fn lived(&self, who: Who, since: Duration, at: Duration) -> Duration {
        let resumed = self.resumed.get(&who.replica).copied().unwrap_or_default();
        at.saturating_sub(since.max(resumed))
    }

    /// Whether a person took the lease that a write was announced under, or its row was lost.
    pub fn taken_by_hand(&self, write: &Write) -> bool {
        let fenced = self.apps.get(&write.app).and_then(|app| app.fenced);
        fenced.is_some_and(|fenced| write.token <= fenced)
    }

    /// Whether an outcome by `who` under `token` is found by looking, not by its sender's own answer. A sender that
    /// did not learn whether its announcement counts sends nothing, and looks under its next lease as anybody would.
    pub fn resolves(&self, who: Who, token: u64, write: &Write) -> bool {
        write.unknown || who != write.who || token != write.token
    }

    /// Whether a write was given up that may leave something later: it is looked for once more.
    pub fn looks_again(&self) -> bool {
        self.writes.values().any(|w| {
            let given_up = w.unknown || w.sent > w.landed || w.outcome == Some(Outcome::NotApplied);
            given_up && w.operation == "ecs.RegisterTaskDefinition"
        })
    }

    /// The names of the objects that at least so many writes were announced for.
    pub fn corrected_often(&self, times: usize) -> BTreeSet<String> {
        let mut writes: BTreeMap<&str, usize> = BTreeMap::new();
        for write in self.writes.values() {
            *writes.entry(&write.key.name).or_default() += 1;
        }
        let often = writes.into_iter().filter(|(_, count)| *count >= times);
        often.map(|(name, _)| name.to_owned()).collect()
    }

    /// Every intent that has no outcome.
    pub fn unresolved(&self) -> Vec<String> {
        let open = self.writes.iter().filter(|(_, w)| w.outcome.is_none());
        open.map(|(id, w)| format!("{id:.8} {} of {}", w.operation, w.key))
            .collect()
    }
}
