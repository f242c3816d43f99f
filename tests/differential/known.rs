//! Known differences: the list of one other model, in which each line names one difference and the AWS rule that decides.

use std::collections::{BTreeMap, BTreeSet};

use super::compare::Difference;

/// Who is right about a difference.
const JUDGES: &[&str] = &["one", "other", "either"];
/// Both columns of an entry about numbers that one side does not model.
const COUNT: &str = "a count";
/// The columns of an entry about a revision where the other side shows its family, as it was sent.
const REVISION: (&str, &str) = ("a revision", "its family");
/// What both columns begin with of an entry about values that differ once something was called.
const AFTER: &str = "after ";

/// A list of known differences, and which of them were met.
pub struct Known {
    file: &'static str,
    entries: BTreeMap<(String, Difference), usize>,
    met: BTreeSet<usize>,
}

impl Known {
    /// Reads `operation | member | one | other | who is right | rule` on each line that is neither
    /// empty nor a comment. Where which values differ depends on what was drawn, both columns say why
    /// they may: `a count`, of what the other does not model; `a revision` and `its family`; or
    /// `after ecs.UpdateService`, of two counts or two texts, when that was called before. Panics at a
    /// line that says less, more, or the same as another.
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

    /// Whether this difference of `operation` is in the list, `called` being all calls before it. An entry
    /// that explains one has then been met.
    pub fn explains(
        &mut self,
        operation: &str,
        difference: &Difference,
        called: &BTreeSet<String>,
    ) -> bool {
        let mut reasons = vec![(difference.one.clone(), difference.other.clone())];
        // What is there on one side only, and which error is told, never depends on what was drawn.
        let both = difference.one != "absent" && difference.other != "absent";
        if both && difference.member != "error" {
            let count = |value: &String| value.parse::<u64>().is_ok();
            if count(&difference.one) && count(&difference.other) {
                reasons.push((COUNT.to_owned(), COUNT.to_owned()));
            }
            let family = |value: &str| value.trim_end_matches('"').to_owned() + ":";
            if difference.one.starts_with(&family(&difference.other)) {
                reasons.push((REVISION.0.to_owned(), REVISION.1.to_owned()));
            }
            let text = |value: &String| value.starts_with('"');
            // Two counts or two names: that one became something else altogether is no such reason.
            if count(&difference.one) && count(&difference.other)
                || text(&difference.one) && text(&difference.other)
            {
                let after = |call: &String| format!("{AFTER}{call}");
                reasons.extend(called.iter().map(|call| (after(call), after(call))));
            }
        }
        let found = reasons.into_iter().find_map(|(one, other)| {
            let member = difference.member.clone();
            let entry = Difference { member, one, other };
            self.entries.get(&(operation.to_owned(), entry))
        });
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
    let none = BTreeSet::new();
    assert!(!known.explains("ecs.A", &difference("2.0"), &none));
    assert!(!known.explains("ecs.B", &difference("1.0"), &none));
    assert_eq!(known.stale(&["ecs.B"]).len(), 0);
    assert_eq!(known.stale(&["ecs.A"]).len(), 1);
    assert!(known.explains("ecs.A", &difference("1.0"), &none));
    assert_eq!(known.stale(&["ecs.A"]).len(), 0);
}

#[test]
fn what_depends_on_the_draw_is_explained_for_the_named_reason_only() {
    let text = "ecs.A | n | a count | a count | one | a rule of AWS with its source\n\
                ecs.A | t | after ecs.B | after ecs.B | one | a rule of AWS with its source\n";
    let mut known = Known::read("list", text);
    let difference = |member: &str, one: &str, other: &str| Difference {
        member: member.into(),
        one: one.into(),
        other: other.into(),
    };
    let none = BTreeSet::new();
    let called = BTreeSet::from(["ecs.B".to_owned()]);
    assert!(known.explains("ecs.A", &difference("n", "3", "0"), &none));
    assert!(!known.explains("ecs.A", &difference("n", "\"3\"", "0"), &none));
    assert!(!known.explains("ecs.A", &difference("n", "3", "absent"), &none));
    assert!(!known.explains("ecs.A", &difference("t", "\"x\"", "\"y\""), &none));
    assert!(known.explains("ecs.A", &difference("t", "\"x\"", "\"y\""), &called));
    assert!(!known.explains("ecs.A", &difference("t", "absent", "\"y\""), &called));
    assert!(!known.explains("ecs.A", &difference("t", "1", "\"y\""), &called));
    assert!(!known.explains("ecs.A", &difference("t", "{}", "[]"), &called));
    let text = "ecs.A | t | a revision | its family | one | a rule of AWS with its source\n";
    let mut known = Known::read("list", text);
    assert!(known.explains("ecs.A", &difference("t", "\"x:1\"", "\"x\""), &none));
    assert!(!known.explains("ecs.A", &difference("t", "\"x:1\"", "\"y\""), &none));
}
