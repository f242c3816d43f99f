//! What a Table document says of a live table. Pure: a live object in, a spec out.

use crate::kinds::Found;
use crate::model::written::{Piece, Written};

/// How far back recovery goes where nobody said (API reference, PointInTimeRecoverySpecification).
const DEFAULT_DAYS: u64 = 35;

/// What is not as DynamoDB makes a table: recovery and protection that are on.
pub fn written(found: &Found<'_>) -> Result<Written, String> {
    let view = &found.live.view;
    let mut written = Written::default();
    written.put_some("tableName", found.by["tableName"].as_str());
    let recovery = &view["pointInTimeRecovery"];
    if recovery["enabled"].as_bool() == Some(true) {
        let mut fields = vec![("enabled".to_owned(), Piece::from(true))];
        let days = recovery["recoveryPeriodDays"].as_u64();
        if let Some(days) = days.filter(|days| *days != DEFAULT_DAYS) {
            fields.push(("recoveryPeriodDays".to_owned(), Piece::from(days)));
        }
        written.put("pointInTimeRecovery", Piece::Map(fields));
    }
    if view["deletionProtection"].as_bool() == Some(true) {
        written.put("deletionProtection", true);
    }
    Ok(written)
}
