//! Which of our tracks is in which section of the descriptions.
//!
//! As with channels, nothing that the application wants is ever put into an offer alone: a track belongs to
//! a section only once both descriptions are in place, and is offered again when an offer came to nothing.

use std::{collections::HashSet, sync::Arc};

use skapi_rtc_backend::{
    LocalTrack, MediaError, MediaKind,
    rtp::{PayloadTypes, Section, agreed, payload_types},
};
use str0m::media::{Direction, Mid};

use super::{Driver, hearing::Receivers, sending::Sender};
use crate::media::{Local, Wanted};

/// Tracks of ours that a connection can have at a time.
const MAX_TRACKS: usize = 128;

/// A track and the section that it is about to belong to.
pub(super) type Attachment = (Arc<Local>, Mid);

#[derive(Default)]
pub(super) struct Tracks {
    pub(super) senders: Vec<Sender>,
    pub(super) receivers: Receivers,
    /// What the peer's last description says.
    theirs: Vec<Section>,
    /// What payload types mean in packets to us.
    pub(super) payload_types: PayloadTypes,
    /// Sections that one of our tracks was in.
    used: HashSet<Mid>,
    connected: bool,
    /// Tracks with something to send for which there was no room on the network.
    pub(super) waiting: Vec<Arc<Local>>,
}

impl Tracks {
    /// Whether a track waits for an offer of ours.
    pub(super) fn want_offer(&self) -> bool {
        self.unattached().any(|local| !local.outbound.init().answer_only)
    }

    fn unattached(&self) -> impl Iterator<Item = &Arc<Local>> {
        self.senders.iter().filter(|sender| sender.section.is_none()).map(|sender| &sender.local)
    }

    fn is_free(&self, section: Mid) -> bool {
        !self.senders.iter().any(|sender| sender.section == Some(section))
    }

    /// Sections that are there already and that tracks can join with an offer, and the tracks that need
    /// new ones.
    pub(super) fn plan_offer(&self) -> (Vec<Attachment>, Vec<Arc<Local>>) {
        let mut free: Vec<_> = self
            .theirs
            .iter()
            .filter(|section| section.sends || section.receives)
            .filter(|section| {
                let mid = mid(section);
                // A track that comes in the place of another would pass for it.
                self.is_free(mid) && !self.used.contains(&mid)
            })
            .collect();
        let (mut joining, mut new) = (Vec::new(), Vec::new());
        for local in self.unattached().filter(|local| !local.outbound.init().answer_only) {
            match take_fitting(&mut free, local) {
                Some(section) => joining.push((local.clone(), section)),
                None => new.push(local.clone()),
            }
        }
        (joining, new)
    }

    /// The tracks that join what the peer offers.
    pub(super) fn plan_answer(&self, offered: &[Section]) -> Vec<Attachment> {
        let mut free: Vec<_> = offered
            .iter()
            .filter(|section| section.receives && self.is_free(mid(section)))
            .collect();
        let join = |local: &Arc<Local>| Some((local.clone(), take_fitting(&mut free, local)?));
        self.unattached().filter_map(join).collect()
    }

    /// What a section of an offer is to say: the codecs of its track first.
    pub(super) fn offered(&self, name: &str, plan: &[Attachment], written: &[Section]) -> Wanted {
        let Some(local) = self.track_in(Mid::from(name), plan) else {
            return Wanted { receives: true, ..Wanted::default() };
        };
        let section = written.iter().find(|section| section.mid == name);
        let formats = section.map_or(&[][..], |section| &section.formats);
        let codecs = &local.outbound.init().codecs;
        let of_codec = |wanted| formats.iter().filter(move |format| format.1 == wanted);
        let order = codecs.iter().flat_map(|codec| of_codec(*codec)).map(|format| format.0);
        Wanted { sends: Some(ids(local)), receives: true, order: order.collect() }
    }

    /// What a section of an answer is to say: nothing that the offer does not take, and nothing that
    /// nobody sends (RFC 9429 §5.3.1).
    pub(super) fn answered(&self, name: &str, plan: &[Attachment], offered: &[Section]) -> Wanted {
        let Some(theirs) = offered.iter().find(|section| section.mid == name) else {
            return Wanted::default();
        };
        let local = self.track_in(Mid::from(name), plan).filter(|_| theirs.receives);
        let order = theirs.formats.iter().map(|format| format.0).collect();
        Wanted { sends: local.map(|local| ids(local)), receives: theirs.sends, order }
    }

    fn track_in<'a>(&'a self, section: Mid, plan: &'a [Attachment]) -> Option<&'a Arc<Local>> {
        let planned = plan.iter().find(|(_, mid)| *mid == section).map(|(local, _)| local);
        let attached = || self.senders.iter().find(|sender| sender.section == Some(section));
        planned.or_else(|| attached().map(|sender| &sender.local))
    }

