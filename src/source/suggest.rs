//! Suggest: which of the allowed words the author probably meant.
//!
//! Pure: words in, a word out.

/// Bytes of the longest word that is compared; no field has half of it.
const LONGEST: usize = 80;

/// The candidate nearest to `word`, if one is near enough to be worth a question.
pub(super) fn nearest<'c>(
    word: &str,
    candidates: impl IntoIterator<Item = &'c str>,
) -> Option<&'c str> {
    if word.len() > LONGEST {
        return None;
    }
    let folded = fold(word);
    let limit = (word.chars().count() / 3).clamp(1, 3);
    candidates
        .into_iter()
        .filter_map(|candidate| {
            let other = fold(candidate);
            let far = if folded == other {
                0
            } else {
                // Two letters swapped count as one slip.
                strsim::osa_distance(&folded, &other).max(1)
            };
            (far <= limit && far < candidate.chars().count()).then_some((far, candidate))
        })
        .min()
        .map(|(_, candidate)| candidate)
}

/// `desired_count`, `Desired-Count` and `desiredCount` are one word in three hands.
fn fold(word: &str) -> String {
    word.chars()
        .filter(|c| !matches!(c, '_' | '-' | ' '))
        .flat_map(char::to_lowercase)
        .collect()
}

/// `a`, `b` and `c`: at most `most` of the words, each in backticks.
pub(super) fn list<'c>(words: impl IntoIterator<Item = &'c str>, most: usize) -> String {
    let words: Vec<String> = words.into_iter().map(|w| format!("`{w}`")).collect();
    let (shown, rest) = words.split_at(words.len().min(most));
    match (shown, rest.len()) {
        ([], _) => "none".to_owned(),
        ([one], 0) => one.clone(),
        ([many @ .., last], 0) => format!("{} and {last}", many.join(", ")),
        (shown, more) => format!("{} and {more} more", shown.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_recognised_and_a_stranger_is_not() {
        let fields = [
            "desiredCount",
            "cpu",
            "memory",
            "minCapacity",
            "maxCapacity",
        ];
        for (word, meant) in [
            ("desiredCoutn", "desiredCount"),
            ("desired_count", "desiredCount"),
            ("CPU", "cpu"),
            ("memroy", "memory"),
            ("minCapactiy", "minCapacity"),
        ] {
            assert_eq!(nearest(word, fields), Some(meant), "{word}");
        }
        for word in ["image", "replicas", "x", ""] {
            assert_eq!(nearest(word, fields), None, "{word}");
        }
    }

    #[test]
    fn a_list_reads_as_a_sentence() {
        assert_eq!(list(["a"], 5), "`a`");
        assert_eq!(list(["a", "b", "c"], 5), "`a`, `b` and `c`");
        assert_eq!(list(["a", "b", "c"], 2), "`a`, `b` and 1 more");
    }
}
