//! Which description an engine may take now, for every engine alike.

use skapi_rtc_protocol::{SdpKind, SessionDescription};

use crate::NegotiationError;

type Result = std::result::Result<(), NegotiationError>;

/// Where a negotiation stands: `RTCSignalingState` (W3C WebRTC §4.3.1) between two steps. As an offer of the
/// peer's is taken and answered in one step, no more states than these are seen.
///
/// ```text
///            make_offer                    accept_offer
///   Stable ─────────────► HaveLocalOffer  ┌────────────┐
///     ▲                        │          │            │
///     └────────────────────────┘          └─► Stable ──┘
///       accept_answer, rollback
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SignalingState {
    /// No offer is pending.
    #[default]
    Stable,
    /// An own offer waits for its answer.
    HaveLocalOffer,
}

impl SignalingState {
    /// Whether [`accept_offer`](crate::PeerConnection::accept_offer) may take this.
    ///
    /// # Errors
    /// [`NegotiationError::WrongState`] while an own offer is pending, and for what is not an offer.
    pub fn check_offer(self, offer: &SessionDescription) -> Result {
        let reason = match (self, offer.kind) {
            (Self::Stable, SdpKind::Offer) => return Ok(()),
            (Self::Stable, _) => "the description is not an offer",
            (Self::HaveLocalOffer, _) => "an own offer is pending: roll it back first",
        };
        Err(NegotiationError::wrong_state("accept an offer", reason))
    }

    /// Whether [`accept_answer`](crate::PeerConnection::accept_answer) may take this. Provisional answers may
    /// come too; an engine that does not know them refuses them itself.
    ///
    /// # Errors
    /// [`NegotiationError::WrongState`] when no own offer is pending, and for an offer.
    pub fn check_answer(self, answer: &SessionDescription) -> Result {
        let reason = match (self, answer.kind) {
            (Self::Stable, _) => "no own offer is pending",
            (Self::HaveLocalOffer, SdpKind::Offer) => "the description is an offer",
            (Self::HaveLocalOffer, _) => return Ok(()),
        };
        Err(NegotiationError::wrong_state("accept an answer", reason))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_offer_is_taken_in_peace_and_an_answer_to_an_offer() {
        use SignalingState::{HaveLocalOffer, Stable};
        let accepted = |state: SignalingState, kind| {
            let description = SessionDescription { kind, sdp: String::new() };
            (state.check_offer(&description).is_ok(), state.check_answer(&description).is_ok())
        };
        assert_eq!(accepted(Stable, SdpKind::Offer), (true, false));
        assert_eq!(accepted(Stable, SdpKind::Answer), (false, false));
        assert_eq!(accepted(Stable, SdpKind::ProvisionalAnswer), (false, false));
        assert_eq!(accepted(HaveLocalOffer, SdpKind::Offer), (false, false));
        assert_eq!(accepted(HaveLocalOffer, SdpKind::Answer), (false, true));
        assert_eq!(accepted(HaveLocalOffer, SdpKind::ProvisionalAnswer), (false, true));
    }
}
