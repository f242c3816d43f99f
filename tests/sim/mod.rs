//! The simulator: real controllers over the twin, on one thread, in virtual time, from one seed.
//!
//! A run has an estate of a few apps ([`estate`]), one to three replicas ([`replica`]) that reach
//! AWS and the store over a net ([`net`]) in some weather ([`weather`]), and a script of what
//! people, CI and machines do ([`script`]). What takes effect is a [`happening`]; every law
//! ([`laws`]) is asked about each against the past ([`ghost`]). In the end the weather clears, and
//! all has to come to rest as the documents say ([`calm`]).

mod announced;
pub mod calm;
pub mod case;
#[cfg(test)]
mod checks;
pub mod dice;
pub mod estate;
pub mod ghost;
pub mod guard;
pub mod happening;
pub mod laws;
mod log;
pub mod net;
pub mod replica;
pub mod script;
pub mod shrink;
pub mod stage;
mod state;
pub mod trace;
pub mod unnamed;
pub mod weather;

use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use evenkeel::clock::Clock;
use evenkeel::entropy::Entropy;
use evenkeel::kinds::Allow;
use evenkeel::store::{Protection, Store, StoreConfig, embedded};
use evenkeel::twin::Twin;
use serde_json::json;
use tokio::task::LocalSet;

use self::case::Case;
use self::dice::Dice;
use self::estate::App;
use self::happening::Happening;
use self::replica::{File, Replica, TABLE};
use self::script::{Act, Script, on_estate};
use self::stage::{Broken, Stage};
use self::trace::Trace;
use self::weather::{Frozen, Strike, Weather};

/// When every run begins: a Monday noon.
pub const START: &str = "2026-03-02T12:00:00Z";

/// What a run came to.
#[derive(Debug, Default)]
pub struct Run {
    /// The first law that was broken.
    pub broken: Option<Broken>,
    /// Of the canonical trace.
    pub hash: String,
    /// The trace for people, where it was asked for.
    pub lines: Vec<String>,
    pub events: u64,
    /// Calls of each operation.
    pub calls: BTreeMap<String, u64>,
    /// Strikes by kind and operation.
    pub struck: BTreeMap<(Strike, String), u64>,
    /// Strikes in all, left-out ones included; and acts.
    pub strikes: usize,
    pub acts: usize,
    pub replicas: usize,
    /// How often each sort of thing happened; every law was asked each time.
    pub happened: BTreeMap<&'static str, u64>,
    /// How much time passed in it.
    pub lived: Duration,
    /// How long it took to come to rest once the weather had cleared, if it did.
    pub rested: Option<Duration>,
}

/// The runs that once broke a law.
pub fn regressions() -> Vec<Case> {
    include_str!("regressions.txt")
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| {
            let case = line.split_whitespace().next().unwrap_or_default();
            case.parse()
                .unwrap_or_else(|why| panic!("regressions.txt: {line}: {why}"))
        })
        .collect()
}

/// Whether the trace is kept for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    Hash,
    Lines,
}

/// Makes one run.
pub fn run(case: &Case, keep: Keep) -> Run {
    let made = std::panic::catch_unwind(AssertUnwindSafe(|| {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        LocalSet::new().block_on(&runtime, drive(case, keep))
    }));
    made.unwrap_or_else(|panic| {
        let broken = Broken {
            law: "S30",
            why: guard::said(&*panic),
            at: Duration::ZERO,
        };
        Run {
            broken: Some(broken),
            ..Run::default()
        }
    })
}

/// The parts of a run.
pub struct Play {
    stage: Stage,
    apps: Vec<App>,
    replicas: Vec<Replica>,
    /// The image that CI deployed last, by service; at first the one that it was made with.
    deployed: BTreeMap<String, String>,
    /// How long it took to come to rest once the weather had cleared.
    rested: Option<Duration>,
}

