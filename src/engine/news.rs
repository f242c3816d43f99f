//! News: what of a look has not been told yet. A log tells what changed, not what is.

use std::collections::{BTreeMap, BTreeSet};

use super::source_news::{SourceLine, told};
use crate::model::document::DesiredSet;
use crate::model::finding::Finding;
use crate::model::key::ResourceKey;
use crate::model::plan::{ObjectPlan, Plan};

/// One thing that is new.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Item<'l> {
    /// An app's history could not be read.
    Unread {
        /// Whose.
        app: &'l str,
        /// Why.
        why: &'l str,
    },
    /// An app's history can be read again.
    ReadAgain {
        /// Whose.
        app: String,
    },
    /// Something is wrong with the documents.
    Found(&'l Finding),
    /// It no longer is.
    Gone(Told),
    /// An object stands otherwise than it did, or in other fields.
    Object(&'l ObjectPlan),
    /// Another commit is in force or on hold, or an app is at another one.
    Source(SourceLine),
}

/// A finding as it was told. Its line is no part of it: text above it moves it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Told {
    pub(super) file: String,
    pub(super) rule: String,
    pub(super) message: String,
}

/// What was told at the last look. What is gone is forgotten, so that it is told of again when it
/// comes back.
#[derive(Debug, Default)]
pub(super) struct News {
    unread: BTreeMap<String, String>,
    findings: BTreeSet<Told>,
    objects: BTreeMap<ResourceKey, String>,
    source: BTreeMap<String, SourceLine>,
}

impl News {
    /// What is new at this look.
    pub(super) fn of<'l>(&mut self, set: &'l DesiredSet, plan: &'l Plan) -> Vec<Item<'l>> {
        let before = std::mem::take(self);
        let mut items = Vec::new();
        for (app, why) in &plan.history_unread {
            if before.unread.get(app) != Some(why) {
                items.push(Item::Unread { app, why });
            }
            self.unread.insert(app.clone(), why.clone());
        }
        // What is told of an app's control is the plan's; the rest of its findings are the set's.
        for finding in set.findings.iter().chain(&plan.findings) {
            let told = Told {
                file: finding
                    .at
                    .as_ref()
                    .map_or_else(String::new, |at| at.file.to_string()),
                rule: finding.rule.clone(),
                message: finding.message.clone(),
            };
            let again = self.findings.contains(&told);
            if !again && !before.findings.contains(&told) {
                items.push(Item::Found(finding));
            }
            self.findings.insert(told);
        }
        for object in &plan.objects {
            let text = stands(object);
            if before.objects.get(&object.key) != Some(&text) {
                items.push(Item::Object(object));
            }
            self.objects.insert(object.key.clone(), text);
        }
        self.source = plan.source.as_ref().map_or_else(BTreeMap::new, told);
        for (what, line) in &self.source {
            if before.source.get(what) != Some(line) {
                items.push(Item::Source(line.clone()));
            }
        }
        for (what, _) in before.source {
            let over = SourceLine::over(&what);
            if let (false, Some(over)) = (self.source.contains_key(&what), over) {
                items.push(Item::Source(over));
            }
        }
        for (app, _) in before.unread {
            if !self.unread.contains_key(&app) {
                items.push(Item::ReadAgain { app });
            }
        }
        for told in before.findings {
            if !self.findings.contains(&told) {
                items.push(Item::Gone(told));
            }
        }
        items
    }
}

/// How an object stands. Other fields are other news, though it has been drifted all along.
fn stands(object: &ObjectPlan) -> String {
    let fields: Vec<String> = object.drift.iter().map(|d| d.path.to_string()).collect();
    let holds: Vec<String> = object.holds.iter().map(ToString::to_string).collect();
    let status = object.status;
    format!("{status:?} {} {}", fields.join(","), holds.join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::change::Drift;
    use crate::model::plan::Status;
    use crate::model::tree::{FieldPath, Tree};
    use crate::render::plan::tests::{mixed, object};

    fn drifted(path: &str) -> Plan {
        let mut web = object("shop/Service/web", Status::Drifted);
        web.drift.push(Drift {
            path: FieldPath::dotted(path),
            desired: Tree::from(1),
            live: Tree::from(2),
        });
        Plan {
            objects: vec![web],
            ..mixed()
        }
    }

    fn with(findings: &[&str]) -> DesiredSet {
        DesiredSet {
            findings: findings
                .iter()
                .map(|text| Finding::error("a-rule", *text))
                .collect(),
            ..DesiredSet::default()
        }
    }

    #[test]
    fn drift_in_other_fields_is_news_and_the_same_drift_is_not() {
        let (mut news, set) = (News::default(), with(&[]));
        let (count, cpu) = (drifted("spec.desiredCount"), drifted("spec.cpu"));
        assert_eq!(news.of(&set, &count), [Item::Object(&count.objects[0])]);
        assert_eq!(news.of(&set, &count), []);
        assert_eq!(news.of(&set, &cpu), [Item::Object(&cpu.objects[0])]);
    }

    #[test]
    fn a_finding_is_told_once_when_it_comes_and_once_when_it_goes() {
        let mut news = News::default();
        let plan = Plan {
            objects: Vec::new(),
            ..mixed()
        };
        let (wrong, right) = (with(&["it is wrong", "it is wrong"]), with(&[]));
        assert_eq!(news.of(&wrong, &plan), [Item::Found(&wrong.findings[0])]);
        assert_eq!(news.of(&wrong, &plan), []);
        let gone = Told {
            file: String::new(),
            rule: "a-rule".into(),
            message: "it is wrong".into(),
        };
        assert_eq!(news.of(&right, &plan), [Item::Gone(gone)]);
        assert_eq!(news.of(&right, &plan), []);
        assert_eq!(news.of(&wrong, &plan), [Item::Found(&wrong.findings[0])]);
    }

    #[test]
    fn a_history_that_is_read_again_is_told() {
        let (mut news, set) = (News::default(), with(&[]));
        let fine = Plan {
            objects: Vec::new(),
            ..mixed()
        };
        let mut unread = fine.clone();
        unread
            .history_unread
            .insert("shop".into(), "no network".into());
        let (app, why) = ("shop", "no network");
        assert_eq!(news.of(&set, &unread), [Item::Unread { app, why }]);
        let app = app.to_owned();
        assert_eq!(news.of(&set, &fine), [Item::ReadAgain { app }]);
    }
}
