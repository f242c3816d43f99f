//! Status rows put by one of several: who was the first to record that an object's state changed.

use super::Store;
use super::call::{Before, Written};
use super::error::StoreError;
use super::rows;
use crate::model::key::ResourceKey;
use crate::model::status::ObjectStatus;

/// Readings of a row that others keep changing under us.
const ATTEMPTS: usize = 3;

/// Who recorded a state.
#[derive(Clone, Debug, PartialEq)]
pub enum Recorded {
    /// This process, just now.
    Ours,
    /// Somebody else changed the row since it was read: this is what it says.
    Theirs(Option<ObjectStatus>),
}

impl Store {
    /// Puts an object's conditions in the place of `was`, and only of that: of several replicas that
    /// saw the same change one records it, and knows that it did. Needs no lease.
    ///
    /// # Errors
    /// The store's, and a row that cannot be read.
    pub async fn record_status(
        &self,
        key: &ResourceKey,
        was: Option<&ObjectStatus>,
        status: &ObjectStatus,
    ) -> Result<Recorded, StoreError> {
        self.index(&key.app).await?;
        let pk = self.pk(&key.app);
        let sk = rows::object(rows::STATUS, key);
        let body = self.table.json(&pk, &sk, status)?;
        let mut there = match was {
            Some(was) => Some(self.table.json(&pk, &sk, was)?),
            None => None,
        };
        for _ in 0..ATTEMPTS {
            let row = format!("{pk} / {sk}");
            let item = rows::item(&pk, &sk, [(rows::BODY, rows::text(body.clone()))]);
            let put = || {
                let put = self
                    .table
                    .client
                    .put_item()
                    .table_name(&self.table.name)
                    .set_item(Some(item.clone()));
                match &there {
                    Some(text) => put
                        .condition_expression("#body = :was")
                        .expression_attribute_names("#body", rows::BODY)
                        .expression_attribute_values(":was", rows::text(text.clone())),
                    None => put
                        .condition_expression("attribute_not_exists(#pk)")
                        .expression_attribute_names("#pk", "pk"),
                }
                .send()
            };
            let before = match self.table.write_if("dynamodb.PutItem", &row, put).await? {
                Written::Done(_) => return Ok(Recorded::Ours),
                Written::Refused(before) => before,
            };
            let Some(found) = self.table.get(&pk, &sk).await? else {
                if was.is_none() {
                    continue;
                }
                return Ok(Recorded::Theirs(None));
            };
            let text = rows::text_of(&found, rows::BODY)
                .map_err(|why| self.table.corrupt(&pk, &sk, why))?;
            // Our own success, whose answer was lost.
            if matches!(before, Before::LostAnswer(_)) && text == body {
                return Ok(Recorded::Ours);
            }
            let says: ObjectStatus = serde_json::from_str(text)
                .map_err(|error| self.table.corrupt(&pk, &sk, error.to_string()))?;
            if Some(&says) != was {
                return Ok(Recorded::Theirs(Some(says)));
            }
            // The same, as another build spells it.
            there = Some(text.to_owned());
        }
        Err(self.table.contended(&pk, &sk))
    }
}
