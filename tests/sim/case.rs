//! Case: which run to make. One seed is one run; a smaller run of the same seed leaves things out.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

/// A run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Case {
    /// What everything is drawn from.
    pub seed: u64,
    /// Strikes of the weather that are left out, by number.
    pub without_strikes: BTreeSet<usize>,
    /// Acts of the script that are left out, by number.
    pub without_acts: BTreeSet<usize>,
    /// At most so many replicas.
    pub replicas: Option<usize>,
}

impl Case {
    /// The whole run of a seed.
    pub fn whole(seed: u64) -> Self {
        Self {
            seed,
            ..Self::default()
        }
    }
}

/// `7`, `7/r2/s3,4/a1`: the seed, at most two replicas, without strikes 3 and 4 and act 1.
impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.seed)?;
        if let Some(replicas) = self.replicas {
            write!(f, "/r{replicas}")?;
        }
        for (mark, left_out) in [('s', &self.without_strikes), ('a', &self.without_acts)] {
            if !left_out.is_empty() {
                let numbers: Vec<String> = left_out.iter().map(usize::to_string).collect();
                write!(f, "/{mark}{}", numbers.join(","))?;
            }
        }
        Ok(())
    }
}

impl FromStr for Case {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = |part: &str| format!("{part:?} is no part of a case such as 7/r2/s3,4/a1");
        let mut parts = text.split('/');
        let seed = parts.next().unwrap_or_default();
        let mut case = Case::whole(seed.parse().map_err(|_| wrong(seed))?);
        for part in parts {
            let mut chars = part.chars();
            let mark = chars.next();
            let numbers: Result<BTreeSet<usize>, _> =
                chars.as_str().split(',').map(str::parse).collect();
            let numbers = numbers.map_err(|_| wrong(part))?;
            match mark {
                Some('r') if numbers.iter().eq([&0]) => {
                    return Err("a run has at least one replica".into());
                }
                Some('r') => case.replicas = numbers.first().copied(),
                Some('s') => case.without_strikes = numbers,
                Some('a') => case.without_acts = numbers,
                _ => return Err(wrong(part)),
            }
        }
        Ok(case)
    }
}
