//! Drift rows: episodes of drift, one row each, outside the write chain.
//!
//! An open episode stands under the digest of its field and `OPEN`, so that two replicas that find
//! it at once make one row; when it ends it moves to a row of its own, which expires after
//! [`KEPT_FOR`] by the attribute `expires` (seconds, for DynamoDB's time to live) and is taken away
//! earlier where an object has more than [`KEPT_PER_OBJECT`]. An open row says in `since`
//! (milliseconds) which episode it is of: what is known of an older one touches it no more.

use aws_sdk_dynamodb::types::{AttributeValue, Delete, Put, TransactWriteItem};
use jiff::Timestamp;

use super::Store;
use super::call::Written;
use super::error::StoreError;
use super::rows::{self, Item};
use crate::model::drift::{DriftRecord, KEPT_FOR, KEPT_PER_OBJECT};
use crate::model::key::ResourceKey;
use crate::model::tree::digest_of;

/// Rows that one ending takes away at the most, far below the hundred of a transaction, and more than
/// come between two that do.
const SWEPT_AT_ONCE: usize = 50;
/// Where a row says when it may go.
const EXPIRES: &str = "expires";
/// Where an open row says which episode it is of: when that began.
const SINCE: &str = "since";

/// How a row is taken away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Gone {
    /// Only if it is of the episode that began then: of several that would, one does.
    Episode(Timestamp),
    /// Whether it is there or not.
    Anyway,
}

/// What became of a record that was to be opened.
#[derive(Clone, Debug, PartialEq)]
pub enum Opened {
    /// It stands now.
    New,
    /// Another process had opened it; this is what stands.
    Standing(Box<DriftRecord>),
}

impl Store {
    /// The app's episodes of drift, those that have expired left out: open and ended ones.
    ///
    /// # Errors
    /// The store's, and a row that cannot be read.
    pub async fn drift(&self, app: &str) -> Result<Vec<DriftRecord>, StoreError> {
        let pk = self.pk(app);
        let now = self.table.clock.now();
        let items = self.table.rows_of(&pk, rows::DRIFT).await?;
        let mut records: Vec<DriftRecord> = Vec::new();
        for item in &items {
            let sk = rows::text_of(item, "sk").map_err(|why| self.table.corrupt(&pk, "?", why))?;
            let record: DriftRecord =
                rows::json_of(item, rows::BODY).map_err(|why| self.table.corrupt(&pk, sk, why))?;
            if expires(&record).is_none_or(|at| at > now) {
                records.push(record);
            }
        }
        records
            .sort_by(|a, b| (a.first_seen, &a.key, &a.path).cmp(&(b.first_seen, &b.key, &b.path)));
        Ok(records)
    }

    /// Opens an episode, unless one of the same field stands open. Needs no lease.
    ///
    /// # Errors
    /// The store's.
    pub async fn open_drift(&self, record: &DriftRecord) -> Result<Opened, StoreError> {
        self.index(&record.key.app).await?;
        let (pk, sk) = (self.pk(&record.key.app), row_of(record));
        let written = self.put_open(record, "attribute_not_exists(#since)", None);
        if let Written::Done(_) = written.await? {
            return Ok(Opened::New);
        }
        match self.table.get(&pk, &sk).await? {
            Some(item) => rows::json_of(&item, rows::BODY)
                .map(|standing| Opened::Standing(Box::new(standing)))
                .map_err(|why| self.table.corrupt(&pk, &sk, why)),
            // It ended between the two calls; the next look opens another one if it has to.
            None => Ok(Opened::Standing(Box::new(record.clone()))),
        }
    }

    /// Puts an episode as it is known now, in its own row, open or ended. An open one that another process
    /// has ended stays so.
    ///
    /// # Errors
    /// The store's.
    pub async fn put_drift(&self, record: &DriftRecord) -> Result<(), StoreError> {
        if record.end.is_none() {
            let began = Some([(":since".to_owned(), since(record.first_seen))].into());
            let written = self.put_open(record, "#since = :since", began);
            return written.await.map(|_| ());
        }
        let row = format!("{} / {}", self.pk(&record.key.app), row_of(record));
        self.table.put(&row, self.drift_item(record)?).await
    }

    /// Puts an open row where `condition` holds of what its `#since` says.
    async fn put_open(
        &self,
        record: &DriftRecord,
        condition: &str,
        values: Option<Item>,
    ) -> Result<Written, StoreError> {
        let row = format!("{} / {}", self.pk(&record.key.app), row_of(record));
        let item = self.drift_item(record)?;
        self.table
            .write_if("dynamodb.PutItem", &row, || {
                self.table
                    .client
                    .put_item()
                    .table_name(&self.table.name)
                    .set_item(Some(item.clone()))
                    .condition_expression(condition)
                    .expression_attribute_names("#since", SINCE)
                    .set_expression_attribute_values(values.clone())
                    .send()
            })
            .await
    }

