//! Control rows: the policies in force and the pauses of all apps, beside each other, so that one
//! query at each look reads them whatever the number of apps.

use std::collections::BTreeMap;

use aws_sdk_dynamodb::types::Put;

use super::Store;
use super::call::Transacted;
use super::error::StoreError;
use super::rows::{self, Item};
use crate::control::leash::Leash;
use crate::control::pause::Pause;

/// What the control rows say of one app.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ControlRows {
    /// The policy in force.
    pub leash: Option<Leash>,
    /// The pauses, those that are over included.
    pub pauses: Vec<Pause>,
    /// Why a row of it could not be read: a pause that is not seen would be broken.
    pub unread: Option<String>,
}

/// What became of recording a policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leashed {
    /// It is in force.
    Done,
    /// Another process was faster, or its approval was used or revoked; the next look tells.
    Overtaken,
}

impl Store {
    /// The policies in force and the pauses, by app, in one query.
    ///
    /// # Errors
    /// The store's; a row that cannot be read is told with its app.
    pub async fn control_rows(&self) -> Result<BTreeMap<String, ControlRows>, StoreError> {
        let pk = self.estate();
        let items = self.table.rows_of(&pk, rows::CONTROL).await?;
        let mut apps: BTreeMap<String, ControlRows> = BTreeMap::new();
        for item in &items {
            let sk = rows::text_of(item, "sk").unwrap_or_default();
            let read = if let Some(app) = sk.strip_prefix(rows::LEASH) {
                let app = apps.entry(app.to_owned()).or_default();
                self.row(&pk, sk, item)
                    .map(|leash| app.leash = Some(leash))
                    .map_err(|e| (e, app))
            } else if let Some(rest) = sk.strip_prefix(rows::PAUSE) {
                let app = rest.split('#').next().unwrap_or_default();
                let app = apps.entry(app.to_owned()).or_default();
                self.row(&pk, sk, item)
                    .map(|pause| app.pauses.push(pause))
                    .map_err(|e| (e, app))
            } else {
                Ok(())
            };
            if let Err((error, app)) = read {
                app.unread = Some(error.to_string());
            }
        }
        Ok(apps)
    }

    /// The pauses of one app.
    ///
    /// # Errors
    /// The store's, and a row that cannot be read.
    pub async fn pauses(&self, app: &str) -> Result<Vec<Pause>, StoreError> {
        let pk = self.estate();
        let items = self
            .table
            .rows_of(&pk, &format!("{}{app}#", rows::PAUSE))
            .await?;
        let row = |item| {
            let sk = rows::text_of(item, "sk").unwrap_or(rows::PAUSE);
            self.row(&pk, sk, item)
        };
        items.iter().map(row).collect()
    }

    /// Puts a pause, in the place of an earlier one of the same app or object.
    ///
    /// # Errors
    /// The store's.
    pub async fn put_pause(&self, pause: &Pause) -> Result<(), StoreError> {
        self.index(&pause.app).await?;
        let pk = self.estate();
        let object = pause.object.as_deref().unwrap_or_default();
        let sk = format!("{}{}#{object}", rows::PAUSE, pause.app);
        let body = self.table.json(&pk, &sk, pause)?;
        let item = rows::item(&pk, &sk, [(rows::BODY, rows::text(body))]);
        self.table.put(&format!("{pk} / {sk}"), item).await
    }

    /// Makes `leash` the policy in force of `app`, if the one before it still is, and uses up the
    /// approval that it takes.
    ///
    /// # Errors
    /// The store's.
    pub async fn put_leash(
        &self,
        app: &str,
        leash: &Leash,
        uses: Option<&str>,
    ) -> Result<Leashed, StoreError> {
        self.index(app).await?;
        let pk = self.estate();
        let sk = format!("{}{app}", rows::LEASH);
        let body = self.table.json(&pk, &sk, leash)?;
        let put = Put::builder()
            .table_name(&self.table.name)
            .set_item(Some(rows::item(
                &pk,
                &sk,
                [
                    ("version", rows::number(leash.version)),
                    (rows::BODY, rows::text(body)),
                ],
            )));
        let put = if leash.version == 1 {
            put.condition_expression("attribute_not_exists(#pk)")
                .expression_attribute_names("#pk", "pk")
        } else {
            put.condition_expression("#version = :version")
                .expression_attribute_names("#version", "version")
                .expression_attribute_values(":version", rows::number(leash.version - 1))
        };
        let mut items = vec![self.part(put.build(), |p, b| p.put(b))?];
        if let Some(digest) = uses {
            match self.use_of(app, digest, "policy").await? {
                Some(used) => items.extend(used),
                None => return Ok(Leashed::Overtaken),
            }
        }
        let token = self.table.entropy.id();
        let row = format!("{pk} / {sk}");
        Ok(match self.table.transact(&row, &token, &items).await? {
            Transacted::Done(_) => Leashed::Done,
            Transacted::Cancelled(..) => Leashed::Overtaken,
        })
    }

    fn row<T: serde::de::DeserializeOwned>(
        &self,
        pk: &str,
        sk: &str,
        item: &Item,
    ) -> Result<T, StoreError> {
        rows::json_of(item, rows::BODY).map_err(|why| self.table.corrupt(pk, sk, why))
    }
}
