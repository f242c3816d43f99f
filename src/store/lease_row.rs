//! Lease rows: how they are written, read and asked for, one or many.

use aws_sdk_dynamodb::types::{
    AttributeValue, ConditionCheck, KeysAndAttributes, TransactWriteItem, Update,
};
use jiff::Timestamp;

use super::Store;
use super::call::ATTEMPTS;
use super::error::StoreError;
use super::lease::Lease;
use super::process::Process;
use super::rows::{self, Item};
use super::watch::{LeaseRow, LeaseState};

/// Most keys of one BatchGetItem (API model).
const BATCH: usize = 100;
/// How several are read.
const READING: &str = "dynamodb.BatchGetItem";

pub(super) const RENEWAL: &str = "SET #version = #version + :one, #renewed = :now";
pub(super) const STILL_OURS: &str = "#token = :token AND #grant = :grant AND #state = :held";

impl Store {
    /// The lease rows of `apps`, in their order; apps that were never leased are left out.
    ///
    /// # Errors
    /// The store's. A row that cannot be read is [`LeaseState::Corrupt`], not an error.
    pub async fn leases(&self, apps: &[String]) -> Result<Vec<LeaseRow>, StoreError> {
        let mut found: Vec<LeaseRow> = Vec::new();
        for batch in apps.chunks(BATCH) {
            let mut keys: Vec<Item> = batch
                .iter()
                .map(|app| rows::item(&self.pk(app), rows::LEASE, []))
                .collect();
            let mut attempt = 0;
            while !keys.is_empty() {
                let mut answer = self
                    .table
                    .repeat(READING, rows::LEASE, || async {
                        let request = KeysAndAttributes::builder()
                            .set_keys(Some(keys.clone()))
                            .consistent_read(true)
                            .build()?;
                        self.table
                            .client
                            .batch_get_item()
                            .request_items(&self.table.name, request)
                            .send()
                            .await
                    })
                    .await?;
                let items = answer
                    .responses
                    .as_mut()
                    .and_then(|r| r.remove(&self.table.name))
                    .unwrap_or_default();
                found.extend(items.iter().filter_map(|item| {
                    let pk = rows::text_of(item, "pk").ok()?;
                    Some(decode(self.app_of(pk)?, item))
                }));
                keys = answer
                    .unprocessed_keys
                    .and_then(|mut u| u.remove(&self.table.name))
                    .map(|k| k.keys)
                    .unwrap_or_default();
                if !keys.is_empty() {
                    attempt += 1;
                    if attempt >= ATTEMPTS {
                        return Err(self.table.unprocessed(READING, rows::LEASE));
                    }
                    self.table.pause(attempt).await;
                }
            }
        }
        found.sort_by_key(|row| apps.iter().position(|app| *app == row.app));
        Ok(found)
    }

    pub(super) async fn lease_row(&self, app: &str) -> Result<Option<LeaseRow>, StoreError> {
        let item = self.table.get(&self.pk(app), rows::LEASE).await?;
        Ok(item.map(|item| decode(app, &item)))
    }

    /// The part of a transaction that renews the lease if it is ours.
    pub(super) fn renewal(&self, lease: &Lease) -> Result<TransactWriteItem, StoreError> {
        let update = Update::builder()
            .table_name(&self.table.name)
            .key("pk", rows::text(self.pk(lease.app())))
            .key("sk", rows::text(rows::LEASE))
            .update_expression(RENEWAL)
            .condition_expression(STILL_OURS)
            .set_expression_attribute_names(Some(names(&[
                "token", "grant", "state", "version", "renewed",
            ])))
            .set_expression_attribute_values(Some(self.ours(lease, Write::Renewal)))
            .build();
        self.part(update, |p, b| p.update(b))
    }

