//! DynamoDB: its calls through the SDK, tables and items.

use std::collections::HashMap;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types as t;
use aws_sdk_dynamodb::types::AttributeValue;
use serde_json::Value;

use super::input::{flag, int, list, one, text, word};
use super::sides::{Answer, Side};

/// Makes one call. Panics for an operation that is not here.
pub async fn send(side: &Side, operation: &str, i: &Value) -> Answer {
    let c = Client::new(&side.sdk);
    let table = text(i, "TableName");
    match operation {
        "CreateTable" => {
            let call = c
                .create_table()
                .set_table_name(table)
                .set_billing_mode(word(i, "BillingMode"))
                .set_deletion_protection_enabled(flag(i, "DeletionProtectionEnabled"))
                .set_attribute_definitions(list(i, "AttributeDefinitions", attribute))
                .set_key_schema(list(i, "KeySchema", key));
            side.answer(call.send().await)
        }
        "DescribeTable" => side.answer(c.describe_table().set_table_name(table).send().await),
        "ListTables" => side.answer(c.list_tables().set_limit(int(i, "Limit")).send().await),
        "DeleteTable" => side.answer(c.delete_table().set_table_name(table).send().await),
        "UpdateTable" => {
            let call = c.update_table().set_table_name(table);
            let protected = flag(i, "DeletionProtectionEnabled");
            side.answer(call.set_deletion_protection_enabled(protected).send().await)
        }
        "DescribeContinuousBackups" => {
            let call = c.describe_continuous_backups().set_table_name(table);
            side.answer(call.send().await)
        }
        "UpdateContinuousBackups" => {
            let recovery = one(i, "PointInTimeRecoverySpecification", recovery);
            let call = c.update_continuous_backups().set_table_name(table);
            let call = call.set_point_in_time_recovery_specification(recovery);
            side.answer(call.send().await)
        }
        "UpdateTimeToLive" => {
            let call = c.update_time_to_live().set_table_name(table);
            let ttl = one(i, "TimeToLiveSpecification", ttl);
            side.answer(call.set_time_to_live_specification(ttl).send().await)
        }
        "DescribeTimeToLive" => {
            side.answer(c.describe_time_to_live().set_table_name(table).send().await)
        }
        "TransactWriteItems" => {
            let call = c.transact_write_items();
            let call = call.set_transact_items(list(i, "TransactItems", write));
            side.answer(
                call.set_client_request_token(text(i, "ClientRequestToken"))
                    .send()
                    .await,
            )
        }
        "BatchGetItem" => {
            let wanted = i["RequestItems"].as_object().into_iter().flatten();
            let wanted = wanted.map(|(name, v)| (name.clone(), keys(v))).collect();
            side.answer(
                c.batch_get_item()
                    .set_request_items(Some(wanted))
                    .send()
                    .await,
            )
        }
        _ => items(side, &c, operation, i).await,
    }
}

/// The calls about items of one table.
async fn items(side: &Side, c: &Client, operation: &str, i: &Value) -> Answer {
    let table = text(i, "TableName");
    let (names, values) = (names(i), item(i, "ExpressionAttributeValues"));
    match operation {
        "GetItem" => {
            let call = c.get_item().set_table_name(table).set_key(item(i, "Key"));
            let call = call.set_projection_expression(text(i, "ProjectionExpression"));
            let call = call.set_consistent_read(flag(i, "ConsistentRead"));
            side.answer(call.set_expression_attribute_names(names).send().await)
        }
        "PutItem" => {
            let call = c
                .put_item()
                .set_table_name(table)
                .set_item(item(i, "Item"))
                .set_condition_expression(text(i, "ConditionExpression"))
                .set_return_values(word(i, "ReturnValues"))
                .set_return_values_on_condition_check_failure(on_failure(i))
                .set_expression_attribute_names(names)
                .set_expression_attribute_values(values);
            side.answer(call.send().await)
        }
        "UpdateItem" => {
            let call = c
                .update_item()
                .set_table_name(table)
                .set_key(item(i, "Key"))
                .set_update_expression(text(i, "UpdateExpression"))
                .set_condition_expression(text(i, "ConditionExpression"))
                .set_return_values(word(i, "ReturnValues"))
                .set_return_values_on_condition_check_failure(on_failure(i))
                .set_expression_attribute_names(names)
                .set_expression_attribute_values(values);
            side.answer(call.send().await)
        }
        "DeleteItem" => {
            let call = c
                .delete_item()
                .set_table_name(table)
                .set_key(item(i, "Key"))
                .set_condition_expression(text(i, "ConditionExpression"))
                .set_return_values(word(i, "ReturnValues"))
                .set_expression_attribute_names(names)
                .set_expression_attribute_values(values);
            side.answer(call.send().await)
        }
        "Query" => {
            let call = c
                .query()
                .set_table_name(table)
                .set_key_condition_expression(text(i, "KeyConditionExpression"))
                .set_filter_expression(text(i, "FilterExpression"))
                .set_projection_expression(text(i, "ProjectionExpression"))
                .set_scan_index_forward(flag(i, "ScanIndexForward"))
                .set_limit(int(i, "Limit"))
                .set_exclusive_start_key(item(i, "ExclusiveStartKey"))
                .set_consistent_read(flag(i, "ConsistentRead"))
                .set_select(word(i, "Select"))
                .set_expression_attribute_names(names)
                .set_expression_attribute_values(values);
            side.answer(call.send().await)
        }
        other => panic!("dynamodb.{other} is not drawn"),
    }
}

