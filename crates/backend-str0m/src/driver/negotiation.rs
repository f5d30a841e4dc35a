//! Offers and answers.
//!
//! ```text
//!            make_offer                    accept_offer
//!   Stable ─────────────► HaveLocalOffer  ┌────────────┐
//!     ▲                        │          │            │
//!     └────────────────────────┘          └─► Stable ──┘
//!       accept_answer, rollback
//! ```
//!
//! The engine forgets what was offered when another offer comes first. So nothing that the application
//! wants is ever put into an offer alone: an offer opens the way for data by a channel that nobody sees
//! (the *carrier*), and the application's channels are made once the way is open, whoever opened it. Tracks
//! are put into every offer until one of them is agreed on.

use skapi_rtc_backend::{
    MediaKind, NegotiationError, OfferOptions, PeerEvent, SignalingState, rtp,
};
use skapi_rtc_protocol::{SdpKind, SessionDescription};
use str0m::{
    RtcError,
    change::{SdpAnswer, SdpOffer, SdpPendingOffer},
    channel::ChannelConfig,
    media::{Direction, MediaKind as EngineKind},
};

use super::{Driver, sections::Attachment};
use crate::media::{finished, for_engine};

/// The carrier's stream id, and those of carriers whose offer came to nothing count down from it. Both
/// ends agree on such a channel without a word, so nothing of it is ever sent.
const FIRST_CARRIER: u16 = 65_534;
/// Offers that may come to nothing before data is negotiated.
const MAX_CARRIERS: u16 = 1024;
/// Bytes of the peer's ICE user: with ours and a colon they have to fit into 128, or the engine panics.
const MAX_USER: usize = 111;
/// Bytes of an ICE password (RFC 8839 §5.4).
const MAX_PASSWORD: usize = 256;
/// Sections that a description of the peer's can have.
const MAX_SECTIONS: usize = 256;
/// What a description says when it says nothing (RFC 8841 §6).
const DEFAULT_MAX_MESSAGE_SIZE: usize = 65_536;

#[derive(Default)]
pub(super) struct Negotiation {
    offer: Option<Offer>,
    /// The last description of ours that both sides agreed on.
    agreed: Option<String>,
    has_data: bool,
    carriers: u16,
    /// The application has been told that it should negotiate.
    asked_for: bool,
}

struct Offer {
    sdp: String,
    /// What the engine makes of the answer; nothing where nothing changes.
    pending: Option<SdpPendingOffer>,
    /// The tracks that it offers.
    tracks: Vec<Attachment>,
}

impl Negotiation {
    /// Whether channels can be made without a negotiation.
    pub(super) fn has_data(&self) -> bool {
        self.has_data
    }

    /// Whether an offer of ours waits for its answer.
    pub(super) fn is_offering(&self) -> bool {
        self.offer.is_some()
    }

    fn signaling_state(&self) -> SignalingState {
        if self.is_offering() { SignalingState::HaveLocalOffer } else { SignalingState::Stable }
    }

    pub(super) fn is_carrier(&self, id: u16) -> bool {
        id > FIRST_CARRIER - self.carriers
    }
}

impl Driver {
    /// Asks the application for a negotiation, once for all that waits for it.
    pub(super) fn want_negotiation(&mut self) {
        if !self.negotiation.asked_for {
            self.negotiation.asked_for = true;
            self.shared.emit(PeerEvent::NegotiationNeeded);
        }
    }

    pub(super) fn make_offer(
        &mut self,
        options: OfferOptions,
    ) -> Result<SessionDescription, NegotiationError> {
        self.check_alive()?;
        let restart = options.ice_restart && self.negotiation.agreed.is_some();
        if restart || self.negotiation.agreed.is_none() {
            self.gather_locals();
        }
        let carrier = (!self.negotiation.has_data).then(|| self.new_carrier()).transpose()?;
        let (mut tracks, new_tracks) = self.tracks.plan_offer();
        let harmless = self.harmless_change();
        let mut changes = self.rtc.sdp_api();
        if let Some(carrier) = carrier {
            changes.add_channel_with_config(carrier);
        }
        if restart {
            changes.ice_restart(true);
        }
        for local in new_tracks {
            let kind = engine_kind(local.outbound.kind());
            let section = changes.add_media(kind, Direction::SendRecv, None, None, None);
            tracks.push((local, section));
        }
        if let Some((section, other, now)) = harmless.filter(|_| !changes.has_changes()) {
            changes.set_direction(section, other);
            changes.set_direction(section, now);
        }
        let (sdp, pending) = match changes.apply() {
            Some((offer, pending)) => (offer.to_sdp_string(), Some(pending)),
            None => {
                let agreed = self.negotiation.agreed.as_deref().unwrap_or_default();
                (offered_again(agreed), None)
            }
        };
        let written = rtp::sections(&sdp);
        let sdp = finished(&sdp, |section| self.tracks.offered(section, &tracks, &written));
        let offer = Offer { sdp, pending, tracks };
        let description = SessionDescription::offer(offer.sdp.clone());
        self.negotiation.offer = Some(offer);
        self.gather_for(description.ice_ufrag().unwrap_or_default());
        Ok(description)
    }

