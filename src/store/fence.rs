//! Fences: how a person takes a lease from its holder, and what is kept of it.

use aws_sdk_dynamodb::types::{ConditionCheck, Put, TransactWriteItem};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Store;
use super::call::{Transacted, value};
use super::error::StoreError;
use super::lease_row::{decode, encode};
use super::rows::{self, Item};
use super::watch::{LeaseRow, LeaseState};

/// A lease that a person released, as the `FENCE#` row says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fence {
    /// The app.
    pub app: String,
    /// The token that was fenced off, where it could be read.
    pub fenced: Option<u64>,
    /// The token after it.
    pub token: u64,
    /// Who held it, where that could be read.
    pub holder: Option<String>,
    /// Who released it: `user@host/pid`.
    pub by: String,
    /// When, by that one's wall clock.
    pub at: Timestamp,
    /// Why.
    pub reason: String,
}

/// What is added to the highest token that the chain knows when the lease row's own token is lost: more grants than ever happen between two entries of a chain.
const LOST_TOKEN_JUMP: u64 = 1_000_000;

impl Store {
    /// The token of a grant where there is no lease row: 1 for an app that was never written, and above
    /// all that were ever granted where somebody has deleted the row. With the part of a transaction
    /// that holds as long as the chain ends where it did.
    pub(super) async fn first_token(
        &self,
        app: &str,
    ) -> Result<(u64, TransactWriteItem), StoreError> {
        let pk = self.pk(app);
        let head = self.table.get(&pk, rows::HEAD).await?;
        let token = match known_token(head.as_ref()) {
            0 => 1,
            known => known + LOST_TOKEN_JUMP,
        };
        let check = ConditionCheck::builder()
            .table_name(&self.table.name)
            .key("pk", rows::text(&pk))
            .key("sk", rows::text(rows::HEAD));
        let check = match head.as_ref().and_then(|head| value(head, "seq")) {
            Some(seq) => check
                .condition_expression("#seq = :seq")
                .expression_attribute_values(":seq", seq),
            None => check.condition_expression("attribute_not_exists(#seq)"),
        };
        let check = check.expression_attribute_names("#seq", "seq").build();
        Ok((token, self.part(check, |p, b| p.condition_check(b))?))
    }

    /// Takes the lease from whoever holds it, for a person who gives a reason: the token grows, so
    /// nothing of the old holder gets into the ledger any more. What it has sent to AWS already
    /// still arrives. Works on a row that cannot be read, too.
    ///
    /// # Errors
    /// The store's, and [`StoreError::NoLease`].
    pub async fn force_release(&self, app: &str, reason: &str) -> Result<LeaseRow, StoreError> {
        let pk = self.pk(app);
        for attempt in 1..=super::call::ATTEMPTS {
            let Some(item) = self.table.get(&pk, rows::LEASE).await? else {
                return Err(StoreError::NoLease {
                    table: self.table.name.clone(),
                    app: app.to_owned(),
                });
            };
            let old = decode(app, &item);
            // Each number may be readable though the row as a whole is not.
            let fenced = rows::number_of(&item, "token").ok();
            let token = match fenced {
                Some(token) => token + 1,
                None => {
                    let head = self.table.get(&pk, rows::HEAD).await?;
                    known_token(head.as_ref()) + LOST_TOKEN_JUMP
                }
            };
            let now = self.table.clock.now();
            let row = LeaseRow {
                token,
                version: rows::number_of(&item, "version").unwrap_or(token) + 1,
                state: LeaseState::Released,
                since: now,
                renewed: now,
                reason: Some(reason.to_owned()),
                released_by: Some(self.holder.clone()),
                ..old
            };
            let fence = Fence {
                app: app.to_owned(),
                fenced,
                token,
                holder: rows::text_of(&item, "holder").ok().map(str::to_owned),
                by: self.holder.clone(),
                at: now,
                reason: reason.to_owned(),
            };
            if self.put_fence(&pk, &item, &row, &fence).await? {
                return Ok(row);
            }
            self.table.pause(attempt).await;
        }
        Err(self.table.contended(&pk, rows::LEASE))
    }

    /// Whether the row was as it had been read, and is now `row`.
    async fn put_fence(
        &self,
        pk: &str,
        read: &Item,
        row: &LeaseRow,
        fence: &Fence,
    ) -> Result<bool, StoreError> {
        let sk = rows::numbered(rows::FENCE, fence.token);
        let body = self.table.json(pk, &sk, fence)?;
        let put = Put::builder()
            .table_name(&self.table.name)
            .set_item(Some(encode(pk, row)));
        // Only the token has to be as it was read: a heartbeat in between changes nothing.
        let put = match value(read, "token") {
            Some(token) => put
                .condition_expression("#token = :token")
                .expression_attribute_names("#token", "token")
                .expression_attribute_values(":token", token),
            None => put
                .condition_expression("attribute_not_exists(#token)")
                .expression_attribute_names("#token", "token"),
        };
        let record = Put::builder()
            .table_name(&self.table.name)
            .set_item(Some(rows::item(pk, &sk, [(rows::BODY, rows::text(body))])));
        let items = [
            self.part(put.build(), |p, b| p.put(b))?,
            self.part(record.build(), |p, b| p.put(b))?,
        ];
        let token = self.table.entropy.id();
        Ok(match self.table.transact(pk, &token, &items).await? {
            Transacted::Done(_) => true,
            Transacted::Cancelled(..) => match self.lease_row(&fence.app).await? {
                Some(now) => now == *row,
                None => false,
            },
        })
    }

    /// The leases of the app that people released, oldest first.
    ///
    /// # Errors
    /// The store's.
    pub async fn fences(&self, app: &str) -> Result<Vec<Fence>, StoreError> {
        let pk = self.pk(app);
        let items = self.table.rows_of(&pk, rows::FENCE).await?;
        items
            .iter()
            .map(|item| {
                rows::json_of(item, rows::BODY)
                    .map_err(|why| self.table.corrupt(&pk, rows::FENCE, why))
            })
            .collect()
    }
}

/// The highest token that a chain's head knows of.
fn known_token(head: Option<&Item>) -> u64 {
    head.and_then(|head| rows::number_of(head, "token").ok())
        .unwrap_or_default()
}
