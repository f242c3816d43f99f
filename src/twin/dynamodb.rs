//! DynamoDB in the twin: the estate's tables, and real storage for the tables that a store keeps here.
//!
//! Tables that tests put with [`DynamoDb::put_table`] have a control plane and no items. Every
//! other operation goes to the embedded engine in memory, to which this adds continuous backups.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::{Timestamp, ToSpan};
use serde_json::{Value, json};

use super::items::{self, Backlog, Known, Tokens};
use super::wire::{CallContext, TwinError};
use crate::store::embedded::{Engine, OpenError};

/// Point-in-time recovery of one table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Recovery {
    /// Since when it is on; `None` while it is off. Off and on again begins anew.
    pub since: Option<Timestamp>,
    /// Days, 1-35.
    pub days: i64,
}

/// What a call without `RecoveryPeriodInDays` gets (API Reference, PointInTimeRecoverySpecification).
const DEFAULT_DAYS: i64 = 35;

/// The DynamoDB model.
#[derive(Clone, Debug, Default)]
pub struct DynamoDb {
    tables: BTreeMap<String, Value>,
    recovery: BTreeMap<String, Recovery>,
    /// Made on first use: most worlds keep no store in the twin.
    engine: Option<Engine>,
    tokens: Tokens,
    /// The copy that answers reads which ask for no consistency, while reads lag.
    copy: Option<Engine>,
    backlog: Backlog,
}

impl DynamoDb {
    /// Answers one call. Errors: those of AWS and of the embedded engine.
    pub fn call(
        &mut self,
        operation: &str,
        input: &Value,
        cx: &CallContext,
    ) -> Result<Value, TwinError> {
        let answer = self.answer(operation, input, cx)?;
        Ok(placed(answer, cx))
    }

    fn answer(
        &mut self,
        operation: &str,
        input: &Value,
        cx: &CallContext,
    ) -> Result<Value, TwinError> {
        let name = input["TableName"].as_str().unwrap_or_default();
        let name = name.rsplit('/').next().unwrap_or_default();
        match operation {
            "DescribeContinuousBackups" => self.describe_backups(name, cx),
            "UpdateContinuousBackups" => self.update_backups(name, input, cx),
            "DescribeTable" if self.tables.contains_key(name) => {
                Ok(json!({"Table": self.shown(name, cx)}))
            }
            "UpdateTable" if self.tables.contains_key(name) => self.update_table(name, input, cx),
            "DeleteTable" if self.tables.contains_key(name) => self.delete_table(name, cx),
            "TransactWriteItems" => self.transact(input, cx),
            "ListTables" => self.list_tables(input, cx),
            other => self.items_call(other, input, cx),
        }
    }

    /// How far reads of items that ask for no consistency stay behind writes. To be set before the
    /// first table is made.
    pub fn set_read_lag(&mut self, lag: Duration) {
        self.backlog.lag = lag;
    }

    /// Tables of both sorts, at most 100 a page (API reference, ListTables).
    fn list_tables(&mut self, input: &Value, cx: &CallContext) -> Result<Value, TwinError> {
        // Which says what is wrong with the request, too.
        let mut page = self.items_call("ListTables", input, cx)?;
        let mut names: BTreeSet<String> = self.tables.keys().cloned().collect();
        loop {
            let listed = page["TableNames"].as_array().into_iter().flatten();
            names.extend(listed.filter_map(|name| Some(name.as_str()?.to_owned())));
            let last = page["LastEvaluatedTableName"].clone();
            if last.is_null() {
                break;
            }
            let next = json!({"ExclusiveStartTableName": last});
            page = self.items_call("ListTables", &next, cx)?;
        }
        let after = input["ExclusiveStartTableName"].as_str();
        names.retain(|name| after.is_none_or(|after| name.as_str() > after));
        let most = input["Limit"].as_u64().unwrap_or(100);
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        let shown: Vec<&String> = names.iter().take(most).collect();
        let mut answer = json!({"TableNames": shown});
        if shown.len() < names.len() {
            answer["LastEvaluatedTableName"] = json!(shown.last());
        }
        Ok(answer)
    }

