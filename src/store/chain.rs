//! Chains: how entries are read, and how one more is hung on the end.

use aws_sdk_dynamodb::types::{Put, TransactWriteItem};

use super::Store;
use super::error::StoreError;
use super::lease::Lease;
use super::rows;
use crate::model::entry::{Entry, GENESIS, Record};

/// Where a chain ends.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Head {
    seq: u64,
    hash: String,
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

    /// The highest token that the app's chain knows of.
    pub(super) async fn highest_token(&self, app: &str) -> Result<u64, StoreError> {
        let pk = self.pk(app);
        let head = self.table.get(&pk, rows::HEAD).await?;
        Ok(head
            .and_then(|head| rows::number_of(&head, "token").ok())
            .unwrap_or_default())
    }

    /// Where the app's chain ends, by its own word: the newest entry's number and hash. To check a
    /// chain against it, read it before the chain, which may grow meanwhile.
    ///
    /// # Errors
    /// The store's, and a head that cannot be read.
    pub async fn chain_head(&self, app: &str) -> Result<(u64, String), StoreError> {
        let Head { seq, hash } = self.head(&self.pk(app)).await?;
        Ok((seq, hash))
    }

    async fn head(&self, pk: &str) -> Result<Head, StoreError> {
        let Some(item) = self.table.get(pk, rows::HEAD).await? else {
            return Ok(Head {
                seq: 0,
                hash: GENESIS.to_owned(),
            });
        };
        let head = || {
            Ok::<_, String>(Head {
                seq: rows::number_of(&item, "seq")?,
                hash: rows::text_of(&item, "hash")?.to_owned(),
            })
        };
        head().map_err(|why| self.table.corrupt(pk, rows::HEAD, why))
    }

    /// The entry that comes after the head as it is now.
    pub(super) async fn next_entry(
        &self,
        lease: &Lease,
        record: Record,
    ) -> Result<Entry, StoreError> {
        let head = self.head(&self.pk(lease.app())).await?;
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
        let head = if entry.seq == 1 {
            head.condition_expression("attribute_not_exists(#pk)")
                .expression_attribute_names("#pk", "pk")
        } else {
            head.condition_expression("#seq = :seq AND #hash = :hash")
                .expression_attribute_names("#seq", "seq")
                .expression_attribute_names("#hash", "hash")
                .expression_attribute_values(":seq", rows::number(entry.seq - 1))
                .expression_attribute_values(":hash", rows::text(&entry.prev))
        };
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
