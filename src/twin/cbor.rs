//! rpc-v2-cbor, the protocol of the CloudWatch SDK: between its bytes and the twin's JSON.
//!
//! JSON has one kind of number and no timestamp, so the encoder goes by member names: those of
//! [`TIMESTAMPS`] become tag 1, those of [`DOUBLES`] doubles even when they are whole. Decoding
//! needs no names: a tag 1 becomes a number of seconds.

use aws_smithy_cbor::data::Type;
use aws_smithy_cbor::decode::DeserializeError;
use aws_smithy_cbor::{Decoder, Encoder};
use aws_smithy_types::DateTime;
use serde_json::{Map, Number, Value};

/// The timestamp members of the CloudWatch shapes that the twin answers with.
pub const TIMESTAMPS: &[&str] = &[
    // MetricAlarm, CompositeAlarm, LogAlarm
    "AlarmConfigurationUpdatedTimestamp",
    "StateTransitionedTimestamp",
    "StateUpdatedTimestamp",
    // CompositeAlarm has no others; AlarmHistoryItem:
    "Timestamp",
];

/// The double members of the CloudWatch shapes that the twin reads or answers with.
pub const DOUBLES: &[&str] = &[
    // MetricAlarm, LogAlarm, PutMetricAlarm
    "Threshold",
];

/// As deep as the SDK reads.
const MAX_DEPTH: u32 = 128;

/// Encodes a JSON value as an rpc-v2-cbor body.
pub fn encode(value: &Value) -> Vec<u8> {
    let mut encoder = Encoder::new(Vec::new());
    write(&mut encoder, "", value);
    encoder.into_writer()
}

/// The body of an error answer: a map with `__type` and `message`.
pub fn encode_error(code: &str, message: &str) -> Vec<u8> {
    let mut encoder = Encoder::new(Vec::new());
    encoder
        .map(2)
        .str("__type")
        .str(code)
        .str("message")
        .str(message);
    encoder.into_writer()
}

fn write(encoder: &mut Encoder, member: &str, value: &Value) {
    match value {
        Value::Null => {
            encoder.null();
        }
        Value::Bool(b) => {
            encoder.boolean(*b);
        }
        Value::Number(n) => write_number(encoder, member, n),
        Value::String(s) => {
            encoder.str(s);
        }
        Value::Array(items) => {
            encoder.array(items.len());
            for item in items {
                write(encoder, member, item);
            }
        }
        Value::Object(members) => {
            encoder.map(members.len());
            for (name, value) in members {
                encoder.str(name);
                write(encoder, name, value);
            }
        }
    }
}

fn write_number(encoder: &mut Encoder, member: &str, number: &Number) {
    // Every Number of serde_json has an f64 reading.
    let float = number.as_f64().unwrap_or_default();
    if TIMESTAMPS.contains(&member) {
        encoder.timestamp(&DateTime::from_secs_f64(float));
    } else if DOUBLES.contains(&member) {
        encoder.double(float);
    } else if let Some(whole) = number.as_i64() {
        encoder.long(whole);
    } else {
        encoder.double(float);
    }
}

/// Decodes an rpc-v2-cbor body. An empty body is an empty structure, as the protocol allows for
/// operations without input.
pub fn decode(bytes: &[u8]) -> Result<Value, DeserializeError> {
    if bytes.is_empty() {
        return Ok(Value::Object(Map::new()));
    }
    let mut decoder = Decoder::new(bytes);
    let value = read(&mut decoder, 0)?;
    if decoder.position() != bytes.len() {
        return Err(DeserializeError::expected_end_of_stream(decoder.position()));
    }
    Ok(value)
}