async fn drive(case: &Case, keep: Keep) -> Run {
    let mut dice = Dice::of(case.seed, "play");
    let clock = Clock::virtual_at(START.parse().unwrap());
    let twin = Twin::new(clock.clone(), case.seed);
    let mut weather = Weather::draw(case.seed, case.without_strikes.clone());
    let mut trace = Trace::default();
    if keep == Keep::Lines {
        trace.lines = Some(Vec::new());
    }
    let apps: Vec<App> = (0..1 + usize::from(dice.chance(250)))
        .map(|n| App::draw(&mut dice, n))
        .collect();
    let lag = Duration::from_millis(*dice.pick(&[0, 0, 800, 6_000]));
    twin.world(|w| {
        w.set_read_lag(lag);
        apps.iter().for_each(|app| app.build(w));
    });
    weather.frozen = match dice.between(0..12) {
        0 if apps.len() > 1 => Some(Frozen::Denied(apps[0].name.clone())),
        1 => Some(Frozen::Throttled(250)),
        _ => None,
    };
    let stage = Stage::new(twin, clock, case.seed, weather, trace);
    stage.ghost(|ghost| ghost.read_lag = lag);
    let _log = log::read(&stage);
    make_table(&stage).await;
    let wanted = *dice.pick(&[1, 1, 2, 2, 2, 2, 3]);
    let count = case.replicas.unwrap_or(wanted).min(wanted);
    let replicas = (0..count).map(|n| station(&stage, &mut dice, n)).collect();
    let first = first_images(&apps);
    let mut play = Play {
        stage,
        apps,
        replicas,
        rested: None,
        deployed: first,
    };
    play.know_counts();
    // All that was there before has settled.
    play.stage.clock().sleep(Duration::from_secs(600)).await;
    let began = play.stage.now();
    let length = Duration::from_secs(*dice.pick(&[40, 90, 180]));
    let script = Script::draw(case.seed, &play.apps, count, length);
    let acts = script.acts.len();
    // As long as a load balancer takes to drain: what CI's deployment replaced is listed meanwhile.
    let deploys = script
        .acts
        .iter()
        .any(|(_, act)| matches!(act, Act::Deploy { .. }));
    let rollout = Duration::from_secs(if deploys { 150 } else { 20 });
    play.stage
        .twin()
        .world(|w| w.ecs.rollouts.duration = rollout);
    for replica in &mut play.replicas {
        let first: Vec<_> = play
            .apps
            .iter()
            .map(|a| (a.name.clone(), File::Whole(a.versions[0].clone())))
            .collect();
        replica.folder.change(|files| files.extend(first));
        replica.start(&play.stage);
    }
    let stage = play.stage.clone();
    tokio::select! {
        biased;
        () = stage.alarm() => {}
        () = async {
            play.perform(case, &script, began, length).await;
            calm::come_to_rest(&mut play).await;
        } => {}
    }
    if stage.broken().is_some() {
        state::of(&play).iter().for_each(|line| stage.note(line));
    }
    for replica in &mut play.replicas {
        replica.kill(&play.stage);
    }
    finish(&play, acts)
}

fn finish(play: &Play, acts: usize) -> Run {
    let stage = &play.stage;
    let (hash, lines, events, calls) = stage.take();
    let (struck, strikes) = stage.weather(|w| (std::mem::take(&mut w.struck), w.count));
    Run {
        broken: stage.broken(),
        hash,
        lines,
        events,
        calls,
        struck,
        strikes,
        acts,
        replicas: play.replicas.len(),
        happened: stage.ghost(|g| std::mem::take(&mut g.happened)),
        lived: stage.now(),
        rested: play.rested,
    }
}

/// How far clocks may be off, as docs/reliability.md promises.
const RATES: std::ops::RangeInclusive<f64> = 0.9..=1.1;

/// A machine with clocks of its own, which some runs put out of the assumed bound.
fn station(stage: &Stage, dice: &mut Dice, number: usize) -> Replica {
    let wild = dice.chance(120);
    let rate = if wild {
        dice.real(0.8, 1.2)
    } else {
        dice.real(*RATES.start(), *RATES.end())
    };
    let clock = stage.clock().beside(rate);
    stage.add_station(clock.clone());
    let interval = Duration::from_secs(*dice.pick(&[30, 60, 120]));
    // The first one writes, or nothing would.
    let writes = if number > 0 && dice.chance(100) {
        Allow::No
    } else {
        Allow::Yes
    };
    stage.ghost(|g| {
        if !RATES.contains(&rate) {
            g.deranged.insert(number);
        }
        if writes == Allow::No {
            g.read_only.insert(number);
        }
    });
    Replica::new(number, clock, interval, writes)
}

/// The images that the services were made with. Where a size cannot run ECS rolls back, image and all.
fn first_images(apps: &[App]) -> BTreeMap<String, String> {
    let lasting = apps.iter().filter(|app| !app.fragile);
    lasting
        .flat_map(|app| &app.versions[0].services)
        .map(|service| {
            (
                service.name.clone(),
                format!("registry.example/{}:1", service.name),
            )
        })
        .collect()
}

async fn make_table(stage: &Stage) {
    let engine = stage.twin().world(|w| w.dynamodb.engine().unwrap());
    let store = Store::new(StoreConfig {
        sdk: stage.twin().sdk_config(),
        http: embedded::http_client(engine),
        table: TABLE.to_owned(),
        account: "123456789012".to_owned(),
        region: "us-east-1".to_owned(),
        holder: "sim@setup/0".to_owned(),
        clock: stage.clock().clone(),
        entropy: Entropy::seeded(stage.seed()),
    });
    store.create_table(Protection::Embedded).await.unwrap();
}

impl Play {
    /// Which counts documents ever ask for, by service.
    fn know_counts(&self) {
        self.stage.ghost(|g| {
            for service in self
                .apps
                .iter()
                .flat_map(|a| &a.versions)
                .flat_map(|v| &v.services)
            {
                let asked = g.counts.entry(service.name.clone()).or_default();
                asked.extend(service.count);
                if let Some((low, high)) = service.bounds {
                    asked.extend(low..=high);
                }
            }
        });
    }

