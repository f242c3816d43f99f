//! Holds: whether a commit may come into force by itself, and what is recorded of it.
//!
//! Pure: values in, values out.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::kinds::kind;
use crate::model::document::{DesiredSet, Document};
use crate::model::finding::{Finding, Severity};
use crate::model::key::ResourceKey;
use crate::model::source::{ACKNOWLEDGEMENTS_KEPT, CommitId, HoldReason, SourceHold, SourceRecord};
use crate::model::tree::FieldPath;
use crate::source::NO_DOCUMENTS;

/// Fewer objects than this vanish without a word, whatever share they are: a small application that
/// is taken out of a small tree is everyday work.
pub const VANISH_AT_LEAST: usize = 3;
/// Vanished objects that are named.
const NAMED: usize = 5;
/// Where documents say how many tasks run, or run at least.
const COUNTS: [&str; 2] = ["desiredCount", "scaling.minCapacity"];

/// How a commit stands to the one in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ancestry {
    /// None is in force yet.
    First,
    /// It is the one in force.
    Same,
    /// The one in force is among its ancestors.
    Descendant,
    /// It is among the ancestors of the one in force.
    Older,
    /// Neither.
    Diverged,
}

/// Whose signature a commit carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Signature {
    /// Nobody asked for one.
    NotAsked,
    /// That of a key which is allowed.
    Trusted,
    /// None, or that of another key; or it could not be told.
    Untrusted(String),
}

/// A commit that may come into force.
#[derive(Clone, Copy, Debug)]
pub struct Candidate<'a> {
    /// Which.
    pub commit: &'a CommitId,
    /// How it stands to the one in force.
    pub ancestry: Ancestry,
    /// Whose signature it carries.
    pub signature: &'a Signature,
    /// What it says.
    pub set: &'a DesiredSet,
    /// What is in force, where that can be read.
    pub in_force: Option<&'a DesiredSet>,
}

/// Why `candidate` needs a person's word; nothing, if it needs none. `vanish` is the share of the
/// objects in force, in percent, that may be gone from it.
pub fn reasons(candidate: &Candidate<'_>, vanish: u8) -> Vec<HoldReason> {
    let Candidate {
        commit: _,
        ancestry,
        signature,
        set,
        in_force,
    } = candidate;
    let mut reasons = of_history(*ancestry, signature);
    let broken = |f: &Finding| f.severity == Severity::Error && f.rule != NO_DOCUMENTS;
    if set.documents.is_empty() && !set.findings.iter().any(broken) {
        reasons.push(HoldReason::Empty);
        return reasons;
    }
    if let Some(in_force) = in_force {
        reasons.extend(vanished(in_force, set, vanish));
        reasons.extend(moved(in_force, set));
        reasons.extend(count_drops(in_force, set));
    }
    reasons
}

/// Those of them that do not hang on what the files of the commit say.
pub fn of_history(ancestry: Ancestry, signature: &Signature) -> Vec<HoldReason> {
    let mut reasons = Vec::new();
    match ancestry {
        Ancestry::Diverged => reasons.push(HoldReason::NotDescendant),
        Ancestry::Older => reasons.push(HoldReason::Older),
        Ancestry::First | Ancestry::Same | Ancestry::Descendant => {}
    }
    if let Signature::Untrusted(why) = signature {
        reasons.push(HoldReason::Signature { why: why.clone() });
    }
    reasons
}

fn vanished(in_force: &DesiredSet, set: &DesiredSet, vanish: u8) -> Option<HoldReason> {
    let of = in_force.documents.len();
    let gone: Vec<_> = in_force
        .documents
        .keys()
        .filter(|key| !set.documents.contains_key(key) && !set.unread.may_hold(key))
        .collect();
    // Whoever writes 0 means any.
    let least = if vanish == 0 { 1 } else { VANISH_AT_LEAST };
    let many = gone.len() >= least && gone.len() * 100 > of * usize::from(vanish);
    many.then(|| HoldReason::Vanished {
        gone: gone.len(),
        of,
        some: gone.iter().take(NAMED).map(|key| (*key).clone()).collect(),
    })
}

/// What in AWS the documents of each name speak for.
fn claimed(set: &DesiredSet) -> BTreeMap<(&str, String), &ResourceKey> {
    let documents = set.documents.values();
    let claims = documents.filter_map(|document| {
        let claims = kind(&document.key.kind)?.claims(document, set);
        let all = claims.into_iter();
        Some(all.map(|claim| ((document.key.kind.as_str(), claim), &document.key)))
    });
    claims.flatten().collect()
}

fn moved(in_force: &DesiredSet, set: &DesiredSet) -> Option<HoldReason> {
    let before = claimed(in_force);
    let mut moved: Vec<(ResourceKey, ResourceKey)> = claimed(set)
        .into_iter()
        .filter_map(|(claim, key)| {
            let was = *before.get(&claim)?;
            (was != key).then(|| (was.clone(), key.clone()))
        })
        .collect();
    moved.sort();
    moved.dedup();
    (!moved.is_empty()).then(|| HoldReason::Moved {
        moved: moved.len(),
        some: moved.into_iter().take(NAMED).collect(),
    })
}