    fn transact(&mut self, input: &Value, cx: &CallContext) -> Result<Value, TwinError> {
        let mut bare = input.clone();
        let token = bare
            .as_object_mut()
            .and_then(|members| members.remove("ClientRequestToken"));
        let Some(token) = token.as_ref().and_then(Value::as_str) else {
            return self.items_call("TransactWriteItems", &bare, cx);
        };
        match self.tokens.ask(token, &bare, cx.now) {
            Known::Done(answer) => Ok(answer),
            Known::Mismatch => Err(TwinError::client(
                "IdempotentParameterMismatchException",
                "The request uses the same client token as a previous, but non-identical request.",
            )),
            Known::Not => {
                let answer = self.items_call("TransactWriteItems", &bare, cx)?;
                self.tokens.remember(token, bare, answer.clone(), cx.now);
                Ok(answer)
            }
        }
    }

    fn items_call(
        &mut self,
        operation: &str,
        input: &Value,
        cx: &CallContext,
    ) -> Result<Value, TwinError> {
        if self.backlog.lag.is_zero() {
            return self.engine_call(operation, input);
        }
        if items::may_lag(operation, input) {
            let copy = match self.copy.take() {
                Some(copy) => copy,
                None => Engine::memory().map_err(|error| internal(error.to_string()))?,
            };
            while let Some((operation, input)) = self.backlog.due(cx.now) {
                ask(&copy, &operation, &input)?;
            }
            let answer = ask(&copy, operation, input);
            self.copy = Some(copy);
            return answer;
        }
        let answer = self.engine_call(operation, input)?;
        if items::writes(operation) {
            self.backlog.push(cx.now, operation, input);
        }
        Ok(answer)
    }

    /// Puts a table of the estate, with the members of DescribeTable's `Table`; what is left out
    /// is that of a new on-demand table. Without a `TableName` nothing happens.
    pub fn put_table(&mut self, members: Value) {
        let Some(name) = members["TableName"].as_str().map(str::to_owned) else {
            return;
        };
        let mut table = json!({
            "TableStatus": "ACTIVE",
            "DeletionProtectionEnabled": false,
            "BillingModeSummary": {"BillingMode": "PAY_PER_REQUEST"},
            "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
            "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}],
            "ItemCount": 0,
            "TableSizeBytes": 0,
        });
        if let (Value::Object(table), Value::Object(members)) = (&mut table, members) {
            table.extend(members);
        }
        self.tables.insert(name, table);
    }

    /// A table of the estate, to read or to change behind everyone's back.
    pub fn table_mut(&mut self, name: &str) -> Option<&mut Value> {
        self.tables.get_mut(name)
    }

    /// The point-in-time recovery of a table, to read or to change behind everyone's back.
    pub fn recovery_mut(&mut self, name: &str) -> &mut Recovery {
        self.recovery.entry(name.to_owned()).or_default()
    }

    /// The engine behind every table that is not the estate's. A store that is handed
    /// [`embedded::http_client`](crate::store::embedded::http_client) of it keeps its tables here
    /// without being subject to the twin's faults and rates.
    ///
    /// # Errors
    /// The engine does not start.
    pub fn engine(&mut self) -> Result<Engine, OpenError> {
        let engine = match self.engine.take() {
            Some(engine) => engine,
            None => Engine::memory()?,
        };
        self.engine = Some(engine.clone());
        Ok(engine)
    }

    fn shown(&self, name: &str, cx: &CallContext) -> Value {
        let mut table = self.tables.get(name).cloned().unwrap_or_default();
        if table["TableArn"].is_null() {
            table["TableArn"] = arn(name, cx).into();
        }
        table
    }

    fn update_table(
        &mut self,
        name: &str,
        input: &Value,
        cx: &CallContext,
    ) -> Result<Value, TwinError> {
        for member in input.as_object().into_iter().flatten().map(|(m, _)| m) {
            if member != "TableName" && member != "DeletionProtectionEnabled" {
                return Err(validation(format!(
                    "the twin does not model {member} of UpdateTable"
                )));
            }
        }
        let Some(protection) = input["DeletionProtectionEnabled"].as_bool() else {
            return Err(validation(
                "At least one of ProvisionedThroughput, BillingMode, UpdateStreamEnabled, GlobalSecondaryIndexUpdates or SSESpecification or ReplicaUpdates is required",
            ));
        };
        if let Some(table) = self.tables.get_mut(name) {
            if table["TableStatus"] != "ACTIVE" {
                return Err(TwinError::client(
                    "ResourceInUseException",
                    format!("Attempt to change a resource which is still in use: Table: {name}"),
                ));
            }
            table["DeletionProtectionEnabled"] = protection.into();
        }
        Ok(json!({"TableDescription": self.shown(name, cx)}))
    }

