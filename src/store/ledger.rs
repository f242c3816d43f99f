//! The ledger: what is about to be written, and what became of it, in one chain for each app.

use aws_sdk_dynamodb::types::{ConditionCheck, Delete, Put, TransactWriteItem};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Store;
use super::call::{ATTEMPTS, Before, Transacted};
use super::error::StoreError;
use super::lease::Lease;
use super::rows;
use crate::aws::budget::RateToken;
use crate::aws::call::Permit;
use crate::model::change::{Drift, Risk, Step};
use crate::model::entry::{Outcome, Record};
use crate::model::key::ResourceKey;
use crate::model::memory::{ObjectMemory, OpenIntent};
use crate::model::source::CommitId;
use crate::model::tree::{Tree, to_tree};

/// A write that is about to be sent.
#[derive(Clone, Debug, PartialEq)]
pub struct NewIntent {
    /// Unique, from [`crate::entropy::Entropy::id`].
    pub id: String,
    /// Whose.
    pub key: ResourceKey,
    /// What.
    pub step: Step,
    /// The drift that it mends.
    pub drift: Vec<Drift>,
    /// Its risk.
    pub risk: Risk,
    /// The plan that it belongs to.
    pub plan: String,
    /// Tasks that the whole change replaces or starts.
    pub tasks: u64,
    /// The digest of the approval that it uses up, if it is made under one.
    pub approval: Option<String>,
    /// The commit whose documents ask for it, where they are of one.
    pub commit: Option<CommitId>,
}

/// What became of a write.
#[derive(Clone, Debug, PartialEq)]
pub struct NewOutcome {
    /// The intent's id.
    pub intent: String,
    /// Whose.
    pub key: ResourceKey,
    /// How it ended.
    pub outcome: Outcome,
    /// What AWS answered, or why: short, without secrets.
    pub detail: Tree,
    /// What is remembered of the object from now on, recorded together with the outcome.
    pub memory: Option<ObjectMemory>,
}

/// Why an intent was not recorded. Nothing may be sent.
#[derive(Clone, Debug, thiserror::Error)]
pub enum IntendError {
    /// The lease is another's now, or released.
    #[error("the lease is no longer ours; nothing was sent")]
    LeaseLost,
    /// An earlier write of the object has no outcome yet.
    #[error("an earlier write ({intent}) has no known outcome yet; it is resolved first")]
    ObjectBusy {
        /// That write's intent.
        intent: String,
    },
    /// The approval that it was to use up was used or revoked meanwhile, or has ended.
    #[error("its approval was used, revoked or has ended since; nothing was sent")]
    Unapproved,
    /// The store did not do it. If its answer was lost the intent may be recorded, and is then
    /// resolved like one whose sender died.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Why an outcome was not recorded in the chain.
#[derive(Clone, Debug, thiserror::Error)]
pub enum SettleError {
    /// Another had resolved the intent before; this outcome is kept as late testimony.
    #[error(
        "another process had resolved this write before; what we know is kept as late testimony"
    )]
    Late,
    /// The store did not do it; the intent stays open and is resolved by reading.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// An outcome that came when the intent was no longer open. Outside the chain.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Late {
    /// The intent's id.
    pub intent: String,
    /// Whose.
    pub key: ResourceKey,
    /// How it ended, says the witness.
    pub outcome: Outcome,
    /// What AWS answered, or why.
    pub detail: Tree,
    /// The witness: `user@host/pid`.
    pub by: String,
    /// When, by the witness's wall clock.
    pub at: Timestamp,
    /// The token of the lease that the witness held.
    pub token: u64,
}

