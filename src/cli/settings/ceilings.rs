//! Ceilings: what `evenkeel.yaml` sets that no Policy document can pass.
//!
//! Pure.

use crate::control::document::{Fault, meant};
use crate::control::policy::ChangePolicy;
use crate::control::spec::PolicySpec;

/// The ceiling that `ceilings:` means; it is written as the `spec` of a Policy is.
///
/// # Errors
/// The first thing that is wrong with it.
pub(super) fn ceiling(written: &PolicySpec) -> Result<ChangePolicy, String> {
    meant(written).map_err(|faults| {
        let first = faults.into_iter().next();
        let Fault { path, what } = first.unwrap_or_else(|| Fault {
            path: String::new(),
            what: "it cannot be read".to_owned(),
        });
        format!("ceilings.{path}: {what}")
    })
}

#[cfg(test)]
mod tests {
    use super::super::parse;
    use crate::control::spec::Mode;

    #[test]
    fn ceilings_are_written_as_a_policy_is() {
        let text = "ceilings:\n  mode: report\n  destructiveApprovers: 2\n  windows:\n    \
                    - {from: \"02:00\", to: \"04:00\", timeZone: UTC}\n";
        let ceiling = parse("evenkeel.yaml", text).unwrap().ceiling.unwrap();
        assert_eq!((ceiling.mode, ceiling.approvers), (Mode::Report, 2));
        assert_eq!(ceiling.windows.len(), 1);
    }

    #[test]
    fn a_bad_ceiling_is_told_with_its_place() {
        let fault = |text: &str| parse("evenkeel.yaml", text).unwrap_err().to_string();
        assert_eq!(
            fault("region: eu-central-1\nceilings:\n  canary: {app: a, bake: soon}\n"),
            "evenkeel.yaml:3:3: ceilings.canary.bake: \"soon\" is not a time between 1s and 168h; \
             write 30m, 2h or 1d"
        );
        let typo = fault("ceilings:\n  modes: report\n");
        assert!(typo.starts_with("evenkeel.yaml:2:"), "{typo}");
        assert!(typo.contains("did you mean `mode`?"), "{typo}");
    }
}
