//! The shared secret: from a file or from the environment, never from the command line, where every
//! user of the machine could read it.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Args;

use crate::{
    exit::{Exit, Failure},
    output::Output,
};

/// The environment variable that may hold the secret itself.
const VARIABLE: &str = "SKAPI_RTC_JWT_SECRET";
/// What HS256 wants (RFC 7518 §3.2).
const GOOD_LENGTH: usize = 32;

#[derive(Debug, Args)]
pub(crate) struct SecretArgs {
    /// File with the secret that HS256 tokens are signed with (one line break at its end is not part of
    /// it); without it, the environment variable SKAPI_RTC_JWT_SECRET
    #[arg(long, alias = "secret-file", value_name = "FILE")]
    pub(crate) jwt_secret_file: Option<PathBuf>,
}

impl SecretArgs {
    /// The secret, if there is one.
    pub(crate) fn read(&self, output: &Output) -> Result<Option<Vec<u8>>, Failure> {
        let (secret, origin) = match &self.jwt_secret_file {
            Some(path) => (read_file(path)?, path.display().to_string()),
            None => match std::env::var_os(VARIABLE) {
                Some(value) => (value.into_encoded_bytes(), VARIABLE.to_owned()),
                None => return Ok(None),
            },
        };
        let secret = without_line_break(secret);
        if secret.is_empty() {
            let message =
                format!("the secret in {origin} is empty; make one with `openssl rand -base64 32`");
            return Err(Failure::msg(Exit::File, message));
        }
        if secret.len() < GOOD_LENGTH {
            output.warning(&format!(
                "the secret in {origin} has {} bytes and can be guessed; use at least {GOOD_LENGTH} \
                 random ones (`openssl rand -base64 32`)",
                secret.len()
            ));
        }
        Ok(Some(secret))
    }
}

/// Reads a key or a secret.
pub(crate) fn read_file(path: &Path) -> Result<Vec<u8>, Failure> {
    std::fs::read(path)
        .with_context(|| format!("cannot read {}", path.display()))
        .map_err(|error| Failure::new(Exit::File, error))
}

/// Editors and `echo` end a file with a line break, which nobody means to be part of a secret.
pub(crate) fn without_line_break(mut secret: Vec<u8>) -> Vec<u8> {
    if secret.last() == Some(&b'\n') {
        secret.pop();
        if secret.last() == Some(&b'\r') {
            secret.pop();
        }
    }
    secret
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_break_at_the_end_is_not_part_of_the_secret() {
        for (file, secret) in [("s", "s"), ("s\n", "s"), ("s\r\n", "s"), ("s\n\n", "s\n"), ("", "")]
        {
            assert_eq!(without_line_break(file.into()), secret.as_bytes());
        }
    }
}
