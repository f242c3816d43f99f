//! Replica: one real controller, which can be paused, killed and started again.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use evenkeel::aws::cell::Cell;
use evenkeel::aws::door::Mode;
use evenkeel::clock::Clock;
use evenkeel::engine::Engine;
use evenkeel::engine::controller::{Desired, Observer, RunOptions, run};
use evenkeel::engine::desired::load_files;
use evenkeel::engine::progress::{Event, Progress};
use evenkeel::entropy::Entropy;
use evenkeel::kinds::Allow;
use evenkeel::model::document::DesiredSet;
use evenkeel::model::finding::Severity;
use evenkeel::model::pass::ObjectPass;
use evenkeel::model::plan::Plan;
use evenkeel::model::scope::Scope;
use evenkeel::store::{Store, StoreConfig};
use jiff::SignedDuration;
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use super::estate::AppWish;
use super::guard::Guarded;
use super::happening::{Happening, Who};
use super::net::Net;
use super::stage::Stage;
use super::weather::Target;
use crate::pause::Pause;

/// The table of the store.
pub const TABLE: &str = "evenkeel";

/// A replica's folder: what each app's file says, by app.
#[derive(Clone, Default)]
pub struct Folder(Arc<Mutex<BTreeMap<String, File>>>, Arc<Notify>);

/// One app's file.
#[derive(Clone, Debug, PartialEq)]
pub enum File {
    Whole(AppWish),
    /// It does not load.
    Torn(AppWish),
}

impl Folder {
    pub fn change(&self, f: impl FnOnce(&mut BTreeMap<String, File>)) {
        f(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
        self.1.notify_one();
    }

    fn files(&self) -> BTreeMap<String, File> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

/// The folder as one life of a replica loads it.
struct Loading {
    folder: Folder,
    stage: Stage,
    who: Who,
    /// What was loaded last, and from which texts.
    last: Option<(Vec<(String, String)>, DesiredSet)>,
}

impl Loading {
    fn set(&mut self) -> DesiredSet {
        let files = self.folder.files();
        let texts: Vec<(String, String)> = files
            .iter()
            .map(|(app, file)| {
                let text = match file {
                    File::Whole(wish) => wish.text(),
                    File::Torn(wish) => wish.text() + &wish.tear(),
                };
                (format!("{app}.yaml"), text)
            })
            .collect();
        let set = match &self.last {
            // Loading is pure, and what it reads seldom changes.
            Some((same, set)) if *same == texts => set.clone(),
            _ => load_files(
                texts
                    .iter()
                    .map(|(name, text)| (name.as_str(), text.as_bytes())),
            ),
        };
        self.last = Some((texts, set.clone()));
        let is_torn = files.is_empty() || files.values().any(|file| matches!(file, File::Torn(_)));
        if !is_torn
            && let Some(finding) = set.findings.iter().find(|f| f.severity == Severity::Error)
        {
            self.stage.break_law(
                "S15",
                format!("documents of the simulator do not load: {finding:?}"),
            );
        }
        let frozen = files
            .keys()
            .filter(|app| set.frozen.holds(app))
            .cloned()
            .collect();
        let wishes = files
            .into_values()
            .map(|file| match file {
                File::Whole(wish) | File::Torn(wish) => wish,
            })
            .collect();
        let at = self.stage.now();
        self.stage.happen(&Happening::Loaded {
            who: self.who,
            frozen,
            wishes,
            at,
        });
        set
    }
}

impl Desired for Loading {
    fn load(&mut self) -> Pin<Box<dyn Future<Output = DesiredSet> + Send + '_>> {
        Box::pin(async { self.set() })
    }

    fn changed(&mut self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(self.folder.1.notified())
    }
}

/// Hears what the controller tells people.
struct Ear {
    stage: Stage,
    who: Who,
}

impl Ear {
    fn hear(&self, place: &'static str, text: String) {
        self.stage.happen(&Happening::Said { place, text });
    }
}

impl Progress for Ear {
    fn event(&self, event: &Event) {
        let text = format!("{event:?}");
        self.stage.enter(
            self.who,
            &format!("  {text:.140}"),
            &serde_json::Value::Null,
        );
        self.hear("progress", text);
    }
}

impl Observer for Ear {
    fn looked(&self, _: &DesiredSet, plan: &Plan) {
        for object in plan
            .objects
            .iter()
            .filter(|o| !o.holds.is_empty() || !o.drift.is_empty())
        {
            let holds: Vec<String> = object.holds.iter().map(ToString::to_string).collect();
            let line = format!(
                "  looked: {} {:?} drift {} {}",
                object.key,
                object.status,
                object.drift.len(),
                holds.join("; ")
            );
            self.stage.enter(self.who, &line, &serde_json::Value::Null);
        }
        if plan.objects.iter().any(|o| !o.drift.is_empty()) {
            self.hear(
                "a plan",
                serde_json::to_string(&plan.objects).unwrap_or_default(),
            );
        }
    }

