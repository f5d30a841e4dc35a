//! `token`: prints a token for a user, or the three of a page's session.

use std::time::Duration;

use clap::Args;
use serde::Serialize;
use skapi_rtc_protocol::UserId;
use skapi_rtc_server::{Identity, TokenIssuer};

use crate::{
    exit::{Exit, Failure},
    output::Output,
    project::ProjectArgs,
    secret::SecretArgs,
};

#[derive(Debug, Args)]
pub(crate) struct TokenArgs {
    /// The user's id: the token's `sub`
    #[arg(long, value_name = "USER")]
    user: UserId,
    /// What others are told the user is called
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Address of a picture that others are told of
    #[arg(long, value_name = "URL")]
    picture: Option<String>,
    #[command(flatten)]
    project: ProjectArgs,
    /// How long the token is valid: a number with s, m, h or d; 12h, with --service 30d, as a page cannot
    /// renew it
    #[arg(long, visible_alias = "expires", value_name = "TIME", value_parser = duration)]
    ttl: Option<Duration>,
    /// Audience of the token (`aud`), where the service demands one
    #[arg(long, value_name = "AUD")]
    audience: Option<String>,
    /// Issuer of the token (`iss`), where the service demands one
    #[arg(long, value_name = "ISS")]
    issuer: Option<String>,
    #[command(flatten)]
    secret: SecretArgs,
}

/// How long a token is valid when nothing is said.
const TTL: Duration = Duration::from_secs(12 * 60 * 60);
/// The same for a session: Skapi's client cannot renew its tokens.
const SESSION_TTL: Duration = Duration::from_secs(30 * 24 * 60 * 60);

#[derive(Serialize)]
struct TokenEvent<'a> {
    event: &'static str,
    user: &'a UserId,
    token: &'a str,
    #[serde(flatten)]
    session: Session<'a>,
    expires_in_seconds: u64,
}

/// What `skapi.loginWithToken` takes.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Session<'a> {
    id_token: &'a str,
    access_token: &'a str,
    refresh_token: &'a str,
}

pub(crate) fn run(args: &TokenArgs, output: &Output) -> Result<(), Failure> {
    let secret = args.secret.read(output)?.ok_or_else(|| {
        Failure::msg(
            Exit::Usage,
            "there is no secret to sign with; give --jwt-secret-file or set SKAPI_RTC_JWT_SECRET \
             (a service in dev mode hands tokens out itself, at POST /dev/session)",
        )
    })?;
    let mut issuer =
        TokenIssuer::hs256(&secret).map_err(|error| Failure::new(Exit::File, error))?;
    if let Some(audience) = &args.audience {
        issuer = issuer.audience(audience);
    }
    if let Some(name) = &args.issuer {
        issuer = issuer.issuer(name);
    }
    let project = args.project.read()?;
    let ttl = args.ttl.unwrap_or(if project.is_some() { SESSION_TTL } else { TTL });
    let identity = Identity::new(args.user.clone())
        .name(args.name.as_deref().unwrap_or_default())
        .picture(args.picture.as_deref().unwrap_or_default());
    let tokens = issuer.session(&identity, project.as_ref(), ttl);
    let session = Session {
        id_token: &tokens.id_token,
        access_token: &tokens.access_token,
        refresh_token: &tokens.refresh_token,
    };
    // A page needs all three, and takes them as they are printed; everybody else needs one.
    let line = match &project {
        Some(_) => serde_json::to_string(&session).map_err(anyhow::Error::new)?,
        None => tokens.access_token.clone(),
    };
    let event = TokenEvent {
        event: "token",
        user: &args.user,
        token: &tokens.access_token,
        session,
        expires_in_seconds: ttl.as_secs(),
    };
    output.line(&line, &event);
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
