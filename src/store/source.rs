//! Source rows: which commit of a Git source is in force, and which apps are pinned to one. They lie
//! outside of the apps' chains: a hold is no write of an app.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Store;
use super::call::{Before, Written};
use super::error::StoreError;
use super::rows;
use crate::model::source::{Pin, SourceRecord};

/// Where a row counts its changes.
const VERSION: &str = "version";

/// A source's record, as it was read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sourced {
    /// What it says; empty where there is no row yet.
    pub record: SourceRecord,
    /// How often it was changed; 0 where there is no row.
    version: u64,
}

/// What the row of an app's pin says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PinRow {
    /// The pin, while it holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pin: Option<Pin>,
    /// Who changed it last.
    pub by: String,
    /// When, by that one's wall clock.
    pub at: Timestamp,
    /// Why.
    pub reason: String,
}

impl Store {
    /// What is recorded of the source `id`.
    ///
    /// # Errors
    /// The store's, and a row that cannot be read.
    pub async fn source(&self, id: &str) -> Result<Sourced, StoreError> {
        let pk = self.estate();
        let sk = format!("{}{id}", rows::SOURCE);
        let Some(item) = self.table.get(&pk, &sk).await? else {
            return Ok(Sourced::default());
        };
        let bad = |why| self.table.corrupt(&pk, &sk, why);
        Ok(Sourced {
            record: rows::json_of(&item, rows::BODY).map_err(bad)?,
            version: rows::number_of(&item, VERSION).map_err(bad)?,
        })
    }

    /// Records `record` of the source `id`, if the row is still as `read`; says whether it was.
    ///
    /// # Errors
    /// The store's.
    pub async fn put_source(
        &self,
        id: &str,
        read: &Sourced,
        record: &SourceRecord,
    ) -> Result<bool, StoreError> {
        let pk = self.estate();
        let sk = format!("{}{id}", rows::SOURCE);
        let body = self.table.json(&pk, &sk, record)?;
        let next = read.version + 1;
        let item = rows::item(
            &pk,
            &sk,
            [
                (VERSION, rows::number(next)),
                (rows::BODY, rows::text(body)),
            ],
        );
        let row = format!("{pk} / {sk}");
        let written = self
            .table
            .write_if("dynamodb.PutItem", &row, || {
                let put = self
                    .table
                    .client
                    .put_item()
                    .table_name(&self.table.name)
                    .set_item(Some(item.clone()))
                    .expression_attribute_names("#version", VERSION);
                match read.version {
                    0 => put.condition_expression("attribute_not_exists(#version)"),
                    version => put
                        .condition_expression("#version = :version")
                        .expression_attribute_values(":version", rows::number(version)),
                }
                .send()
            })
            .await?;
        Ok(match written {
            Written::Done(_) => true,
            Written::Refused(Before::Nothing) => false,
            // Perhaps the echo of our own.
            Written::Refused(Before::LostAnswer(_)) => {
                let now = self.source(id).await?;
                now.version == next && now.record == *record
            }
        })
    }

    /// The pins that hold, by app, in one query.
    ///
    /// # Errors
    /// The store's, and a row that cannot be read: an app whose pin is forgotten would move.
    pub async fn pins(&self) -> Result<BTreeMap<String, Pin>, StoreError> {
        let rows = self.pin_rows().await?.into_values();
        let held = rows.filter_map(|row| row.pin);
        Ok(held.map(|pin| (pin.app.clone(), pin)).collect())
    }

    /// What the rows of all pins say, by app: of one that was let go who did it, and why.
    ///
    /// # Errors
    /// As [`Self::pins`].
    pub async fn pin_rows(&self) -> Result<BTreeMap<String, PinRow>, StoreError> {
        let pk = self.estate();
        let mut pins = BTreeMap::new();
        for item in self.table.rows_of(&pk, rows::PIN).await? {
            let corrupt = |why| self.table.corrupt(&pk, rows::PIN, why);
            let row: PinRow = rows::json_of(&item, rows::BODY).map_err(corrupt)?;
            let sk = rows::text_of(&item, "sk").map_err(corrupt)?;
            pins.insert(sk.trim_start_matches(rows::PIN).to_owned(), row);
        }
        Ok(pins)
    }

    /// Pins an app to a commit, whatever it was pinned to.
    ///
    /// # Errors
    /// The store's.
    pub async fn pin(&self, pin: &Pin) -> Result<(), StoreError> {
        let row = PinRow {
            pin: Some(pin.clone()),
            by: pin.by.clone(),
            at: pin.at,
            reason: pin.reason.clone(),
        };
        self.put_pin(&pin.app, &row).await
    }

    /// Lets `app` go; says what it was pinned to.
    ///
    /// # Errors
    /// The store's.
    pub async fn unpin(
        &self,
        app: &str,
        by: &str,
        reason: &str,
    ) -> Result<Option<Pin>, StoreError> {
        let Some(pin) = self.pins().await?.remove(app) else {
            return Ok(None);
        };
        let row = PinRow {
            pin: None,
            by: by.to_owned(),
            at: self.table.clock.now(),
            reason: reason.to_owned(),
        };
        self.put_pin(app, &row).await?;
        Ok(Some(pin))
    }

    async fn put_pin(&self, app: &str, row: &PinRow) -> Result<(), StoreError> {
        let pk = self.estate();
        let sk = format!("{}{app}", rows::PIN);
        let body = self.table.json(&pk, &sk, row)?;
        let item = rows::item(&pk, &sk, [(rows::BODY, rows::text(body))]);
        self.table.put(&format!("{pk} / {sk}"), item).await
    }

    /// Who we are, for people: `user@host/pid`.
    pub fn holder(&self) -> &str {
        &self.holder
    }
}