fn count_drops<'a>(
    in_force: &'a DesiredSet,
    set: &'a DesiredSet,
) -> impl Iterator<Item = HoldReason> + 'a {
    let both = in_force.documents.values().filter_map(|was| {
        let is = set.documents.get(&was.key)?;
        Some((was, is))
    });
    both.flat_map(|(was, is)| {
        COUNTS.iter().filter_map(move |path| {
            let (from, to) = (count(was, path)?, count(is, path)?);
            (to < from && (from - to) * 2 > from).then(|| HoldReason::CountDrop {
                key: was.key.clone(),
                path: format!("spec.{path}"),
                from,
                to,
            })
        })
    })
}

fn count(document: &Document, path: &str) -> Option<u64> {
    FieldPath::dotted(path).get(&document.spec)?.as_u64()
}

/// What is recorded once `candidate` was judged: it comes into force, or it is on hold for
/// `reasons`. `behind` are the apps whose documents do not load in it. The same as before, where
/// nothing changes.
pub fn judged(
    record: &SourceRecord,
    candidate: &CommitId,
    reasons: Vec<HoldReason>,
    behind: &BTreeMap<String, CommitId>,
    now: Timestamp,
) -> SourceRecord {
    let mut next = record.clone();
    if record.good.as_ref() == Some(candidate) {
        // The branch is where it was, so nothing waits for a word any more.
        next.held = None;
        next.acknowledged = None;
        return next;
    }
    let word = record
        .acknowledged
        .as_ref()
        .filter(|word| word.commit == *candidate);
    if reasons.is_empty() || word.is_some() {
        next.good = Some(candidate.clone());
        next.since = Some(now);
        next.held = None;
        next.acknowledged = None;
        next.behind = behind.clone();
        next.used.extend(word.cloned());
        let over = next.used.len().saturating_sub(ACKNOWLEDGEMENTS_KEPT);
        next.used.drain(..over);
        return next;
    }
    let since = record.held.as_ref().map_or(now, |held| held.since);
    next.held = Some(SourceHold {
        commit: candidate.clone(),
        reasons,
        since,
    });
    // A word for another commit is no word for this one.
    next.acknowledged = None;
    next
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::desired::load_files;
    use crate::model::source::Acknowledgement;

    fn commit(digit: &str) -> CommitId {
        CommitId::parse(&digit.repeat(40)).unwrap()
    }

    fn tables(names: &[&str]) -> DesiredSet {
        let text: String = names
            .iter()
            .map(|name| {
                format!(
                    "---\napiVersion: evenkeel/v1alpha1\nkind: Table\n\
                     metadata: {{app: shop, name: {name}}}\n\
                     spec: {{tableName: {name}, deletionProtection: true}}\n"
                )
            })
            .collect();
        let set = load_files([("tables.yaml", text.as_bytes())]);
        assert_eq!(set.documents.len(), names.len(), "{:?}", set.findings);
        set
    }

    fn service(spec: &str) -> DesiredSet {
        let text = format!(
            "apiVersion: evenkeel/v1alpha1\nkind: Service\nmetadata: {{app: shop, name: web}}\n\
             spec: {{cluster: main, {spec}}}\n"
        );
        let set = load_files([("web.yaml", text.as_bytes())]);
        assert_eq!(set.documents.len(), 1, "{:?}", set.findings);
        set
    }

    fn held(ancestry: Ancestry, was: &DesiredSet, is: &DesiredSet) -> Vec<HoldReason> {
        let candidate = Candidate {
            commit: &commit("b"),
            ancestry,
            signature: &Signature::NotAsked,
            set: is,
            in_force: Some(was),
        };
        reasons(&candidate, 20)
    }

    #[test]
    fn a_descendant_that_says_as_much_needs_no_word() {
        let set = tables(&["t-a", "t-b"]);
        assert_eq!(held(Ancestry::Descendant, &set, &set), []);
    }

    #[test]
    fn a_rewritten_branch_and_one_that_was_set_back_are_held() {
        let set = tables(&["t-a"]);
        let diverged = held(Ancestry::Diverged, &set, &set);
        assert_eq!(diverged, [HoldReason::NotDescendant]);
        assert_eq!(held(Ancestry::Older, &set, &set), [HoldReason::Older]);
    }

    #[test]
    fn an_empty_tree_is_held_and_one_that_did_not_load_is_not_called_empty() {
        let set = tables(&["t-a"]);
        let nothing = load_files([]);
        assert_eq!(
            held(Ancestry::Descendant, &set, &nothing),
            [HoldReason::Empty]
        );
        let bad = "apiVersion: evenkeel/v1alpha1\nkind: Table\n\
                   metadata: {app: shop, name: a}\nspec: {tableNme: a}\n";
        let bad = load_files([("tables.yaml", bad.as_bytes())]);
        assert_eq!(held(Ancestry::Descendant, &set, &bad), []);
    }

    #[test]
    fn three_objects_and_more_than_the_share_have_to_be_gone() {
        let names: Vec<String> = (0..15).map(|n| format!("t-{n:02}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let all = tables(&names);
        // Three of fifteen are a fifth, and not more.
        assert_eq!(held(Ancestry::Descendant, &all, &tables(&names[3..])), []);
        let HoldReason::Vanished { gone, of, some } =
            held(Ancestry::Descendant, &all, &tables(&names[4..])).remove(0)
        else {
            panic!("four of fifteen");
        };
        assert_eq!((gone, of, some.len()), (4, 15, 4));
        // Both of two are all, and only two.
        let kept = tables(&["t-c"]);
        let two = tables(&["t-a", "t-b"]);
        assert_eq!(held(Ancestry::Descendant, &two, &kept), []);
        // Whoever allows no share at all means any.
        assert!(vanished(&two, &tables(&["t-a"]), 0).is_some());
    }

    #[test]
    fn an_object_that_another_name_speaks_for_is_held() {
        let was = service("desiredCount: 4");
        let text = "apiVersion: evenkeel/v1alpha1\nkind: Service\n\
                    metadata: {app: sneaky, name: web}\nspec: {cluster: main, desiredCount: 4}\n";
        let is = load_files([("web.yaml", text.as_bytes())]);
        let reasons = held(Ancestry::Descendant, &was, &is);
        let [HoldReason::Moved { moved: 1, some }] = reasons.as_slice() else {
            panic!("{reasons:?}");
        };
        assert_eq!(
            (some[0].0.app.as_str(), some[0].1.app.as_str()),
            ("shop", "sneaky")
        );
        assert!(
            reasons[0]
                .to_string()
                .contains("shop/Service/web is sneaky/Service/web now")
        );
        // Another one of that name is another one.
        let other = service("serviceName: other, desiredCount: 4");
        assert_eq!(held(Ancestry::Descendant, &was, &other), []);
    }

    #[test]
    fn a_count_that_falls_by_more_than_half_is_held() {
        let four = service("desiredCount: 4");
        assert_eq!(
            held(Ancestry::Descendant, &four, &service("desiredCount: 2")),
            []
        );
        let drops = held(Ancestry::Descendant, &four, &service("desiredCount: 1"));
        assert!(
            matches!(&drops[..], [HoldReason::CountDrop { from: 4, to: 1, path, .. }]
                if path == "spec.desiredCount"),
            "{drops:?}"
        );
        let scaling = |min| service(&format!("scaling: {{minCapacity: {min}, maxCapacity: 20}}"));
        let drops = held(Ancestry::Descendant, &scaling(10), &scaling(4));
        assert!(
            matches!(&drops[..], [HoldReason::CountDrop { .. }]),
            "{drops:?}"
        );
    }

    #[test]
    fn an_untrusted_signature_is_held_even_on_the_first_commit() {
        let set = tables(&["t-a"]);
        let candidate = Candidate {
            commit: &commit("a"),
            ancestry: Ancestry::First,
            signature: &Signature::Untrusted("no signature".into()),
            set: &set,
            in_force: None,
        };
        assert!(matches!(
            &reasons(&candidate, 20)[..],
            [HoldReason::Signature { .. }]
        ));
    }

    const NOON: Timestamp = Timestamp::UNIX_EPOCH;

    fn in_force() -> SourceRecord {
        judged(
            &SourceRecord::default(),
            &commit("a"),
            Vec::new(),
            &BTreeMap::new(),
            NOON,
        )
    }

    fn hold(record: &SourceRecord, digit: &str) -> SourceRecord {
        let reasons = vec![HoldReason::NotDescendant];
        judged(record, &commit(digit), reasons, &BTreeMap::new(), NOON)
    }

    #[test]
    fn a_held_commit_leaves_the_last_good_one_in_force_and_nothing_is_recorded_twice() {
        let held = hold(&in_force(), "b");
        assert_eq!(held.good, Some(commit("a")));
        assert_eq!(held.held.as_ref().unwrap().commit, commit("b"));
        assert_eq!(hold(&held, "b"), held);
    }

    #[test]
    fn a_word_for_one_commit_takes_no_other_and_is_used_once() {
        let mut record = hold(&in_force(), "b");
        record.acknowledged = Some(Acknowledgement {
            commit: commit("b"),
            reasons: vec![HoldReason::NotDescendant],
            by: "ann@desk/1".into(),
            at: NOON,
            reason: "meant".into(),
        });
        // Somebody pushed another one before it was used.
        let other = hold(&record, "c");
        assert_eq!(
            (&other.good, &other.acknowledged),
            (&Some(commit("a")), &None)
        );
        let taken = hold(&record, "b");
        assert_eq!((&taken.good, &taken.held), (&Some(commit("b")), &None));
        assert_eq!(taken.used.len(), 1);
        // Back to the old one, and to the acknowledged one again: each needs a word of its own.
        let back = hold(&taken, "a");
        assert!(back.held.is_some());
        assert_eq!(back.good, Some(commit("b")));
    }

    #[test]
    fn a_branch_that_is_put_back_ends_the_hold() {
        let held = hold(&in_force(), "b");
        let back = judged(&held, &commit("a"), Vec::new(), &BTreeMap::new(), NOON);
        assert_eq!(back, in_force());
    }
}
