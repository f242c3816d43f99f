//! The store's table: whether it is there, and how it is made.

use std::time::Duration;

use aws_sdk_dynamodb::operation::create_table::CreateTableError;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, KeySchemaElement, KeyType, PointInTimeRecoverySpecification,
    ScalarAttributeType, TableDescription, TableStatus,
};

use super::Store;
use super::call::Table;
use super::error::StoreError;

/// Whether the table is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ready {
    /// It can be used.
    Exists,
    /// There is none of that name.
    Missing,
}

/// How well the table is looked after.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protection {
    /// By whoever looks after the file.
    Embedded,
    /// By point-in-time recovery and deletion protection.
    Production,
}

/// DynamoDB makes a table within seconds; longer than this is a fault of its own.
const CREATION_MAX: Duration = Duration::from_secs(120);
const CREATION_LOOK: Duration = Duration::from_secs(1);

impl Store {
    /// Whether the table is there; one that is being made is waited for.
    ///
    /// # Errors
    /// The store's, and a table of another shape.
    pub async fn ready(&self) -> Result<Ready, StoreError> {
        Ok(match self.active().await? {
            Some(_) => Ready::Exists,
            None => Ready::Missing,
        })
    }

    /// Makes the table if it is absent, and protects it as asked, even one that is there. Two
    /// processes may do so at once.
    ///
    /// # Errors
    /// The store's.
    pub async fn create_table(&self, protection: Protection) -> Result<(), StoreError> {
        let table = &self.table;
        if self.active().await?.is_none() {
            self.create(protection).await?;
        }
        let Some(description) = self.active().await? else {
            return Err(StoreError::Missing {
                table: table.name.clone(),
            });
        };
        if protection == Protection::Embedded {
            return Ok(());
        }
        if description.deletion_protection_enabled != Some(true) {
            table
                .repeat("dynamodb.UpdateTable", &table.name, || {
                    table
                        .client
                        .update_table()
                        .table_name(&table.name)
                        .deletion_protection_enabled(true)
                        .send()
                })
                .await?;
        }
        self.recoverable(table).await
    }

    async fn recoverable(&self, table: &Table) -> Result<(), StoreError> {
        let started = table.clock.boot();
        loop {
            let answer = table
                .repeat("dynamodb.UpdateContinuousBackups", &table.name, || async {
                    let recovery = PointInTimeRecoverySpecification::builder()
                        .point_in_time_recovery_enabled(true)
                        .build()?;
                    table
                        .client
                        .update_continuous_backups()
                        .table_name(&table.name)
                        .point_in_time_recovery_specification(recovery)
                        .send()
                        .await
                })
                .await;
            match answer {
                Ok(_) => return Ok(()),
                // For a moment after its creation a table has no backups to switch on.
                Err(StoreError::Call { error, .. })
                    if error.code == "ContinuousBackupsUnavailableException"
                        && table.clock.boot().saturating_sub(started) < CREATION_MAX => {}
                Err(error) => return Err(error),
            }
            table.clock.sleep(CREATION_LOOK).await;
        }
    }

    async fn create(&self, protection: Protection) -> Result<(), StoreError> {
        let table = &self.table;
        let key = |name: &str, kind: KeyType| {
            KeySchemaElement::builder()
                .attribute_name(name)
                .key_type(kind)
                .build()
        };
        let attribute = |name: &str| {
            AttributeDefinition::builder()
                .attribute_name(name)
                .attribute_type(ScalarAttributeType::S)
                .build()
        };
        table
            .repeat("dynamodb.CreateTable", &table.name, || async {
                let created = table
                    .client
                    .create_table()
                    .table_name(&table.name)
                    .billing_mode(BillingMode::PayPerRequest)
                    .attribute_definitions(attribute("pk")?)
                    .attribute_definitions(attribute("sk")?)
                    .key_schema(key("pk", KeyType::Hash)?)
                    .key_schema(key("sk", KeyType::Range)?)
                    .set_deletion_protection_enabled(match protection {
                        Protection::Embedded => None,
                        Protection::Production => Some(true),
                    })
                    .send()
                    .await;
                match created {
                    Ok(_) => Ok(()),
                    // Another process was quicker, or we were and did not hear of it.
                    Err(error)
                        if matches!(
                            error.as_service_error(),
                            Some(CreateTableError::ResourceInUseException(_))
                        ) =>
                    {
                        Ok(())
                    }
                    Err(error) => Err(error),
                }
            })
            .await
    }

    /// The table once it can be used; `None` if there is none.
    async fn active(&self) -> Result<Option<TableDescription>, StoreError> {
        let table = &self.table;
        let started = table.clock.boot();
        loop {
            let answer = table
                .repeat("dynamodb.DescribeTable", &table.name, || {
                    table.client.describe_table().table_name(&table.name).send()
                })
                .await;
            let description = match answer {
                Ok(answer) => answer
                    .table
                    .unwrap_or_else(|| TableDescription::builder().build()),
                Err(StoreError::Missing { .. }) => return Ok(None),
                Err(error) => return Err(error),
            };
            match description.table_status {
                Some(TableStatus::Active | TableStatus::Updating) => {
                    return self.fits(description).map(Some);
                }
                Some(TableStatus::Creating)
                    if table.clock.boot().saturating_sub(started) < CREATION_MAX => {}
                other => {
                    return Err(StoreError::WrongShape {
                        table: table.name.clone(),
                        why: format!(
                            "its status is {}",
                            other.as_ref().map_or("unknown", TableStatus::as_str)
                        ),
                    });
                }
            }
            table.clock.sleep(CREATION_LOOK).await;
        }
    }

    fn fits(&self, description: TableDescription) -> Result<TableDescription, StoreError> {
        let keys: Vec<(&str, &KeyType)> = description
            .key_schema()
            .iter()
            .map(|k| (k.attribute_name(), k.key_type()))
            .collect();
        if keys == [("pk", &KeyType::Hash), ("sk", &KeyType::Range)] {
            Ok(description)
        } else {
            Err(StoreError::WrongShape {
                table: self.table.name.clone(),
                why: "its key is not (pk, sk), so it is not evenkeel's".to_owned(),
            })
        }
    }
}