fn on_failure(i: &Value) -> Option<t::ReturnValuesOnConditionCheckFailure> {
    word(i, "ReturnValuesOnConditionCheckFailure")
}

/// `{"S": "x"}` and its like.
fn value(v: &Value) -> AttributeValue {
    let Some((kind, held)) = v.as_object().and_then(|members| members.iter().next()) else {
        return AttributeValue::Null(true);
    };
    let held_text = || held.as_str().unwrap_or_default().to_owned();
    match kind.as_str() {
        "S" => AttributeValue::S(held_text()),
        "N" => AttributeValue::N(held_text()),
        "BOOL" => AttributeValue::Bool(held == true),
        "L" => AttributeValue::L(list(v, "L", value).unwrap_or_default()),
        "M" => AttributeValue::M(item(v, "M").unwrap_or_default()),
        "SS" => AttributeValue::Ss(super::input::texts(v, "SS").unwrap_or_default()),
        _ => AttributeValue::Null(true),
    }
}

fn item(i: &Value, member: &str) -> Option<HashMap<String, AttributeValue>> {
    let members = i[member].as_object()?;
    Some(
        members
            .iter()
            .map(|(name, v)| (name.clone(), value(v)))
            .collect(),
    )
}

fn names(i: &Value) -> Option<HashMap<String, String>> {
    let members = i["ExpressionAttributeNames"].as_object()?;
    let text = |v: &Value| v.as_str().unwrap_or_default().to_owned();
    Some(
        members
            .iter()
            .map(|(name, v)| (name.clone(), text(v)))
            .collect(),
    )
}

fn keys(v: &Value) -> t::KeysAndAttributes {
    let keys = list(v, "Keys", |key| {
        item(&serde_json::json!({"k": key}), "k").unwrap_or_default()
    });
    t::KeysAndAttributes::builder()
        .set_keys(keys)
        .set_consistent_read(flag(v, "ConsistentRead"))
        .build()
        .unwrap()
}

fn write(v: &Value) -> t::TransactWriteItem {
    let put = |v: &Value| {
        t::Put::builder()
            .set_table_name(text(v, "TableName"))
            .set_item(item(v, "Item"))
            .set_condition_expression(text(v, "ConditionExpression"))
            .set_expression_attribute_names(names(v))
            .set_expression_attribute_values(item(v, "ExpressionAttributeValues"))
            .set_return_values_on_condition_check_failure(on_failure(v))
            .build()
            .unwrap()
    };
    let update = |v: &Value| {
        t::Update::builder()
            .set_table_name(text(v, "TableName"))
            .set_key(item(v, "Key"))
            .set_update_expression(text(v, "UpdateExpression"))
            .set_condition_expression(text(v, "ConditionExpression"))
            .set_expression_attribute_names(names(v))
            .set_expression_attribute_values(item(v, "ExpressionAttributeValues"))
            .set_return_values_on_condition_check_failure(on_failure(v))
            .build()
            .unwrap()
    };
    let delete = |v: &Value| {
        t::Delete::builder()
            .set_table_name(text(v, "TableName"))
            .set_key(item(v, "Key"))
            .set_condition_expression(text(v, "ConditionExpression"))
            .set_expression_attribute_names(names(v))
            .set_expression_attribute_values(item(v, "ExpressionAttributeValues"))
            .build()
            .unwrap()
    };
    let check = |v: &Value| {
        t::ConditionCheck::builder()
            .set_table_name(text(v, "TableName"))
            .set_key(item(v, "Key"))
            .set_condition_expression(text(v, "ConditionExpression"))
            .set_expression_attribute_names(names(v))
            .set_expression_attribute_values(item(v, "ExpressionAttributeValues"))
            .set_return_values_on_condition_check_failure(on_failure(v))
            .build()
            .unwrap()
    };
    t::TransactWriteItem::builder()
        .set_put(one(v, "Put", put))
        .set_update(one(v, "Update", update))
        .set_delete(one(v, "Delete", delete))
        .set_condition_check(one(v, "ConditionCheck", check))
        .build()
}

fn attribute(v: &Value) -> t::AttributeDefinition {
    t::AttributeDefinition::builder()
        .set_attribute_name(text(v, "AttributeName"))
        .set_attribute_type(word(v, "AttributeType"))
        .build()
        .unwrap()
}

fn key(v: &Value) -> t::KeySchemaElement {
    t::KeySchemaElement::builder()
        .set_attribute_name(text(v, "AttributeName"))
        .set_key_type(word(v, "KeyType"))
        .build()
        .unwrap()
}

fn recovery(v: &Value) -> t::PointInTimeRecoverySpecification {
    t::PointInTimeRecoverySpecification::builder()
        .set_point_in_time_recovery_enabled(flag(v, "PointInTimeRecoveryEnabled"))
        .set_recovery_period_in_days(int(v, "RecoveryPeriodInDays"))
        .build()
        .unwrap()
}

fn ttl(v: &Value) -> t::TimeToLiveSpecification {
    t::TimeToLiveSpecification::builder()
        .set_enabled(flag(v, "Enabled"))
        .set_attribute_name(text(v, "AttributeName"))
        .build()
        .unwrap()
}
