//! What is drawn for the store's table: rows with versions and tokens, conditions, transactions, pages.

use serde_json::{Value, json};

use super::dice::Dice;
use super::sides::{Call, call};

const TABLE: &str = "rows";
const PARTITIONS: [&str; 2] = ["shop", "blog"];
const ROWS: [&str; 5] = ["CHAIN", "ENTRY#1", "ENTRY#2", "LEASE", "OPEN#web"];

/// A table as the store makes it, and what is done to its rows. DynamoDB Local keeps no accounts
/// apart: `name` is that of the table, and part of every client request token.
pub fn sequence(seed: u64, name: &str) -> Vec<Call> {
    let dice = &mut Dice::seeded(seed);
    let mut calls = vec![
        call("dynamodb", "CreateTable", table()),
        call("dynamodb", "DescribeTable", json!({"TableName": TABLE})),
    ];
    for _ in 0..28 {
        let next = match dice.below(14) {
            0..=2 => put(dice),
            3 | 4 => update(dice),
            5 | 6 => get(dice),
            7 | 8 => query(dice),
            9 => batch(dice),
            10 => delete(dice),
            11 => control(dice),
            _ => transaction(dice),
        };
        // The same once more, as after a lost answer: with its token, a transaction.
        if dice.once_in(5) {
            calls.push(next.clone());
        }
        calls.push(next);
    }
    for call in &mut calls {
        let text = call.input.to_string();
        let text = text.replace("\"rows\"", &format!("\"{name}\""));
        let text = text.replace("\"intent-", &format!("\"{name}-"));
        call.input = text.parse().unwrap();
    }
    calls
}

fn table() -> Value {
    json!({
        "TableName": TABLE,
        "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [
            {"AttributeName": "pk", "AttributeType": "S"},
            {"AttributeName": "sk", "AttributeType": "S"},
        ],
        "KeySchema": [
            {"AttributeName": "pk", "KeyType": "HASH"},
            {"AttributeName": "sk", "KeyType": "RANGE"},
        ],
    })
}

fn key(dice: &mut Dice) -> Value {
    json!({"pk": {"S": dice.pick(&PARTITIONS)}, "sk": {"S": dice.pick(&ROWS)}})
}

fn number(dice: &mut Dice) -> Value {
    json!({"N": dice.pick(&["0", "1", "2", "3"])})
}

fn row(dice: &mut Dice) -> Value {
    let mut row = key(dice);
    row["version"] = number(dice);
    row["token"] = number(dice);
    dice.maybe(
        &mut row,
        "state",
        &[json!({"S": "held"}), json!({"S": "released"})],
    );
    let nested = json!({"M": {"a": {"L": [{"N": "1.50"}, {"BOOL": true}, {"NULL": true}]}}});
    dice.maybe(&mut row, "detail", &[nested, json!({"S": ""})]);
    dice.maybe(&mut row, "labels", &[json!({"SS": ["a", "b"]})]);
    row
}

/// The store's conditions, and some that name what is not there.
fn condition(dice: &mut Dice, input: &mut Value) {
    let text = dice.pick(&[
        "attribute_not_exists(#pk)",
        "attribute_exists(#pk)",
        "#version = :version AND #token = :token",
        "#version = :version",
        "attribute_not_exists(#pk) OR #token < :token",
        "#state <> :state",
    ]);
    input["ConditionExpression"] = json!(text);
    for (name, value) in [("version", number(dice)), ("token", number(dice))] {
        if text.contains(&format!("#{name}")) {
            input["ExpressionAttributeNames"][format!("#{name}")] = json!(name);
        }
        if text.contains(&format!(":{name}")) {
            input["ExpressionAttributeValues"][format!(":{name}")] = value;
        }
    }
    if text.contains("#pk") {
        input["ExpressionAttributeNames"]["#pk"] = json!("pk");
    }
    if text.contains("#state") {
        input["ExpressionAttributeNames"]["#state"] = json!("state");
        input["ExpressionAttributeValues"][":state"] = json!({"S": "released"});
    }
}