    pub(super) fn accept_offer(
        &mut self,
        offer: &SessionDescription,
    ) -> Result<SessionDescription, NegotiationError> {
        self.check_alive()?;
        self.negotiation.signaling_state().check_offer(offer)?;
        let parsed = SdpOffer::from_sdp_string(&for_engine(&offer.sdp));
        let parsed = parsed.map_err(|error| bad(error.to_string()))?;
        check_whole(offer)?;
        let offered = rtp::sections(&offer.sdp);
        let tracks = self.tracks.plan_answer(&offered);
        self.renew_sources(&tracks);
        let user = offer.ice_ufrag();
        if self.remote_candidates.user() != user {
            self.gather_locals();
        }
        let answer = self.rtc.sdp_api().accept_offer(parsed).map_err(|error| refused(&error))?;
        let answer = finished(&answer.to_sdp_string(), |section| {
            self.tracks.answered(section, &tracks, &offered)
        });
        let answer = SessionDescription::answer(answer);
        self.agreed_on(answer.sdp.clone(), offer, &tracks);
        self.gather_for(answer.ice_ufrag().unwrap_or_default());
        Ok(answer)
    }

    pub(super) fn accept_answer(
        &mut self,
        answer: &SessionDescription,
    ) -> Result<(), NegotiationError> {
        self.check_alive()?;
        self.negotiation.signaling_state().check_answer(answer)?;
        if answer.kind == SdpKind::ProvisionalAnswer {
            let reason = "this engine takes no provisional answers";
            return Err(NegotiationError::wrong_state("accept an answer", reason));
        }
        let parsed = SdpAnswer::from_sdp_string(&for_engine(&answer.sdp));
        let parsed = parsed.map_err(|error| bad(error.to_string()))?;
        check_whole(answer)?;
        let Some(offer) = self.negotiation.offer.take() else { return Ok(()) };
        if let Some(pending) = offer.pending {
            let accepted = self.rtc.sdp_api().accept_answer(pending, parsed);
            accepted.map_err(|error| refused(&error))?;
        }
        self.leave_out_outdated();
        self.agreed_on(offer.sdp, answer, &offer.tracks);
        Ok(())
    }

    pub(super) fn rollback(&mut self) -> Result<(), NegotiationError> {
        if self.negotiation.offer.take().is_some() {
            self.negotiation.asked_for = false;
            self.want_what_is_left();
        }
        Ok(())
    }

    /// Asks for a negotiation if something still waits for one.
    fn want_what_is_left(&mut self) {
        if self.channels.are_wanted() || self.tracks.want_offer() {
            self.want_negotiation();
        }
    }

    /// Both descriptions are in place.
    fn agreed_on(&mut self, ours: String, theirs: &SessionDescription, tracks: &[Attachment]) {
        self.tracks.negotiated(tracks, &rtp::sections(&ours), rtp::sections(&theirs.sdp));
        self.negotiation.agreed = Some(ours);
        self.negotiation.asked_for = false;
        self.remote_user_is(theirs.ice_ufrag(), &theirs.sdp);
        if let Some(data) = data_section(&theirs.sdp) {
            self.shared.set_max_message_size(max_message_size(data));
            self.negotiation.has_data = true;
            self.make_wanted_channels();
        }
        self.want_what_is_left();
    }

    fn new_carrier(&mut self) -> Result<ChannelConfig, NegotiationError> {
        if self.negotiation.carriers >= MAX_CARRIERS {
            return Err(NegotiationError::Engine(format!(
                "{MAX_CARRIERS} offers came to nothing: close the connection and make another"
            )));
        }
        let id = FIRST_CARRIER - self.negotiation.carriers;
        self.negotiation.carriers += 1;
        Ok(ChannelConfig { negotiated: Some(id), ..ChannelConfig::default() })
    }

    fn check_alive(&self) -> Result<(), NegotiationError> {
        if self.rtc.is_alive() {
            return Ok(());
        }
        Err(NegotiationError::Engine("the peer has ended this connection: make another".to_owned()))
    }
}

/// What the engine needs of a description; where it finds something missing half way, it gives up the
/// whole connection.
fn check_whole(description: &SessionDescription) -> Result<(), NegotiationError> {
    for needed in ["m=", "a=ice-ufrag:", "a=ice-pwd:", "a=fingerprint:"] {
        if !description.sdp.lines().any(|line| line.starts_with(needed)) {
            return Err(bad(format!("it has no line {needed}")));
        }
    }
    for (name, value) in description.sdp.lines().filter_map(|line| line.split_once(':')) {
        let longest = match name {
            "a=ice-ufrag" => MAX_USER,
            "a=ice-pwd" => MAX_PASSWORD,
            _ => continue,
        };
        let value = value.trim_end();
        let is_good = |byte: u8| byte.is_ascii_alphanumeric() || b"+/-_=".contains(&byte);
        if value.len() > longest || !value.bytes().all(is_good) {
            return Err(bad(format!("{name} is not of at most {longest} letters and digits")));
        }
    }
    let sections = description.sdp.lines().filter(|line| line.starts_with("m=")).count();
    if sections > MAX_SECTIONS {
        return Err(bad(format!("it has {sections} sections, more than {MAX_SECTIONS}")));
    }
    Ok(())
}

