//! Written: what a document would say of a live object, in the order in which people read it.

use super::tree::Tree;

/// Named pieces, in order.
pub type Fields = Vec<(String, Piece)>;

/// One part of a document.
#[derive(Clone, Debug, PartialEq)]
pub enum Piece {
    /// A text, a number or a truth value.
    Scalar(Tree),
    /// A mapping.
    Map(Fields),
    /// A list.
    List(Vec<Piece>),
}

impl<T: Into<Tree>> From<T> for Piece {
    fn from(value: T) -> Self {
        Piece::Scalar(value.into())
    }
}

impl Piece {
    /// A tree, its mappings in the order of their names.
    pub fn of(tree: &Tree) -> Self {
        match tree {
            Tree::Object(members) => {
                let below = members.iter().map(|(k, v)| (k.clone(), Piece::of(v)));
                Piece::Map(below.collect())
            }
            Tree::Array(items) => Piece::List(items.iter().map(Piece::of).collect()),
            scalar => Piece::Scalar(scalar.clone()),
        }
    }
}

/// A spec, and what it leaves out although it is there.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Written {
    /// The fields of `spec`. What is as AWS has it where nobody said otherwise is left out.
    pub fields: Fields,
    /// What no document can say of the object, each a sentence without its subject: `the policy
    /// "x" scales by steps`.
    pub beyond: Vec<String>,
}

impl Written {
    /// Adds a field.
    pub fn put(&mut self, name: &str, value: impl Into<Piece>) {
        self.fields.push((name.to_owned(), value.into()));
    }

    /// Adds a field if there is a value.
    pub fn put_some<T: Into<Tree>>(&mut self, name: &str, value: Option<T>) {
        if let Some(value) = value {
            self.put(name, value.into());
        }
    }

    /// Takes out the piece at `path`, and what is empty without it; `false` when there is none.
    pub fn take_out(&mut self, path: &[String]) -> bool {
        take_out(&mut self.fields, path)
    }
}

fn take_out(fields: &mut Fields, path: &[String]) -> bool {
    let Some((first, rest)) = path.split_first() else {
        return false;
    };
    let Some(at) = fields.iter().position(|(name, _)| name == first) else {
        return false;
    };
    let Some((_, piece)) = fields.get_mut(at) else {
        return false;
    };
    let (taken, empty) = match (rest, piece) {
        ([], _) => (true, true),
        (rest, Piece::Map(below)) => (take_out(below, rest), below.is_empty()),
        ([index, ..], Piece::List(items)) => match index.parse::<usize>() {
            Ok(index) if index < items.len() => {
                items.remove(index);
                (true, items.is_empty())
            }
            _ => (false, false),
        },
        (_, Piece::Scalar(_)) => (false, false),
    };
    if taken && empty {
        fields.remove(at);
    }
    taken
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn fields(tree: Tree) -> Written {
        let Piece::Map(fields) = Piece::of(&tree) else {
            panic!("a mapping");
        };
        Written {
            fields,
            beyond: Vec::new(),
        }
    }

    fn path(dotted: &str) -> Vec<String> {
        dotted.split('.').map(str::to_owned).collect()
    }

    #[test]
    fn what_is_empty_without_the_piece_goes_with_it() {
        let whole = fields(json!({"a": 1, "s": {"list": [{"n": 1}, {"n": 2}], "m": 3}}));
        let mut one = whole.clone();
        assert!(one.take_out(&path("s.list.0")));
        assert_eq!(
            one,
            fields(json!({"a": 1, "s": {"list": [{"n": 2}], "m": 3}}))
        );
        assert!(one.take_out(&path("s.list.0")));
        assert_eq!(one, fields(json!({"a": 1, "s": {"m": 3}})));
        assert!(one.take_out(&path("s.m")));
        assert_eq!(one, fields(json!({"a": 1})));
        assert!(!one.take_out(&path("s.m")));
    }
}
