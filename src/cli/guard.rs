//! The guard: whether this is the account and region that the settings name, and whether anything
//! may be written here at all.
//!
//! Pure: values in, a verdict out.

use super::settings::Settings;
use crate::aws::session::Reach;

/// Why a command stops before it reads or writes anything.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Stop {
    /// Another account.
    #[error(
        "these credentials belong to account {found}, but evenkeel.yaml names account {wanted}; \
         nothing was read or written. Use credentials of account {wanted} (--profile, AWS_PROFILE), \
         or run this where evenkeel.yaml names account {found}"
    )]
    Account {
        /// The settings'.
        wanted: String,
        /// The caller's.
        found: String,
    },
    /// Another region.
    #[error(
        "the region in use is {found}, but evenkeel.yaml names region {wanted}; nothing was read \
         or written. Use --region {wanted}, or unset AWS_REGION"
    )]
    Region {
        /// The settings'.
        wanted: String,
        /// The one in use.
        found: String,
    },
    /// A write to AWS that no settings file vouches for.
    #[error(
        "nothing is written to AWS until evenkeel.yaml names the account and region. If account \
         {account} in {region} is the right place, put these two lines into evenkeel.yaml:\n\n\
         account: \"{account}\"\nregion: {region}\n"
    )]
    Unnamed {
        /// The caller's account.
        account: String,
        /// The region in use.
        region: String,
    },
}

/// What the command is about to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Intent {
    /// Only look.
    Look,
    /// Write to the estate or its store.
    Write,
}

/// Whether the command may go on in `account` and `region`.
///
/// # Errors
/// Why not.
pub fn check(
    settings: &Settings,
    account: &str,
    region: &str,
    reach: Reach,
    intent: Intent,
) -> Result<(), Stop> {
    if let Some(wanted) = settings.account.as_deref().filter(|w| *w != account) {
        return Err(Stop::Account {
            wanted: wanted.to_owned(),
            found: account.to_owned(),
        });
    }
    if let Some(wanted) = settings.region.as_deref().filter(|w| *w != region) {
        return Err(Stop::Region {
            wanted: wanted.to_owned(),
            found: region.to_owned(),
        });
    }
    let named = settings.account.is_some() && settings.region.is_some();
    if intent == Intent::Write && reach == Reach::Network && !named {
        return Err(Stop::Unnamed {
            account: account.to_owned(),
            region: region.to_owned(),
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named() -> Settings {
        Settings {
            account: Some("111111111111".into()),
            region: Some("eu-central-1".into()),
            ..Settings::default()
        }
    }

    #[test]
    fn another_account_or_region_stops_even_a_look_even_on_loopback() {
        for (account, region) in [
            ("222222222222", "eu-central-1"),
            ("111111111111", "us-east-1"),
        ] {
            for reach in [Reach::Loopback, Reach::Network] {
                assert!(check(&named(), account, region, reach, Intent::Look).is_err());
            }
        }
    }

    #[test]
    fn without_settings_only_loopback_is_written() {
        let none = Settings::default();
        let go = |reach, intent| check(&none, "222222222222", "us-east-1", reach, intent);
        assert_eq!(go(Reach::Loopback, Intent::Write), Ok(()));
        assert_eq!(go(Reach::Network, Intent::Look), Ok(()));
        let stop = go(Reach::Network, Intent::Write).unwrap_err().to_string();
        assert!(stop.contains("account: \"222222222222\"\nregion: us-east-1"));
    }

    #[test]
    fn naming_only_one_of_both_is_not_naming_the_place() {
        let half = Settings {
            region: None,
            ..named()
        };
        let go = check(&half, "111111111111", "x", Reach::Network, Intent::Write);
        assert!(matches!(go, Err(Stop::Unnamed { .. })));
    }
}
