//! Exit codes, and failures that know theirs.

use std::{fmt, process::ExitCode};

/// What the program tells the one who started it. The numbers are part of its interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Exit {
    /// All went well.
    Ok = 0,
    /// Something failed that has no code of its own.
    Failure = 1,
    /// The command line makes no sense.
    Usage = 2,
    /// An address could not be connected to, or listened on.
    Unreachable = 3,
    /// The token was refused.
    NotAuthorised = 4,
    /// The call was declined, or not answered, or the peer was busy or not there.
    NotAnswered = 5,
    /// The call was answered and then lost.
    CallLost = 6,
    /// A file could not be read or written.
    File = 7,
}

/// The table that `--help` shows.
pub(crate) const HELP: &str = "\
Exit codes:
  0  all went well
  1  something failed that has no code of its own
  2  the command line makes no sense
  3  an address could not be connected to, or listened on
  4  the token was refused
  5  the call was not answered: declined, busy, no answer, not there
  6  the call was answered and then lost
  7  a file could not be read or written";

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// An error, and the code the program exits with for it.
#[derive(Debug)]
pub(crate) struct Failure {
    exit: Exit,
    error: anyhow::Error,
}

impl Failure {
    pub(crate) fn new(exit: Exit, error: impl Into<anyhow::Error>) -> Self {
        Self { exit, error: error.into() }
    }

    pub(crate) fn exit(&self) -> Exit {
        self.exit
    }

    /// A failure that is described here and has no cause elsewhere.
    pub(crate) fn msg(exit: Exit, message: impl fmt::Display) -> Self {
        Self::new(exit, anyhow::anyhow!("{message}"))
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self::new(Exit::Failure, error)
    }
}

impl fmt::Display for Failure {
    /// What happened, with its causes, on one line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#}", self.error)
    }
}
