//! Rows: how keys and attributes of the store's one table are spelt.
//!
//! | pk | sk | what |
//! |---|---|---|
//! | `account#region` | `APP#app` | that the app has rows |
//! | | `PIN#app` | the commit that a person set the app to |
//! | | `SOURCE#id` | the commit of a Git source that is in force, and the one on hold |
//! | `account#region#app` | `LEASE` | who may write the app |
//! | | `HEAD` | where its chain ends |
//! | | `ENTRY#000000000001` | the chain |
//! | | `OPEN#Kind/name` | the intent without an outcome |
//! | | `MEMORY#Kind/name` | what is remembered of the object |
//! | | `STATUS#Kind/name` | its conditions |
//! | | `LATE#intent#id` | an outcome that came after another had been recorded |
//! | | `FENCE#000000000001` | a lease that a person released |
//! | | `DRIFT#Kind/name#field#OPEN` | an episode of drift that stands |
//! | | `DRIFT#Kind/name#field#000000000000001` | one that ended |
//! | | `APPROVAL` | where its chain of approvals ends |
//! | | `APPROVAL#000000000001` | that chain |
//! | `account#region` | `CONTROL#LEASH#app` | the policy in force |
//! | | `CONTROL#PAUSE#app#`, `CONTROL#PAUSE#app#Kind/name` | a pause |

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::model::key::ResourceKey;

/// A row as the SDK gives it.
pub(super) type Item = HashMap<String, AttributeValue>;

/// Most JSON in one row, in bytes. DynamoDB ends at 400 KB, names included; an intent's step is in
/// two rows of one transaction.
pub const ROW_MAX: usize = 200 * 1024;

pub(super) const LEASE: &str = "LEASE";
pub(super) const HEAD: &str = "HEAD";
pub(super) const APP: &str = "APP#";
pub(super) const ENTRY: &str = "ENTRY#";
pub(super) const OPEN: &str = "OPEN#";
pub(super) const MEMORY: &str = "MEMORY#";
pub(super) const STATUS: &str = "STATUS#";
pub(super) const LATE: &str = "LATE#";
pub(super) const FENCE: &str = "FENCE#";
pub(super) const DRIFT: &str = "DRIFT#";
/// The end of an open episode's key.
pub(super) const DRIFT_OPEN: &str = "#OPEN";
/// Where an app's chain of approvals ends; its entries are [`APPROVAL_ENTRY`]'s.
pub(super) const APPROVAL: &str = "APPROVAL";
pub(super) const APPROVAL_ENTRY: &str = "APPROVAL#";
/// Leashes and pauses of all apps, so that one query reads them.
pub(super) const CONTROL: &str = "CONTROL#";
pub(super) const LEASH: &str = "CONTROL#LEASH#";
pub(super) const PAUSE: &str = "CONTROL#PAUSE#";
pub(super) const PIN: &str = "PIN#";
pub(super) const SOURCE: &str = "SOURCE#";
/// Where a row's JSON stands.
pub(super) const BODY: &str = "body";

/// `prefix` and a number that sorts as it counts.
pub(super) fn numbered(prefix: &str, number: u64) -> String {
    format!("{prefix}{number:012}")
}

/// `prefixKind/name`.
pub(super) fn object(prefix: &str, key: &ResourceKey) -> String {
    format!("{prefix}{}/{}", key.kind, key.name)
}

/// The key that `sk` speaks of, if it is one of `prefix`.
pub(super) fn object_of(app: &str, sk: &str, prefix: &str) -> Option<ResourceKey> {
    let object = sk.strip_prefix(prefix)?;
    format!("{app}/{object}").parse().ok()
}

pub(super) fn text(value: impl Into<String>) -> AttributeValue {
    AttributeValue::S(value.into())
}

pub(super) fn number(value: u64) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

/// A row from its parts.
pub(super) fn item<const N: usize>(
    pk: &str,
    sk: &str,
    attributes: [(&str, AttributeValue); N],
) -> Item {
    [("pk", text(pk)), ("sk", text(sk))]
        .into_iter()
        .chain(attributes)
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}

pub(super) fn text_of<'i>(item: &'i Item, name: &str) -> Result<&'i str, String> {
    match item.get(name) {
        Some(AttributeValue::S(value)) => Ok(value),
        Some(_) => Err(format!("{name} is not a string")),
        None => Err(format!("{name} is missing")),
    }
}

/// The largest number that a row may have: the largest that [`numbered`] sorts as it counts, and far
/// enough from the end of `u64` that one more never wraps. A token of every second takes 30,000 years.
pub(super) const NUMBER_MAX: u64 = 999_999_999_999;

pub(super) fn number_of(item: &Item, name: &str) -> Result<u64, String> {
    match item.get(name) {
        Some(AttributeValue::N(value)) => match value.parse() {
            Ok(number) if number <= NUMBER_MAX => Ok(number),
            Ok(number) => Err(format!("{name} is {number}, more than {NUMBER_MAX}")),
            Err(_) => Err(format!("{name} is not a whole number")),
        },
        Some(_) => Err(format!("{name} is not a number")),
        None => Err(format!("{name} is missing")),
    }
}

pub(super) fn json_of<T: DeserializeOwned>(item: &Item, name: &str) -> Result<T, String> {
    serde_json::from_str(text_of(item, name)?).map_err(|e| format!("{name}: {e}"))
}

/// JSON for a row, or its size when that is above [`ROW_MAX`].
pub(super) fn json<T: Serialize>(value: &T) -> Result<String, usize> {
    let body = crate::model::tree::to_tree(value).to_string();
    if body.len() > ROW_MAX {
        Err(body.len())
    } else {
        Ok(body)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn open_and_memory_rows_are_neighbours_so_that_one_query_reads_both() {
        let mut prefixes = [
            APP, DRIFT, ENTRY, FENCE, HEAD, LATE, LEASE, MEMORY, OPEN, STATUS,
        ];
        prefixes.sort_unstable();
        let at = |p: &str| prefixes.iter().position(|q| *q == p);
        assert_eq!(at(MEMORY).map(|i| i + 1), at(OPEN));
    }

    #[test]
    fn entry_numbers_sort_as_they_count() {
        assert!(numbered(ENTRY, 9) < numbered(ENTRY, 10));
        assert_eq!(numbered(ENTRY, 1), "ENTRY#000000000001");
    }

    #[test]
    fn an_object_row_names_its_key() {
        let key = ResourceKey::new("shop", "Service", "web");
        let sk = object(OPEN, &key);
        assert_eq!(object_of("shop", &sk, OPEN), Some(key));
        assert_eq!(object_of("shop", &sk, MEMORY), None);
    }
}
