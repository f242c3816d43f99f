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
                if !matches!(object.ended, Ended::RollingOut(_)) {
                    continue;
                }
                let Some(now) = plan.object(&object.key) else {
                    continue;
                };
                let boot = self.cell.clock.boot();
                let last = seen.entry(object.key.clone()).or_insert(boot);
                // Only history tells which rollout is ours, and a look that failed says nothing of
                // any: it goes on all the same.
                let hidden = match plan.history_unread.get(&object.key.app) {
                    Some(cause) => Some(cause.clone()),
                    None if now.rollout.is_none() && now.status == Status::Unreadable => {
                        Some(holds_text(now))
                    }
                    None => None,
                };
                match &hidden {
                    Some(_) if boot < *last + BLIND => continue,
                    Some(_) => {}
                    None => *last = boot,
                }
                object.ended = match (&now.rollout, now.status) {
                    _ if let Some(cause) = &hidden => Ended::Held(format!(
                        "its rollout could not be followed any more: {cause}; `evenkeel plan` shows \
                         how it goes on"
                    )),
                    (Some(Rollout::InProgress { detail }), _) => Ended::RollingOut(detail.clone()),
                    (Some(Rollout::Failed { detail }), _) => Ended::RolledBack(detail.clone()),
                    (None, Status::Unreadable) => continue,
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
