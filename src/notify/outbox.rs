//! Outbox: a bounded queue for each receiver, and what sends it in the background.
//!
//! Whoever posts never waits. A queue that is full, or a receiver that is told too often, leaves
//! notices out and says how many with the next one.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::limit::Limit;
use super::message::{Letter, title};
use super::receiver::Receiver;
use super::send::{Send, SendError};
use crate::clock::Clock;
use crate::entropy::Entropy;
use crate::model::notice::{Notice, Topic};

/// Notices that wait for one receiver at the most.
const QUEUE: usize = 100;
/// Attempts at one notice.
const ATTEMPTS: u32 = 8;
/// First pause between attempts; doubled each time and jittered.
const PAUSE: Duration = Duration::from_secs(1);
/// Longest such pause.
const PAUSE_MAX: Duration = Duration::from_secs(60);

/// What became of notices to one receiver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// It arrived.
    Sent,
    /// It was given up after the last attempt, or refused, or the process ended first.
    Failed,
    /// It was not sent: too many at a time.
    LeftOut,
}

impl Delivery {
    /// As in metrics.
    pub fn word(self) -> &'static str {
        match self {
            Delivery::Sent => "sent",
            Delivery::Failed => "failed",
            Delivery::LeftOut => "left_out",
        }
    }
}

/// Counts what becomes of notices.
pub trait Tally: std::marker::Send + Sync {
    /// One more.
    fn told(&self, receiver: &str, delivery: Delivery);
    /// What the last attempt came to.
    fn reached(&self, receiver: &str, last: Result<(), &SendError>);
}

/// All receivers' queues.
pub struct Outbox {
    posts: Vec<Post>,
}

struct Post {
    receiver: Receiver,
    queue: mpsc::Sender<Notice>,
    missed: Arc<AtomicU32>,
    tally: Arc<dyn Tally>,
    work: JoinHandle<()>,
}

impl Outbox {
    /// Starts a sender for each receiver.
    pub fn start(
        receivers: Vec<(Receiver, Box<dyn Send>)>,
        tally: &Arc<dyn Tally>,
        clock: &Clock,
        entropy: &Entropy,
    ) -> Self {
        let posts = receivers.into_iter().map(|(receiver, way)| {
            let (queue, waiting) = mpsc::channel(QUEUE);
            let missed = Arc::new(AtomicU32::new(0));
            let worker = Worker {
                name: receiver.name.clone(),
                limit: Limit::new(receiver.per_hour, clock.boot()),
                way,
                missed: Arc::clone(&missed),
                tally: Arc::clone(tally),
                clock: clock.clone(),
                entropy: entropy.clone(),
            };
            Post {
                receiver,
                queue,
                missed,
                tally: Arc::clone(tally),
                work: tokio::spawn(worker.run(waiting)),
            }
        });
        Self {
            posts: posts.collect(),
        }
    }

    /// Whether there is nobody to tell.
    pub fn is_empty(&self) -> bool {
        self.posts.is_empty()
    }

    /// Puts `notice` into the queues of those who want it. Never waits.
    pub fn post(&self, notice: &Notice) {
        for one in self.posts.iter().filter(|p| p.receiver.wants(notice)) {
            if one.queue.try_send(notice.clone()).is_err() {
                one.missed.fetch_add(1, Ordering::SeqCst);
                one.tally.told(&one.receiver.name, Delivery::LeftOut);
                tracing::warn!(
                    receiver = one.receiver.name,
                    "a notice is left out, since {QUEUE} wait already: {}",
                    title(notice)
                );
            }
        }
    }

    /// Takes no more, and waits up to `patience` for what is queued to be sent.
    pub async fn close(self, patience: Duration, clock: &Clock) {
        let mut work = Vec::new();
        for one in self.posts {
            drop(one.queue);
            work.push((one.receiver.name, one.tally, one.work));
        }
        let mut left = clock.sleep_boxed(patience);
        for (name, tally, mut work) in work {
            tokio::select! {
                biased;
                _ = &mut work => {}
                () = &mut left => {
                    tracing::warn!(receiver = name, "stopped before all its notices were sent");
                    tally.told(&name, Delivery::Failed);
                    work.abort();
                    // What is left of the time is none, for the others too.
                    left = clock.sleep_boxed(Duration::ZERO);
                }
            }
        }
    }
}

struct Worker {
    name: String,
    limit: Limit,
    way: Box<dyn Send>,
    missed: Arc<AtomicU32>,
    tally: Arc<dyn Tally>,
    clock: Clock,
    entropy: Entropy,
}

impl Worker {
    async fn run(mut self, mut waiting: mpsc::Receiver<Notice>) {
        let mut last: Option<Notice> = None;
        loop {
            self.limit.miss(self.missed.swap(0, Ordering::SeqCst));
            let due = self.limit.due(self.clock.boot());
            let next = match due {
                None => waiting.recv().await,
                Some(due) => tokio::select! {
                    biased;
                    next = waiting.recv() => next,
                    // Nothing more came, and what was left out is to be known all the same.
                    () = self.clock.sleep(due) => last.as_ref().map(|last| {
                        let mut notice = Notice::new(
                            Topic::LeftOut,
                            &last.app,
                            self.clock.now(),
                            Vec::new(),
                        );
                        notice.why = Some(
                            "more happened than this receiver is told of in an hour".to_owned(),
                        );
                        notice
                    }),
                },
            };
            let Some(notice) = next else {
                return;
            };
            last = Some(notice.clone());
            self.limit.miss(self.missed.swap(0, Ordering::SeqCst));
            match self.limit.admit(notice.severity, self.clock.boot()) {
                Some(left_out) => self.deliver(&Letter { notice, left_out }).await,
                None => {
                    self.tally.told(&self.name, Delivery::LeftOut);
                    tracing::warn!(
                        receiver = self.name,
                        "a notice is left out, since there were too many within the hour: {}",
                        title(&notice)
                    );
                }
            }
        }
    }

    /// Sends, and again what may arrive another time.
    async fn deliver(&self, letter: &Letter) {
        let mut pause = PAUSE;
        for attempt in 1..=ATTEMPTS {
            let error = match self.way.send(letter).await {
                Ok(()) => {
                    self.tally.told(&self.name, Delivery::Sent);
                    self.tally.reached(&self.name, Ok(()));
                    return;
                }
                Err(error) => error,
            };
            self.tally.reached(&self.name, Err(&error));
            let lasts = matches!(error, SendError::Lasting(_)) || attempt == ATTEMPTS;
            if lasts {
                self.tally.told(&self.name, Delivery::Failed);
                tracing::error!(
                    receiver = self.name,
                    attempt,
                    "a notice was given up: {error}; it said: {}",
                    title(&letter.notice)
                );
                return;
            }
            tracing::warn!(
                receiver = self.name,
                attempt,
                "a notice did not arrive: {error}"
            );
            self.clock.sleep(self.entropy.jitter(pause)).await;
            pause = (pause * 2).min(PAUSE_MAX);
        }
    }
}