impl Store {
    /// Records the intent and renews the lease by it, in one transaction, and gives the permit for
    /// the one request that it announces.
    ///
    /// # Errors
    /// See [`IntendError`]; without a permit nothing can be sent.
    pub async fn intend(
        &self,
        lease: &Lease,
        intent: NewIntent,
        token: RateToken,
    ) -> Result<Permit, IntendError> {
        if lease.is_gone() {
            return Err(IntendError::LeaseLost);
        }
        let pk = self.pk(lease.app());
        let open_sk = rows::object(rows::OPEN, &intent.key);
        let record = Record::Intent {
            id: intent.id.clone(),
            key: intent.key.clone(),
            step: intent.step.clone(),
            drift: intent.drift.clone(),
            risk: intent.risk,
            plan: intent.plan.clone(),
            tasks: intent.tasks,
            commit: intent.commit.clone(),
        };
        for attempt in 1..=ATTEMPTS {
            let entry = self.next_entry(lease, record.clone()).await?;
            let open = OpenIntent {
                id: intent.id.clone(),
                at: entry.at,
                token: lease.token(),
                operation: intent.step.operation.clone(),
                step: to_tree(&intent.step),
                drift: intent.drift.clone(),
                commit: intent.commit.clone(),
            };
            let open = Put::builder()
                .table_name(&self.table.name)
                .set_item(Some(rows::item(
                    &pk,
                    &open_sk,
                    [
                        ("intent", rows::text(&intent.id)),
                        ("seq", rows::number(entry.seq)),
                        (
                            rows::BODY,
                            rows::text(self.table.json(&pk, &open_sk, &open)?),
                        ),
                    ],
                )))
                .condition_expression("attribute_not_exists(#pk)")
                .expression_attribute_names("#pk", "pk");
            let [head, line] = self.appended(&entry)?;
            let mut items = vec![
                self.renewal(lease)?,
                head,
                line,
                self.part(open.build(), |p, b| p.put(b))?,
            ];
            if let Some(digest) = &intent.approval {
                // In the same transaction: no approval serves twice, and none is used for nothing.
                let used = self.use_of(lease.app(), digest, &intent.id).await?;
                items.extend(used.ok_or(IntendError::Unapproved)?);
            }
            let permit = |sent| {
                lease.renewed(sent);
                lease.added(&entry);
                let Step {
                    operation, object, ..
                } = &intent.step;
                Permit::issue(
                    &intent.id,
                    operation,
                    object,
                    super::watch::deadline(sent),
                    token,
                )
            };
            let row = format!("{pk} / {open_sk}");
            match self
                .table
                .transact(&row, &request_token(&intent.id, attempt), &items)
                .await?
            {
                Transacted::Done(sent) => return Ok(permit(sent)),
                Transacted::Cancelled(at, _) if at.contains(&0) => {
                    lease.lose();
                    return Err(IntendError::LeaseLost);
                }
                Transacted::Cancelled(_, Before::LostAnswer(sent))
                    if self.stands(&entry).await? =>
                {
                    return Ok(permit(sent));
                }
                Transacted::Cancelled(at, _) if at.contains(&3) => {
                    // The one that was in the way may have gone by now; then it is tried again.
                    if let Some(open) = self.table.get(&pk, &open_sk).await? {
                        let intent = rows::text_of(&open, "intent")
                            .map_err(|why| self.table.corrupt(&pk, &open_sk, why))?;
                        return Err(IntendError::ObjectBusy {
                            intent: intent.to_owned(),
                        });
                    }
                }
                // The head has moved: read it again.
                Transacted::Cancelled(..) => {}
            }
            self.table.pause(attempt).await;
        }
        Err(self.table.contended(&pk, &open_sk).into())
    }

