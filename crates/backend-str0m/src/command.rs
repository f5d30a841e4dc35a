//! What a peer connection asks of its driver.

use std::sync::Arc;

use skapi_rtc_backend::{
    ChannelError, ChannelHandle, ChannelInit, LocalTrack, MediaError, NegotiationError,
    OfferOptions, PeerStats,
};
use skapi_rtc_protocol::{IceCandidate, SessionDescription};
use tokio::sync::oneshot;

use crate::{media::Local, servers::Servers};

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
    AddTrack {
        local: Arc<Local>,
        track: Arc<dyn LocalTrack>,
        reply: Reply<Result<(), MediaError>>,
    },
    RemoveTrack(Arc<dyn LocalTrack>, Reply<Result<(), MediaError>>),
    Stats(Reply<PeerStats>),
}