    /// Both descriptions are in place.
    pub(super) fn negotiated(
        &mut self,
        plan: &[Attachment],
        ours: &[Section],
        theirs: Vec<Section>,
    ) {
        for (local, section) in plan {
            // Unless it was removed in the meantime.
            if let Some(sender) = self.senders.iter_mut().find(|s| Arc::ptr_eq(&s.local, local)) {
                sender.section = Some(*section);
            }
            self.used.insert(*section);
        }
        for sender in &self.senders {
            let Some(section) = sender.section else { continue };
            let find = |all: &[Section]| all.iter().position(|one| mid(one) == section);
            let formats = match (find(ours), find(&theirs)) {
                (Some(own), Some(peers)) => agreed(&ours[own], &theirs[peers]),
                _ => Vec::new(),
            };
            sender.local.outbound.negotiated(formats);
        }
        self.payload_types.extend(payload_types(ours));
        self.receivers.negotiated(ours, &theirs);
        self.theirs = theirs;
    }

    /// Media flow from now on.
    pub(super) fn connected(&mut self) {
        self.connected = true;
        self.senders.iter().for_each(|sender| sender.local.outbound.connected());
    }

    pub(super) fn end_all(&mut self) {
        for sender in std::mem::take(&mut self.senders) {
            sender.local.end();
        }
        self.receivers = Receivers::default();
        self.waiting.clear();
    }
}

impl Driver {
    pub(super) fn add_track(
        &mut self,
        local: Arc<Local>,
        track: Arc<dyn LocalTrack>,
    ) -> Result<(), MediaError> {
        if !self.rtc.is_alive() {
            return Err(MediaError::Closed);
        }
        if self.tracks.senders.len() >= MAX_TRACKS {
            return Err(MediaError::Engine(format!(
                "a connection can have {MAX_TRACKS} tracks: remove one"
            )));
        }
        if self.tracks.connected {
            local.outbound.connected();
        }
        let answers_only = local.outbound.init().answer_only;
        self.tracks.senders.push(Sender::new(local, track));
        // With an offer under way, its end asks for the next one.
        if !answers_only && !self.negotiation.is_offering() {
            self.want_negotiation();
        }
        Ok(())
    }

    pub(super) fn remove_track(&mut self, track: &Arc<dyn LocalTrack>) -> Result<(), MediaError> {
        let same =
            |sender: &Sender| std::ptr::addr_eq(Arc::as_ptr(&sender.track), Arc::as_ptr(track));
        let at = self.tracks.senders.iter().position(same).ok_or(MediaError::UnknownTrack)?;
        let sender = self.tracks.senders.remove(at);
        sender.local.end();
        if sender.section.is_some() {
            self.want_negotiation();
        }
        Ok(())
    }

    /// A section and another direction for it than it has: what makes the engine write an offer in which
    /// nothing changes. The change costs the packets that wait to be sent again, or the gaps that wait to
    /// be filled; where nothing is sent, it costs nothing.
    pub(super) fn harmless_change(&self) -> Option<(Mid, Direction, Direction)> {
        let all = || self.tracks.theirs.iter().map(mid);
        let silent = all().find(|section| self.tracks.is_free(*section));
        let section = silent.or_else(|| all().next())?;
        let now = self.rtc.media(section)?.direction();
        let other = match now {
            Direction::SendRecv if silent.is_some() => Direction::RecvOnly,
            Direction::SendRecv => Direction::SendOnly,
            _ => Direction::SendRecv,
        };
        Some((section, other, now))
    }

    /// A track that comes into a section after another one is a source of its own.
    pub(super) fn renew_sources(&mut self, plan: &[Attachment]) {
        for (local, section) in plan {
            if !self.tracks.used.contains(section) {
                continue;
            }
            let mut direct = self.rtc.direct_api();
            let Some(old) = direct.stream_tx_by_mid(*section, None).map(|stream| stream.ssrc())
            else {
                continue;
            };
            direct.remove_stream_tx(old);
            let source = direct.new_ssrc();
            let repeats = (local.outbound.kind() == MediaKind::Video).then(|| direct.new_ssrc());
            direct.declare_stream_tx(source, repeats, *section, None);
        }
    }
}

pub(super) fn mid(section: &Section) -> Mid {
    Mid::from(&*section.mid)
}

/// Takes the first section that a track fits into.
fn take_fitting(free: &mut Vec<&Section>, local: &Local) -> Option<Mid> {
    let fits = |section: &&Section| {
        section.kind == local.outbound.kind() && local.outbound.chosen(&section.formats).is_some()
    };
    let at = free.iter().position(fits)?;
    Some(mid(free.remove(at)))
}

fn ids(local: &Local) -> (String, String) {
    let init = local.outbound.init();
    (init.stream_id.clone(), init.track_id.clone())
}
