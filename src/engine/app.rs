//! One app: its lease, what is still open in it, and then its objects one after the other.

use std::collections::BTreeMap;

use super::Engine;
use super::apply::ApplyOptions;
use super::progress::{Event, Progress};
use crate::aws::door::CALL_TIMEOUT;
use crate::kinds::KINDS;
use crate::model::document::DesiredSet;
use crate::model::key::ResourceKey;
use crate::model::memory::ObjectMemory;
use crate::model::pass::{Ended, ObjectPass};
use crate::model::plan::ObjectPlan;
use crate::store::{AcquireError, Lease, Origin, Store, StoreError};

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
    #[error("the lease on {0} was lost to another process; nothing more is written, run again")]
    LeaseLost(String),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// One app at work.
pub(super) struct AppRun<'a> {
    pub(super) engine: &'a Engine,
    pub(super) store: &'a Store,
    pub(super) set: &'a DesiredSet,
    pub(super) app: &'a str,
    pub(super) options: &'a ApplyOptions,
    pub(super) progress: &'a dyn Progress,
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
        let lease = match self.store.acquire(self.app, self.options.patience).await {
            Ok(lease) => lease,
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
        let mut memory = self.store.memory(self.app).await?;
        for (key, object) in &mut memory {
            if object.open.is_some() && pending.iter().any(|o| o.key == *key) {
                self.progress_resolving(key, object);
                self.engine
                    .resolve_open(self.store, lease, self.set, key, object)
                    .await?;
            }
        }
        for kind in KINDS {
            for planned in pending.iter().filter(|o| o.key.kind == kind.name()) {
                let remembered = memory.entry(planned.key.clone()).or_default();
                let mut written = Vec::new();
                let ended = self
                    .converge_object(lease, planned, remembered, &mut written)
                    .await?;
                self.tell(&planned.key, &ended);
                if let Some(pass) = passes.get_mut(&planned.key) {
                    pass.ended = ended;
                    pass.written = written;
                }
            }
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
