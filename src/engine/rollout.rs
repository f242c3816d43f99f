//! Rollouts: waiting for them to be over, without a lease.

use std::collections::BTreeMap;
use std::time::Duration;

use super::Engine;
use super::apply::{ApplyOptions, holds_text};
use super::progress::{Event, Progress};
use crate::model::document::DesiredSet;
use crate::model::key::ResourceKey;
use crate::model::pass::{Ended, ObjectPass};
use crate::model::plan::{Rollout, Status};
use crate::model::scope::Scope;

/// Pause between two looks at rollouts.
const PAUSE: Duration = Duration::from_secs(5);
/// How long a rollout is waited for; ECS itself gives up on one much later, if ever.
const PATIENCE: Duration = Duration::from_secs(30 * 60);
/// How long it may not be possible to look at one: several looks, each with its own repeats. What keeps
/// them all from reading, such as expired credentials, is better said than waited out.
const BLIND: Duration = Duration::from_secs(30);

impl Engine {
    /// Looks at every object that is rolling out until it is not, one batched look for all.
    pub(crate) async fn await_rollouts(
        &self,
        set: &DesiredSet,
        objects: &mut [ObjectPass],
        options: &ApplyOptions,
        progress: &dyn Progress,
    ) {
        let deadline = self.cell.clock.boot() + PATIENCE;
        let mut seen: BTreeMap<ResourceKey, Duration> = BTreeMap::new();
        while objects
            .iter()
            .any(|o| matches!(o.ended, Ended::RollingOut(_)))
            && self.cell.clock.boot() < deadline
        {
            tokio::select! {
                biased;
                () = options.stop.cancelled() => break,
                () = self.cell.clock.sleep(PAUSE) => {}
            }
            let keys: Vec<_> = objects
                .iter()
                .filter(|o| matches!(o.ended, Ended::RollingOut(_)))
                .map(|o| o.key.clone())
                .collect();
            let plan = self
                .plan_knowing_all(set, &Scope::among(keys), &options.policy)
                .await;
            for object in objects.iter_mut() {
                // Only history tells which rollout is ours: while the store is away, the rollout
                // goes on all the same.
                if !matches!(object.ended, Ended::RollingOut(_))
                    || plan.history_unread.contains_key(&object.key.app)
                {
                    continue;
                }
                let Some(now) = plan.object(&object.key) else {
                    continue;
                };
                let last = seen
                    .entry(object.key.clone())
                    .or_insert_with(|| self.cell.clock.boot());
                if now.status != Status::Unreadable {
                    *last = self.cell.clock.boot();
                }
                object.ended = match (&now.rollout, now.status) {
                    (Some(Rollout::InProgress { detail }), _) => Ended::RollingOut(detail.clone()),
                    (Some(Rollout::Failed { detail }), _) => Ended::RolledBack(detail.clone()),
                    // A look that failed says nothing about the rollout.
                    (None, Status::Unreadable) if self.cell.clock.boot() < *last + BLIND => {
                        continue;
                    }
                    (None, Status::Unreadable) => Ended::Held(format!(
                        "its rollout could not be followed any more: {}; `evenkeel plan` shows how \
                         it goes on",
                        holds_text(now)
                    )),
                    (None, Status::InSync) => Ended::Converged,
                    (None, Status::Blocked | Status::Deferred) => Ended::Held(
                        now.holds
                            .iter()
                            .map(ToString::to_string)
                            .collect::<Vec<_>>()
                            .join("; "),
                    ),
                    (None, Status::Drifted | Status::Absent) => Ended::Failed(
                        "it was changed again by someone else while it rolled out; run again"
                            .to_owned(),
                    ),
                };
                progress.event(&match &object.ended {
                    Ended::RollingOut(detail) => Event::Rollout {
                        key: object.key.clone(),
                        detail: detail.clone(),
                    },
                    Ended::RolledBack(why) | Ended::Failed(why) => Event::Failed {
                        key: object.key.clone(),
                        why: why.clone(),
                    },
                    Ended::Held(why) => Event::Held {
                        key: object.key.clone(),
                        why: why.clone(),
                    },
                    Ended::InOrder | Ended::Converged => Event::Converged {
                        key: object.key.clone(),
                    },
                });
            }
        }
        let why = if options.stop.is_cancelled() {
            "stopped before its rollout was over".to_owned()
        } else {
            format!(
                "its rollout is not over after {} min",
                PATIENCE.as_secs() / 60
            )
        };
        for object in objects.iter_mut() {
            if let Ended::RollingOut(detail) = &object.ended {
                object.ended = Ended::Held(format!(
                    "{why}: {detail}; `evenkeel plan` shows how it goes on"
                ));
            }
        }
    }
}