    async fn perform(&mut self, case: &Case, script: &Script, began: Duration, length: Duration) {
        for (number, (at, act)) in script.acts.iter().enumerate() {
            if case.without_acts.contains(&number) {
                continue;
            }
            let due = began + *at;
            self.stage
                .clock()
                .sleep(due.saturating_sub(self.stage.now()))
                .await;
            self.act(number, act).await;
        }
        let end = began + length;
        self.stage
            .clock()
            .sleep(end.saturating_sub(self.stage.now()))
            .await;
    }

    async fn act(&mut self, number: usize, act: &Act) {
        self.stage.note(&format!("act {number}: {act:?}"));
        match act {
            Act::Commit {
                app,
                version,
                replica,
            } => {
                let wish = self.apps[*app].versions[*version].clone();
                // A folder that is behind may get an older commit later; it keeps the newest.
                self.replicas[*replica].folder.change(|files| {
                    files.insert(wish.app.clone(), File::Whole(wish));
                });
            }
            Act::Tear { app, replica } => self.replicas[*replica].folder.change(|files| {
                if let Some(file) = files.get_mut(&self.apps[*app].name)
                    && let File::Whole(wish) = file.clone()
                {
                    *file = File::Torn(wish);
                }
            }),
            Act::Mend { app, replica } => {
                let wish = self.apps[*app].versions[0].clone();
                self.replicas[*replica].folder.change(|files| {
                    let file = files.entry(wish.app.clone()).or_insert(File::Whole(wish));
                    if let File::Torn(wish) = file.clone() {
                        *file = File::Whole(wish);
                    }
                });
            }
            Act::Vanish { app, replica } => self.replicas[*replica].folder.change(|files| {
                files.remove(&self.apps[*app].name);
            }),
            Act::Deploy { .. } | Act::ByHand { .. } | Act::Autoscale { .. } => {
                let deployed = self.stage.twin().world(|w| on_estate(act, &self.apps, w));
                // What CI deploys on a size that cannot run ECS itself rolls back, image and all.
                let lasting = |(name, _): &(String, String)| {
                    let app = self.apps.iter().find(|app| name.starts_with(&app.name));
                    app.is_some_and(|app| !app.fragile)
                };
                self.deployed.extend(deployed.filter(lasting));
            }
            Act::Kill { replica } => self.replicas[*replica].kill(&self.stage),
            Act::Start { replica } => self.replicas[*replica].start(&self.stage),
            Act::Pause { replica } => self.replicas[*replica].pause.set(true),
            Act::Suspend { replica } => {
                self.replicas[*replica].pause.set(true);
                self.replicas[*replica].clock.stand_still();
                self.stage
                    .ghost(|g| g.resumed.insert(*replica, Duration::MAX));
            }
            Act::Resume { replica } => {
                self.replicas[*replica].clock.go_on();
                self.replicas[*replica].pause.set(false);
                let now = self.stage.now();
                self.stage.ghost(|g| {
                    if let Some(resumed) = g.resumed.get_mut(replica) {
                        *resumed = now.min(*resumed);
                    }
                });
            }
            Act::Step { replica, by } => self.replicas[*replica].step(*by),
            Act::Away { target, seconds } => {
                let until = self.stage.now() + Duration::from_secs(*seconds);
                self.stage.weather(|w| w.away.insert(*target, until));
            }
            Act::Fence { app } => self.fence(*app).await,
            Act::LoseRow { app } => self.lose_row(*app),
        }
    }

    /// What `evenkeel lock release` does, from a machine that reaches the store directly.
    async fn fence(&self, app: usize) {
        let engine = self.stage.twin().world(|w| w.dynamodb.engine().unwrap());
        let store = Store::new(StoreConfig {
            sdk: self.stage.twin().sdk_config(),
            http: embedded::http_client(engine),
            table: TABLE.to_owned(),
            account: "123456789012".to_owned(),
            region: "us-east-1".to_owned(),
            holder: "sim@person/0".to_owned(),
            clock: self.stage.clock().clone(),
            entropy: Entropy::seeded(self.stage.seed() ^ 0xfe),
        });
        let name = &self.apps[app].name;
        if let Ok(row) = store.force_release(name, "the simulator says so").await {
            self.stage.happen(&Happening::Fenced {
                app: name.clone(),
                token: row.token,
            });
        }
    }

    fn lose_row(&self, app: usize) {
        let pk = format!("123456789012#us-east-1#{}", self.apps[app].name);
        let key = json!({"TableName": TABLE, "Key": {"pk": {"S": pk}, "sk": {"S": "LEASE"}}});
        let _gone = self
            .stage
            .twin()
            .world(|w| w.call("dynamodb", "DeleteItem", &key));
        self.stage.ghost(|g| {
            let app = g.app(&self.apps[app].name);
            (app.fenced, app.row_lost) = (Some(app.highest), true);
            app.current = None;
        });
    }
}
