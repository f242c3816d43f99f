//! Drift records: what differed from when to when, how it ended, and who did it.
//!
//! A record is one episode of one field: it opens when a look first finds the field not as its
//! document says, and ends when a look finds it so again. Records are written on change only, so
//! that a drift which stays as it is costs nothing; an open record therefore says when it was last
//! *written*, and whoever tells of it looks for themselves whether it still stands.

use std::fmt;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::key::ResourceKey;
use super::stake::Stake;
use super::trail::Author;
use super::tree::{self, FieldPath, Tree};

/// How long an ended record is kept, as CloudTrail keeps its events.
pub const KEPT_FOR: SignedDuration = SignedDuration::from_hours(90 * 24);
/// How many ended records of one object are kept, the newest ones.
pub const KEPT_PER_OBJECT: usize = 200;
/// Longest value that is kept, in bytes of JSON; of a longer one only its size and digest are.
const VALUE_MAX: usize = 1024;
/// Words in a field's name that its value may not be kept for. No kind owns such a field (a test
/// over the schemas says so); a tag that a person named so is not kept either.
const SECRET_WORDS: [&str; 7] = [
    "secret",
    "password",
    "passwd",
    "token",
    "credential",
    "apikey",
    "privatekey",
];

/// In which way something is not as its document says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum DriftKind {
    /// A value is another one.
    Changed,
    /// The object, or an entry or value of it, is not there.
    Missing,
    /// Something stands beside what the document names. Told, never deleted.
    Unmanaged,
    /// The right value is asked for, and AWS makes it so in its own window.
    Pending,
    /// An operator suspended it, and it is left so.
    Suspended,
    /// Corrected again and again and set back each time; correcting it has stopped.
    Contested,
}

impl DriftKind {
    /// All of them, in the order of reports.
    pub const ALL: [DriftKind; 6] = [
        DriftKind::Contested,
        DriftKind::Missing,
        DriftKind::Changed,
        DriftKind::Pending,
        DriftKind::Suspended,
        DriftKind::Unmanaged,
    ];

    /// Whether the object is in order all the same.
    pub fn is_beside(self) -> bool {
        self.is_left_alone() || self == DriftKind::Pending
    }

    /// Whether it is told and never written.
    pub fn is_left_alone(self) -> bool {
        matches!(self, DriftKind::Unmanaged | DriftKind::Suspended)
    }
}

impl fmt::Display for DriftKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            DriftKind::Changed => "changed",
            DriftKind::Missing => "missing",
            DriftKind::Unmanaged => "unmanaged",
            DriftKind::Pending => "pending",
            DriftKind::Suspended => "suspended",
            DriftKind::Contested => "contested",
        })
    }
}

/// Something that stands beside an object's drift and is not written: unmanaged, pending, suspended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Beside {
    /// In which way.
    pub kind: DriftKind,
    /// Where, from the document's root.
    pub path: FieldPath,
    /// What the document wants; null where it says nothing of it.
    pub desired: Tree,
    /// What is there.
    pub live: Tree,
}

/// One field that one look found not to be as its document says.
#[derive(Clone, Debug, PartialEq)]
pub struct Sighting {
    /// In which way.
    pub kind: DriftKind,
    /// Which; the root stands for the whole object.
    pub path: FieldPath,
    /// What the document wants.
    pub desired: Tree,
    /// What is there.
    pub live: Tree,
    /// What that puts at risk.
    pub stake: Stake,
}

/// What moved: the live object, or what is wanted of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Origin {
    /// The object was in order by this same document before: somebody changed it.
    Live,
    /// The object was in order by an earlier document: this is a change on its way, no drift.
    Document,
    /// It was not seen in order before.
    Unknown,
}

/// How a record ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "how")]
pub enum How {
    /// A write of ours set it right.
    Corrected {
        /// That write's intent, as the ledger has it.
        intent: String,
    },
    /// It is as the document says again, and no write of ours made it so.
    SetRight,
    /// The document asks for something else now, or for nothing.
    Withdrawn,
}

/// The end of a record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct End {
    /// When: for a correction when AWS accepted it, else when a look found it gone.
    pub at: Timestamp,
    /// How.
    #[serde(flatten)]
    pub how: How,
}

/// Who did it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "known")]
pub enum Authorship {
    /// CloudTrail was not asked, or has no such event yet: events come up to 15 minutes late.
    NotYet,
    /// CloudTrail names them.
    Named(Author),
    /// CloudTrail was asked until nothing could come any more, and has no such event.
    NotFound,
}

