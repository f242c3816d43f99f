//! Chains: how entries are read, and how one more is hung on the end.

use aws_sdk_dynamodb::types::builders::PutBuilder;
use aws_sdk_dynamodb::types::{Put, TransactWriteItem};

use super::Store;
use super::error::StoreError;
use super::lease::Lease;
use super::rows;
use crate::model::chain::{Head, Link, ends};
use crate::model::entry::{Entry, GENESIS, Record};

/// How often a chain is read until it stands still for as long as that takes. A writer adds an entry
/// in tens of milliseconds at the least, but rests for the call between two of them.
const READINGS: u32 = 8;

/// A chain, and its head as it was before and after the chain was read.
#[derive(Clone, Debug, PartialEq)]
pub struct Chain {
    /// Oldest first.
    pub entries: Vec<Entry>,
    /// `None` where there is no row `HEAD`.
    pub head: Option<Head>,
}

impl Store {
    /// The app's chain, oldest first: all of it, or its newest entries.
    ///
    /// # Errors
    /// The store's, and an entry that cannot be read.
    pub async fn history(
        &self,
        app: &str,
        newest: Option<usize>,
    ) -> Result<Vec<Entry>, StoreError> {
        let pk = self.pk(app);
        let last = super::call::end_of(rows::ENTRY);
        let mut items = self.table.query(&pk, rows::ENTRY, &last, newest).await?;
        if newest.is_some() {
            items.reverse();
        }
        items
            .iter()
            .map(|item| {
                rows::json_of(item, rows::BODY).map_err(|why| {
                    let sk = rows::text_of(item, "sk").unwrap_or(rows::ENTRY);
                    self.table.corrupt(&pk, sk, why)
                })
            })
            .collect()
    }

    /// The app's chain with its head, of one moment.
    ///
    /// # Errors
    /// The store's, a row that cannot be read, and a chain that never stood still.
    pub async fn chain(&self, app: &str) -> Result<Chain, StoreError> {
        let pk = self.pk(app);
        let mut head = self.head(&pk).await?;
        for attempt in 1..=READINGS {
            let entries = self.history(app, None).await?;
            let after = self.head(&pk).await?;
            if after == head {
                return Ok(Chain { entries, head });
            }
            head = after;
            self.table.pause(attempt).await;
        }
        Err(self.restless(&pk))
    }

    /// Checks that the app's chain ends at its head, so that it can be added to: an entry that is
    /// hung on anything else would be lost, or never be hung on at all.
    ///
    /// # Errors
    /// The store's, and a head that does not name the newest entry.
    pub async fn check_head(&self, app: &str) -> Result<(), StoreError> {
        let pk = self.pk(app);
        let mut head = self.head(&pk).await?;
        for attempt in 1..=READINGS {
            let last = self.history(app, Some(1)).await?.pop();
            let Err(fault) = ends(app, last.as_ref(), head.as_ref()) else {
                return Ok(());
            };
            // A late outcome of somebody who lost the lease may have come in between.
            let after = self.head(&pk).await?;
            if after == head {
                return Err(self.table.corrupt(&pk, rows::HEAD, fault.to_string()));
            }
            head = after;
            self.table.pause(attempt).await;
        }
        Err(self.restless(&pk))
    }

    fn restless(&self, pk: &str) -> StoreError {
        StoreError::Restless {
            table: self.table.name.clone(),
            pk: pk.to_owned(),
            attempts: READINGS,
        }
    }

    async fn head(&self, pk: &str) -> Result<Option<Head>, StoreError> {
        let Some(item) = self.table.get(pk, rows::HEAD).await? else {
            return Ok(None);
        };
        let head = || {
            Ok::<_, String>(Head {
                seq: rows::number_of(&item, "seq")?,
                hash: rows::text_of(&item, "hash")?.to_owned(),
            })
        };
        let head = head().map_err(|why| self.table.corrupt(pk, rows::HEAD, why))?;
        Ok(Some(head))
    }

    /// The entry that comes after the head as it is now, or as our own last entry left it.
    pub(super) async fn next_entry(
        &self,
        lease: &Lease,
        record: Record,
    ) -> Result<Entry, StoreError> {
        let known = match lease.take_end() {
            Some(head) => Some(head),
            None => self.head(&self.pk(lease.app())).await?,
        };
        let head = match known {
            Some(head) => head,
            // Before the first entry, or its row is gone.
            None => {
                self.check_head(lease.app()).await?;
                Head {
                    seq: 0,
                    hash: GENESIS.to_owned(),
                }
            }
        };
        Ok(Entry {
            app: lease.app().to_owned(),
            seq: head.seq + 1,
            at: self.table.clock.now(),
            by: self.holder.clone(),
            token: lease.token(),
            record,
            prev: head.hash,
            hash: String::new(),
        }
        .sealed())
    }

    /// The parts of a transaction that advance the head by `entry`.
    pub(super) fn appended(&self, entry: &Entry) -> Result<[TransactWriteItem; 2], StoreError> {
        let pk = self.pk(&entry.app);
        let sk = rows::numbered(rows::ENTRY, entry.seq);
        let head = Put::builder()
            .table_name(&self.table.name)
            .set_item(Some(rows::item(
                &pk,
                rows::HEAD,
                [
                    ("seq", rows::number(entry.seq)),
                    ("hash", rows::text(&entry.hash)),
                    ("token", rows::number(entry.token)),
                ],
            )));
        let head = follows(head, entry);
        let kind = match entry.record {
            Record::Intent { .. } => "Intent",
            Record::Outcome { .. } => "Outcome",
        };
        let line = Put::builder()
            .table_name(&self.table.name)
            .set_item(Some(rows::item(
                &pk,
                &sk,
                [
                    ("seq", rows::number(entry.seq)),
                    ("hash", rows::text(&entry.hash)),
                    ("type", rows::text(kind)),
                    ("object", rows::text(entry.key().to_string())),
                    (rows::BODY, rows::text(self.table.json(&pk, &sk, entry)?)),
                ],
            )))
            .condition_expression("attribute_not_exists(#pk)")
            .expression_attribute_names("#pk", "pk");
        Ok([
            self.part(head.build(), |p, b| p.put(b))?,
            self.part(line.build(), |p, b| p.put(b))?,
        ])
    }

    /// Whether exactly this entry is in the chain.
    pub(super) async fn stands(&self, entry: &Entry) -> Result<bool, StoreError> {
        let sk = rows::numbered(rows::ENTRY, entry.seq);
        let row = self.table.get(&self.pk(&entry.app), &sk).await?;
        Ok(row.is_some_and(|row| rows::text_of(&row, "hash") == Ok(entry.hash.as_str())))
    }
}

/// `head`, the row that says where a chain ends, as one that goes on to `entry` from the entry before and
/// from no other.
pub(super) fn follows(head: PutBuilder, entry: &impl Link) -> PutBuilder {
    if entry.seq() == 1 {
        return head
            .condition_expression("attribute_not_exists(#pk)")
            .expression_attribute_names("#pk", "pk");
    }
    head.condition_expression("#seq = :seq AND #hash = :hash")
        .expression_attribute_names("#seq", "seq")
        .expression_attribute_names("#hash", "hash")
        .expression_attribute_values(":seq", rows::number(entry.seq() - 1))
        .expression_attribute_values(":hash", rows::text(entry.prev()))
}
