//! Scalars: what an unquoted word means, and which words mean different things to different readers.
//!
//! Pure: a word in, a value out.

use std::sync::LazyLock;

use regex_lite::Regex;

use super::node::Value;

/// The value of the plain (unquoted) scalar `text`.
///
/// YAML 1.2's core schema, except that a word that YAML 1.1 reads otherwise is
/// [`Value::Odd`]: nobody can tell which of the two the author meant.
pub(super) fn plain(text: &str) -> Value {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Value::Null,
        "true" => return Value::Bool(true),
        "false" => return Value::Bool(false),
        _ => {}
    }
    if let Some(why) = odd(text) {
        return Value::Odd {
            raw: text.to_owned(),
            why,
        };
    }
    if INTEGER.is_match(text) {
        return match text.parse::<i64>() {
            Ok(number) => Value::Int(number),
            Err(_) => Value::Odd {
                raw: text.to_owned(),
                why: "is too large for any number here",
            },
        };
    }
    if FLOAT.is_match(text) {
        return match text.parse::<f64>() {
            Ok(number) if number.is_finite() => Value::Float {
                number,
                raw: text.to_owned(),
            },
            _ => Value::Odd {
                raw: text.to_owned(),
                why: "is too large for any number here",
            },
        };
    }
    Value::Text(text.to_owned())
}

#[expect(
    clippy::expect_used,
    reason = "fixed patterns, all compiled by the tests below"
)]
fn fixed(pattern: &str) -> Regex {
    Regex::new(pattern).expect("a fixed pattern")
}

static INTEGER: LazyLock<Regex> = LazyLock::new(|| fixed(r"^[-+]?(0|[1-9][0-9]*)$"));
static FLOAT: LazyLock<Regex> =
    LazyLock::new(|| fixed(r"^[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$"));
static OCTAL: LazyLock<Regex> = LazyLock::new(|| fixed(r"^[-+]?0[0-9]+$"));
static RADIX: LazyLock<Regex> = LazyLock::new(|| fixed(r"^[-+]?0[xob][0-9a-fA-F_]+$"));
static GROUPED: LazyLock<Regex> = LazyLock::new(|| fixed(r"^[-+]?[0-9]+(_[0-9]+)+(\.[0-9_]*)?$"));
static SIXTIES: LazyLock<Regex> =
    LazyLock::new(|| fixed(r"^[-+]?[0-9]+(:[0-5]?[0-9])+(\.[0-9]*)?$"));
static NOT_FINITE: LazyLock<Regex> =
    LazyLock::new(|| fixed(r"^([-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN))$"));

/// Why `text` is read in two ways, if it is.
fn odd(text: &str) -> Option<&'static str> {
    // Every word below is short or starts like a number; most text is told apart here.
    if text.len() <= 5 {
        match text.to_ascii_lowercase().as_str() {
            "yes" | "on" | "true" => return Some("some YAML readers take for true"),
            "no" | "off" | "false" => return Some("some YAML readers take for false"),
            _ => {}
        }
        if NOT_FINITE.is_match(text) {
            return Some("is no number that can be counted with");
        }
    }
    if !text.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '-' | '+')) {
        return None;
    }
    if OCTAL.is_match(text) {
        Some("some YAML readers take for an octal number")
    } else if RADIX.is_match(text) {
        Some("not every YAML reader takes for a number")
    } else if GROUPED.is_match(text) {
        Some("some YAML readers take for a number and others for text")
    } else if SIXTIES.is_match(text) {
        Some("some YAML readers take for minutes and seconds")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_that_readers_disagree_on_are_odd() {
        for word in [
            "no",
            "On",
            "YES",
            "off",
            "True",
            "FALSE",
            "010",
            "-07",
            "0x1F",
            "0o17",
            "1_000",
            "1:30",
            "20:00",
            "190:20:30",
            ".inf",
            "-.Inf",
            ".NaN",
            "9223372036854775808",
            "1e999",
        ] {
            assert!(matches!(plain(word), Value::Odd { .. }), "{word}");
        }
    }

    #[test]
    fn plain_words_are_what_they_look_like() {
        assert_eq!(plain("512"), Value::Int(512));
        assert_eq!(plain("-1"), Value::Int(-1));
        assert_eq!(plain("true"), Value::Bool(true));
        assert_eq!(plain("~"), Value::Null);
        assert!(matches!(plain("1e3"), Value::Float { number, .. } if number == 1000.0));
        for word in ["02:00-04:00", "2024-01-01", "v1", "-", "none", "1.2.3", "y"] {
            assert_eq!(plain(word), Value::Text(word.to_owned()), "{word}");
        }
    }
}