    /// Records what became of an intent. Needs the intent to be still open, not the lease to be still
    /// ours. [`Outcome::Unknown`] leaves it open.
    ///
    /// # Errors
    /// See [`SettleError`].
    pub async fn settle(&self, lease: &Lease, outcome: NewOutcome) -> Result<(), SettleError> {
        let pk = self.pk(lease.app());
        let open_sk = rows::object(rows::OPEN, &outcome.key);
        let record = Record::Outcome {
            intent: outcome.intent.clone(),
            key: outcome.key.clone(),
            outcome: outcome.outcome,
            detail: outcome.detail.clone(),
        };
        let id = self.table.entropy.id();
        for attempt in 1..=ATTEMPTS {
            let entry = self.next_entry(lease, record.clone()).await?;
            let [head, line] = self.appended(&entry)?;
            let mut items = vec![self.closed(&pk, &open_sk, &outcome)?, head, line];
            if let Some(memory) = &outcome.memory {
                items.push(self.memory_row(&outcome.key, memory)?);
            }
            let row = format!("{pk} / {open_sk}");
            match self
                .table
                .transact(&row, &request_token(&id, attempt), &items)
                .await?
            {
                Transacted::Done(_) => {
                    lease.added(&entry);
                    return Ok(());
                }
                Transacted::Cancelled(_, Before::LostAnswer(_)) if self.stands(&entry).await? => {
                    return Ok(());
                }
                Transacted::Cancelled(at, _) if at.contains(&0) => {
                    self.testify(lease, outcome, &id).await?;
                    return Err(SettleError::Late);
                }
                Transacted::Cancelled(..) => {}
            }
            self.table.pause(attempt).await;
        }
        Err(self.table.contended(&pk, &open_sk).into())
    }

    /// Outcomes that came too late for the app's chain.
    ///
    /// # Errors
    /// The store's.
    pub async fn late(&self, app: &str) -> Result<Vec<Late>, StoreError> {
        let pk = self.pk(app);
        let items = self.table.rows_of(&pk, rows::LATE).await?;
        items
            .iter()
            .map(|item| {
                rows::json_of(item, rows::BODY)
                    .map_err(|why| self.table.corrupt(&pk, rows::LATE, why))
            })
            .collect()
    }

    async fn testify(
        &self,
        lease: &Lease,
        outcome: NewOutcome,
        id: &str,
    ) -> Result<(), StoreError> {
        let pk = self.pk(lease.app());
        let sk = format!("{}{}#{id}", rows::LATE, outcome.intent);
        let late = Late {
            intent: outcome.intent,
            key: outcome.key,
            outcome: outcome.outcome,
            detail: outcome.detail,
            by: self.holder.clone(),
            at: self.table.clock.now(),
            token: lease.token(),
        };
        let body = self.table.json(&pk, &sk, &late)?;
        let item = rows::item(&pk, &sk, [(rows::BODY, rows::text(body))]);
        self.table.put(&format!("{pk} / {sk}"), item).await
    }

    /// The part of a transaction that needs the intent to be open, and closes it if it is resolved.
    fn closed(
        &self,
        pk: &str,
        open_sk: &str,
        outcome: &NewOutcome,
    ) -> Result<TransactWriteItem, StoreError> {
        const OURS: &str = "#intent = :intent";
        let intent = rows::text(&outcome.intent);
        match outcome.outcome {
            Outcome::Unknown => {
                let check = ConditionCheck::builder()
                    .table_name(&self.table.name)
                    .key("pk", rows::text(pk))
                    .key("sk", rows::text(open_sk))
                    .condition_expression(OURS)
                    .expression_attribute_names("#intent", "intent")
                    .expression_attribute_values(":intent", intent);
                self.part(check.build(), |p, b| p.condition_check(b))
            }
            Outcome::Applied | Outcome::NotApplied | Outcome::Superseded => {
                let delete = Delete::builder()
                    .table_name(&self.table.name)
                    .key("pk", rows::text(pk))
                    .key("sk", rows::text(open_sk))
                    .condition_expression(OURS)
                    .expression_attribute_names("#intent", "intent")
                    .expression_attribute_values(":intent", intent);
                self.part(delete.build(), |p, b| p.delete(b))
            }
        }
    }
}

/// The client request token of the `attempt`-th body made for `id`: DynamoDB wants the same body
/// with the same token, and a head that moved makes another body. At most 36 characters.
fn request_token(id: &str, attempt: u32) -> String {
    if attempt == 1 {
        id.to_owned()
    } else {
        format!("{id}-{attempt}")
    }
}
