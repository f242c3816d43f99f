//! Laws of the store's rows: what is written reads back, and what nobody wrote is refused by name.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use jiff::Timestamp;
use proptest::prelude::*;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::fence::Fence;
use super::lease_row::{decode, encode};
use super::rows::{self, Item, NUMBER_MAX};
use super::watch::{LeaseRow, LeaseState, Patience, granted, judge};
use crate::model::chain::{Head, whole};
use crate::model::change::{Drift, Risk, Step};
use crate::model::entry::{Entry, GENESIS, Outcome, Record};
use crate::model::key::ResourceKey;
use crate::model::memory::{CameLate, LastWrite, ObjectMemory, OpenIntent, PastWrite};
use crate::model::source::CommitId;
use crate::model::status::ObjectStatus;
use crate::model::tree::{FieldPath, Tree, to_tree};

fn instant() -> impl Strategy<Value = Timestamp> {
    (-62_135_596_800_i64..253_402_207_200, 0..1_000_000_000_i32)
        .prop_map(|(second, nano)| Timestamp::new(second, nano).unwrap_or(Timestamp::UNIX_EPOCH))
}

fn tree() -> impl Strategy<Value = Tree> {
    let leaf = prop_oneof![
        Just(Tree::Null),
        any::<bool>().prop_map(Tree::from),
        any::<i64>().prop_map(Tree::from),
        any::<u64>().prop_map(Tree::from),
        any::<f64>().prop_map(Tree::from),
        ".{0,8}".prop_map(Tree::from),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Tree::from),
            prop::collection::btree_map(".{0,4}", inner, 0..3)
                .prop_map(|m| Tree::Object(m.into_iter().collect())),
        ]
    })
}

fn key() -> impl Strategy<Value = ResourceKey> {
    ("[a-z0-9]{1,5}", "[A-Z][a-z]{0,5}", "[a-z0-9-]{1,5}")
        .prop_map(|(app, kind, name)| ResourceKey::new(app, kind, name))
}

fn drift() -> impl Strategy<Value = Drift> {
    let path = prop::collection::vec(".{0,6}", 1..4).prop_map(FieldPath::of);
    (path, tree(), tree()).prop_map(|(path, desired, live)| Drift {
        path,
        desired,
        live,
    })
}

fn step() -> impl Strategy<Value = Step> {
    (".{0,9}", ".{0,9}", ".{0,9}", tree()).prop_map(|(operation, object, title, detail)| Step {
        operation,
        object,
        title,
        detail,
    })
}

fn record() -> impl Strategy<Value = Record> {
    let drifts = prop::collection::vec(drift(), 0..3);
    let risk = prop_oneof![
        Just(Risk::Routine),
        Just(Risk::Disruptive),
        Just(Risk::Destructive)
    ];
    let outcome = prop_oneof![
        Just(Outcome::Applied),
        Just(Outcome::NotApplied),
        Just(Outcome::Unknown),
        Just(Outcome::Superseded),
    ];
    prop_oneof![
        (
            ".{0,9}",
            key(),
            step(),
            drifts,
            risk,
            ".{0,9}",
            (0..3u64, commit())
        )
            .prop_map(|(id, key, step, drift, risk, plan, (tasks, commit))| {
                Record::Intent {
                    id,
                    key,
                    step,
                    drift,
                    risk,
                    plan,
                    tasks,
                    commit,
                }
            }),
        (".{0,9}", key(), outcome, tree()).prop_map(|(intent, key, outcome, detail)| {
            Record::Outcome {
                intent,
                key,
                outcome,
                detail,
            }
        }),
    ]
}

fn commit() -> impl Strategy<Value = Option<CommitId>> {
    prop::option::of("[0-9a-f]{40}".prop_map(|text| CommitId::parse(&text).unwrap()))
}

/// A whole chain of `shop`.
fn chain() -> impl Strategy<Value = Vec<Entry>> {
    prop::collection::vec((record(), instant(), ".{0,9}", 0..=NUMBER_MAX), 1..4).prop_map(
        |entries| {
            let mut prev = GENESIS.to_owned();
            (1..)
                .zip(entries)
                .map(|(seq, (record, at, by, token))| {
                    let entry = Entry {
                        app: "shop".to_owned(),
                        seq,
                        at,
                        by,
                        token,
                        record,
                        prev: prev.clone(),
                        hash: String::new(),
                    }
                    .sealed();
                    prev.clone_from(&entry.hash);
                    entry
                })
                .collect()
        },
    )
}

