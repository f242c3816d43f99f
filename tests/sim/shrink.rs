//! Shrink: the smallest part of a failing run that still breaks the same law.

use std::collections::BTreeSet;

use super::case::Case;
use super::{Keep, Run, run};

/// Leaves out what can be left out: replicas, then acts, then strikes, in halves and then one by one.
pub fn shrink(case: &Case, failed: &Run) -> (Case, Run) {
    let Some(broken) = &failed.broken else {
        return (case.clone(), run(case, Keep::Lines));
    };
    let law = broken.law;
    let breaks = |case: &Case| run(case, Keep::Hash).broken.is_some_and(|b| b.law == law);
    let mut best = case.clone();
    for replicas in 1..failed.replicas {
        let fewer = Case {
            replicas: Some(replicas),
            ..best.clone()
        };
        if breaks(&fewer) {
            best = fewer;
            break;
        }
    }
    let acts = less(failed.acts, |left_out| {
        breaks(&Case {
            without_acts: left_out.clone(),
            ..best.clone()
        })
    });
    best.without_acts = acts;
    let strikes = less(failed.strikes, |left_out| {
        breaks(&Case {
            without_strikes: left_out.clone(),
            ..best.clone()
        })
    });
    best.without_strikes = strikes;
    let run = run(&best, Keep::Lines);
    (best, run)
}

/// The largest set of the first `all` numbers, found greedily, that `still` holds without.
fn less(all: usize, still: impl Fn(&BTreeSet<usize>) -> bool) -> BTreeSet<usize> {
    let mut out = BTreeSet::new();
    let mut size = all.div_ceil(2).max(1);
    if all == 0 {
        return out;
    }
    loop {
        for start in (0..all).step_by(size) {
            let more: BTreeSet<usize> = (start..(start + size).min(all))
                .chain(out.iter().copied())
                .collect();
            if more.len() > out.len() && still(&more) {
                out = more;
            }
        }
        if size == 1 {
            return out;
        }
        size = size.div_ceil(2);
    }
}