    fn delete_table(&mut self, name: &str, cx: &CallContext) -> Result<Value, TwinError> {
        let mut table = self.shown(name, cx);
        if table["DeletionProtectionEnabled"] == true {
            return Err(validation(
                "Resource cannot be deleted as it is currently protected against deletion. Disable deletion protection first.",
            ));
        }
        self.tables.remove(name);
        self.recovery.remove(name);
        table["TableStatus"] = "DELETING".into();
        Ok(json!({ "TableDescription": table }))
    }

    /// Whether a table is here. Errors: `TableNotFoundException`, as the backup operations word it.
    fn demand_table(&mut self, name: &str) -> Result<(), TwinError> {
        let here = self.tables.contains_key(name)
            || self
                .engine_call("DescribeTable", &json!({"TableName": name}))
                .is_ok();
        if here {
            return Ok(());
        }
        Err(TwinError::client(
            "TableNotFoundException",
            format!("Table not found: {name}"),
        ))
    }

    fn describe_backups(&mut self, name: &str, cx: &CallContext) -> Result<Value, TwinError> {
        self.demand_table(name)?;
        let recovery = self.recovery.get(name).copied().unwrap_or_default();
        let described = match recovery.since {
            None => json!({"PointInTimeRecoveryStatus": "DISABLED"}),
            Some(since) => {
                let oldest = cx.now - (recovery.days * 24).hours();
                // Typically five minutes ago (API Reference), and never before the beginning.
                let latest = (cx.now - 5.minutes()).max(since);
                json!({
                    "PointInTimeRecoveryStatus": "ENABLED",
                    "RecoveryPeriodInDays": recovery.days,
                    "EarliestRestorableDateTime": oldest.max(since).as_second(),
                    "LatestRestorableDateTime": latest.as_second(),
                })
            }
        };
        Ok(json!({"ContinuousBackupsDescription": {
            "ContinuousBackupsStatus": "ENABLED",
            "PointInTimeRecoveryDescription": described,
        }}))
    }

    fn update_backups(
        &mut self,
        name: &str,
        input: &Value,
        cx: &CallContext,
    ) -> Result<Value, TwinError> {
        self.demand_table(name)?;
        let asked = &input["PointInTimeRecoverySpecification"];
        let Some(enabled) = asked["PointInTimeRecoveryEnabled"].as_bool() else {
            return Err(validation(
                "PointInTimeRecoveryEnabled is required in PointInTimeRecoverySpecification",
            ));
        };
        let days = asked["RecoveryPeriodInDays"]
            .as_i64()
            .unwrap_or(DEFAULT_DAYS);
        if !(1..=35).contains(&days) {
            return Err(validation(format!(
                "Value '{days}' at 'recoveryPeriodInDays' failed to satisfy constraint: 1 to 35"
            )));
        }
        let old = self.recovery.get(name).copied().unwrap_or_default();
        let new = Recovery {
            since: enabled.then(|| old.since.unwrap_or(cx.now)),
            days,
        };
        self.recovery.insert(name.to_owned(), new);
        self.describe_backups(name, cx)
    }

    fn engine_call(&mut self, operation: &str, input: &Value) -> Result<Value, TwinError> {
        let engine = self.engine().map_err(|error| internal(error.to_string()))?;
        ask(&engine, operation, input)
    }
}