/// One episode of drift of one field.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DriftRecord {
    /// Whose.
    pub key: ResourceKey,
    /// Which field, from the document's root; empty for the whole object.
    pub path: FieldPath,
    /// In which way it differs, as of the last change.
    pub kind: DriftKind,
    /// What it puts at risk.
    pub at_risk: Stake,
    /// What moved.
    pub origin: Origin,
    /// The look that found it first.
    pub first_seen: Timestamp,
    /// The newest look that saw it and wrote: written together with another change only. A record
    /// that is open stood at least until then.
    pub last_seen: Timestamp,
    /// The look that found the object in order last, where this process had made one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub in_order_until: Option<Timestamp>,
    /// The document that it was found of, as a shortened digest.
    pub generation: String,
    /// What the document wants, which is what was there before if `origin` is `live`.
    pub desired: Tree,
    /// What is there instead.
    pub live: Tree,
    /// How it ended; open without.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end: Option<End>,
    /// Who did it.
    pub author: Authorship,
}

/// What was known of an object before a look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Before {
    /// The newest look that found it in order.
    pub at: Timestamp,
    /// Its document then, as a digest.
    pub generation: String,
}

impl DriftRecord {
    /// A record that opens at `now`.
    pub fn open(
        key: &ResourceKey,
        sighting: &Sighting,
        before: Option<&Before>,
        generation: &str,
        now: Timestamp,
    ) -> Self {
        Self {
            key: key.clone(),
            path: sighting.path.clone(),
            kind: sighting.kind,
            at_risk: sighting.stake,
            origin: match before {
                Some(before) if before.generation == generation => Origin::Live,
                Some(_) => Origin::Document,
                None => Origin::Unknown,
            },
            first_seen: now,
            last_seen: now,
            in_order_until: before.map(|b| b.at),
            generation: short(generation),
            desired: kept(&sighting.path, &sighting.desired),
            live: kept(&sighting.path, &sighting.live),
            end: None,
            author: Authorship::NotYet,
        }
    }

    /// This open record after another look that saw it; `None` when there is nothing to write.
    pub fn seen(&self, sighting: &Sighting, now: Timestamp) -> Option<Self> {
        let mut after = Self {
            kind: sighting.kind,
            at_risk: sighting.stake,
            desired: kept(&sighting.path, &sighting.desired),
            live: kept(&sighting.path, &sighting.live),
            ..self.clone()
        };
        if after == *self {
            return None;
        }
        after.last_seen = now;
        Some(after)
    }

    /// This record, ended. `seen_until` is the newest look that still saw it, where that is known.
    #[must_use]
    pub fn ended(&self, end: End, seen_until: Option<Timestamp>) -> Self {
        let seen = seen_until.map_or(self.last_seen, |at| at.max(self.last_seen));
        Self {
            last_seen: seen,
            end: Some(end),
            ..self.clone()
        }
    }

    /// Whether it was found of this document.
    pub fn is_of(&self, generation: &str) -> bool {
        self.generation == short(generation)
    }

    /// Whether it is drift at all: something that moved away from a document, not a document that
    /// moved away from it.
    pub fn is_drift(&self) -> bool {
        self.origin != Origin::Document
    }

    /// From the first look that found it to the correction, if a write of ours corrected it.
    pub fn time_to_correct(&self) -> Option<SignedDuration> {
        match &self.end {
            Some(End {
                at,
                how: How::Corrected { .. },
            }) => Some(at.duration_since(self.first_seen)),
            _ => None,
        }
    }

    /// From the call that caused it to the first look that found it, if CloudTrail names the call.
    pub fn time_to_detect(&self) -> Option<SignedDuration> {
        match &self.author {
            // Two clocks: what comes out below nothing is nothing.
            Authorship::Named(author) => Some(
                self.first_seen
                    .duration_since(author.at)
                    .max(SignedDuration::ZERO),
            ),
            Authorship::NotYet | Authorship::NotFound => None,
        }
    }

    /// The field for people; the whole object has none.
    pub fn field(&self) -> String {
        if self.path.segments().is_empty() {
            "(the whole object)".to_owned()
        } else {
            self.path.to_string()
        }
    }
}

/// Digests tell documents of one object apart: a quarter of one does.
fn short(generation: &str) -> String {
    generation.chars().take(16).collect()
}

/// A value as it is kept: no secret, and not too long.
fn kept(path: &FieldPath, value: &Tree) -> Tree {
    if path.segments().iter().any(|name| is_secret(name)) {
        return Tree::from("(not kept: its name speaks of a secret)");
    }
    let length = value.to_string().len();
    if length > VALUE_MAX {
        return Tree::from(format!(
            "({length} bytes, digest {:.12})",
            tree::digest(value)
        ));
    }
    value.clone()
}

