//! Store specs: `embedded[:FILE]` or `dynamodb:TABLE`, as typed or as in `evenkeel.yaml`.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

/// Where leases, ledger and memory are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreSpec {
    /// A file on this machine.
    Embedded(PathBuf),
    /// A DynamoDB table in the account and region of the estate.
    DynamoDb(String),
}

/// The file of an embedded store that names none, and the default for loopback endpoints.
pub const EMBEDDED_FILE: &str = ".evenkeel/store.db";

/// A text that names no store.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadStore {
    /// Neither word.
    #[error("{0:?} names no store; write embedded, embedded:FILE or dynamodb:TABLE")]
    Word(String),
    /// `embedded:` without a file.
    #[error(
        "embedded: is followed by no file; write embedded:FILE, or embedded for .evenkeel/store.db"
    )]
    NoFile,
    /// Not a name that DynamoDB would take.
    #[error("{0:?} is not a table name; DynamoDB takes 3 to 255 of a-z A-Z 0-9 _ - .")]
    Table(String),
}

impl FromStr for StoreSpec {
    type Err = BadStore;

    fn from_str(text: &str) -> Result<Self, BadStore> {
        match text.split_once(':') {
            None if text == "embedded" => Ok(Self::Embedded(EMBEDDED_FILE.into())),
            Some(("embedded", "")) => Err(BadStore::NoFile),
            Some(("embedded", file)) => Ok(Self::Embedded(file.into())),
            Some(("dynamodb", table)) => {
                let legal = (3..=255).contains(&table.len())
                    && table
                        .bytes()
                        .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.'));
                if legal {
                    Ok(Self::DynamoDb(table.to_owned()))
                } else {
                    Err(BadStore::Table(table.to_owned()))
                }
            }
            _ => Err(BadStore::Word(text.to_owned())),
        }
    }
}

impl fmt::Display for StoreSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Embedded(file) => write!(f, "embedded:{}", file.display()),
            Self::DynamoDb(table) => write!(f, "dynamodb:{table}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_stores_read_back_as_they_are_written() {
        for text in ["embedded:x/y.db", "dynamodb:evenkeel-ledger"] {
            assert_eq!(text.parse::<StoreSpec>().unwrap().to_string(), text);
        }
        assert_eq!(
            "embedded".parse::<StoreSpec>().unwrap().to_string(),
            "embedded:.evenkeel/store.db"
        );
    }

    #[test]
    fn what_names_no_store_is_told_what_does() {
        for text in [
            "",
            "redis:x",
            "dynamodb",
            "dynamodb:",
            "dynamodb:a b",
            "embedded:",
        ] {
            assert!(text.parse::<StoreSpec>().is_err(), "{text}");
        }
    }
}