fn read(decoder: &mut Decoder<'_>, depth: u32) -> Result<Value, DeserializeError> {
    let at = decoder.position();
    if depth >= MAX_DEPTH {
        return Err(DeserializeError::custom(
            "maximum nesting depth exceeded",
            at,
        ));
    }
    Ok(match decoder.datatype()? {
        Type::Null => {
            decoder.null()?;
            Value::Null
        }
        Type::Bool => Value::Bool(decoder.boolean()?),
        Type::U8
        | Type::U16
        | Type::U32
        | Type::U64
        | Type::I8
        | Type::I16
        | Type::I32
        | Type::I64 => Value::from(decoder.long()?),
        Type::F16 | Type::F32 | Type::F64 => number(decoder.double()?, at)?,
        Type::Tag => number(decoder.timestamp()?.as_secs_f64(), at)?,
        Type::String | Type::StringIndef => Value::String(decoder.string()?),
        Type::Array | Type::ArrayIndef => {
            let mut items = Vec::new();
            let len = decoder.list()?;
            while more(decoder, len, items.len())? {
                items.push(read(decoder, depth + 1)?);
            }
            Value::Array(items)
        }
        Type::Map | Type::MapIndef => {
            let mut members = Map::new();
            let len = decoder.map()?;
            let mut seen = 0;
            while more(decoder, len, seen)? {
                let name = decoder.string()?;
                members.insert(name, read(decoder, depth + 1)?);
                seen += 1;
            }
            Value::Object(members)
        }
        other => {
            return Err(DeserializeError::custom(
                format!("the twin reads no CBOR of type {other:?}"),
                at,
            ));
        }
    })
}

/// Whether another element follows; takes the break that ends an indefinite one.
fn more(
    decoder: &mut Decoder<'_>,
    len: Option<u64>,
    seen: usize,
) -> Result<bool, DeserializeError> {
    match len {
        Some(len) => Ok((seen as u64) < len),
        None if matches!(decoder.datatype()?, Type::Break) => {
            decoder.skip()?;
            Ok(false)
        }
        None => Ok(true),
    }
}

fn number(float: f64, at: usize) -> Result<Value, DeserializeError> {
    Number::from_f64(float)
        .map(Value::Number)
        .ok_or_else(|| DeserializeError::custom("a number must be finite", at))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            (-1e300..1e300f64).prop_map(Value::from),
            any::<String>().prop_map(Value::from),
        ];
        leaf.prop_recursive(6, 64, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                // Lower case, so that no name is one whose numbers have a type of their own.
                prop::collection::btree_map("[a-z]{0,30}", inner, 0..6)
                    .prop_map(|m| Value::Object(m.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_is_encoded_decodes_to_itself(value in any_json()) {
            prop_assert_eq!(decode(&encode(&value)).unwrap(), value);
        }

        #[test]
        fn no_bytes_make_the_decoder_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = decode(&bytes);
        }

        #[test]
        fn a_timestamp_keeps_its_milliseconds(millis in 0i64..4_000_000_000_000) {
            #[expect(clippy::cast_precision_loss, reason = "below 2^53")]
            let seconds = millis as f64 / 1000.0;
            let back = decode(&encode(&json!({"StateUpdatedTimestamp": seconds}))).unwrap();
            let back = back["StateUpdatedTimestamp"].as_f64().unwrap();
            prop_assert!((back - seconds).abs() < 0.0015);
        }
    }

    #[test]
    fn a_whole_threshold_goes_out_as_a_double_and_a_whole_period_as_an_integer() {
        let bytes = encode(&json!({"Threshold": 80}));
        assert_eq!(bytes[11], 0xfb, "a 64-bit float follows the name");
        let bytes = encode(&json!({"Period": 60}));
        assert_eq!(&bytes[8..], [0x18, 60]);
    }

    #[test]
    fn bytes_after_the_end_are_an_error() {
        let mut bytes = encode(&json!({}));
        bytes.push(0);
        assert!(decode(&bytes).is_err());
    }

    #[test]
    fn nesting_without_end_is_an_error_not_an_overflow() {
        assert!(decode(&vec![0x81; 100_000]).is_err());
    }
}
