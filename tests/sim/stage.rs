//! Stage: what all parts of one run share.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use evenkeel::clock::Clock;
use evenkeel::twin::Twin;
use evenkeel::twin::wire::Incoming;
use serde_json::Value;
use tokio::sync::Notify;

use super::ghost::Ghost;
use super::happening::{Happening, Who};
use super::laws::LAWS;
use super::trace::Trace;
use super::weather::{Strike, Target, Weather};

/// A law that was broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    /// `S3`, `L1`.
    pub law: &'static str,
    pub why: String,
    /// True time from the start.
    pub at: Duration,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} broken at {:.3} s: {}",
            self.law,
            self.at.as_secs_f64(),
            self.why
        )
    }
}

/// One replica as the stage sees it.
#[derive(Debug)]
pub struct Station {
    pub clock: Clock,
    pub life: usize,
    pub alive: bool,
    /// Calls of this life.
    calls: usize,
}

struct Inner {
    ghost: Ghost,
    trace: Trace,
    weather: Weather,
    stations: Vec<Station>,
    /// When each client request token was first used with success.
    tokens: BTreeMap<String, Duration>,
    broken: Option<Broken>,
    calls: BTreeMap<String, u64>,
}

/// A handle on the shared state of one run.
#[derive(Clone)]
pub struct Stage {
    inner: Arc<Mutex<Inner>>,
    twin: Twin,
    clock: Clock,
    seed: u64,
    bell: Arc<Notify>,
}

impl Stage {
    pub fn new(twin: Twin, clock: Clock, seed: u64, weather: Weather, trace: Trace) -> Self {
        let inner = Inner {
            ghost: Ghost::default(),
            trace,
            weather,
            stations: Vec::new(),
            tokens: BTreeMap::new(),
            broken: None,
            calls: BTreeMap::new(),
        };
        Self {
            inner: Arc::new(Mutex::new(inner)),
            twin,
            clock,
            seed,
            bell: Arc::default(),
        }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn twin(&self) -> &Twin {
        &self.twin
    }

    /// The true clock.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// True time from the start.
    pub fn now(&self) -> Duration {
        self.clock.boot()
    }

    pub fn boot_of(&self, who: Who) -> Duration {
        self.inner().stations[who.replica].clock.boot()
    }

    pub fn ghost<R>(&self, f: impl FnOnce(&mut Ghost) -> R) -> R {
        f(&mut self.inner().ghost)
    }

    pub fn weather<R>(&self, f: impl FnOnce(&mut Weather) -> R) -> R {
        f(&mut self.inner().weather)
    }

    pub fn stations<R>(&self, f: impl FnOnce(&mut Vec<Station>) -> R) -> R {
        f(&mut self.inner().stations)
    }

    pub fn add_station(&self, clock: Clock) {
        self.inner().stations.push(Station {
            clock,
            life: 0,
            alive: false,
            calls: 0,
        });
    }

    /// A new life of a replica.
    pub fn born(&self, replica: usize) -> Who {
        let mut inner = self.inner();
        let station = &mut inner.stations[replica];
        station.life += 1;
        station.alive = true;
        station.calls = 0;
        Who {
            replica,
            life: station.life,
        }
    }

    /// Counts a call of a replica; one that is dead must make none.
    pub fn next_call(&self, who: Who, name: &str) -> usize {
        let (nth, dead) = {
            let mut inner = self.inner();
            *inner.calls.entry(name.to_owned()).or_default() += 1;
            let station = &mut inner.stations[who.replica];
            station.calls += 1;
            (station.calls, !station.alive || station.life != who.life)
        };
        if dead {
            self.happen(&Happening::FromTheDead {
                who,
                operation: name.to_owned(),
            });
        }
        nth
    }

    pub fn strike(&self, who: Who, nth: usize, call: (Target, &str, &[String])) -> Option<Strike> {
        let now = self.now();
        self.inner().weather.strike(who, nth, call, now)
    }

    /// Enters a line into the trace.
    pub fn enter(&self, who: Who, what: &str, detail: &Value) {
        let now = self.now();
        self.inner()
            .trace
            .enter(now, &format!("r{}.{}", who.replica, who.life), what, detail);
    }

    /// Enters what the world does by itself.
    pub fn note(&self, what: &str) {
        let now = self.now();
        self.inner().trace.enter(now, "world", what, &Value::Null);
    }

    /// Asks every law about what happens, and then takes note of it.
    pub fn happen(&self, happening: &Happening) {
        let now = self.now();
        let mut inner = self.inner();
        let inner = &mut *inner;
        if let Some(told) = happening.told() {
            inner.trace.enter(now, "took", &told, &Value::Null);
        }
        let count = inner.ghost.happened.entry(happening.name());
        *count.or_default() += 1;
        for law in LAWS {
            if let Some(why) = (law.broken)(&inner.ghost, happening) {
                let broken = Broken {
                    law: law.number,
                    why,
                    at: now,
                };
                inner
                    .trace
                    .enter(now, "law", &broken.to_string(), &Value::Null);
                inner.broken.get_or_insert(broken);
                self.bell.notify_one();
            }
        }
        inner.ghost.note(happening);
    }

    /// A process has logged a line.
    pub fn logged(&self, line: &str) {
        self.happen(&Happening::Said {
            place: "a log",
            text: line.to_owned(),
        });
    }

    /// Breaks a law that is no matter of one event.
    pub fn break_law(&self, law: &'static str, why: String) {
        let broken = Broken {
            law,
            why,
            at: self.now(),
        };
        self.note(&broken.to_string());
        self.inner().broken.get_or_insert(broken);
        self.bell.notify_one();
    }

    pub fn broken(&self) -> Option<Broken> {
        self.inner().broken.clone()
    }

    /// Completes when a law is broken.
    pub async fn alarm(&self) {
        while self.broken().is_none() {
            self.bell.notified().await;
        }
    }

    /// Whether a transaction only repeats one that was done, under its token.
    pub fn is_replay(&self, incoming: &Incoming) -> bool {
        let Some(token) = incoming.input["ClientRequestToken"].as_str() else {
            return false;
        };
        let now = self.now();
        let mut inner = self.inner();
        match inner.tokens.get(token) {
            Some(at) if now.saturating_sub(*at) < Duration::from_secs(600) => true,
            _ => {
                inner.tokens.insert(token.to_owned(), now);
                false
            }
        }
    }

    /// The trace's hash, lines and events, and the calls by name.
    pub fn take(&self) -> (String, Vec<String>, u64, BTreeMap<String, u64>) {
        let mut inner = self.inner();
        let lines = inner.trace.lines.take().unwrap_or_default();
        (
            inner.trace.hash(),
            lines,
            inner.trace.events,
            std::mem::take(&mut inner.calls),
        )
    }
}
