//! YAML: documents as a person would write them, short mappings on one line. Pure: pieces in, text
//! and the places of its lines out.

use crate::model::tree::Tree;
use crate::model::written::{Fields, Piece};
use crate::render::layout::WIDTH;

/// Deepest nesting that still reads well on one line.
const FLOW_DEPTH: usize = 2;

/// A text in the making, and which piece each of its lines shows.
#[derive(Debug, Default)]
pub struct Page {
    text: String,
    places: Vec<Vec<String>>,
}

impl Page {
    /// One line, which shows the piece at `path`.
    pub fn line(&mut self, path: &[String], text: &str) {
        self.text.push_str(text);
        self.text.push('\n');
        self.places.push(path.to_vec());
    }

    /// A comment, wrapped.
    pub fn comment(&mut self, text: &str) {
        self.hanging("# ", "# ", text);
    }

    /// A comment that is one of a list, wrapped.
    pub fn point(&mut self, text: &str) {
        self.hanging("# - ", "#   ", text);
    }

    fn hanging(&mut self, first: &str, rest: &str, text: &str) {
        let mut line = first.to_owned();
        let mut empty = true;
        for word in text.split_whitespace().map(shown) {
            let wide = line.chars().count() + 1 + word.chars().count() > WIDTH;
            if wide && !empty {
                self.line(&[], &line);
                rest.clone_into(&mut line);
                empty = true;
            }
            if !empty {
                line.push(' ');
            }
            line.push_str(&word);
            empty = false;
        }
        self.line(&[], line.trim_end());
    }

    /// The mapping `fields` in block style, `indent` spaces in.
    pub fn fields(&mut self, path: &[String], indent: usize, fields: &Fields) {
        for (name, piece) in fields {
            let path = below(path, name);
            let lead = format!("{:indent$}{}:", "", scalar(&Tree::from(name.as_str())));
            self.piece(&path, &lead, indent + 2, piece);
        }
    }

    fn piece(&mut self, path: &[String], lead: &str, indent: usize, piece: &Piece) {
        let flow = format!("{lead} {}", flow(piece));
        let fits = flow.chars().count() <= WIDTH && depth(piece) <= FLOW_DEPTH;
        match piece {
            Piece::Map(fields) if !fits && !fields.is_empty() => {
                self.line(path, lead);
                self.fields(path, indent, fields);
            }
            Piece::List(items) if !fits && !items.is_empty() => {
                self.line(path, lead);
                self.items(path, indent, items);
            }
            _ => self.line(path, &flow),
        }
    }

    fn items(&mut self, path: &[String], indent: usize, items: &[Piece]) {
        for (at, item) in items.iter().enumerate() {
            let path = below(path, &at.to_string());
            let flow = format!("{:indent$}- {}", "", flow(item));
            let fits = flow.chars().count() <= WIDTH && depth(item) <= FLOW_DEPTH;
            let (Piece::Map(fields), false) = (item, fits) else {
                self.line(&path, &flow);
                continue;
            };
            let from = self.text.len();
            self.fields(&path, indent + 2, fields);
            // The first field stands behind the dash.
            let dash = from + indent;
            if self.text.get(dash..dash + 2) == Some("  ") {
                self.text.replace_range(dash..dash + 2, "- ");
            }
        }
    }

    /// The text, and for each of its lines the path of the piece that it shows.
    pub fn done(self) -> (String, Vec<Vec<String>>) {
        (self.text, self.places)
    }
}

fn below(path: &[String], name: &str) -> Vec<String> {
    let mut path = path.to_vec();
    path.push(name.to_owned());
    path
}

/// A word of a comment: one line, whatever AWS's text holds.
fn shown(word: &str) -> String {
    word.chars()
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .collect()
}