fn ask(engine: &Engine, operation: &str, input: &Value) -> Result<Value, TwinError> {
    let (status, body) = engine.call(operation, input.to_string().as_bytes());
    let answer: Value = serde_json::from_slice(&body).map_err(|e| internal(e.to_string()))?;
    if status == 200 {
        return Ok(answer);
    }
    let text = |member: &str| answer[member].as_str().map(str::to_owned);
    let message = text("message").or_else(|| text("Message"));
    let mut error = TwinError {
        status,
        ..TwinError::client(
            &text("__type").unwrap_or_else(|| "InternalServerError".to_owned()),
            message.unwrap_or_default(),
        )
    };
    // The reasons of a cancelled transaction, the item of a failed condition.
    for (member, value) in answer.as_object().into_iter().flatten() {
        if !["__type", "message", "Message"].contains(&member.as_str()) {
            error.more.insert(member.clone(), value.clone());
        }
    }
    Err(error)
}

fn arn(name: &str, cx: &CallContext) -> String {
    format!("arn:aws:dynamodb:{}:{}:table/{name}", cx.region, cx.account)
}

/// An answer whose table lies in this account and region. The engine knows of neither, and leaves
/// out a protection that was never set; DynamoDB shows it as `false`.
fn placed(mut answer: Value, cx: &CallContext) -> Value {
    for member in ["Table", "TableDescription"] {
        let Some(table) = answer.get_mut(member).and_then(Value::as_object_mut) else {
            continue;
        };
        if let Some(name) = table.get("TableName").and_then(Value::as_str) {
            let arn = arn(name, cx);
            table.insert("TableArn".to_owned(), arn.into());
        }
        table
            .entry("DeletionProtectionEnabled")
            .or_insert(Value::Bool(false));
    }
    answer
}

fn validation(message: impl Into<String>) -> TwinError {
    TwinError::client("ValidationException", message)
}

