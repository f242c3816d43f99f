//! Hidden: characters in keys and values that nobody sees, or takes for a plain space.
//!
//! Pure: a text in, faults out.

use std::ops::Range;

use super::bytes::{is_invisible, is_odd_space};
use super::text::Fault;

/// Whether a text is the key of a mapping or a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Key,
    Value,
}

/// The fault of a text that stands at `at` and holds such a character.
pub(super) fn fault(text: &str, role: Role, at: &Range<usize>) -> Option<Fault> {
    if let Some(c) = text.chars().find(|c| unseen(*c)) {
        return Some(told(
            c,
            at,
            "this text holds a character that cannot be seen",
        ));
    }
    // Within a value it may be meant, as between a number and its unit.
    let odd = match role {
        Role::Key => text.chars().find(|c| is_odd_space(*c)),
        Role::Value => {
            let ends = [text.chars().next(), text.chars().last()];
            ends.into_iter().flatten().find(|c| is_odd_space(*c))
        }
    };
    odd.map(|c| {
        told(
            c,
            at,
            "this text holds a space that YAML does not take for one",
        )
    })
}

/// `text` as it reads: so a key that has been told of is not missed besides.
pub(super) fn as_it_reads(text: &str) -> String {
    text.chars()
        .filter(|c| !unseen(*c) && !is_odd_space(*c))
        .collect()
}

fn told(c: char, at: &Range<usize>, what: &str) -> Fault {
    let message = format!("{what} (U+{:04X})", u32::from(c));
    Fault::error("hidden-character", at.clone(), message).help("type the text again by hand")
}

/// Characters that no text may hold, even when they are written as escapes.
fn unseen(c: char) -> bool {
    is_invisible(c) || (c.is_control() && !matches!(c, '\n' | '\t'))
}
