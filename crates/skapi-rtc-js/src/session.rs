//! What `js/skapi.js` calls: a session with the service, and queries.

use std::rc::Rc;

use js_sys::Function;
use skapi_rtc::{
    ConnectOptions, Endpoint, GroupName, HandoverPolicy, Json, Realtime, Recipient, UserId,
    connect_realtime,
    transport::{Transport as _, WebSocketTransport},
};
use wasm_bindgen::{JsValue, prelude::wasm_bindgen};
use wasm_bindgen_futures::spawn_local;

use crate::{
    calls::{Calls, function},
    fault::{self, INVALID_PARAMETER, fault},
    media::Media,
    news,
    object::{get, text},
    page_call::{PageCall, call_page},
    params,
    tokens::PageTokens,
};

/// A connected session.
#[wasm_bindgen]
pub struct Session {
    realtime: Realtime,
    calls: Rc<Calls>,
}

/// Connects: `config` has `socket` and `api` (addresses), `token` (a function), `service` and `owner`.
///
/// # Errors
/// When the first attempt fails.
#[wasm_bindgen]
pub async fn connect(config: JsValue, callback: Function) -> Result<Session, JsValue> {
    let token = function(get(&config, "token"))?;
    let options = ConnectOptions::with_endpoint(endpoint(&config)?, PageTokens(token))
        // A page holds the connection of its call, and would not see another one.
        .handover(HandoverPolicy::Refuse)
        .project(named(&config, "service")?, named(&config, "owner")?);
    let (realtime, mut events) =
        connect_realtime(options).await.map_err(|error| fault::of_connect(&error))?;
    let calls = Calls::new(callback.clone());
    let news = calls.clone();
    spawn_local(async move {
        while let Some(event) = events.next().await {
            for event in news::events(event, &news) {
                call_page(&callback, &event);
            }
        }
    });
    Ok(Session { realtime, calls })
}

/// Posts a query to the service (a JSON text), and gives its answer as text.
///
/// # Errors
/// When the service cannot be reached or refuses.
#[wasm_bindgen]
pub async fn query(
    config: JsValue,
    token: String,
    path: String,
    body: String,
) -> Result<String, JsValue> {
    let endpoint = endpoint(&config)?;
    let transport = WebSocketTransport::new();
    let answer = transport.query(&endpoint, &token, &path, body).await;
    answer.map_err(|error| fault::of_query(&error))
}

#[wasm_bindgen]
impl Session {
    /// The connection's own id, as pages write it; none while there is no connection.
    #[wasm_bindgen(getter)]
    pub fn cid(&self) -> Option<String> {
        self.realtime.cid().as_ref().map(params::page_cid)
    }

    /// Joins a group, or leaves it.
    ///
    /// # Errors
    /// When the service refuses, or does not answer.
    pub async fn join(&self, group: Option<String>) -> Result<(), JsValue> {
        let realtime = self.realtime.clone();
        let done = match group {
            Some(group) => {
                let group = GroupName::new(group)
                    .map_err(|error| fault(INVALID_PARAMETER, &error.to_string()))?;
                realtime.join_realtime(group).await
            }
            None => realtime.leave_realtime().await,
        };
        done.map_err(|error| fault::of_post(&error))
    }

    /// Posts a JSON text to a user, or to the joined group.
    ///
    /// # Errors
    /// Without a connection or a group, when the post is too large, or when the service refuses it.
    pub async fn post(&self, content: String, user: Option<String>) -> Result<(), JsValue> {
        let realtime = self.realtime.clone();
        let invalid = |error: &dyn std::error::Error| fault(INVALID_PARAMETER, &error.to_string());
        let content = Json::new(content).map_err(|error| invalid(&error))?;
        let to = match user {
            Some(user) => Recipient::User(UserId::new(user).map_err(|error| invalid(&error))?),
            None => Recipient::Group,
        };
        realtime.post_realtime(to, &content).await.map_err(|error| fault::of_post(&error))
    }

    /// Calls a connection: `RTCConnector`.
    ///
    /// # Errors
    /// When the parameters cannot be used, the user refuses camera or microphone, there is no connection to
    /// the service, or a call with this connection already.
    pub async fn call(&self, params: JsValue, callback: JsValue) -> Result<JsValue, JsValue> {
        let (realtime, calls) = (self.realtime.clone(), self.calls.clone());
        let callback = function(callback)?;
        let cid = params::cid(&params)?;
        let options = params::call_options(&params)?;
        let media = Media::of(&get(&params, "media")).await?;
        let page_cid = params::page_cid(&cid);
        let call = PageCall::new(page_cid, callback, media.clone(), get(&params, "ice"));
        let placed = realtime.connect_rtc(cid, options.on_connection(call.hook())).await;
        let outgoing = placed.map_err(|error| {
            if let Some(media) = media {
                media.stop();
            }
            fault::of_place(&error)
        })?;
        Ok(calls.placed(outgoing, call))
    }

    /// Hangs up the calls with a connection, or all.
    #[wasm_bindgen(js_name = hangUp)]
    pub fn hang_up(&self, cid: Option<String>) {
        self.calls.hang_up(cid.as_deref());
    }

    /// Hangs up every call and closes the session.
    pub async fn close(&self) {
        let (realtime, calls) = (self.realtime.clone(), self.calls.clone());
        calls.hang_up(None);
        realtime.close_realtime().await;
    }
}

fn endpoint(config: &JsValue) -> Result<Endpoint, JsValue> {
    Endpoint::with_parts(&named(config, "socket")?, &named(config, "api")?)
        .map_err(|error| fault(INVALID_PARAMETER, &error.to_string()))
}

fn named(config: &JsValue, name: &str) -> Result<String, JsValue> {
    text(config, name)
        .ok_or_else(|| fault(INVALID_PARAMETER, &format!("\"{name}\" should be a text.")))
}