    /// Ends an episode: its row moves from the open ones to the ended ones, unless another process has
    /// ended it, whose word then stands. One ending in eight also takes away what of its object's is too
    /// old or too many: so the rest cost no reading.
    ///
    /// # Errors
    /// The store's.
    pub async fn end_drift(&self, record: &DriftRecord) -> Result<(), StoreError> {
        let pk = self.pk(&record.key.app);
        let open = rows::object(rows::DRIFT, &record.key) + &field_of(record) + rows::DRIFT_OPEN;
        let sk = row_of(record);
        let put = Put::builder()
            .table_name(&self.table.name)
            .set_item(Some(self.drift_item(record)?));
        let mut items = vec![
            self.part(put.build(), |p, b| p.put(b))?,
            self.taken_away(&pk, &open, Gone::Episode(record.first_seen))?,
        ];
        if sweeps(record) {
            for gone in self.overdue(&record.key).await? {
                if gone != sk {
                    items.push(self.taken_away(&pk, &gone, Gone::Anyway)?);
                }
            }
        }
        let token = self.table.entropy.id();
        self.table
            .transact(&format!("{pk} / {sk}"), &token, &items)
            .await
            .map(|_| ())
    }

    /// Sort keys of the object's ended rows that are to go, the oldest first.
    async fn overdue(&self, key: &ResourceKey) -> Result<Vec<String>, StoreError> {
        let pk = self.pk(&key.app);
        let prefix = rows::object(rows::DRIFT, key) + "#";
        let now = self.table.clock.now().as_second();
        let mut ended: Vec<(i64, String)> = self
            .table
            .rows_of(&pk, &prefix)
            .await?
            .iter()
            .filter_map(|item| {
                let expires = rows::number_of(item, EXPIRES).ok()?;
                let sk = rows::text_of(item, "sk").ok()?;
                Some((i64::try_from(expires).ok()?, sk.to_owned()))
            })
            .collect();
        ended.sort();
        // The one that is ended now comes on top.
        let excess = (ended.len() + 1).saturating_sub(KEPT_PER_OBJECT);
        Ok(ended
            .into_iter()
            .enumerate()
            .filter(|(at, (expires, _))| *at < excess || *expires <= now)
            .map(|(_, (_, sk))| sk)
            .take(SWEPT_AT_ONCE)
            .collect())
    }

    fn taken_away(&self, pk: &str, sk: &str, gone: Gone) -> Result<TransactWriteItem, StoreError> {
        let mut delete = Delete::builder()
            .table_name(&self.table.name)
            .key("pk", rows::text(pk))
            .key("sk", rows::text(sk));
        if let Gone::Episode(began) = gone {
            delete = delete
                .condition_expression("#since = :since")
                .expression_attribute_names("#since", SINCE)
                .expression_attribute_values(":since", since(began));
        }
        self.part(delete.build(), |p, b| p.delete(b))
    }

    fn drift_item(&self, record: &DriftRecord) -> Result<Item, StoreError> {
        let (pk, sk) = (self.pk(&record.key.app), row_of(record));
        let body = self.table.json(&pk, &sk, record)?;
        let mut item = rows::item(&pk, &sk, [(rows::BODY, rows::text(body))]);
        if record.end.is_none() {
            item.insert(SINCE.to_owned(), since(record.first_seen));
        }
        if let Some(at) = expires(record) {
            let second = AttributeValue::N(at.as_second().to_string());
            item.insert(EXPIRES.to_owned(), second);
        }
        Ok(item)
    }
}

/// Whether the end of this episode is one of those that look for rows to take away: an eighth of all,
/// whoever ends them.
fn sweeps(record: &DriftRecord) -> bool {
    matches!(digest_of(record).as_bytes().first(), Some(b'0' | b'8'))
}

/// When an ended record may go; an open one stays.
fn expires(record: &DriftRecord) -> Option<Timestamp> {
    let end = record.end.as_ref()?;
    end.at.checked_add(KEPT_FOR).ok()
}

fn since(began: Timestamp) -> AttributeValue {
    AttributeValue::N(began.as_millisecond().to_string())
}

/// `#` and the digest of a path: a path may hold any character, a sort key only printable ones.
fn field_of(record: &DriftRecord) -> String {
    format!("#{:.16}", digest_of(&record.path))
}

fn row_of(record: &DriftRecord) -> String {
    let field = rows::object(rows::DRIFT, &record.key) + &field_of(record);
    match record.end {
        None => field + rows::DRIFT_OPEN,
        Some(_) => format!("{field}#{:015}", record.first_seen.as_millisecond().max(0)),
    }
}