fn depth(piece: &Piece) -> usize {
    match piece {
        Piece::Scalar(_) => 0,
        Piece::Map(fields) => 1 + fields.iter().map(|(_, p)| depth(p)).max().unwrap_or(0),
        Piece::List(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
    }
}

fn flow(piece: &Piece) -> String {
    match piece {
        Piece::Scalar(value) => scalar(value),
        Piece::Map(fields) => {
            let fields: Vec<String> = fields
                .iter()
                .map(|(name, p)| format!("{}: {}", scalar(&Tree::from(name.as_str())), flow(p)))
                .collect();
            format!("{{{}}}", fields.join(", "))
        }
        Piece::List(items) => {
            let items: Vec<String> = items.iter().map(flow).collect();
            format!("[{}]", items.join(", "))
        }
    }
}

/// A value that reads back as itself, in block and in flow style.
pub fn scalar(value: &Tree) -> String {
    match value {
        Tree::String(text) if is_plain(text) => text.clone(),
        Tree::String(text) => quoted(text),
        // 70 rather than 70.0: a document's numbers are compared as numbers.
        Tree::Number(number) => match number.as_f64() {
            Some(float) if float.fract() == 0.0 && float.abs() < 1e15 => format!("{float:.0}"),
            _ => number.to_string(),
        },
        other => other.to_string(),
    }
}

/// Whether every reader of YAML takes the bare word for this text.
fn is_plain(text: &str) -> bool {
    let word = |c: char| c.is_ascii_alphanumeric() || "_./@-".contains(c);
    let words: Vec<&str> = text.split(' ').collect();
    let odd = ["y", "n", "yes", "no", "on", "off", "true", "false", "null"];
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && words.iter().all(|w| !w.is_empty() && w.chars().all(word))
        && !odd.contains(&text.to_ascii_lowercase().as_str())
}

/// In double quotes. What would look like the placeholder of a template is escaped.
fn quoted(text: &str) -> String {
    let json = Tree::from(text).to_string();
    if ["{{", "${", "{%", "<%"]
        .iter()
        .any(|open| text.contains(open))
    {
        json.replace('{', "\\u007B").replace('<', "\\u003C")
    } else {
        json
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn page(tree: &Tree) -> String {
        let Piece::Map(fields) = Piece::of(tree) else {
            panic!("a mapping");
        };
        let mut page = Page::default();
        page.fields(&[], 0, &fields);
        page.done().0
    }

    #[test]
    fn what_is_short_stands_on_one_line_and_the_rest_below_each_other() {
        let long = "x".repeat(60);
        let tree = json!({
            "cluster": "main", "tags": {"team": "shop"}, "window": "02:00-04:00",
            "list": [{"name": "a", "with": {"m": {"k": 1.5}}}, {"name": long, "other": "long enough"}],
        });
        assert_eq!(
            page(&tree),
            format!(
                "cluster: main\nlist:\n  - name: a\n    with: {{m: {{k: 1.5}}}}\n  - name: {long}\n    \
                 other: long enough\ntags: {{team: shop}}\nwindow: \"02:00-04:00\"\n"
            )
        );
    }

    #[test]
    fn every_line_knows_its_piece() {
        let mut page = Page::default();
        page.comment("what it is");
        let fields = vec![(
            "s".to_owned(),
            Piece::of(&json!({"l": [{"a": {"b": {"c": 1}}}]})),
        )];
        page.fields(&["spec".into()], 0, &fields);
        let (text, places) = page.done();
        assert_eq!(text.lines().count(), places.len(), "{text}");
        assert_eq!(places.last().unwrap().join("."), "spec.s.l.0.a");
    }

    fn tree() -> impl Strategy<Value = Tree> {
        let leaf = prop_oneof![
            any::<bool>().prop_map(Tree::from),
            any::<i32>().prop_map(Tree::from),
            (-1000..1000_i32).prop_map(|n| json!(f64::from(n) / 8.0)),
            "[ -~é\n\t]{0,30}".prop_map(Tree::from),
            prop::sample::select(vec![
                "no", "010", "~", "${x}", "a: b", "- a", "# a", "1:30", "<% x %>"
            ])
            .prop_map(Tree::from),
        ];
        leaf.prop_recursive(4, 24, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Tree::from),
                prop::collection::btree_map("[ -~]{1,12}", inner, 0..4)
                    .prop_map(|m| Tree::Object(m.into_iter().collect())),
            ]
        })
    }

    fn same(a: &Tree, b: &Tree) -> bool {
        match (a, b) {
            (Tree::Number(a), Tree::Number(b)) => a.as_f64() == b.as_f64(),
            (Tree::Array(a), Tree::Array(b)) => {
                a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b))
            }
            (Tree::Object(a), Tree::Object(b)) => {
                a.len() == b.len() && a.iter().all(|(k, v)| b.get(k).is_some_and(|w| same(v, w)))
            }
            (a, b) => a == b,
        }
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(
            members in prop::collection::btree_map("[a-z]{1,8}", tree(), 1..5),
        ) {
            let tree = Tree::Object(members.into_iter().collect());
            let text = page(&tree);
            let read: Tree = serde_saphyr::from_str(&text).map_err(|e| {
                TestCaseError::fail(format!("{e}\n{text}"))
            })?;
            prop_assert!(same(&tree, &read), "{text}\n{tree}\n{read}");
        }
    }
}
