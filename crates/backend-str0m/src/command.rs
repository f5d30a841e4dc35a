//! What a peer connection asks of its driver.

use skapi_rtc_backend::{
    ChannelError, ChannelHandle, ChannelInit, NegotiationError, OfferOptions, PeerStats,
};
use skapi_rtc_protocol::{IceCandidate, SessionDescription};
use tokio::sync::oneshot;

use crate::servers::Servers;

pub(crate) type Reply<T> = oneshot::Sender<T>;

pub(crate) enum Command {
    SetServers(Servers, Reply<()>),
    MakeOffer(OfferOptions, Reply<Result<SessionDescription, NegotiationError>>),
    AcceptOffer(SessionDescription, Reply<Result<SessionDescription, NegotiationError>>),
    AcceptAnswer(SessionDescription, Reply<Result<(), NegotiationError>>),
    Rollback(Reply<Result<(), NegotiationError>>),
    AddCandidate(IceCandidate, Reply<Result<(), NegotiationError>>),
    CreateChannel {
        label: String,
        init: ChannelInit,
        reply: Reply<Result<ChannelHandle, ChannelError>>,
    },
    Stats(Reply<PeerStats>),
}
