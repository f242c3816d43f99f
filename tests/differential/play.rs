//! Playing: one sequence of calls on two sides, and what the two said differently.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::compare::{Difference, Normaliser};
use super::known::Known;
use super::sides::{Answer, Call, Side};
use super::{autoscaling, cloudwatch, dynamodb, ecs, rds, sns};

/// More pages than any drawn list has: a side that gives a token for ever is ended here.
const MOST_PAGES: usize = 8;

async fn send(side: &Side, call: &Call, input: &Value) -> Answer {
    let input = side.filled(input);
    match call.service {
        "ecs" => ecs::send(side, call.operation, &input).await,
        "application-autoscaling" => autoscaling::send(side, call.operation, &input).await,
        "cloudwatch" => cloudwatch::send(side, call.operation, &input).await,
        "rds" => rds::send(side, call.operation, &input).await,
        "sns" => sns::send(side, call.operation, &input).await,
        "sts" => rds::send_sts(side, call.operation).await,
        "dynamodb" => dynamodb::send(side, call.operation, &input).await,
        other => panic!("{other} is not drawn"),
    }
}

/// Makes a call, and follows its pages to their end: one answer with all of them, and their number.
async fn ask(side: &Side, call: &Call) -> Answer {
    let mut input = call.input.clone();
    let mut whole = match send(side, call, &input).await {
        Answer::Done(value) => value,
        refused @ Answer::Refused(..) => return refused,
    };
    let mut pages = 1;
    while let Some((member, token)) = token_of(&whole) {
        if let Value::Object(members) = &mut whole {
            members.remove(member);
        }
        if pages == MOST_PAGES {
            break;
        }
        input[member] = json!(token);
        match send(side, call, &input).await {
            Answer::Done(next) => merge(&mut whole, next),
            refused @ Answer::Refused(..) => return refused,
        }
        pages += 1;
    }
    if pages > 1 {
        whole["pages"] = json!(pages);
    }
    Answer::Done(whole)
}

fn token_of(answer: &Value) -> Option<(&'static str, String)> {
    ["nextToken", "NextToken", "Marker"]
        .into_iter()
        .find_map(|member| {
            let token = answer[member].as_str().filter(|token| !token.is_empty())?;
            Some((member, token.to_owned()))
        })
}

fn merge(whole: &mut Value, next: Value) {
    let (Value::Object(whole), Value::Object(next)) = (whole, next) else {
        return;
    };
    for (member, value) in next {
        match (whole.get_mut(&member), value) {
            (Some(Value::Array(items)), Value::Array(more)) => items.extend(more),
            (_, value) => {
                whole.insert(member, value);
            }
        }
    }
}

/// A difference that no list knows, and where it was met first.
#[derive(Clone, Debug)]
pub struct Finding {
    pub calls: Vec<Call>,
    pub one: Answer,
    pub other: Answer,
}

/// Whether a call left the two with different worlds. Taking out what is not there leaves none,
/// whatever is said of it.
fn parted(call: &Call, one: &Answer, other: &Answer) -> bool {
    let refused = |answer: &Answer| match answer {
        Answer::Done(_) => None,
        Answer::Refused(code, ..) => Some(code.contains("NotFound")),
    };
    let takes_out = ["Delete", "Deregister", "Untag"];
    let takes_out = takes_out
        .iter()
        .any(|word| call.operation.starts_with(word));
    match (refused(one), refused(other)) {
        (None, None) | (Some(_), Some(_)) => false,
        (Some(not_found), None) | (None, Some(not_found)) => {
            call.writes() && !(takes_out && not_found)
        }
    }
}

/// What many sequences came to.
#[derive(Default)]
pub struct Tally {
    /// The operations whose answers are judged; the others only prepare for them.
    judged: Vec<&'static str>,
    pub sequences: usize,
    pub calls: usize,
    /// By operation: answered alike, refused alike.
    pub alike: BTreeMap<String, (usize, usize)>,
    /// By operation and code: refused alike.
    pub codes: BTreeMap<(String, String), usize>,
    pub unknown: BTreeMap<(String, Difference), Finding>,
}

impl Tally {
    pub fn of(judged: &[&'static str]) -> Self {
        Self {
            judged: judged.to_vec(),
            ..Self::default()
        }
    }

    /// Plays `calls`. A write that one side took and the other refused leaves two worlds that
    /// cannot be compared any further: the sequence ends there.
    pub async fn play(
        &mut self,
        sides: (&Side, &Side),
        calls: &[Call],
        normaliser: &Normaliser,
        known: &mut Known,
    ) {
        let (one, other) = sides;
        self.sequences += 1;
        let mut called = BTreeSet::new();
        for (at, call) in calls.iter().enumerate() {
            let (a, b) = (ask(one, call).await, ask(other, call).await);
            self.calls += 1;
            let alike = self.alike.entry(call.name()).or_default();
            match (&a, &b) {
                (Answer::Done(_), Answer::Done(_)) => alike.0 += 1,
                (Answer::Refused(code, ..), Answer::Refused(same, ..)) if code == same => {
                    alike.1 += 1;
                    let met = self.codes.entry((call.name(), code.clone()));
                    *met.or_default() += 1;
                }
                _ => {}
            }
            let judged = self.judged.iter().any(|name| *name == call.name());
            for difference in normaliser.differences(&a, &b) {
                if judged && !known.explains(&call.name(), &difference, &called) {
                    let finding = || Finding {
                        calls: calls[..=at].to_vec(),
                        one: a.clone(),
                        other: b.clone(),
                    };
                    let key = (call.name(), difference);
                    self.unknown.entry(key).or_insert_with(finding);
                }
            }
            called.insert(call.name());
            if parted(call, &a, &b) {
                return;
            }
        }
    }

    /// Panics with every unknown difference, each as the line that would list it, and with the calls
    /// that led to the first.
    pub fn demand_agreement(&self) {
        let Some((_, first)) = self.unknown.iter().next() else {
            return;
        };
        let mut text = String::new();
        for ((operation, d), finding) in &self.unknown {
            let (member, one, other) = (&d.member, &d.one, &d.other);
            let last = finding.calls.last().map(|call| call.input.to_string());
            text.push_str(&format!(
                "{operation} | {member} | {one} | {other} |  | \n    after {} calls, asked {}\n",
                finding.calls.len(),
                last.unwrap_or_default()
            ));
        }
        for call in &first.calls {
            text.push_str(&format!("  {} {}\n", call.name(), call.input));
        }
        text.push_str(&format!(
            "  one:   {:?}\n  other: {:?}\n",
            first.one, first.other
        ));
        panic!(
            "{} differences that no list knows:\n{text}",
            self.unknown.len()
        );
    }

    /// Panics where no call of this operation was refused with this code by both.
    pub fn demand_refusals(&self, refusals: &[(&str, &str)]) {
        for (operation, code) in refusals {
            let met = (String::from(*operation), String::from(*code));
            assert!(
                self.codes.contains_key(&met),
                "{operation}: both never said {code}: {:?}",
                self.codes
            );
        }
    }

    /// Panics where an operation was not done by both sides at least `floor` times.
    pub fn demand_coverage(&self, operations: &[&str], floor: usize) {
        for operation in operations {
            let (done, refused) = self.alike.get(*operation).copied().unwrap_or_default();
            assert!(
                done >= floor,
                "{operation}: both did it {done} times and refused it {refused} times; {floor} are wanted"
            );
        }
    }
}
