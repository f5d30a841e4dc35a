//! Who the page says it is, asked for anew at every connect.

use async_trait::async_trait;
use js_sys::{Function, Promise};
use skapi_rtc::{TokenError, TokenProvider};
use wasm_bindgen::JsValue;
use wasm_bindgen_futures::JsFuture;

use crate::object::text;

/// A function of the page that gives the token, or a promise of it.
pub(crate) struct PageTokens(pub(crate) Function);

#[async_trait(?Send)]
impl TokenProvider for PageTokens {
    async fn token(&self) -> Result<String, TokenError> {
        let why = |error: JsValue| {
            TokenError(text(&error, "message").unwrap_or_else(|| "the page has none".to_owned()))
        };
        let given = self.0.call0(&JsValue::NULL).map_err(why)?;
        let token = JsFuture::from(Promise::resolve(&given)).await.map_err(why)?;
        token.as_string().ok_or_else(|| TokenError("the page has none".to_owned()))
    }
}