    fn converged(&self, _: &str, objects: &[ObjectPass]) {
        for object in objects {
            self.hear("a pass", format!("{:?}", object.ended));
        }
    }
}

/// One replica over its lives.
pub struct Replica {
    pub number: usize,
    pub clock: Clock,
    pub folder: Folder,
    pub pause: Pause,
    pub interval: Duration,
    pub writes: Allow,
    /// By how much its wall clock was set back in all.
    pub set_back: SignedDuration,
    task: Option<JoinHandle<()>>,
}

impl Replica {
    pub fn new(number: usize, clock: Clock, interval: Duration, writes: Allow) -> Self {
        Self {
            number,
            clock,
            folder: Folder::default(),
            pause: Pause::default(),
            interval,
            writes,
            set_back: SignedDuration::ZERO,
            task: None,
        }
    }

    /// Sets its wall clock forward, or back.
    pub fn step(&mut self, by: SignedDuration) {
        self.clock.step(by);
        self.set_back += (-by).max(SignedDuration::ZERO);
    }

    pub fn is_alive(&self) -> bool {
        self.task.is_some()
    }

    /// Starts the process. One that lives goes on.
    pub fn start(&mut self, stage: &Stage) {
        if self.is_alive() {
            return;
        }
        let who = stage.born(self.number);
        self.pause.set(false);
        let life = live(
            stage.clone(),
            who,
            self.clock.clone(),
            self.folder.clone(),
            self.interval,
            self.writes,
        );
        let guarded = Guarded::new(stage, self.pause.over(life));
        self.task = Some(tokio::task::spawn_local(guarded));
    }

    /// Ends the process at once: none of its code runs any more.
    pub fn kill(&mut self, stage: &Stage) {
        if let Some(task) = self.task.take() {
            stage.stations(|s| s[self.number].alive = false);
            task.abort();
        }
        self.clock.go_on();
    }
}

/// One life: connects as `evenkeel run` does, and runs.
async fn live(
    stage: Stage,
    who: Who,
    clock: Clock,
    folder: Folder,
    interval: Duration,
    writes: Allow,
) {
    let entropy = Entropy::seeded(stage.seed() ^ ((who.replica as u64) << 32) ^ who.life as u64);
    let net = |target| Net {
        stage: stage.clone(),
        who,
        target,
    };
    let sdk = stage.twin().sdk_config();
    let mode = match writes {
        Allow::Yes => Mode::ReadWrite,
        Allow::No => Mode::ReadOnly,
    };
    let cell = loop {
        let http = net(Target::Aws).client();
        match Cell::connect(&sdk, http, mode, clock.clone(), entropy.clone()).await {
            Ok(cell) => break cell,
            // A process that cannot connect ends, and is started again.
            Err(_) => clock.sleep(Duration::from_secs(5)).await,
        }
    };
    let store = Store::new(StoreConfig {
        sdk,
        http: net(Target::Store).client(),
        table: TABLE.to_owned(),
        account: cell.account.clone(),
        region: cell.region.clone(),
        holder: format!("sim@replica{}/{}", who.replica, who.life),
        clock,
        entropy,
    });
    let engine = Engine::new(Arc::new(cell), Some(Arc::new(store)));
    let options = RunOptions {
        interval,
        scope: Scope::all(),
        writes,
    };
    let mut desired = Loading {
        folder,
        stage: stage.clone(),
        who,
        last: None,
    };
    let ear = Ear { stage, who };
    run(
        &engine,
        &mut desired,
        &options,
        &ear,
        &ear,
        std::future::pending(),
    )
    .await;
}
