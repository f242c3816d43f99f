//! Laws of the wire: what is said in any protocol is understood, and no bytes make a codec panic.

use bytes::Bytes;
use http::Request;
use jiff::Timestamp;
use proptest::prelude::*;
use serde_json::{Map, Value};

use super::wire::{self, Protocol, TwinError};
use super::{Twin, cbor, query};
use crate::aws::answer;
use crate::clock::Clock;
use crate::model::operation::OPERATIONS;

/// Names that have no type of their own in any protocol, nor look like an index.
const NAME: &str = "[a-z]{1,6}";

fn object(leaf: impl Strategy<Value = Value> + 'static) -> impl Strategy<Value = Value> {
    let inner = leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(NAME, inner, 0..4)
                .prop_map(|m| Value::Object(m.into_iter().collect())),
        ]
    });
    prop::collection::btree_map(NAME, inner, 0..5)
        .prop_map(|m| Value::Object(m.into_iter().collect()))
}

fn scalar() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (-1e15..1e15_f64).prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ]
}

/// The name of an operation, its service and how that speaks.
fn operation() -> impl Strategy<Value = (&'static str, &'static str, Protocol)> {
    let names: Vec<_> = OPERATIONS.iter().map(|o| o.name).collect();
    prop::sample::select(names).prop_map(|name| {
        let (service, operation) = name.split_once('.').unwrap();
        let protocol = match service {
            "cloudwatch" => Protocol::Cbor,
            "rds" | "sts" => Protocol::Query,
            "dynamodb" => Protocol::Json("1.0"),
            _ => Protocol::Json("1.1"),
        };
        (service, operation, protocol)
    })
}

fn target(service: &str) -> &'static str {
    match service {
        "ecs" => "AmazonEC2ContainerServiceV20141113",
        "application-autoscaling" => "AnyScaleFrontendService",
        "dynamodb" => "DynamoDB_20120810",
        "cloudtrail" => "CloudTrail_20131101",
        _ => "GraniteServiceVersion20100801",
    }
}

/// The request of a client that wants `input` of the operation.
fn request(service: &str, operation: &str, protocol: Protocol, input: &Value) -> Request<Bytes> {
    let post = Request::post("https://aws.invalid/");
    match protocol {
        Protocol::Json(version) => post
            .header("content-type", format!("application/x-amz-json-{version}"))
            .header("x-amz-target", format!("{}.{operation}", target(service)))
            .body(Bytes::from(input.to_string())),
        Protocol::Cbor => Request::post(format!(
            "https://aws.invalid/service/{}/operation/{operation}",
            target(service)
        ))
        .header("smithy-protocol", "rpc-v2-cbor")
        .body(Bytes::from(cbor::encode(input))),
        Protocol::Query => {
            let mut form = form_urlencoded::Serializer::new(String::new());
            form.append_pair("Action", operation);
            flatten(input, "", &mut form);
            let scope = format!("Credential=AKID/20261123/us-east-1/{service}/aws4_request");
            post.header("authorization", format!("AWS4-HMAC-SHA256 {scope}, Sig=x"))
                .body(Bytes::from(form.finish()))
        }
    }
    .unwrap()
}

/// `List.member.1.Name=value`, as the query protocol spells structures.
fn flatten(value: &Value, path: &str, form: &mut form_urlencoded::Serializer<'_, String>) {
    let below = |name: &str| match path {
        "" => name.to_owned(),
        path => format!("{path}.{name}"),
    };
    match value {
        Value::Object(members) => members
            .iter()
            .for_each(|(name, value)| flatten(value, &below(name), form)),
        Value::Array(items) => (1..)
            .zip(items)
            .for_each(|(n, item)| flatten(item, &below(&format!("member.{n}")), form)),
        Value::String(text) => drop(form.append_pair(path, text)),
        _ => {}
    }
}

/// The value without what a form cannot say: mappings and lists with nothing in them.
fn said(value: &Value) -> Option<Value> {
    match value {
        Value::Object(members) => {
            let members = members
                .iter()
                .filter_map(|(n, v)| Some((n.clone(), said(v)?)));
            let members: Map<String, Value> = members.collect();
            (!members.is_empty()).then_some(Value::Object(members))
        }
        Value::Array(items) => {
            let items: Vec<Value> = items.iter().filter_map(said).collect();
            (!items.is_empty()).then_some(Value::Array(items))
        }
        value => Some(value.clone()),
    }
}

fn unescaped(text: &str) -> String {
    text.replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&amp;", "&")
}

/// Header values and paths that a client might send by mistake.
fn odd() -> impl Strategy<Value = String> {
    prop_oneof![
        "[ -~]{0,30}",
        "AmazonEC2ContainerServiceV20141113\\.[A-Za-z.]{0,12}",
        "AWS4 Credential=[a-z/,]{0,20}/rds/[a-z]{0,5}",
        "/service/[A-Za-z0-9]{0,30}/operation/[a-zA-Z/]{0,10}",
        Just("rpc-v2-cbor".to_owned()),
    ]
}