fn on_failure(dice: &mut Dice, input: &mut Value) {
    let all = [json!("ALL_OLD"), json!("NONE")];
    dice.maybe(input, "ReturnValuesOnConditionCheckFailure", &all);
}

fn put(dice: &mut Dice) -> Call {
    let mut input = json!({"TableName": TABLE, "Item": row(dice)});
    if !dice.once_in(3) {
        condition(dice, &mut input);
        on_failure(dice, &mut input);
    }
    dice.maybe(
        &mut input,
        "ReturnValues",
        &[json!("ALL_OLD"), json!("NONE")],
    );
    match dice.below(30) {
        0 => input["Item"] = json!({"pk": {"S": "shop"}}),
        1 => input["Item"]["sk"] = json!({"S": ""}),
        2 => input["TableName"] = json!("none"),
        3 => input["ReturnValues"] = json!("ALL_NEW"),
        4 => input["ExpressionAttributeValues"][":unused"] = json!({"S": "x"}),
        5 => input["Item"]["version"] = json!({"N": "many"}),
        6 => input["ConditionExpression"] = json!("version ="),
        _ => {}
    }
    call("dynamodb", "PutItem", input)
}

/// The update expression of a renewal or of a release, or another.
fn change(dice: &mut Dice, input: &mut Value) {
    let text = dice.pick(&[
        "SET #version = #version + :one",
        "SET #version = if_not_exists(#version, :one) + :one, #state = :released",
        "SET #state = :released REMOVE #detail",
        "REMOVE #detail",
        "ADD #version :one",
    ]);
    input["UpdateExpression"] = json!(text);
    for name in ["version", "state", "detail"] {
        if text.contains(&format!("#{name}")) {
            input["ExpressionAttributeNames"][format!("#{name}")] = json!(name);
        }
    }
    for (name, value) in [
        ("one", json!({"N": "1"})),
        ("released", json!({"S": "released"})),
    ] {
        if text.contains(&format!(":{name}")) {
            input["ExpressionAttributeValues"][format!(":{name}")] = value;
        }
    }
}

fn update(dice: &mut Dice) -> Call {
    let mut input = json!({"TableName": TABLE, "Key": key(dice)});
    change(dice, &mut input);
    if dice.once_in(2) {
        condition(dice, &mut input);
        on_failure(dice, &mut input);
    }
    let returned = ["ALL_NEW", "ALL_OLD", "UPDATED_NEW", "UPDATED_OLD", "NONE"];
    dice.maybe(&mut input, "ReturnValues", &returned.map(|r| json!(r)));
    match dice.below(24) {
        0 => input["TableName"] = json!("none"),
        1 => input["UpdateExpression"] = json!("SET"),
        2 => input["Key"] = json!({"pk": {"S": "shop"}}),
        _ => {}
    }
    call("dynamodb", "UpdateItem", input)
}

fn get(dice: &mut Dice) -> Call {
    let mut input = json!({"TableName": TABLE, "Key": key(dice), "ConsistentRead": true});
    if dice.once_in(4) {
        input["ProjectionExpression"] = json!("version, #state, detail.a[0]");
        input["ExpressionAttributeNames"] = json!({"#state": "state"});
    }
    match dice.below(20) {
        0 => input["TableName"] = json!("none"),
        1 => input["Key"] = json!({"pk": {"N": "1"}, "sk": {"S": "x"}}),
        _ => {}
    }
    call("dynamodb", "GetItem", input)
}

