//! STS in the twin: who is calling.

use serde_json::{Value, json};

use super::wire::{CallContext, TwinError};

/// The STS model: one caller, in the world's account.
#[derive(Clone, Debug)]
pub struct Sts {
    /// The IAM user that every caller is.
    pub user: String,
}

impl Default for Sts {
    fn default() -> Self {
        Self {
            user: "evenkeel".to_owned(),
        }
    }
}

impl Sts {
    /// Answers one call. Errors: `InvalidAction` for what is not modelled.
    pub fn call(
        &mut self,
        operation: &str,
        _input: &Value,
        cx: &CallContext,
    ) -> Result<Value, TwinError> {
        match operation {
            "GetCallerIdentity" => Ok(json!({
                "Arn": format!("arn:aws:iam::{}:user/{}", cx.account, self.user),
                "UserId": "AIDATWINTWINTWINTWINT",
                "Account": cx.account,
            })),
            other => Err(TwinError::client(
                "InvalidAction",
                format!("the twin does not model sts.{other}"),
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::twin::trial::Trial;

    #[tokio::test(start_paused = true)]
    async fn a_caller_learns_the_account_of_the_world() {
        let answer = Trial::new()
            .sts()
            .get_caller_identity()
            .send()
            .await
            .unwrap();
        assert_eq!(answer.account(), Some("123456789012"));
        assert_eq!(
            answer.arn(),
            Some("arn:aws:iam::123456789012:user/evenkeel")
        );
    }
}
