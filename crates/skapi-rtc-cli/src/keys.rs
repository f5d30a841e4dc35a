//! How the service checks tokens: with a secret, a public key, or a set of them.

use std::{path::PathBuf, time::Duration};

use anyhow::Context as _;
use clap::Args;
use skapi_rtc_protocol::Project;
use skapi_rtc_server::{JwtAuthenticator, KeyError, ResumeKey};

use crate::{
    exit::{Exit, Failure},
    output::Output,
    secret::{SecretArgs, read_file},
    token::duration,
};

#[derive(Debug, Args)]
pub(crate) struct KeyArgs {
    #[command(flatten)]
    pub(crate) secret: SecretArgs,
    /// PEM file with the public key that tokens are checked with: RSA for RS256, P-256 for ES256
    #[arg(long, value_name = "FILE", conflicts_with_all = ["jwt_secret_file", "dev"])]
    jwt_public_key_file: Option<PathBuf>,
    /// File with a JSON Web Key Set that tokens are checked with (RS256, ES256)
    #[arg(long, value_name = "FILE",
        conflicts_with_all = ["jwt_secret_file", "jwt_public_key_file", "dev"])]
    jwt_jwks_file: Option<PathBuf>,
    /// Address of a JSON Web Key Set that tokens are checked with; asked anew when a token names a new key
    #[arg(long, value_name = "URL", env = "SKAPI_RTC_JWKS_URL",
        conflicts_with_all = ["jwt_secret_file", "jwt_public_key_file", "jwt_jwks_file", "dev"])]
    jwt_jwks_url: Option<String>,
    /// Accept only tokens for this audience (`aud`)
    #[arg(long, value_name = "AUD", conflicts_with = "dev")]
    jwt_audience: Option<String>,
    /// Accept only tokens of this issuer (`iss`)
    #[arg(long, value_name = "ISS", conflicts_with = "dev")]
    jwt_issuer: Option<String>,
    /// By how much clocks may differ when tokens are checked
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = duration)]
    jwt_leeway: Duration,
}

impl KeyArgs {
    /// What checks tokens, and what clients that come back are known by where a secret was given for the
    /// tokens. With a project, tokens have to be for its service.
    pub(crate) async fn read(
        &self,
        project: Option<&Project>,
        output: &Output,
    ) -> Result<(JwtAuthenticator, Option<ResumeKey>), Failure> {
        let mut resume_key = None;
        let mut jwt = if let Some(path) = &self.jwt_public_key_file {
            from_file(path, JwtAuthenticator::public_key_pem)?
        } else if let Some(path) = &self.jwt_jwks_file {
            from_file(path, JwtAuthenticator::jwks)?
        } else if let Some(url) = &self.jwt_jwks_url {
            JwtAuthenticator::jwks_url(url).map_err(|error| Failure::new(Exit::Usage, error))?
        } else if let Some(secret) = self.secret.read(output)? {
            resume_key = Some(ResumeKey::from_secret(&secret).map_err(key_failure)?);
            JwtAuthenticator::hs256(&secret).map_err(key_failure)?
        } else {
            return Err(Failure::msg(
                Exit::Usage,
                "there is no way to check tokens; give --jwt-secret-file, SKAPI_RTC_JWT_SECRET, \
                 --jwt-public-key-file, --jwt-jwks-file or --jwt-jwks-url, or --dev to try things out",
            ));
        };
        jwt = jwt.leeway(self.jwt_leeway);
        if let Some(audience) = &self.jwt_audience {
            jwt = jwt.audience(audience);
        }
        if let Some(issuer) = &self.jwt_issuer {
            jwt = jwt.issuer(issuer);
        }
        if let Some(project) = project {
            jwt = jwt.service(&project.service);
        }
        if let Err(error) = jwt.load_keys().await {
            output.warning(&format!("{error}; it is tried again when a token comes"));
        }
        Ok((jwt, resume_key))
    }
}

pub(crate) fn key_failure(error: KeyError) -> Failure {
    Failure::new(Exit::File, error)
}

fn from_file(
    path: &std::path::Path,
    read: fn(&[u8]) -> Result<JwtAuthenticator, KeyError>,
) -> Result<JwtAuthenticator, Failure> {
    read(&read_file(path)?)
        .with_context(|| format!("cannot use {}", path.display()))
        .map_err(|error| Failure::new(Exit::File, error))
}
