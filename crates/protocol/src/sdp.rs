//! Session descriptions, ICE candidates and ICE servers, in the field names of the web platform.

use serde::{Deserialize, Serialize};

use crate::ready::hidden;

/// What a session description is: `RTCSdpType` without `rollback`, which never travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SdpKind {
    /// Opens a negotiation.
    Offer,
    /// Ends a negotiation.
    Answer,
    /// Answers without ending the negotiation; no client known to us sends it.
    #[serde(rename = "pranswer")]
    ProvisionalAnswer,
}

/// An offer or an answer: `RTCSessionDescriptionInit` (W3C WebRTC §4.6.1).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionDescription {
    /// Whether it offers or answers.
    #[serde(rename = "type")]
    pub kind: SdpKind,
    /// The description itself, in SDP (RFC 8866).
    pub sdp: String,
}

impl SessionDescription {
    /// An offer with this SDP.
    pub fn offer(sdp: impl Into<String>) -> Self {
        Self { kind: SdpKind::Offer, sdp: sdp.into() }
    }

    /// An answer with this SDP.
    pub fn answer(sdp: impl Into<String>) -> Self {
        Self { kind: SdpKind::Answer, sdp: sdp.into() }
    }

    /// The ICE user name fragment of the description (RFC 8839 §5.4): the first `a=ice-ufrag` line.
    ///
    /// A candidate that names another fragment belongs to another negotiation.
    pub fn ice_ufrag(&self) -> Option<&str> {
        self.sdp.lines().find_map(|line| line.strip_prefix("a=ice-ufrag:")).map(str::trim)
    }
}

/// One way to reach a peer: `RTCIceCandidateInit` (W3C WebRTC §4.8.1).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct IceCandidate {
    /// The `candidate-attribute` of RFC 8839 §5.1; empty for the end of candidates.
    pub candidate: String,
    /// The media section's `mid`. Chromium and webrtc-rs differ in what they fill in, so readers fall
    /// back on [`sdp_m_line_index`](Self::sdp_m_line_index).
    #[serde(default)]
    pub sdp_mid: Option<String>,
    /// The media section's index, counted from 0.
    #[serde(default, rename = "sdpMLineIndex")]
    pub sdp_m_line_index: Option<u16>,
    /// The ICE user name fragment the candidate belongs to, where the engine tells it.
    #[serde(default)]
    pub username_fragment: Option<String>,
}

impl IceCandidate {
    /// Whether this is the mark that no further candidate follows.
    pub fn is_end_of_candidates(&self) -> bool {
        self.candidate.is_empty()
    }
}

/// A STUN or TURN server: `RTCIceServer` (W3C WebRTC §4.2.4).
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct IceServer {
    /// `stun:`, `turn:` or `turns:` URLs of one server.
    pub urls: Vec<String>,
    /// The TURN user name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// The TURN password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credential: Option<String>,
}

impl std::fmt::Debug for IceServer {
    /// Leaves the credential out: configurations end up in logs.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("IceServer")
            .field("urls", &self.urls)
            .field("username", &self.username)
            .field("credential", &hidden(&self.credential))
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ice_ufrag_is_read_from_the_sdp() {
        let offer = SessionDescription::offer("v=0\r\na=ice-ufrag:abcd \r\na=ice-pwd:x\r\n");
        assert_eq!(offer.ice_ufrag(), Some("abcd"));
        assert_eq!(SessionDescription::answer("v=0\r\n").ice_ufrag(), None);
    }

    #[test]
    fn debug_output_hides_the_turn_password() {
        let server = IceServer {
            urls: vec!["turn:turn.example".into()],
            username: Some("u".into()),
            credential: Some("s3cret".into()),
        };
        assert!(!format!("{server:?}").contains("s3cret"));
    }
}