fn memory() -> impl Strategy<Value = ObjectMemory> {
    let open = (
        ".{0,9}",
        instant(),
        any::<u64>(),
        ".{0,9}",
        tree(),
        prop::collection::vec(drift(), 0..2),
        commit(),
    );
    let open = open
        .prop_map(
            |(id, at, token, operation, step, drift, commit)| OpenIntent {
                id,
                at,
                token,
                operation,
                step,
                drift,
                commit,
            },
        )
        .boxed();
    let write = (".{0,9}", instant()).prop_map(|(intent, at)| LastWrite { intent, at });
    let past = (instant(), ".{0,9}").prop_map(|(at, correction)| PastWrite { at, correction });
    let late = (".{0,9}", instant(), tree());
    let late = late.prop_map(|(intent, at, left)| CameLate { intent, at, left });
    (
        prop::option::of(open.clone()),
        prop::option::of(write),
        prop::option::of(instant()),
        prop::collection::vec(past, 0..3),
        prop::collection::vec(open, 0..2),
        prop::collection::vec(late, 0..2),
        prop::collection::btree_map(".{0,5}", tree(), 0..3),
    )
        .prop_map(
            |(open, last_write, settling_until, writes, given_up, came_late, facts)| ObjectMemory {
                open,
                last_write,
                settling_until,
                writes,
                given_up,
                came_late,
                facts,
            },
        )
}

fn lease() -> impl Strategy<Value = LeaseRow> {
    let state = prop_oneof![Just(LeaseState::Held), Just(LeaseState::Released)];
    let words = || ".{0,9}";
    let people = (prop::option::of(words()), prop::option::of(words()));
    (
        words(),
        0..=NUMBER_MAX,
        0..=NUMBER_MAX,
        state,
        (instant(), instant()),
        words(),
        people,
    )
        .prop_map(
            |(holder, token, version, state, (since, renewed), grant, (reason, released_by))| {
                LeaseRow {
                    app: "shop".to_owned(),
                    holder,
                    token,
                    version,
                    state,
                    since,
                    renewed,
                    grant,
                    process: None,
                    reason,
                    released_by,
                }
            },
        )
}

/// Any value that an attribute can have.
fn attribute() -> impl Strategy<Value = AttributeValue> {
    prop_oneof![
        ".{0,12}".prop_map(AttributeValue::S),
        "(Held|Released|2026-01-01T00:00:00Z|\\{\\}|null)".prop_map(AttributeValue::S),
        "(-?[0-9]{1,25}(\\.[0-9]{1,3})?(E-?[0-9]{1,3})?)".prop_map(AttributeValue::N),
        any::<u64>().prop_map(|n| AttributeValue::N(n.to_string())),
        any::<bool>().prop_map(AttributeValue::Bool),
        Just(AttributeValue::Null(true)),
        Just(AttributeValue::L(vec![AttributeValue::Bool(true)])),
        Just(AttributeValue::M(HashMap::new())),
    ]
}

/// A row that anybody may have written.
fn item() -> impl Strategy<Value = Item> {
    let names = prop::sample::select(vec![
        "pk",
        "sk",
        "holder",
        "token",
        "version",
        "state",
        "since",
        "renewed",
        "grant",
        "reason",
        "releasedBy",
        "boot",
        "namespace",
        "pid",
        "started",
        "seq",
        "hash",
        "body",
        "other",
    ]);
    prop::collection::hash_map(names.prop_map(str::to_owned), attribute(), 0..16)
}

fn row_of<T: Serialize>(value: &T) -> Item {
    let body = to_tree(value).to_string();
    rows::item("a#b#shop", "X", [(rows::BODY, rows::text(body))])
}

fn reads_back<T: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug>(
    value: &T,
) -> Result<(), TestCaseError> {
    prop_assert_eq!(
        &rows::json_of::<T>(&row_of(value), rows::BODY).unwrap(),
        value
    );
    Ok(())
}

