//! Both ends came back under other connection ids: whoever sees the other come into the group greets it.
//!
//! A service that was started again without its key gives everybody a new id. One end alone that has a new one
//! tells the other, whose id it knows; when both have, neither does. But who was in a group comes back to it, and
//! the notice of that says which user has which connection now. So a `hello` with the call's key goes there: the
//! right end knows the key and answers, another device of the user has no such call and is silent.

use skapi_rtc_protocol::{Capability, ClientFrame, ConnectionId, RtcSignal, UserId};

use super::{Calls, Ctx, call::Call};

impl Calls {
    /// A user has come into our group by this connection.
    pub(crate) fn on_joined(&mut self, user: &UserId, from: &ConnectionId, ctx: &mut Ctx<'_>) {
        if self.by_peer.contains_key(from) {
            return; // it is the peer of a call, and known
        }
        for call in self.calls.values_mut().filter(|call| call.misses(user)) {
            call.greet(from, ctx);
        }
    }
}

impl Call {
    /// The peer may have another connection than we know.
    pub(super) fn lose_sight_of_peer(&mut self) {
        self.peer_out_of_sight = true;
    }

    /// Somebody looks for the peer of this call, and has found us.
    pub(super) fn on_hello(&mut self, ctx: &mut Ctx<'_>) {
        if self.outlives_link() {
            self.send(RtcSignal::None, ctx);
        }
    }

    fn misses(&self, user: &UserId) -> bool {
        self.peer_out_of_sight
            && self.key.is_some()
            && self.user.as_ref() == Some(user)
            && self.peer_can(&Capability::Hello)
            && self.outlives_link()
    }

    fn greet(&mut self, to: &ConnectionId, ctx: &mut Ctx<'_>) {
        let mut content = self.content(RtcSignal::Hello, ctx.config);
        self.delivery.stamp(&mut content, ctx.now);
        ctx.out.send(ClientFrame::Rtc {
            to: to.clone(),
            content: content.encode(),
            token: None,
            reference: None,
        });
    }
}