fn engine_kind(kind: MediaKind) -> EngineKind {
    match kind {
        MediaKind::Audio => EngineKind::Audio,
        MediaKind::Video => EngineKind::Video,
    }
}

/// The section of the data channels, unless it was refused.
fn data_section(sdp: &str) -> Option<&str> {
    let start = sdp.find("m=application ")?;
    let section = &sdp[start..];
    let end = section[2..].find("\nm=").map_or(section.len(), |next| next + 2);
    let section = &section[..end];
    (!section.starts_with("m=application 0 ")).then_some(section)
}

/// The largest message that the peer accepts (RFC 8841 §6).
fn max_message_size(section: &str) -> usize {
    let said = section.lines().find_map(|line| line.trim().strip_prefix("a=max-message-size:"));
    match said.map(str::parse) {
        Some(Ok(0)) => super::super::config::MAX_MESSAGE_SIZE,
        Some(Ok(size)) => usize::min(size, super::super::config::MAX_MESSAGE_SIZE),
        _ => DEFAULT_MAX_MESSAGE_SIZE,
    }
}

/// A description that was agreed on, as an offer that changes nothing: its version goes up, and who
/// begins with DTLS is open again (RFC 8842 §5.5).
fn offered_again(agreed: &str) -> String {
    let mut offer = String::with_capacity(agreed.len());
    for line in agreed.lines() {
        if line.starts_with("a=setup:") {
            offer.push_str("a=setup:actpass");
        } else if let Some(newer) = newer_origin(line) {
            offer.push_str(&newer);
        } else {
            offer.push_str(line);
        }
        offer.push_str("\r\n");
    }
    offer
}

/// `o=<user> <session> <version> …` with the next version.
fn newer_origin(line: &str) -> Option<String> {
    let mut fields: Vec<String> = line.strip_prefix("o=")?.split(' ').map(str::to_owned).collect();
    let version = fields.get_mut(2)?;
    *version = (version.parse::<u64>().ok()?.wrapping_add(1)).to_string();
    Some(format!("o={}", fields.join(" ")))
}

fn bad(reason: String) -> NegotiationError {
    NegotiationError::BadDescription(reason)
}

fn refused(error: &RtcError) -> NegotiationError {
    bad(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SDP: &str = "v=0\r\no=- 12 7 IN IP4 0.0.0.0\r\ns=-\r\nm=audio 9 x 111\r\na=setup:active\r\n\
                       m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\na=setup:active\r\n\
                       a=max-message-size:1000\r\n";

    #[test]
    fn an_offer_that_changes_nothing_has_the_next_version_and_leaves_the_roles_open() {
        let offer = offered_again(SDP);
        assert!(offer.contains("o=- 12 8 IN IP4 0.0.0.0\r\n"), "{offer}");
        assert_eq!(offer.matches("a=setup:actpass\r\n").count(), 2, "{offer}");
        assert_eq!(offer.lines().count(), SDP.lines().count());
    }

    #[test]
    fn what_the_engine_cannot_take_for_credentials_is_refused() {
        let check = |user: &str, password: &str| {
            let ice = format!("a=ice-ufrag:{user}\r\na=ice-pwd:{password}\r\na=fingerprint:x\r\n");
            check_whole(&SessionDescription::offer(format!("{SDP}{ice}")))
        };
        assert_eq!(check("abcd", &"p".repeat(256)), Ok(()));
        assert_eq!(check(&"u".repeat(111), "a+/9"), Ok(()));
        for (user, password) in [
            (&*"u".repeat(112), "pass"),
            ("u", &*"p".repeat(257)),
            ("a b", "pass"),
            ("a\u{e4}", "p"),
        ] {
            let refused = check(user, password);
            assert!(matches!(refused, Err(NegotiationError::BadDescription(_))), "{refused:?}");
        }
    }

    #[test]
    fn the_data_section_is_found_and_its_limit_read() {
        let section = data_section(SDP).unwrap();
        assert!(section.starts_with("m=application"), "{section}");
        assert_eq!(max_message_size(section), 1000);
        assert_eq!(max_message_size("m=application 9\r\n"), DEFAULT_MAX_MESSAGE_SIZE);
        assert_eq!(max_message_size("m=\r\na=max-message-size:0"), 256 * 1024);
        assert_eq!(max_message_size("m=\r\na=max-message-size:9999999"), 256 * 1024);
        assert_eq!(data_section(&SDP.replace("m=application 9", "m=application 0")), None);
        assert_eq!(data_section("v=0\r\n"), None);
    }
}
