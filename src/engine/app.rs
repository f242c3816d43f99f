//! One app: its lease, what is still open in it, and then its objects one after the other.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Mutex;
use std::time::Duration;

use super::Engine;
use super::apply::ApplyOptions;
use super::approach::Done;
use super::progress::{Event, Progress};
use crate::aws::door::CALL_TIMEOUT;
use crate::control::state::Control;
use crate::kinds::KINDS;
use crate::model::document::DesiredSet;
use crate::model::key::ResourceKey;
use crate::model::memory::ObjectMemory;
use crate::model::pass::{Ended, ObjectPass};
use crate::model::plan::ObjectPlan;
use crate::store::{AcquireError, LEASE_DURATION, Lease, LeaseState, Origin, Store, StoreError};

/// How long somebody who watches is left without a word: longer than a lease takes that is free.
const LONG: Duration = Duration::from_secs(3);

/// Why a pass could not go on for an app as a whole.
#[derive(Debug, thiserror::Error)]
pub(super) enum AppFault {
    #[error(
        "{app} is being written by {holder} (lease token {token}); wait for it, or see `evenkeel lock list`"
    )]
    Busy {
        app: String,
        holder: String,
        token: u64,
    },
    #[error(
        "stopped while another process held the lease; nothing was written, run again to go on"
    )]
    Stopped,
    #[error("the lease on {0} was lost to another process; nothing more is written, run again")]
    LeaseLost(String),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("{0}")]
    Unread(String),
}

/// One app at work.
pub(super) struct AppRun<'a> {
    pub(super) engine: &'a Engine,
    pub(super) store: &'a Store,
    pub(super) set: &'a DesiredSet,
    pub(super) app: &'a str,
    pub(super) options: &'a ApplyOptions,
    pub(super) progress: &'a dyn Progress,
    /// Policies, pauses and approvals, as this pass knows them.
    pub(super) control: Mutex<Control>,
}

impl AppRun<'_> {
    pub(super) async fn converge(
        &self,
        pending: &[&ObjectPlan],
        passes: &mut BTreeMap<ResourceKey, ObjectPass>,
    ) -> Result<(), AppFault> {
        self.progress.event(&Event::Leasing {
            app: self.app.to_owned(),
        });
        let stop = self.options.stop.cancelled();
        let patience = self.options.patience;
        let acquired = tokio::select! {
            biased;
            acquired = self.store.acquire_unless(self.app, patience, stop) => acquired,
            never = self.tell_who_is_waited_for() => match never {},
        };
        let lease = match acquired {
            Ok(lease) => lease,
            Err(AcquireError::Stopped) => return Err(AppFault::Stopped),
            Err(AcquireError::Held(row)) => {
                self.progress.event(&Event::Busy {
                    app: self.app.to_owned(),
                    holder: row.holder.clone(),
                });
                return Err(AppFault::Busy {
                    app: self.app.to_owned(),
                    holder: row.holder,
                    token: row.token,
                });
            }
            Err(AcquireError::Store(error)) => return Err(error.into()),
        };
        self.progress.event(&Event::Leased {
            app: self.app.to_owned(),
            token: lease.token(),
        });
        let result = self
            .store
            .keep(&lease, self.under_lease(&lease, pending, passes))
            .await;
        // A lease that cannot be given back runs out by itself.
        if let Err(error) = self.store.release(&lease).await {
            tracing::warn!(app = self.app, %error, "releasing the lease");
        }
        result
    }

    /// Says so when the lease is long in coming; ends only when it is dropped.
    async fn tell_who_is_waited_for(&self) -> Infallible {
        self.engine.cell.clock.sleep(LONG).await;
        // Who cannot be told is waited for all the same, and the end of it is told.
        let row = self.store.leases(&[self.app.to_owned()]).await;
        if let Some(row) = row.ok().and_then(|mut rows| rows.pop())
            && row.state == LeaseState::Held
        {
            self.progress.event(&Event::Waiting {
                app: self.app.to_owned(),
                holder: row.holder,
                most: LEASE_DURATION,
            });
        }
        std::future::pending().await
    }

    async fn under_lease(
        &self,
        lease: &Lease,
        pending: &[&ObjectPlan],
        passes: &mut BTreeMap<ResourceKey, ObjectPass>,
    ) -> Result<(), AppFault> {
        // What its last holder sent may still be on its way.
        if let Origin::TakenOver { .. } = lease.origin() {
            self.engine.cell.clock.sleep(CALL_TIMEOUT).await;
        }
        // Once for each lease: nobody else adds to the chain while it lasts, but for late outcomes.
        self.store.check_head(self.app).await?;
        let mut memory = self.store.memory(self.app).await?;
        self.read_control().await?;
        if let Origin::TakenOver { .. } = lease.origin() {
            self.keep_what_was_seen(lease, pending, &mut memory).await?;
        }
        for (key, object) in &mut memory {
            // One without a document blocks nobody, and waits for this occasion.
            let known = self.set.documents.contains_key(key);
            let meant = !known || pending.iter().any(|o| o.key == *key);
            if object.open.is_some() && meant {
                self.progress_resolving(key, object);
                self.engine
                    .resolve_open(self.store, lease, self.set, key, object)
                    .await?;
            }
        }
        for planned in pending.iter().filter(|o| !o.look_for.is_empty()) {
            if let Some(object) = memory.get_mut(&planned.key) {
                self.engine
                    .look_for_late(self.store, lease, &planned.key, &planned.look_for, object)
                    .await?;
            }
        }
        for kind in KINDS {
            for planned in pending.iter().filter(|o| o.key.kind == kind.name()) {
                let remembered = memory.entry(planned.key.clone()).or_default();
                let mut done = Done::default();
                let ended = self
                    .converge_object(lease, planned, remembered, &mut done)
                    .await;
                let pass = passes.get_mut(&planned.key);
                let Some(pass) = pass else {
                    ended?;
                    continue;
                };
                // What was written was written, even if the pass ends here.
                pass.written = done.written;
                pass.ended = ended?;
                self.tell(&planned.key, &pass.ended);
            }
        }
        Ok(())
    }

    /// A holder that died is outwaited for so long that what the look before showed of its last write
    /// may show no more, such as a deployment that it overtook.
    async fn keep_what_was_seen(
        &self,
        lease: &Lease,
        pending: &[&ObjectPlan],
        memory: &mut BTreeMap<ResourceKey, ObjectMemory>,
    ) -> Result<(), AppFault> {
        for planned in pending {
            let object = memory.entry(planned.key.clone()).or_default();
            self.remember(lease, planned, object).await?;
        }
        Ok(())
    }

    pub(super) fn progress_resolving(&self, key: &ResourceKey, memory: &ObjectMemory) {
        if let Some(open) = &memory.open {
            self.progress.event(&Event::Resolving {
                key: key.clone(),
                intent: open.id.clone(),
            });
        }
    }

    fn tell(&self, key: &ResourceKey, ended: &Ended) {
        let key = key.clone();
        self.progress.event(&match ended {
            Ended::InOrder | Ended::Converged => Event::Converged { key },
            Ended::RollingOut(detail) => Event::Rollout {
                key,
                detail: detail.clone(),
            },
            Ended::Held(why) => Event::Held {
                key,
                why: why.clone(),
            },
            Ended::RolledBack(why) | Ended::Failed(why) => Event::Failed {
                key,
                why: why.clone(),
            },
        });
    }
}