/// Whether a field of this name may hold a secret.
pub fn is_secret(name: &str) -> bool {
    let letters: String = name
        .chars()
        .filter(|c| c.is_alphanumeric())
        .flat_map(char::to_lowercase)
        .collect();
    SECRET_WORDS.iter().any(|word| letters.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn sighting(live: Tree) -> Sighting {
        Sighting {
            kind: DriftKind::Changed,
            path: FieldPath::dotted("spec.cpu"),
            desired: json!(256),
            live,
            stake: Stake::Availability,
        }
    }

    fn record(before: Option<Before>) -> DriftRecord {
        let key = ResourceKey::new("shop", "Service", "web");
        DriftRecord::open(&key, &sighting(json!(128)), before.as_ref(), "g2", at(100))
    }

    fn before(generation: &str) -> Option<Before> {
        Some(Before {
            at: at(40),
            generation: generation.to_owned(),
        })
    }

    #[test]
    fn a_standing_drift_has_nothing_to_write() {
        let open = record(None);
        assert_eq!(open.seen(&sighting(json!(128)), at(900)), None);
        let moved = open.seen(&sighting(json!(64)), at(900)).unwrap();
        assert_eq!((moved.first_seen, moved.last_seen), (at(100), at(900)));
    }

    #[test]
    fn a_document_that_moved_is_no_drift() {
        assert_eq!(record(before("g2")).origin, Origin::Live);
        let on_its_way = record(before("g1"));
        assert_eq!(on_its_way.origin, Origin::Document);
        assert!(!on_its_way.is_drift());
        assert_eq!(record(None).origin, Origin::Unknown);
    }

    #[test]
    fn times_count_from_the_call_to_the_look_to_the_correction() {
        let mut record = record(before("g2"));
        assert_eq!(record.time_to_detect(), None);
        record.author = Authorship::Named(Author {
            principal: "arn:aws:iam::1:user/dana".into(),
            at: at(70),
            address: "192.0.2.7".into(),
            call: "ecs.UpdateService".into(),
            agent: "console".into(),
            event: "e".into(),
        });
        let end = |how| End { at: at(130), how };
        let corrected = record.ended(end(How::Corrected { intent: "i".into() }), Some(at(120)));
        assert_eq!(
            corrected.time_to_detect(),
            Some(SignedDuration::from_secs(30))
        );
        assert_eq!(
            corrected.time_to_correct(),
            Some(SignedDuration::from_secs(30))
        );
        assert_eq!(corrected.last_seen, at(120));
        assert_eq!(
            record.ended(end(How::SetRight), None).time_to_correct(),
            None
        );
    }

    #[test]
    fn a_value_whose_name_speaks_of_a_secret_is_not_kept() {
        let path = FieldPath::of(["spec", "tags", "API_Token"]);
        assert!(
            kept(&path, &json!("hush"))
                .as_str()
                .unwrap()
                .starts_with("(not kept")
        );
        let long = kept(&FieldPath::dotted("spec.a"), &json!("x".repeat(2000)));
        assert!(long.to_string().len() < 60, "{long}");
    }

    #[test]
    fn no_kind_owns_a_field_whose_name_speaks_of_a_secret() {
        fn names(tree: &Tree, found: &mut Vec<String>) {
            match tree {
                Tree::Object(members) => {
                    for (name, inner) in members {
                        if name == "properties" {
                            found.extend(
                                inner
                                    .as_object()
                                    .into_iter()
                                    .flatten()
                                    .map(|(n, _)| n.clone()),
                            );
                        }
                        names(inner, found);
                    }
                }
                Tree::Array(items) => items.iter().for_each(|item| names(item, found)),
                _ => {}
            }
        }
        let mut found = Vec::new();
        for kind in crate::kinds::KINDS {
            names(&kind.schema().to_value(), &mut found);
        }
        assert!(found.len() > 50, "{found:?}");
        assert!(
            !found
                .iter()
                .any(|name| is_secret(name) || name == "environment")
        );
    }

    #[test]
    fn a_record_reads_back_as_it_was_written() {
        for end in [
            None,
            Some(End {
                at: at(9),
                how: How::Withdrawn,
            }),
        ] {
            let mut record = record(before("g2"));
            record.end = end;
            let text = serde_json::to_string(&record).unwrap();
            assert_eq!(serde_json::from_str::<DriftRecord>(&text).unwrap(), record);
        }
    }
}