fn query(dice: &mut Dice) -> Call {
    let (first, last) = dice.pick(&[
        ("ENTRY#", "ENTRY#~"),
        ("", "~"),
        ("CHAIN", "LEASE"),
        ("Z", "A"),
    ]);
    let mut input = json!({
        "TableName": TABLE,
        "KeyConditionExpression": "#pk = :pk AND #sk BETWEEN :first AND :last",
        "ExpressionAttributeNames": {"#pk": "pk", "#sk": "sk"},
        "ExpressionAttributeValues": {
            ":pk": {"S": dice.pick(&PARTITIONS)}, ":first": {"S": first}, ":last": {"S": last},
        },
        "ConsistentRead": true,
    });
    dice.maybe(&mut input, "ScanIndexForward", &[json!(true), json!(false)]);
    dice.maybe(&mut input, "Limit", &[json!(1), json!(2), json!(100)]);
    if dice.once_in(4) {
        input["FilterExpression"] = json!("version > :low");
        input["ExpressionAttributeValues"][":low"] = json!({"N": "1"});
    }
    if dice.once_in(8) {
        input["Select"] = json!("COUNT");
    }
    match dice.below(30) {
        0 => input["TableName"] = json!("none"),
        1 => input["Limit"] = json!(0),
        2 => input["KeyConditionExpression"] = json!("#sk BETWEEN :first AND :last"),
        _ => {}
    }
    call("dynamodb", "Query", input)
}

fn batch(dice: &mut Dice) -> Call {
    let mut keys: Vec<Value> = Vec::new();
    for _ in 0..=dice.below(3) {
        let key = key(dice);
        if !keys.contains(&key) || dice.once_in(8) {
            keys.push(key);
        }
    }
    if dice.once_in(15) {
        keys = (0..101)
            .map(|n| json!({"pk": {"S": "shop"}, "sk": {"S": n.to_string()}}))
            .collect();
    }
    let name = if dice.once_in(20) { "none" } else { TABLE };
    let wanted = json!({ name: {"Keys": keys, "ConsistentRead": true} });
    call("dynamodb", "BatchGetItem", json!({"RequestItems": wanted}))
}

fn delete(dice: &mut Dice) -> Call {
    let mut input = json!({"TableName": TABLE, "Key": key(dice)});
    dice.maybe(&mut input, "ReturnValues", &[json!("ALL_OLD")]);
    if dice.once_in(2) {
        condition(dice, &mut input);
    }
    call("dynamodb", "DeleteItem", input)
}

fn control(dice: &mut Dice) -> Call {
    match dice.below(4) {
        0 => call("dynamodb", "CreateTable", table()),
        1 => call("dynamodb", "DescribeTable", json!({"TableName": "none"})),
        2 => {
            let ttl = json!({"Enabled": true, "AttributeName": "expires"});
            let input = json!({"TableName": TABLE, "TimeToLiveSpecification": ttl});
            call("dynamodb", "UpdateTimeToLive", input)
        }
        _ => call(
            "dynamodb",
            "DescribeTimeToLive",
            json!({"TableName": TABLE}),
        ),
    }
}

/// An intent's transaction: the lease renewed under its condition, the chain's head moved, an entry
/// put, `OPEN#` made if absent; or a part of it.
fn transaction(dice: &mut Dice) -> Call {
    let pk = dice.pick(&PARTITIONS);
    let mut items = Vec::new();
    for sk in dice.some(&ROWS) {
        let key = json!({"pk": {"S": pk}, "sk": {"S": sk}});
        let mut part = json!({"TableName": TABLE});
        let kind = match dice.below(4) {
            0 => {
                let mut item = row(dice);
                (item["pk"], item["sk"]) = (key["pk"].clone(), key["sk"].clone());
                part["Item"] = item;
                "Put"
            }
            1 => {
                part["Key"] = key;
                change(dice, &mut part);
                "Update"
            }
            2 => {
                part["Key"] = key;
                "Delete"
            }
            _ => {
                part["Key"] = key;
                condition(dice, &mut part);
                "ConditionCheck"
            }
        };
        if kind != "ConditionCheck" && dice.once_in(2) {
            condition(dice, &mut part);
        }
        if kind != "Delete" {
            on_failure(dice, &mut part);
        }
        items.push(json!({ kind: part }));
    }
    match dice.below(30) {
        0 => items.push(items[0].clone()),
        1 => items.clear(),
        _ => {}
    }
    let mut input = json!({"TransactItems": items});
    // Few tokens, so that one comes again with another transaction.
    if !dice.once_in(3) {
        input["ClientRequestToken"] = json!(dice.pick(&["intent-1", "intent-2", "intent-3"]));
    }
    call("dynamodb", "TransactWriteItems", input)
}
