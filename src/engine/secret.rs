//! Secrets: what is named in the settings and never shown: tokens and the keys of webhooks.

use std::fmt;
use std::path::PathBuf;

/// Longest secret, in bytes.
const LONGEST: usize = 4096;

/// Shortest secret that nobody finds by trying, in bytes.
const SHORTEST: usize = 16;

/// A secret. Nothing prints it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// A secret that is not empty, without the line end that files have.
    ///
    /// # Errors
    /// What is wrong with it, without it.
    pub fn new(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if text.is_empty() {
            return Err("it is empty".to_owned());
        }
        if text.len() > LONGEST || text.chars().any(char::is_control) {
            return Err(format!(
                "it is no secret: one is a single line of at most {LONGEST} bytes"
            ));
        }
        Ok(Self(text.to_owned()))
    }

    /// Whether it is long enough for what anybody may try secrets on.
    ///
    /// # Errors
    /// It is too short, and how to make one.
    pub fn is_hard_to_guess(&self) -> Result<(), String> {
        if self.0.len() >= SHORTEST {
            return Ok(());
        }
        Err(format!(
            "it is shorter than {SHORTEST} characters, and whoever reaches the address may guess it; \
             `openssl rand -hex 32` makes one"
        ))
    }

    /// The secret, for the one place that needs it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// Where a secret is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecretFrom {
    /// In this environment variable.
    Env(String),
    /// In this file.
    File(PathBuf),
}

impl SecretFrom {
    /// The secret.
    ///
    /// # Errors
    /// It is not there, or is none; with where it was looked for.
    pub fn read(&self) -> Result<Secret, String> {
        match self {
            SecretFrom::Env(name) => {
                let text = std::env::var(name)
                    .map_err(|_| format!("the environment variable {name} is not set"))?;
                Secret::new(&text).map_err(|why| format!("the environment variable {name}: {why}"))
            }
            SecretFrom::File(file) => {
                let shown = file.display();
                let text = std::fs::read_to_string(file)
                    .map_err(|error| format!("the file {shown}: {error}"))?;
                Secret::new(&text).map_err(|why| format!("the file {shown}: {why}"))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_never_printed() {
        let secret = Secret::new("hush-hush\n").unwrap();
        assert_eq!(secret.reveal(), "hush-hush");
        assert_eq!(format!("{secret:?}"), "***");
        let error = Secret::new("hush\0hush").unwrap_err();
        assert!(!error.contains("hush"), "{error}");
        assert!(Secret::new(" \n").is_err());
        let short = Secret::new("hush-hush").unwrap().is_hard_to_guess();
        assert!(!short.unwrap_err().contains("hush"));
        let long = Secret::new("hush-hush-hush-hush").unwrap();
        assert_eq!(long.is_hard_to_guess(), Ok(()));
    }
}
