//! Chains: whether the ledger of an app is whole, from its first entry to the one its head names.
//!
//! Pure: entries in, a verdict out.

use super::entry::{Entry, GENESIS};

/// One entry of a chain, whatever it says.
pub trait Link {
    /// Whose chain.
    fn app(&self) -> &str;
    /// From 1, without a gap.
    fn seq(&self) -> u64;
    /// Hash of the entry before, or [`GENESIS`].
    fn prev(&self) -> &str;
    /// The hash that it carries.
    fn hash(&self) -> &str;
    /// The hash that it must carry.
    fn expected_hash(&self) -> String;
}

impl Link for Entry {
    fn app(&self) -> &str {
        &self.app
    }

    fn seq(&self) -> u64 {
        self.seq
    }

    fn prev(&self) -> &str {
        &self.prev
    }

    fn hash(&self) -> &str {
        &self.hash
    }

    fn expected_hash(&self) -> String {
        Entry::expected_hash(self)
    }
}

/// Where a chain ends, by the word of its own row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// The newest entry's number.
    pub seq: u64,
    /// Its hash.
    pub hash: String,
}

/// A fault in a chain.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum ChainFault {
    /// A sequence number is missing or repeated.
    #[error("{app}: entry {found} stands where {wanted} should; the chain has a gap or a fork")]
    Gap {
        /// Whose chain.
        app: String,
        /// The number that should stand here.
        wanted: u64,
        /// The number that stands here.
        found: u64,
    },
    /// An entry does not name its predecessor.
    #[error("{app}: entry {seq} does not follow the entry before it; one of them was changed")]
    Link {
        /// Whose chain.
        app: String,
        /// Which entry.
        seq: u64,
    },
    /// An entry is not what its hash says.
    #[error("{app}: entry {seq} does not match its own hash; it was changed after it was written")]
    Content {
        /// Whose chain.
        app: String,
        /// Which entry.
        seq: u64,
    },
    /// An entry is of another app.
    #[error(
        "{app}: entry {seq} says that it is one of {found}; it was changed, or another app's ledger was put in its place"
    )]
    Foreign {
        /// Whose chain.
        app: String,
        /// Which entry.
        seq: u64,
        /// Whose it says it is.
        found: String,
    },
    /// There are entries, and no head.
    #[error("{app}: its row HEAD is gone, and {} still there", entries(*.last))]
    Headless {
        /// Whose chain.
        app: String,
        /// The last entry.
        last: u64,
    },
    /// There is a head, and no entry.
    #[error("{app}: its row HEAD names entry {wanted}, and there is no entry at all")]
    Empty {
        /// Whose chain.
        app: String,
        /// The number that the head names.
        wanted: u64,
    },
    /// The chain ends before its head.
    #[error(
        "{app}: its row HEAD names entry {wanted}, and the last one is {last}; its newest entries \
         were taken away"
    )]
    Cut {
        /// Whose chain.
        app: String,
        /// The number that the head names.
        wanted: u64,
        /// The last entry.
        last: u64,
    },
    /// The chain goes on behind its head.
    #[error(
        "{app}: its row HEAD names entry {head}, and the entries go on to {last}; it was set back, \
         or they were put there past it"
    )]
    Behind {
        /// Whose chain.
        app: String,
        /// The number that the head names.
        head: u64,
        /// The last entry.
        last: u64,
    },
    /// The head names another entry than the last one, of the same number.
    #[error("{app}: its row HEAD has another hash than entry {seq}, the last; one was changed")]
    Another {
        /// Whose chain.
        app: String,
        /// Which entry.
        seq: u64,
    },
}

fn entries(last: u64) -> String {
    match last {
        1 => "entry 1 is".to_owned(),
        last => format!("the entries up to {last} are"),
    }
}

/// Checks that `chain` is `app`'s, oldest first, without gap, fork or change. Where it ends is not
/// asked; see [`whole`]. Empty chains are fine.
///
/// # Errors
/// The first fault.
pub fn verify<L: Link>(app: &str, chain: &[L]) -> Result<(), ChainFault> {
    let mut prev = GENESIS;
    for (wanted, entry) in (1u64..).zip(chain) {
        let (app, seq) = (app.to_owned(), entry.seq());
        if entry.app() != app {
            let found = entry.app().to_owned();
            return Err(ChainFault::Foreign { app, seq, found });
        }
        if seq != wanted {
            let found = seq;
            return Err(ChainFault::Gap { app, wanted, found });
        }
        if entry.prev() != prev {
            return Err(ChainFault::Link { app, seq });
        }
        if entry.hash() != entry.expected_hash() {
            return Err(ChainFault::Content { app, seq });
        }
        prev = entry.hash();
    }
    Ok(())
}

/// Checks the same, and that the chain ends exactly at the head that was read with it.
///
/// # Errors
/// The first fault.
pub fn whole<L: Link>(app: &str, chain: &[L], head: Option<&Head>) -> Result<(), ChainFault> {
    verify(app, chain)?;
    ends(app, chain.last(), head)
}