fn internal(message: String) -> TwinError {
    TwinError {
        status: 500,
        ..TwinError::client("InternalServerError", message)
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_dynamodb::types::PointInTimeRecoverySpecification;

    use super::*;
    use crate::twin::trial::Trial;

    fn with_sessions() -> Trial {
        let trial = Trial::new();
        trial.with(|models| models.dynamodb.put_table(json!({"TableName": "sessions"})));
        trial
    }

    fn recovery(enabled: bool, days: Option<i32>) -> PointInTimeRecoverySpecification {
        PointInTimeRecoverySpecification::builder()
            .point_in_time_recovery_enabled(enabled)
            .set_recovery_period_in_days(days)
            .build()
            .unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn tables_of_both_sorts_are_listed_page_by_page() {
        let trial = with_sessions();
        trial.with(|models| {
            for name in ["carts", "users"] {
                models.dynamodb.put_table(json!({"TableName": name}));
            }
        });
        let client = trial.dynamodb();
        let key = |name: &str| {
            aws_sdk_dynamodb::types::KeySchemaElement::builder()
                .attribute_name(name)
                .key_type(aws_sdk_dynamodb::types::KeyType::Hash)
                .build()
                .unwrap()
        };
        let id = aws_sdk_dynamodb::types::AttributeDefinition::builder()
            .attribute_name("id")
            .attribute_type(aws_sdk_dynamodb::types::ScalarAttributeType::S)
            .build()
            .unwrap();
        let create = client.create_table().table_name("orders");
        let create = create.key_schema(key("id")).attribute_definitions(id);
        let on_demand = aws_sdk_dynamodb::types::BillingMode::PayPerRequest;
        create.billing_mode(on_demand).send().await.unwrap();
        let mut pages = Vec::new();
        let mut from = None;
        loop {
            let ask = client.list_tables().limit(3);
            let page = ask.set_exclusive_start_table_name(from).send();
            let page = page.await.unwrap();
            pages.push(page.table_names.unwrap_or_default());
            from = page.last_evaluated_table_name;
            if from.is_none() {
                break;
            }
        }
        assert_eq!(pages, [vec!["carts", "orders", "sessions"], vec!["users"]]);
    }

    #[tokio::test(start_paused = true)]
    async fn deletion_protection_shows_after_it_is_switched_on() {
        let client = with_sessions().dynamodb();
        let table = client
            .describe_table()
            .table_name("sessions")
            .send()
            .await
            .unwrap();
        let table = table.table.unwrap();
        assert_eq!(table.deletion_protection_enabled, Some(false));
        assert_eq!(
            table.table_arn.as_deref(),
            Some("arn:aws:dynamodb:us-east-1:123456789012:table/sessions")
        );
        let update = client.update_table().table_name("sessions");
        update
            .deletion_protection_enabled(true)
            .send()
            .await
            .unwrap();
        let table = client
            .describe_table()
            .table_name("sessions")
            .send()
            .await
            .unwrap();
        assert_eq!(table.table.unwrap().deletion_protection_enabled, Some(true));
        let error = client
            .delete_table()
            .table_name("sessions")
            .send()
            .await
            .unwrap_err();
        assert!(format!("{error:?}").contains("protected against deletion"));
    }

    #[tokio::test(start_paused = true)]
    async fn recovery_reaches_back_to_when_it_was_last_switched_on() {
        let trial = with_sessions();
        let client = trial.dynamodb();
        let update = |enabled, days| {
            client
                .update_continuous_backups()
                .table_name("sessions")
                .point_in_time_recovery_specification(recovery(enabled, days))
                .send()
        };
        let described = update(true, None)
            .await
            .unwrap()
            .continuous_backups_description
            .unwrap();
        let described = described.point_in_time_recovery_description.unwrap();
        assert_eq!(described.recovery_period_in_days, Some(35));
        trial.pass(Duration::from_secs(10 * 86_400)).await;
        let shorter = update(true, Some(7))
            .await
            .unwrap()
            .continuous_backups_description
            .unwrap();
        let shorter = shorter.point_in_time_recovery_description.unwrap();
        let reach = shorter.latest_restorable_date_time.unwrap().secs()
            - shorter.earliest_restorable_date_time.unwrap().secs();
        assert_eq!(reach, 7 * 86_400 - 300);
        update(false, None).await.unwrap();
        let again = update(true, None)
            .await
            .unwrap()
            .continuous_backups_description
            .unwrap();
        let again = again.point_in_time_recovery_description.unwrap();
        assert_eq!(
            again.earliest_restorable_date_time,
            again.latest_restorable_date_time
        );
        assert!(update(true, Some(36)).await.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn a_table_that_a_store_makes_here_keeps_items_and_has_recovery_too() {
        use aws_sdk_dynamodb::types as t;

        let client = Trial::new().dynamodb();
        let attribute = t::AttributeDefinition::builder()
            .attribute_name("pk")
            .attribute_type(t::ScalarAttributeType::S);
        let key = t::KeySchemaElement::builder()
            .attribute_name("pk")
            .key_type(t::KeyType::Hash);
        let create = client
            .create_table()
            .table_name("store")
            .billing_mode(t::BillingMode::PayPerRequest)
            .attribute_definitions(attribute.build().unwrap())
            .key_schema(key.build().unwrap());
        let made = create.send().await.unwrap().table_description.unwrap();
        assert_eq!(made.deletion_protection_enabled, Some(false));
        let arn = "arn:aws:dynamodb:us-east-1:123456789012:table/store";
        assert_eq!(made.table_arn.as_deref(), Some(arn));
        let ttl = t::TimeToLiveSpecification::builder()
            .attribute_name("expires")
            .enabled(true);
        let ttl = client
            .update_time_to_live()
            .table_name("store")
            .time_to_live_specification(ttl.build().unwrap());
        ttl.send().await.unwrap();
        let update = client
            .update_continuous_backups()
            .table_name("store")
            .point_in_time_recovery_specification(recovery(true, None));
        update.send().await.unwrap();
        let pk = || t::AttributeValue::S("a".to_owned());
        let put = || {
            client
                .put_item()
                .table_name("store")
                .item("pk", pk())
                .condition_expression("attribute_not_exists(pk)")
                .send()
        };
        put().await.unwrap();
        let error = put().await.unwrap_err().into_service_error();
        assert!(error.is_conditional_check_failed_exception());
        let get = client.get_item().table_name("store").key("pk", pk());
        assert!(get.send().await.unwrap().item.is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn a_table_that_is_not_there_is_a_typed_error_of_each_operation() {
        let client = Trial::new().dynamodb();
        let error = client
            .describe_table()
            .table_name("none")
            .send()
            .await
            .unwrap_err();
        assert!(error.into_service_error().is_resource_not_found_exception());
        let error = client
            .describe_continuous_backups()
            .table_name("none")
            .send()
            .await;
        assert!(
            error
                .unwrap_err()
                .into_service_error()
                .is_table_not_found_exception()
        );
    }
}
