//! Known differences: the list of one other model, in which each line names one difference and the AWS rule that decides.

use std::collections::{BTreeMap, BTreeSet};

use super::compare::Difference;

/// Who is right about a difference.
const JUDGES: &[&str] = &["one", "other", "either"];

/// A list of known differences, and which of them were met.
pub struct Known {
    file: &'static str,
    entries: BTreeMap<(String, Difference), usize>,
    met: BTreeSet<usize>,
}

impl Known {
    /// Reads `operation | member | one | other | who is right | rule` on each line that is neither
    /// empty nor a comment. Where both have a value, and which depends on what was drawn, both
    /// columns say `differs`. Panics at a line that says less, more, or the same as another.
    pub fn read(file: &'static str, text: &str) -> Self {
        let mut entries = BTreeMap::new();
        for (at, line) in text.lines().enumerate() {
            if line.trim().is_empty() || line.starts_with('#') {
                continue;
            }
            let at = at + 1;
            let columns: Vec<&str> = line.splitn(6, '|').map(str::trim).collect();
            let [operation, member, one, other, right, rule] = columns.as_slice() else {
                panic!("{file}:{at}: six columns are needed");
            };
            assert!(
                !line.split('|').take(4).any(|c| c.contains('*')),
                "{file}:{at}: no wildcards"
            );
            assert!(
                JUDGES.contains(right),
                "{file}:{at}: right is one of {JUDGES:?}"
            );
            assert!(
                rule.len() > 20,
                "{file}:{at}: the rule and its source are missing"
            );
            let difference = Difference {
                member: (*member).to_owned(),
                one: (*one).to_owned(),
                other: (*other).to_owned(),
            };
            let before = entries.insert(((*operation).to_owned(), difference), at);
            assert_eq!(before, None, "{file}:{at}: the same entry stands above");
        }
        Self {
            file,
            entries,
            met: BTreeSet::new(),
        }
    }

    /// Whether this difference of `operation` is in the list. One that is has then been met.
    pub fn explains(&mut self, operation: &str, difference: &Difference) -> bool {
        let exactly = (operation.to_owned(), difference.clone());
        let mut found = self.entries.get(&exactly);
        if found.is_none() && difference.one != "absent" && difference.other != "absent" {
            let differs = Difference {
                member: difference.member.clone(),
                one: "differs".into(),
                other: "differs".into(),
            };
            // What an error's code is never depends on the draw.
            let values = difference.member != "error";
            let entry = (operation.to_owned(), differs);
            found = values.then(|| self.entries.get(&entry)).flatten();
        }
        match found {
            Some(line) => {
                self.met.insert(*line);
                true
            }
            None => false,
        }
    }

    /// The entries of these operations that were never met: the two no longer differ so.
    pub fn stale(&self, operations: &[&str]) -> Vec<String> {
        let of_them = |operation: &str| operations.contains(&operation);
        self.entries
            .iter()
            .filter(|((operation, _), line)| of_them(operation) && !self.met.contains(line))
            .map(|((operation, d), line)| {
                let (file, member) = (self.file, &d.member);
                format!("{file}:{line}: {operation} {member} no longer differs so: take it out")
            })
            .collect()
    }

    /// The operations of which it has entries.
    pub fn operations(&self) -> BTreeSet<&str> {
        self.entries
            .keys()
            .map(|(operation, _)| operation.as_str())
            .collect()
    }
}

#[test]
fn an_entry_explains_one_difference_and_is_stale_when_it_is_not_met() {
    let text = "# a comment\necs.A | b.c | 1.0 | absent | one | a rule of AWS with its source\n";
    let mut known = Known::read("list", text);
    let difference = |one: &str| Difference {
        member: "b.c".into(),
        one: one.into(),
        other: "absent".into(),
    };
    assert!(!known.explains("ecs.A", &difference("2.0")));
    assert!(!known.explains("ecs.B", &difference("1.0")));
    assert_eq!(known.stale(&["ecs.B"]).len(), 0);
    assert_eq!(known.stale(&["ecs.A"]).len(), 1);
    assert!(known.explains("ecs.A", &difference("1.0")));
    assert_eq!(known.stale(&["ecs.A"]).len(), 0);
}

#[test]
#[should_panic(expected = "no wildcards")]
fn an_entry_with_a_wildcard_is_refused() {
    Known::read(
        "list",
        "ecs.A | b.* | 1.0 | absent | one | a rule of AWS with its source",
    );
}