/// Checks that `last`, the newest entry there is, is the one that the head names.
///
/// # Errors
/// How they differ.
pub fn ends<L: Link>(app: &str, last: Option<&L>, head: Option<&Head>) -> Result<(), ChainFault> {
    let app = app.to_owned();
    let (last, head) = match (last, head) {
        (None, None) => return Ok(()),
        (Some(last), None) => {
            let last = last.seq();
            return Err(ChainFault::Headless { app, last });
        }
        (None, Some(head)) => {
            let wanted = head.seq;
            return Err(ChainFault::Empty { app, wanted });
        }
        (Some(last), Some(head)) => (last, head),
    };
    match head.seq.cmp(&last.seq()) {
        std::cmp::Ordering::Greater => Err(ChainFault::Cut {
            app,
            wanted: head.seq,
            last: last.seq(),
        }),
        std::cmp::Ordering::Less => Err(ChainFault::Behind {
            app,
            head: head.seq,
            last: last.seq(),
        }),
        std::cmp::Ordering::Equal if head.hash != last.hash() => {
            let seq = last.seq();
            Err(ChainFault::Another { app, seq })
        }
        std::cmp::Ordering::Equal => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::entry::{Outcome, Record};
    use crate::model::key::ResourceKey;
    use crate::model::tree::Tree;
    use jiff::Timestamp;

    fn chain(length: u64) -> Vec<Entry> {
        let mut prev = GENESIS.to_owned();
        (1..=length)
            .map(|seq| {
                let entry = Entry {
                    app: "shop".into(),
                    seq,
                    at: Timestamp::UNIX_EPOCH,
                    by: "me@here/1".into(),
                    token: 1,
                    record: Record::Outcome {
                        intent: format!("i{seq}"),
                        key: ResourceKey::new("shop", "Service", "web"),
                        outcome: Outcome::Applied,
                        detail: Tree::Null,
                    },
                    prev: prev.clone(),
                    hash: String::new(),
                }
                .sealed();
                prev.clone_from(&entry.hash);
                entry
            })
            .collect()
    }

    fn head(entry: &Entry) -> Option<Head> {
        Some(Head {
            seq: entry.seq,
            hash: entry.hash.clone(),
        })
    }

    #[test]
    fn a_chain_that_ends_at_its_head_is_whole() {
        let chain = chain(5);
        assert_eq!(whole("shop", &chain, head(&chain[4]).as_ref()), Ok(()));
        assert_eq!(whole::<Entry>("shop", &[], None), Ok(()));
    }

    #[test]
    fn a_changed_entry_is_found() {
        let mut entries = chain(3);
        entries[1].by = "someone@else/2".into();
        assert!(matches!(
            verify("shop", &entries),
            Err(ChainFault::Content { seq: 2, .. })
        ));
        entries[1] = entries[1].clone().sealed();
        assert!(matches!(
            verify("shop", &entries),
            Err(ChainFault::Link { seq: 3, .. })
        ));
    }

    #[test]
    fn a_missing_entry_is_found() {
        let mut entries = chain(3);
        entries.remove(1);
        assert!(matches!(
            verify("shop", &entries),
            Err(ChainFault::Gap {
                wanted: 2,
                found: 3,
                ..
            })
        ));
    }

    #[test]
    fn the_whole_chain_of_another_app_is_found() {
        let entries = chain(3);
        let fault = whole("cart", &entries, head(&entries[2]).as_ref()).unwrap_err();
        assert!(matches!(fault, ChainFault::Foreign { seq: 1, .. }));
        assert_eq!(
            fault.to_string(),
            "cart: entry 1 says that it is one of shop; it was changed, or another app's ledger was put in its place"
        );
    }

    #[test]
    fn a_head_that_is_not_the_last_entry_is_found_and_told_as_it_is() {
        let entries = chain(20);
        let said = |chain: &[Entry], head: Option<Head>| {
            let fault = whole("shop", chain, head.as_ref());
            fault.unwrap_err().to_string()
        };
        assert_eq!(
            said(&entries[..5], head(&entries[19])),
            "shop: its row HEAD names entry 20, and the last one is 5; its newest entries were \
             taken away"
        );
        assert_eq!(
            said(&entries, head(&entries[4])),
            "shop: its row HEAD names entry 5, and the entries go on to 20; it was set back, or \
             they were put there past it"
        );
        assert_eq!(
            said(&entries, None),
            "shop: its row HEAD is gone, and the entries up to 20 are still there"
        );
        assert_eq!(
            said(&[], head(&entries[4])),
            "shop: its row HEAD names entry 5, and there is no entry at all"
        );
        let forged = Some(Head {
            seq: 20,
            hash: GENESIS.to_owned(),
        });
        assert_eq!(
            said(&entries, forged),
            "shop: its row HEAD has another hash than entry 20, the last; one was changed"
        );
    }
}