proptest! {
    #[test]
    fn what_is_asked_in_any_protocol_is_what_is_understood(
        (service, operation, protocol) in operation(),
        input in object(scalar()),
        texts in object(any::<String>().prop_map(Value::from)),
    ) {
        let input = match protocol {
            Protocol::Query => said(&texts).unwrap_or(Value::Object(Map::new())),
            _ => input,
        };
        let incoming = wire::read(&request(service, operation, protocol, &input));
        let incoming = incoming.map_err(|(_, err)| TestCaseError::fail(err.message))?;
        prop_assert_eq!(incoming.name(), format!("{service}.{operation}"));
        prop_assert_eq!(incoming.input, input);
        prop_assert_eq!(incoming.protocol, protocol);
    }

    #[test]
    fn no_request_makes_the_wire_panic_and_each_refusal_can_be_said(
        target in prop::option::of(odd()),
        protocol in prop::option::of(odd()),
        authorization in prop::option::of(odd()),
        path in "(/[a-zA-Z0-9/]{0,40})",
        body in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        let mut request = Request::post(path);
        for (name, value) in [
            ("x-amz-target", target),
            ("smithy-protocol", protocol),
            ("authorization", authorization),
        ] {
            if let Some(value) = value {
                request = request.header(name, value);
            }
        }
        let request = request.body(Bytes::from(body)).unwrap();
        if let Err((protocol, err)) = wire::read(&request) {
            let answer = wire::answer(protocol, "rds", "Op", &Err(err), "id");
            prop_assert!(answer.status().is_client_error());
        }
    }

    #[test]
    fn every_answer_in_every_protocol_is_taken_for_one_and_none_that_is_cut_in_xml(
        (service, operation, protocol) in operation(),
        output in object(scalar()),
        cut in any::<prop::sample::Index>(),
    ) {
        let name = format!("{service}.{operation}");
        let answer = wire::answer(protocol, service, operation, &Ok(output), "id");
        let body = answer.body();
        prop_assert_eq!(answer::check(&name, answer::Sender::Aws, body), Ok(()));
        if protocol == Protocol::Query {
            prop_assert!(answer::check(&name, answer::Sender::Aws, &body[..cut.index(body.len())]).is_err());
        }
    }

    #[test]
    fn no_bytes_make_the_check_of_an_answer_panic_and_no_page_passes(
        (service, operation, _) in operation(),
        bytes in prop::collection::vec(any::<u8>(), 0..300),
        words in "[ -~]{0,60}",
    ) {
        let name = format!("{service}.{operation}");
        let _ = answer::check(&name, answer::Sender::Aws, &bytes);
        let _ = answer::check(&words, answer::Sender::Aws, &bytes);
        let page = format!("<html><body>{words}</body></html>");
        prop_assert!(answer::check(&name, answer::Sender::Aws, page.as_bytes()).is_err());
    }

    #[test]
    fn a_text_in_xml_reads_as_it_was(text in any::<String>()) {
        let xml = query::encode("rds", "Op", &serde_json::json!({"value": text}), "id");
        let xml = String::from_utf8(xml).unwrap();
        let inner = xml.split("<value>").nth(1).and_then(|rest| rest.split("</value>").next());
        prop_assert_eq!(inner.map(unescaped), Some(text));
        let err = TwinError::client("Code", "a < b & c");
        let xml = String::from_utf8(query::encode_error("rds", &err, "id")).unwrap();
        prop_assert!(xml.contains("a &lt; b &amp; c"));
    }

    #[test]
    fn cbor_that_is_cut_anywhere_is_no_value(
        input in object(scalar()),
        cut in any::<prop::sample::Index>(),
    ) {
        let bytes = cbor::encode(&input);
        let end = cut.index(bytes.len());
        // Nothing at all is an empty structure, as the protocol says.
        prop_assert!(end == 0 || cbor::decode(&bytes[..end]).is_err());
    }

    #[test]
    fn no_input_makes_the_twin_panic(
        (service, operation, _) in operation(),
        input in object(scalar()),
        names in prop::collection::vec((prop::sample::select(MEMBERS.to_vec()), scalar()), 0..6),
    ) {
        let Value::Object(mut members) = input else { unreachable!() };
        members.extend(names.into_iter().map(|(name, value)| (name.to_owned(), value)));
        let twin = Twin::new(Clock::virtual_at(Timestamp::UNIX_EPOCH), 1);
        twin.world(|w| {
            let _ = w.call(service, operation, &Value::Object(members));
        });
    }
}

/// Members that many calls have, to get further than their first check.
const MEMBERS: &[&str] = &[
    "cluster",
    "service",
    "services",
    "taskDefinition",
    "desiredCount",
    "family",
    "cpu",
    "memory",
    "containerDefinitions",
    "tags",
    "resourceArn",
    "ServiceNamespace",
    "ResourceId",
    "ResourceIds",
    "ScalableDimension",
    "MinCapacity",
    "MaxCapacity",
    "PolicyName",
    "PolicyType",
    "Schedule",
    "ScheduledActionName",
    "Timezone",
    "NextToken",
    "nextToken",
    "MaxResults",
    "AlarmName",
    "AlarmNames",
    "Period",
    "Threshold",
    "EvaluationPeriods",
    "Metrics",
    "MaxRecords",
    "Marker",
    "DBInstanceIdentifier",
    "DBClusterIdentifier",
    "PreferredBackupWindow",
    "PreferredMaintenanceWindow",
    "BackupRetentionPeriod",
    "TableName",
    "maxResults",
];
