//! Approvals: an app's chain of who approved which change, how it is read and added to.
//!
//! It lies apart from the write chain: people add to it without a lease, and no plan is disturbed.

use aws_sdk_dynamodb::types::{Put, TransactWriteItem};

use super::Store;
use super::call::{ATTEMPTS, Before, Transacted};
use super::chain::follows;
use super::error::StoreError;
use super::rows;
use crate::control::approval::{ApprovalEntry, ApprovalRecord, Reach, Standing};
use crate::model::chain::{Head, whole};
use crate::model::entry::GENESIS;

impl Store {
    /// The app's chain of approvals, oldest first, verified from its first entry to its head.
    ///
    /// # Errors
    /// The store's, and a chain that was changed, forked or cut.
    pub async fn approvals(&self, app: &str) -> Result<Vec<ApprovalEntry>, StoreError> {
        let pk = self.pk(app);
        let mut last = None;
        // The head sorts before the entries, and a chain of several pages may grow between two.
        for attempt in 1..=ATTEMPTS {
            let (chain, head) = self.read_approvals(&pk).await?;
            match whole(app, &chain, head.as_ref()) {
                Ok(()) => return Ok(chain),
                Err(fault) => last = Some(fault),
            }
            self.table.pause(attempt).await;
        }
        let why = last.map_or_else(String::new, |fault| fault.to_string());
        Err(self.table.corrupt(&pk, rows::APPROVAL, why))
    }

    async fn read_approvals(
        &self,
        pk: &str,
    ) -> Result<(Vec<ApprovalEntry>, Option<Head>), StoreError> {
        let last = super::call::end_of(rows::APPROVAL_ENTRY);
        let items = self.table.query(pk, rows::APPROVAL, &last, None).await?;
        let (mut chain, mut head) = (Vec::new(), None);
        for item in &items {
            let sk = rows::text_of(item, "sk").unwrap_or(rows::APPROVAL);
            let corrupt = |why| self.table.corrupt(pk, sk, why);
            if sk == rows::APPROVAL {
                head = Some(Head {
                    seq: rows::number_of(item, "seq").map_err(corrupt)?,
                    hash: rows::text_of(item, "hash").map_err(corrupt)?.to_owned(),
                });
            } else {
                chain.push(rows::json_of(item, rows::BODY).map_err(corrupt)?);
            }
        }
        Ok((chain, head))
    }

    /// Adds `record` to the app's chain of approvals, in the name of `caller`, an ARN as STS gave it.
    ///
    /// # Errors
    /// The store's, and a chain that is not whole.
    pub async fn approve(
        &self,
        app: &str,
        caller: &str,
        record: ApprovalRecord,
    ) -> Result<ApprovalEntry, StoreError> {
        self.index(app).await?;
        let pk = self.pk(app);
        for attempt in 1..=ATTEMPTS {
            let chain = self.approvals(app).await?;
            let entry = self.next_approval(app, caller, chain.last(), record.clone());
            let items = self.approval_items(&entry)?;
            let token = self.table.entropy.id();
            match self.table.transact(&pk, &token, &items).await? {
                Transacted::Done(_) => return Ok(entry),
                Transacted::Cancelled(_, Before::LostAnswer(_))
                    if self.approvals(app).await?.contains(&entry) =>
                {
                    return Ok(entry);
                }
                Transacted::Cancelled(..) => {}
            }
            self.table.pause(attempt).await;
        }
        Err(self.table.contended(&pk, rows::APPROVAL))
    }

    /// The parts of a transaction that use up what was approved of the change; `None` when nothing
    /// of it stands any more.
    pub(super) async fn use_of(
        &self,
        app: &str,
        digest: &str,
        by: &str,
    ) -> Result<Option<[TransactWriteItem; 2]>, StoreError> {
        let chain = self.approvals(app).await?;
        let now = self.table.clock.now();
        if Standing::of(&chain, now).people(digest, Reach::InTime, now) == 0 {
            return Ok(None);
        }
        let record = ApprovalRecord::Used {
            digest: digest.to_owned(),
            by: by.to_owned(),
        };
        let entry = self.next_approval(app, &self.holder, chain.last(), record);
        self.approval_items(&entry).map(Some)
    }

    fn next_approval(
        &self,
        app: &str,
        caller: &str,
        last: Option<&ApprovalEntry>,
        record: ApprovalRecord,
    ) -> ApprovalEntry {
        ApprovalEntry {
            app: app.to_owned(),
            seq: last.map_or(0, |last| last.seq) + 1,
            at: self.table.clock.now(),
            caller: caller.to_owned(),
            record,
            prev: last.map_or_else(|| GENESIS.to_owned(), |last| last.hash.clone()),
            hash: String::new(),
        }
        .sealed()
    }

    fn approval_items(&self, entry: &ApprovalEntry) -> Result<[TransactWriteItem; 2], StoreError> {
        let pk = self.pk(&entry.app);
        let head = Put::builder()
            .table_name(&self.table.name)
            .set_item(Some(rows::item(
                &pk,
                rows::APPROVAL,
                [
                    ("seq", rows::number(entry.seq)),
                    ("hash", rows::text(&entry.hash)),
                ],
            )));
        let head = follows(head, entry);
        let sk = rows::numbered(rows::APPROVAL_ENTRY, entry.seq);
        let body = self.table.json(&pk, &sk, entry)?;
        let line = Put::builder()
            .table_name(&self.table.name)
            .set_item(Some(rows::item(&pk, &sk, [(rows::BODY, rows::text(body))])))
            .condition_expression("attribute_not_exists(#pk)")
            .expression_attribute_names("#pk", "pk");
        Ok([
            self.part(head.build(), |p, b| p.put(b))?,
            self.part(line.build(), |p, b| p.put(b))?,
        ])
    }
}
