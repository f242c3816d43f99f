//! Composing: one desired state whose apps are of several commits.
//!
//! Pure: sets in, one set out.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::check::check;
use crate::kinds::KINDS;
use crate::model::document::{DesiredSet, Frozen};
use crate::model::finding::{Finding, Severity};
use crate::model::source::AppCommit;

/// An app that is taken from another commit.
#[derive(Clone, Debug)]
pub struct Moved {
    /// Which commit, and why.
    pub at: AppCommit,
    /// What that commit says, or why it cannot be read.
    pub set: Result<Arc<DesiredSet>, String>,
}

/// `base`, in which each app of `moved` is as its own commit says. An app whose commit cannot be read
/// or does not hold it is frozen: it is never taken from the wrong one. What the apps say together is
/// checked anew.
#[must_use]
pub fn compose(mut base: DesiredSet, moved: &BTreeMap<String, Moved>) -> DesiredSet {
    if moved.is_empty() {
        return base;
    }
    thaw(&mut base, moved);
    for (app, moved) in moved {
        match &moved.set {
            Ok(set) if set.apps().contains(app.as_str()) => {
                base.documents.retain(|key, _| key.app != *app);
                take(&mut base, set, app);
            }
            // Its documents stay, so that it is shown; none of them is written.
            Ok(_) => freeze(&mut base, app, &moved.at, "it holds no document of the app"),
            Err(why) => freeze(&mut base, app, &moved.at, why),
        }
        let source = base.source.get_or_insert_default();
        source.apps.insert(app.clone(), moved.at.clone());
    }
    let known = |findings: &[Finding], new: &Finding| {
        let same = |f: &Finding| f.rule == new.rule && f.message == new.message;
        findings.iter().any(same)
    };
    let together = check(
        DesiredSet {
            documents: base.documents.clone(),
            ..DesiredSet::default()
        },
        KINDS,
    );
    for finding in together.findings {
        if !known(&base.findings, &finding) {
            base.findings.push(finding);
        }
    }
    base.frozen.join(together.frozen);
    base
}

/// Frozen by name, without the apps that are taken from elsewhere.
fn thaw(base: &mut DesiredSet, moved: &BTreeMap<String, Moved>) {
    let apps: BTreeSet<String> = match &base.frozen {
        Frozen::None => return,
        Frozen::Apps(apps) => apps.clone(),
        Frozen::All => base.apps().into_iter().map(str::to_owned).collect(),
    };
    base.frozen = Frozen::Apps(
        apps.into_iter()
            .filter(|app| !moved.contains_key(app))
            .collect(),
    );
}

fn take(base: &mut DesiredSet, set: &DesiredSet, app: &str) {
    for document in set.documents.values().filter(|d| d.key.app == app) {
        base.documents
            .insert(document.key.clone(), document.clone());
    }
    if set.frozen.holds(app) {
        base.frozen.add(app);
    }
    let of_app = |f: &&Finding| match &f.key {
        Some(key) => key.app == app,
        None => f.severity == Severity::Error && set.frozen.holds(app),
    };
    base.findings
        .extend(set.findings.iter().filter(of_app).cloned());
}

fn freeze(base: &mut DesiredSet, app: &str, at: &AppCommit, why: &str) {
    base.frozen.add(app);
    base.findings.push(
        Finding::error(
            "commit-unreadable",
            format!(
                "{app} is to be as commit {} says, and that cannot be read: {why}",
                at.commit.short()
            ),
        )
        .help(format!(
            "nothing of {app} is written until the commit can be fetched; `evenkeel unpin {app}` \
             lets go of a pin"
        )),
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::desired::load_files;
    use crate::model::source::{CommitId, Why};

    fn table(app: &str, name: &str, live: &str) -> String {
        format!(
            "---\napiVersion: evenkeel/v1alpha1\nkind: Table\nmetadata: {{app: {app}, name: {name}}}\n\
             spec: {{tableName: {live}, deletionProtection: true}}\n"
        )
    }

    fn load(text: &str) -> DesiredSet {
        load_files([("t.yaml", text.as_bytes())])
    }

    fn moved(app: &str, set: Result<DesiredSet, String>) -> BTreeMap<String, Moved> {
        let at = AppCommit {
            commit: CommitId::parse(&"a".repeat(40)).unwrap(),
            why: Why::DidNotLoad,
        };
        let set = set.map(Arc::new);
        BTreeMap::from([(app.to_owned(), Moved { at, set })])
    }

    fn tables(set: &DesiredSet) -> Vec<String> {
        set.documents
            .values()
            .map(|d| format!("{} {}", d.key, d.spec["tableName"].as_str().unwrap()))
            .collect()
    }

    #[test]
    fn an_app_is_wholly_as_its_own_commit_says() {
        let base = load(
            &(table("shop", "a", "new") + &table("shop", "b", "bbb") + &table("blog", "c", "ccc")),
        );
        let old = load(&(table("shop", "a", "old") + &table("blog", "c", "other")));
        let set = compose(base, &moved("shop", Ok(old)));
        assert_eq!(tables(&set), ["blog/Table/c ccc", "shop/Table/a old"]);
        assert_eq!(set.frozen, Frozen::None);
        assert!(set.source.unwrap().apps.contains_key("shop"));
    }

    #[test]
    fn an_app_that_does_not_load_now_goes_on_as_it_did_last() {
        let broken = table("shop", "a", "new").replace("tableName", "tableNme");
        let base = load(&(broken + &table("blog", "c", "ccc")));
        assert!(base.frozen.holds("shop"));
        let set = compose(base, &moved("shop", Ok(load(&table("shop", "a", "old")))));
        assert_eq!(tables(&set), ["blog/Table/c ccc", "shop/Table/a old"]);
        assert!(!set.frozen.holds("shop"));
        // Its error is told all the same.
        assert!(set.findings.iter().any(|f| f.severity == Severity::Error));
    }

    #[test]
    fn a_commit_that_cannot_be_read_or_does_not_hold_the_app_freezes_it() {
        let base = load(&(table("shop", "a", "new") + &table("blog", "c", "ccc")));
        for set in [
            Err("it is gone".to_owned()),
            Ok(load(&table("blog", "c", "ccc"))),
        ] {
            let set = compose(base.clone(), &moved("shop", set));
            assert!(set.frozen.holds("shop"));
            assert!(!set.frozen.holds("blog"));
            assert_eq!(set.documents.len(), 2);
        }
    }

    #[test]
    fn two_commits_that_claim_one_live_object_are_found() {
        let base = load(&(table("shop", "a", "aaa") + &table("blog", "c", "carts")));
        let set = compose(base, &moved("shop", Ok(load(&table("shop", "a", "carts")))));
        assert!(
            set.frozen.holds("shop") && set.frozen.holds("blog"),
            "{:?}",
            set.findings
        );
    }
}
