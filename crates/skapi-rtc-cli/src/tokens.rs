//! Who a command is at the service: where its token comes from, also when it has to connect again.

use std::{path::PathBuf, sync::Mutex};

use anyhow::Context as _;
use async_trait::async_trait;
use skapi_rtc::{TokenError, TokenProvider, UserId};

use crate::{
    connect::ConnectArgs,
    dev_token,
    exit::{Exit, Failure},
    secret::read_file,
};

/// The environment variable that may hold the token.
const VARIABLE: &str = "SKAPI_RTC_TOKEN";

/// A source of tokens. It is asked at every connect, so a file may be renewed meanwhile, and a dev service
/// may have been restarted with another secret.
pub(crate) struct Tokens {
    source: Source,
    /// The first token was had before, so that what is wrong with it shows at once.
    first: Mutex<Option<String>>,
}

enum Source {
    Fixed(String),
    File(PathBuf),
    Dev { server: String, user: UserId },
}

impl Tokens {
    pub(crate) async fn new(args: &ConnectArgs) -> Result<Self, Failure> {
        let source = match (&args.dev_user, &args.token_file) {
            (Some(user), _) => Source::Dev { server: args.server.clone(), user: user.clone() },
            (None, Some(path)) => Source::File(path.clone()),
            (None, None) => Source::Fixed(std::env::var(VARIABLE).map_err(|_| {
                Failure::msg(
                    Exit::Usage,
                    format!(
                        "who are you? give --token-file or {VARIABLE} (make a token with \
                         `skapi-rtc token`), or --dev-user NAME with a service that runs with --dev"
                    ),
                )
            })?),
        };
        let first = source.token().await?;
        Ok(Self { source, first: Mutex::new(Some(first)) })
    }
}

#[async_trait]
impl TokenProvider for Tokens {
    async fn token(&self) -> Result<String, TokenError> {
        let first = self.first.lock().map(|mut first| first.take()).unwrap_or_default();
        match first {
            Some(token) => Ok(token),
            None => self.source.token().await.map_err(|failure| TokenError(failure.to_string())),
        }
    }
}

impl Source {
    async fn token(&self) -> Result<String, Failure> {
        match self {
            Self::Fixed(token) => Ok(token.clone()),
            Self::Dev { server, user } => dev_token::fetch(server, user).await,
            Self::File(path) => {
                let text = String::from_utf8(read_file(path)?)
                    .with_context(|| format!("{} holds no token", path.display()))
                    .map_err(|error| Failure::new(Exit::File, error))?;
                Ok(text.trim().to_owned())
            }
        }
    }
}
