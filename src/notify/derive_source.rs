//! Deriving, of the Git source: which of its commits are worth telling. Pure: the record as it was and as
//! it is, in; notices out.

use jiff::Timestamp;

use crate::model::notice::{Notice, Topic};
use crate::model::source::{CommitId, SourceRecord};

/// What is new in the record of a source. Only changes that this process recorded itself are given: of
/// several replicas one tells.
pub fn of_source(before: &SourceRecord, now: &SourceRecord, at: Timestamp) -> Vec<Notice> {
    let notice = |topic, app: &str, why: String| Notice {
        why: Some(why),
        ..Notice::new(topic, app, at, Vec::new())
    };
    let mut notices = Vec::new();
    let held = |record: &SourceRecord| record.held.as_ref().map(|held| held.commit.clone());
    match &now.held {
        Some(hold) if held(before).as_ref() != Some(&hold.commit) => {
            let reasons: Vec<String> = hold.reasons.iter().map(ToString::to_string).collect();
            let commit = hold.commit.short();
            let stays = stays(now.good.as_ref());
            let why = format!(
                "commit {commit} is on hold: {}; {stays}. Look at it, and revert it or run \
                 `evenkeel source acknowledge {commit} --reason ...`",
                reasons.join("; ")
            );
            notices.push(notice(Topic::CommitHeld, "", why));
        }
        None if before.held.is_some() => {
            let why = match &now.good {
                Some(good) => format!(
                    "it is no longer on hold: commit {} is in force",
                    good.short()
                ),
                None => "it is no longer on hold".to_owned(),
            };
            notices.push(notice(Topic::Recovered, "", why));
        }
        _ => {}
    }
    for (app, good) in &now.behind {
        if !before.behind.contains_key(app) {
            let newest = match &now.good {
                Some(newest) => format!("its documents in commit {} do not load", newest.short()),
                None => "its newer documents do not load".to_owned(),
            };
            let why = format!(
                "{newest}, so it stays at commit {}; see `evenkeel check`",
                good.short()
            );
            notices.push(notice(Topic::CommitHeld, app, why));
        }
    }
    for app in before.behind.keys() {
        if !now.behind.contains_key(app) {
            let why = "its documents load again, and the newest commit is in force".to_owned();
            notices.push(notice(Topic::Recovered, app, why));
        }
    }
    notices
}

/// What is new of a commit of which nothing can be believed, so that nobody records it: each replica tells
/// it for itself.
pub fn of_bad(
    before: Option<&CommitId>,
    now: Option<&CommitId>,
    good: Option<&CommitId>,
    at: Timestamp,
) -> Option<Notice> {
    let (topic, why) = match (before, now) {
        (before, Some(now)) if before != Some(now) => {
            let why = format!(
                "commit {} does not load, and nothing tells which app is concerned, so none of it is \
                 taken; {}; see `evenkeel check`",
                now.short(),
                stays(good)
            );
            (Topic::CommitHeld, why)
        }
        (Some(_), None) => {
            let why = "the newest commit loads again".to_owned();
            (Topic::Recovered, why)
        }
        _ => return None,
    };
    Some(Notice {
        why: Some(why),
        ..Notice::new(topic, "", at, Vec::new())
    })
}

fn stays(good: Option<&CommitId>) -> String {
    match good {
        Some(good) => format!("commit {} stays in force", good.short()),
        None => "no commit is in force, so nothing is written".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::model::source::{HoldReason, SourceHold};

    fn commit(digit: &str) -> CommitId {
        CommitId::parse(&digit.repeat(40)).unwrap()
    }

    fn told(before: &SourceRecord, now: &SourceRecord) -> Vec<(Topic, String, String)> {
        let notices = of_source(before, now, Timestamp::UNIX_EPOCH);
        let parts = notices.into_iter();
        parts
            .map(|n| (n.topic, n.app, n.why.unwrap_or_default()))
            .collect()
    }

    #[test]
    fn a_hold_is_told_to_all_once_with_its_reason_and_the_way_out_and_so_is_its_end() {
        let fine = SourceRecord {
            good: Some(commit("a")),
            ..SourceRecord::default()
        };
        let hold = |digit: &str| SourceRecord {
            held: Some(SourceHold {
                commit: commit(digit),
                reasons: vec![HoldReason::Empty],
                since: Timestamp::UNIX_EPOCH,
            }),
            ..fine.clone()
        };
        let all = told(&fine, &hold("b"));
        let [(Topic::CommitHeld, app, why)] = all.as_slice() else {
            panic!("{all:?}");
        };
        assert_eq!(app, "");
        for part in [
            "holds no document",
            "acknowledge bbbbbbbbbbbb",
            "aaaaaaaaaaaa stays",
        ] {
            assert!(why.contains(part), "{why}");
        }
        assert_eq!(told(&hold("b"), &hold("b")), []);
        assert_eq!(
            told(&hold("b"), &hold("c")).len(),
            1,
            "another commit is other news"
        );
        let (topic, _, why) = told(&hold("b"), &fine).remove(0);
        assert_eq!(topic, Topic::Recovered);
        assert!(why.contains("commit aaaaaaaaaaaa is in force"), "{why}");
    }

    #[test]
    fn an_app_that_stays_behind_is_told_of_alone() {
        let fine = SourceRecord {
            good: Some(commit("b")),
            ..SourceRecord::default()
        };
        let behind = SourceRecord {
            behind: BTreeMap::from([("shop".to_owned(), commit("a"))]),
            ..fine.clone()
        };
        let all = told(&fine, &behind);
        assert_eq!((all.len(), all[0].1.as_str()), (1, "shop"));
        assert_eq!(told(&behind, &behind), []);
        assert_eq!(told(&behind, &fine)[0].0, Topic::Recovered);
    }

    #[test]
    fn a_commit_that_does_not_load_is_told_once_and_so_is_the_next_that_does() {
        let (good, bad, worse) = (commit("a"), commit("b"), commit("c"));
        let topic = |before, now| {
            let notice = of_bad(before, now, Some(&good), Timestamp::UNIX_EPOCH);
            notice.map(|n| n.topic)
        };
        assert_eq!(topic(None, Some(&bad)), Some(Topic::CommitHeld));
        assert_eq!(topic(Some(&bad), Some(&bad)), None);
        assert_eq!(topic(Some(&bad), Some(&worse)), Some(Topic::CommitHeld));
        assert_eq!(topic(Some(&worse), None), Some(Topic::Recovered));
        assert_eq!(topic(None, None), None);
    }
}
