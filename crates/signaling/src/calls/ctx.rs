//! What a call's steps need from their surroundings.

use std::time::Duration;

use skapi_rtc_protocol::{IceServer, Ready, RequestRef};

use crate::{
    Config, Instant,
    outbox::Outbox,
    requests::{Purpose, Requests},
    rng::Rng,
};

/// What a call's steps need from their surroundings.
pub(crate) struct Ctx<'a> {
    pub(crate) now: Instant,
    pub(crate) config: &'a Config,
    pub(crate) out: &'a mut Outbox,
    pub(crate) requests: &'a mut Requests,
    pub(crate) rng: &'a mut Rng,
    /// What the service said about us, if it greets.
    pub(crate) own: Option<&'a Ready>,
    /// The service answers requests.
    pub(crate) answers: bool,
    /// For how long our link to it has been lost, if it is.
    pub(crate) link_lost_for: Option<Duration>,
}

impl Ctx<'_> {
    /// Who we are, for a peer to read. Never empty: Skapi's client takes a `pickup` or `hungup` with an
    /// empty text for one that is not there.
    pub(super) fn own_user(&self) -> String {
        self.own.map_or_else(|| "unknown".to_owned(), |ready| ready.user_id.as_str().to_owned())
    }

    pub(super) fn ice_servers(&self) -> Vec<IceServer> {
        let of_service = self.own.map_or(&[][..], |ready| &ready.ice_servers);
        self.config.ice_servers.iter().chain(of_service).cloned().collect()
    }

    pub(super) fn open_request(&mut self, purpose: Purpose) -> Option<RequestRef> {
        self.requests.open(purpose, self.now, self.config.request_timeout)
    }
}
