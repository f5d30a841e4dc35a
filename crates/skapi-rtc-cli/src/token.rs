//! `token`: prints a token for a user.

use std::time::Duration;

use clap::Args;
use serde::Serialize;
use skapi_rtc_protocol::UserId;
use skapi_rtc_server::TokenIssuer;

use crate::{
    exit::{Exit, Failure},
    output::Output,
    secret::SecretArgs,
};

#[derive(Debug, Args)]
pub(crate) struct TokenArgs {
    /// The user's id: the token's `sub`
    #[arg(long, value_name = "USER")]
    user: UserId,
    /// How long the token is valid: a number with s, m, h or d
    #[arg(long, value_name = "TIME", default_value = "12h", value_parser = duration)]
    ttl: Duration,
    #[command(flatten)]
    secret: SecretArgs,
}

#[derive(Serialize)]
struct TokenEvent<'a> {
    event: &'static str,
    user: &'a UserId,
    token: &'a str,
    expires_in_seconds: u64,
}

pub(crate) fn run(args: &TokenArgs, output: &Output) -> Result<(), Failure> {
    let secret = args.secret.read(output)?.ok_or_else(|| {
        Failure::msg(
            Exit::Usage,
            "there is no secret to sign with; give --jwt-secret-file or set SKAPI_RTC_JWT_SECRET \
             (a service in dev mode hands tokens out itself, at POST /dev/token)",
        )
    })?;
    let issuer = TokenIssuer::hs256(&secret).map_err(|error| Failure::new(Exit::File, error))?;
    let token = issuer.issue(&args.user, args.ttl);
    output.line(
        &token,
        &TokenEvent {
            event: "token",
            user: &args.user,
            token: &token,
            expires_in_seconds: args.ttl.as_secs(),
        },
    );
    Ok(())
}

/// Reads `90s`, `15m`, `12h`, `30d`; a bare number is seconds.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let digits = text.trim_end_matches(|c: char| !c.is_ascii_digit());
    let seconds = match &text[digits.len()..] {
        "" | "s" => 1,
        "m" => 60,
        "h" => 60 * 60,
        "d" => 24 * 60 * 60,
        unit => return Err(format!("`{unit}` is not a unit of time; use s, m, h or d")),
    };
    let number: u64 = digits
        .parse()
        .map_err(|_| "expected a number with s, m, h or d, such as `12h`".to_owned())?;
    match number.checked_mul(seconds) {
        None => Err("that is too long".to_owned()),
        Some(0) => Err("it must be longer than nothing".to_owned()),
        Some(seconds) => Ok(Duration::from_secs(seconds)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_units() {
        let secs = |text| duration(text).map(|time| time.as_secs());
        assert_eq!(secs("90"), Ok(90));
        assert_eq!(secs("90s"), Ok(90));
        assert_eq!(secs("15m"), Ok(900));
        assert_eq!(secs("12h"), Ok(43_200));
        assert_eq!(secs("30d"), Ok(2_592_000));
        for bad in
            ["", "h", "1w", "-1h", "0s", "1.5h", "99999999999999999999", "999999999999999999d"]
        {
            assert!(secs(bad).is_err(), "{bad:?}");
        }
    }
}
