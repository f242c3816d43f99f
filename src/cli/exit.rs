//! Exit codes: what a command says to the shell that called it.

use std::process::ExitCode;

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// In order, converged or valid: 0.
    Fine,
    /// An error, a failed write, a wrong document, or a wrong command line: 1.
    Failed,
    /// `plan` found drift: 2.
    Drift,
    /// Something is blocked, deferred or unreadable: 3.
    Held,
}

impl Exit {
    /// The number.
    pub fn code(self) -> u8 {
        match self {
            Exit::Fine => 0,
            Exit::Failed => 1,
            Exit::Drift => 2,
            Exit::Held => 3,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        ExitCode::from(exit.code())
    }
}
