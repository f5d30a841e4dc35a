//! The WebSocket endpoint: `GET /ws?token=…`.

mod close;
mod outbox;
mod session;

use std::{
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use axum::{
    extract::{Query, State, WebSocketUpgrade, ws::rejection::WebSocketUpgradeRejection},
    http::StatusCode,
    response::{IntoResponse as _, Response},
};
use serde::Deserialize;
use skapi_rtc_protocol::{ConnectionId, Ready, Resumed, ServerFrame, ServerLimits, UserId};

pub use close::CloseReason;
pub(crate) use outbox::{Outbox, OutboxLimits, Pushed};

use crate::{
    admission::Admitted,
    http::{ApiError, authenticate},
    hub::ConnectError,
    random,
    router::{Entry, Refused, SeatRef},
    shared::{Shared, lock},
};

/// Read buffer of a connection, in bytes; allocated as long as the connection lives, so it is most of
/// what an idle one costs.
const READ_BUFFER: usize = 4 * 1024;
/// Frames are gathered up to this many bytes before they are written.
const WRITE_BUFFER: usize = 16 * 1024;
/// A `%` is six bytes when it is escaped, and that is the most that a content grows.
const ESCAPED_GROWTH: usize = 6;
/// What stands around the content of a frame, in bytes: ids, keys.
const AROUND_CONTENT: usize = 8 * 1024;

#[derive(Deserialize)]
pub(crate) struct SocketQuery {
    token: Option<String>,
    resume: Option<String>,
    received: Option<String>,
}

/// Refusals are HTTP answers before the upgrade, so that programs can read them. A browser shows its page
/// only that the connection failed.
pub(crate) async fn open(
    State(shared): State<Arc<Shared>>,
    Query(query): Query<SocketQuery>,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response, ApiError> {
    let upgrade = upgrade.map_err(|_| {
        ApiError::new(
            StatusCode::UPGRADE_REQUIRED,
            "UPGRADE_REQUIRED",
            "this address speaks WebSocket; connect with `ws://…/ws?token=…`",
        )
    })?;
    let identity = authenticate(&shared, query.token.as_deref()).await?;
    admit(&shared).await?;
    let seat = Seat::take(shared.clone(), &identity.user, &query).map_err(|refused| {
        shared.metrics.refused_total.add(1);
        refusal(refused)
    })?;
    let max_write = shared.config.max_frame_bytes.saturating_mul(ESCAPED_GROWTH)
        + AROUND_CONTENT
        + WRITE_BUFFER;
    let max_message = shared.config.max_transport_bytes();
    let response = upgrade
        .read_buffer_size(READ_BUFFER)
        .write_buffer_size(WRITE_BUFFER)
        .max_write_buffer_size(max_write)
        .max_message_size(max_message)
        .max_frame_size(max_message)
        .on_upgrade(move |socket| {
            let tasks = shared.tasks.clone();
            tasks.track_future(session::run(socket, seat))
        });
    Ok(response.into_response())
}

/// Waits for the client's turn, if that comes soon.
async fn admit(shared: &Shared) -> Result<(), ApiError> {
    let admitted = lock(&shared.admission).ask(Instant::now());
    match admitted {
        Admitted::After(Duration::ZERO) => Ok(()),
        Admitted::After(wait) => {
            tokio::time::sleep(wait).await;
            Ok(())
        }
        Admitted::SentAway { retry_after } => {
            shared.metrics.sent_away_total.add(1);
            Err(ApiError::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "OVERLOADED",
                "too many clients come at once; try again later",
            )
            .retry_after(retry_after.as_secs() + 1))
        }
    }
}

/// A connection's place in the hub; leaves it when dropped, whatever ended the connection.
pub(crate) struct Seat {
    cid: ConnectionId,
    outbox: Arc<Outbox>,
    shared: Arc<Shared>,
    /// Whether this is the connection's end, and not only its socket's.
    goodbye: bool,
}

impl Seat {
    fn take(shared: Arc<Shared>, user: &UserId, query: &SocketQuery) -> Result<Self, Refused> {
        let outbox = Arc::new(Outbox::new(shared.config.outbox_limits()));
        let connect = |cid: &ConnectionId, entry| {
            let greeting = |resumed, life| greeting(&shared, cid, user, life, resumed);
            shared.router.connect(cid, user, entry, &outbox, greeting)
        };
        let own = query.resumes(&shared, user);
        let resumed = own.and_then(|(cid, entry)| {
            match connect(&cid, entry) {
                // Not its own after all; nothing was changed.
                Err(Refused::Limit(ConnectError::IdTaken)) => None,
                result => Some(result.map(|()| cid)),
            }
        });
        let cid = match resumed {
            Some(cid) => cid?,
            None => {
                let cid = random::connection_id();
                connect(&cid, query.entry(&shared))?;
                cid
            }
        };
        shared.metrics.connections_total.add(1);
        Ok(Self { cid, outbox, shared, goodbye: false })
    }

    fn place(&self) -> SeatRef<'_> {
        SeatRef { cid: &self.cid, outbox: &self.outbox }
    }

    /// Leaves for good: nobody will come back.
    fn say_goodbye(&mut self) {
        self.goodbye = true;
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.shared.router.leave(self.place(), self.goodbye);
    }
}

impl SocketQuery {
    /// Which connection the client wants back, if it is its own, and from where on.
    fn resumes(&self, shared: &Shared, user: &UserId) -> Option<(ConnectionId, Entry)> {
        let secret = self.resume.as_deref().filter(|secret| !secret.is_empty())?;
        let (cid, life) = shared.resume_key.honour(secret, user, SystemTime::now())?;
        let received = self.received.as_deref().and_then(|n| n.parse().ok()).unwrap_or(0);
        Some((cid, Entry::Resume { life, received }))
    }

    fn entry(&self, shared: &Shared) -> Entry {
        let offered = !shared.config.hub.resume.window.is_zero();
        if self.resume.is_some() && offered { Entry::Resumable } else { Entry::New }
    }
}

fn greeting(
    shared: &Shared,
    cid: &ConnectionId,
    user: &UserId,
    life: Option<u64>,
    resumed: Option<Resumed>,
) -> ServerFrame {
    let config = &shared.config;
    let mut limits = ServerLimits::default();
    limits.max_frame_bytes = config.max_frame_bytes;
    let mut ready = Ready::new(cid.clone(), user.clone());
    ready.resume = life.map(|life| {
        let (now, good_for) = (SystemTime::now(), config.resume_secret_life);
        shared.resume_key.issue(cid, life, user, now, good_for)
    });
    ready.resumed = resumed;
    ready.ice_servers = config.ice_servers.clone();
    ready.limits = limits;
    ready.server = concat!("skapi-rtc/", env!("CARGO_PKG_VERSION")).to_owned();
    ServerFrame::Ready(ready)
}

fn refusal(refused: Refused) -> ApiError {
    const RETRY_AFTER_SECS: u64 = 5;
    match refused {
        Refused::Limit(error @ ConnectError::TooManyOfUser { .. }) => {
            ApiError::new(StatusCode::TOO_MANY_REQUESTS, "TOO_MANY_CONNECTIONS", error.to_string())
                .retry_after(RETRY_AFTER_SECS)
        }
        Refused::Limit(error) => {
            ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "SERVICE_FULL", error.to_string())
                .retry_after(RETRY_AFTER_SECS)
        }
        Refused::Stopping => ApiError::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "GOING_AWAY",
            "the service is going away; try again",
        )
        .retry_after(1),
    }
}
