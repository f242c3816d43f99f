//! Memory and status rows: what is remembered of each object, and in what condition it was seen.

use std::collections::BTreeMap;

use aws_sdk_dynamodb::types::{Put, TransactWriteItem};
use serde::de::DeserializeOwned;

use super::Store;
use super::call::{Transacted, end_of};
use super::error::StoreError;
use super::lease::Lease;
use super::rows::{self, Item};
use crate::model::key::ResourceKey;
use crate::model::memory::ObjectMemory;
use crate::model::status::ObjectStatus;

impl Store {
    /// What is remembered of the app's objects, open intents included, in one query.
    ///
    /// # Errors
    /// The store's, and a row that cannot be read: forgetting an open intent would be worse.
    pub async fn memory(
        &self,
        app: &str,
    ) -> Result<BTreeMap<ResourceKey, ObjectMemory>, StoreError> {
        let pk = self.pk(app);
        let last = end_of(rows::OPEN);
        let items = self.table.query(&pk, rows::MEMORY, &last, None).await?;
        let mut objects: BTreeMap<ResourceKey, ObjectMemory> = BTreeMap::new();
        for item in &items {
            let sk = self.sort_key(&pk, item)?;
            if let Some(key) = rows::object_of(app, sk, rows::MEMORY) {
                // MEMORY# comes before OPEN#, so nothing is overwritten here.
                objects.insert(key, self.body(&pk, sk, item)?);
            } else if let Some(key) = rows::object_of(app, sk, rows::OPEN) {
                objects.entry(key).or_default().open = Some(self.body(&pk, sk, item)?);
            } else {
                return Err(self.nameless(&pk, sk));
            }
        }
        Ok(objects)
    }

    /// Remembers `memory` of an object, if the lease is ours. Its open intent is not part of it:
    /// that is the ledger's.
    ///
    /// # Errors
    /// [`StoreError::LeaseLost`], and the store's.
    pub async fn remember(
        &self,
        lease: &Lease,
        key: &ResourceKey,
        memory: &ObjectMemory,
    ) -> Result<(), StoreError> {
        let lost = || StoreError::LeaseLost {
            table: self.table.name.clone(),
            app: lease.app().to_owned(),
            token: lease.token(),
        };
        if lease.is_gone() {
            return Err(lost());
        }
        let row = format!(
            "{} / {}",
            self.pk(lease.app()),
            rows::object(rows::MEMORY, key)
        );
        let items = [self.ownership(lease)?, self.memory_row(key, memory)?];
        let token = self.table.entropy.id();
        match self.table.transact(&row, &token, &items).await? {
            Transacted::Done(_) => Ok(()),
            Transacted::Cancelled(..) => {
                lease.lose();
                Err(lost())
            }
        }
    }

    /// The part of a transaction that puts the object's memory.
    pub(super) fn memory_row(
        &self,
        key: &ResourceKey,
        memory: &ObjectMemory,
    ) -> Result<TransactWriteItem, StoreError> {
        let pk = self.pk(&key.app);
        let sk = rows::object(rows::MEMORY, key);
        let memory = ObjectMemory {
            open: None,
            ..memory.clone()
        };
        let body = self.table.json(&pk, &sk, &memory)?;
        let put = Put::builder()
            .table_name(&self.table.name)
            .set_item(Some(rows::item(&pk, &sk, [(rows::BODY, rows::text(body))])));
        self.part(put.build(), |p, b| p.put(b))
    }

    /// The conditions of the app's objects.
    ///
    /// # Errors
    /// The store's, and a row that cannot be read.
    pub async fn statuses(
        &self,
        app: &str,
    ) -> Result<BTreeMap<ResourceKey, ObjectStatus>, StoreError> {
        let pk = self.pk(app);
        let items = self.table.rows_of(&pk, rows::STATUS).await?;
        let mut statuses = BTreeMap::new();
        for item in &items {
            let sk = self.sort_key(&pk, item)?;
            let key = rows::object_of(app, sk, rows::STATUS);
            let key = key.ok_or_else(|| self.nameless(&pk, sk))?;
            let status: ObjectStatus = self.body(&pk, sk, item)?;
            statuses.insert(key, status);
        }
        Ok(statuses)
    }

    /// A row that says that it is one of an object, and not of which.
    fn nameless(&self, pk: &str, sk: &str) -> StoreError {
        self.table
            .corrupt(pk, sk, "its key names no object as Kind/name".to_owned())
    }

    fn sort_key<'i>(&self, pk: &str, item: &'i Item) -> Result<&'i str, StoreError> {
        rows::text_of(item, "sk").map_err(|why| self.table.corrupt(pk, "?", why))
    }

    fn body<T: DeserializeOwned>(&self, pk: &str, sk: &str, item: &Item) -> Result<T, StoreError> {
        rows::json_of(item, rows::BODY).map_err(|why| self.table.corrupt(pk, sk, why))
    }
}
