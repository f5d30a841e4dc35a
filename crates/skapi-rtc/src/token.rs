//! Who we are: the token that the service checks, asked for anew at every connect.

use std::{fmt::Debug, sync::Arc, time::Duration};

use async_trait::async_trait;
use skapi_rtc_backend::{MaybeSend, MaybeSync};

use crate::runtime;

/// How long a provider may take.
const TIMEOUT: Duration = Duration::from_secs(30);

/// A token could not be had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no token: {0}")]
pub struct TokenError(pub String);

/// Gives the token for each connect and reconnect, so that one that has expired can be renewed.
#[cfg_attr(not(target_arch = "wasm32"), async_trait)]
#[cfg_attr(target_arch = "wasm32", async_trait(?Send))]
pub trait TokenProvider: MaybeSend + MaybeSync + 'static {
    /// The token to use now. A provider that takes longer than 30 s counts as one that has none.
    ///
    /// # Errors
    /// When there is none; the connect then fails, and a reconnect is tried again later.
    async fn token(&self) -> Result<String, TokenError>;
}

/// A token that does not change.
#[cfg_attr(not(target_arch = "wasm32"), async_trait)]
#[cfg_attr(target_arch = "wasm32", async_trait(?Send))]
impl TokenProvider for String {
    async fn token(&self) -> Result<String, TokenError> {
        Ok(self.clone())
    }
}

/// Any provider, in the form in which options hold it.
#[derive(Clone)]
pub(crate) struct Tokens(pub(crate) Arc<dyn TokenProvider>);

impl Tokens {
    /// Asks the provider, for a limited time.
    pub(crate) async fn get(&self) -> Result<String, TokenError> {
        let late = || TokenError(format!("its provider took more than {} s", TIMEOUT.as_secs()));
        runtime::within(TIMEOUT, self.0.token()).await.unwrap_or_else(|| Err(late()))
    }
}

impl Debug for Tokens {
    /// Nothing of the token.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Tokens")
    }
}