/// An error names the attribute that is at fault.
fn named<T>(read: Result<T, String>) -> Result<(), TestCaseError> {
    if let Err(why) = read {
        prop_assert!(why.starts_with(rows::BODY), "{}", why);
    }
    Ok(())
}

proptest! {
    #[test]
    fn an_entry_reads_back_and_keeps_its_hash(chain in chain()) {
        for entry in &chain {
            let back: Entry = rows::json_of(&row_of(entry), rows::BODY).unwrap();
            prop_assert_eq!(&back, entry);
            prop_assert_eq!(&back.expected_hash(), &entry.hash);
        }
    }

    #[test]
    fn memory_reads_back(memory in memory()) {
        reads_back(&memory)?;
    }

    #[test]
    fn a_lease_reads_back(lease in lease()) {
        prop_assert_eq!(decode("shop", &encode("a#b#shop", &lease)), lease);
    }

    #[test]
    fn an_object_row_names_its_key_and_no_other(key in key(), sk in ".{0,12}") {
        for prefix in [rows::OPEN, rows::MEMORY, rows::STATUS] {
            let object = rows::object(prefix, &key);
            prop_assert_eq!(rows::object_of(&key.app, &object, prefix), Some(key.clone()));
            let odd = format!("{prefix}{sk}");
            if let Some(found) = rows::object_of(&key.app, &odd, prefix) {
                prop_assert_eq!(rows::object(prefix, &found), odd);
            }
        }
    }

    #[test]
    fn a_row_of_anybodys_hand_is_a_lease_that_can_be_judged_or_says_why_not(item in item()) {
        let row = decode("shop", &item);
        match &row.state {
            LeaseState::Corrupt(why) => prop_assert!(
                ["holder", "grant", "token", "version", "since", "renewed", "state"]
                    .iter()
                    .any(|name| why.starts_with(name)),
                "{}", why
            ),
            LeaseState::Held | LeaseState::Released => {
                prop_assert_eq!(Some(row.token), rows::number_of(&item, "token").ok());
            }
        }
        // Taking it never wraps its numbers.
        let now = Timestamp::UNIX_EPOCH;
        let next = granted("shop", Some(&row), "me@here/1", "g", now);
        prop_assert!(next.token > row.token && next.version > row.version);
        let _ = judge(Some(&row), &mut None, std::time::Duration::ZERO, Patience::UntilDead);
    }

    #[test]
    fn a_body_of_anybodys_hand_is_read_or_refused_by_name(item in item(), tree in tree()) {
        for item in [item, row_of(&tree)] {
            named(rows::json_of::<Entry>(&item, rows::BODY))?;
            named(rows::json_of::<OpenIntent>(&item, rows::BODY))?;
            named(rows::json_of::<ObjectMemory>(&item, rows::BODY))?;
            named(rows::json_of::<ObjectStatus>(&item, rows::BODY))?;
            named(rows::json_of::<Fence>(&item, rows::BODY))?;
        }
    }

    #[test]
    fn a_byte_that_is_changed_anywhere_in_a_chain_is_found(
        chain in chain(),
        which in any::<prop::sample::Index>(),
        place in any::<prop::sample::Index>(),
        byte in any::<u8>(),
    ) {
        let head = chain.last().map(|last| Head { seq: last.seq, hash: last.hash.clone() });
        prop_assert_eq!(whole("shop", &chain, head.as_ref()), Ok(()));
        let which = which.index(chain.len());
        let mut body = to_tree(&chain[which]).to_string().into_bytes();
        let place = place.index(body.len());
        body[place] = byte;
        // DynamoDB keeps text, and only text.
        let Ok(body) = String::from_utf8(body) else { return Ok(()) };
        let row = rows::item("a#b#shop", "X", [(rows::BODY, rows::text(body))]);
        let Ok(entry) = rows::json_of::<Entry>(&row, rows::BODY) else { return Ok(()) };
        let mut changed = chain.clone();
        changed[which] = entry;
        if changed != chain {
            prop_assert!(whole("shop", &changed, head.as_ref()).is_err(), "{:?}", changed[which]);
        }
    }
}