    /// The part of a transaction that asks whether the lease is ours.
    pub(super) fn ownership(&self, lease: &Lease) -> Result<TransactWriteItem, StoreError> {
        let check = ConditionCheck::builder()
            .table_name(&self.table.name)
            .key("pk", rows::text(self.pk(lease.app())))
            .key("sk", rows::text(rows::LEASE))
            .condition_expression(STILL_OURS)
            .set_expression_attribute_names(Some(names(&["token", "grant", "state"])))
            .set_expression_attribute_values(Some(self.ours(lease, Write::None)))
            .build();
        self.part(check, |p, b| p.condition_check(b))
    }

    pub(super) fn ours(&self, lease: &Lease, write: Write) -> Item {
        let mut values = Item::from([
            (":token".to_owned(), rows::number(lease.token())),
            (":grant".to_owned(), rows::text(lease.grant())),
            (":held".to_owned(), rows::text(HELD)),
        ]);
        if write == Write::Renewal {
            values.insert(":one".to_owned(), rows::number(1));
            values.insert(
                ":now".to_owned(),
                rows::text(self.table.clock.now().to_string()),
            );
        }
        values
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Write {
    None,
    Renewal,
}

const HELD: &str = "Held";
pub(super) const RELEASED: &str = "Released";

/// `#name` for each name: many of ours are reserved words of DynamoDB.
pub(super) fn names(names: &[&str]) -> std::collections::HashMap<String, String> {
    names
        .iter()
        .map(|name| (format!("#{name}"), (*name).to_owned()))
        .collect()
}

pub(super) fn encode(pk: &str, row: &LeaseRow) -> Item {
    let state = match row.state {
        LeaseState::Held => HELD,
        LeaseState::Released | LeaseState::Corrupt(_) => RELEASED,
    };
    let mut item = rows::item(
        pk,
        rows::LEASE,
        [
            ("holder", rows::text(&row.holder)),
            ("token", rows::number(row.token)),
            ("version", rows::number(row.version)),
            ("state", rows::text(state)),
            ("since", rows::text(row.since.to_string())),
            ("renewed", rows::text(row.renewed.to_string())),
            ("grant", rows::text(&row.grant)),
        ],
    );
    if let Some(process) = &row.process {
        process.encode(&mut item);
    }
    for (name, words) in [("reason", &row.reason), ("releasedBy", &row.released_by)] {
        if let Some(words) = words {
            item.insert(name.to_owned(), AttributeValue::S(words.clone()));
        }
    }
    item
}

/// A row that cannot be read is a row all the same: what can be read of it is kept.
pub(super) fn decode(app: &str, item: &Item) -> LeaseRow {
    let time = |name: &str| -> Result<Timestamp, String> {
        rows::text_of(item, name)?
            .parse()
            .map_err(|_| format!("{name} is not a time"))
    };
    let words = |name: &str| rows::text_of(item, name).map(str::to_owned);
    let state = match rows::text_of(item, "state") {
        Ok(HELD) => Ok(LeaseState::Held),
        Ok(RELEASED) => Ok(LeaseState::Released),
        Ok(other) => Err(format!("state {other:?} is neither {HELD} nor {RELEASED}")),
        Err(why) => Err(why),
    };
    let fault = [
        words("holder").err(),
        words("grant").err(),
        rows::number_of(item, "token").err(),
        rows::number_of(item, "version").err(),
        time("since").err(),
        time("renewed").err(),
    ]
    .into_iter()
    .flatten()
    .next();
    LeaseRow {
        app: app.to_owned(),
        holder: words("holder").unwrap_or_default(),
        token: rows::number_of(item, "token").unwrap_or_default(),
        version: rows::number_of(item, "version").unwrap_or_default(),
        state: match (state, fault) {
            (Ok(state), None) => state,
            (Err(why), _) | (_, Some(why)) => LeaseState::Corrupt(why),
        },
        since: time("since").unwrap_or(Timestamp::UNIX_EPOCH),
        renewed: time("renewed").unwrap_or(Timestamp::UNIX_EPOCH),
        grant: words("grant").unwrap_or_default(),
        process: Process::decode(item),
        reason: words("reason").ok(),
        released_by: words("releasedBy").ok(),
    }
}
