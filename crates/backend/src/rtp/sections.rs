//! What session descriptions say about media (RFC 8866, RFC 9429): sections, directions, payload types.

use std::{collections::HashMap, str::FromStr};

use crate::{Codec, MediaKind};

/// One section of audio or video.
#[derive(Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Section {
    /// Sound or pictures.
    pub kind: MediaKind,
    /// The section's name (`a=mid`), empty where it has none.
    pub mid: String,
    /// The ids of the stream and of the track that its writer sends (`a=msid`, RFC 8830); the second is
    /// empty where only the stream is named.
    pub ids: Option<(String, String)>,
    /// Whether its writer sends; not in a refused section.
    pub sends: bool,
    /// Whether its writer receives; not in a refused section.
    pub receives: bool,
    /// Payload types of codecs that we can handle, in the writer's order of preference.
    pub formats: Vec<(u8, Codec)>,
}

/// The codec of each payload type. All sections share one transport, so a type has one meaning.
pub type PayloadTypes = HashMap<u8, Codec>;

/// Every section of audio or video, in order.
pub fn sections(sdp: &str) -> Vec<Section> {
    let (session, media) = sdp.split_at(sdp.find("\nm=").map_or(sdp.len(), |at| at + 1));
    let inherited = direction(session).unwrap_or((true, true));
    media.split("\nm=").filter_map(|section| section_of(section, inherited)).collect()
}

/// The codec of each payload type that these sections name.
pub fn payload_types(sections: &[Section]) -> PayloadTypes {
    sections.iter().flat_map(|section| section.formats.iter().copied()).collect()
}

/// What can be sent in a section: what both sides name, in the peer's order.
pub fn agreed(local: &Section, remote: &Section) -> Vec<(u8, Codec)> {
    if !local.sends || !remote.receives {
        return Vec::new();
    }
    remote.formats.iter().copied().filter(|format| local.formats.contains(format)).collect()
}

/// A section without the `m=` that it was split at, but for the first one.
fn section_of(section: &str, inherited: (bool, bool)) -> Option<Section> {
    let mut words = section.strip_prefix("m=").unwrap_or(section).lines().next()?.split(' ');
    let kind = match words.next()? {
        "audio" => MediaKind::Audio,
        "video" => MediaKind::Video,
        _ => return None,
    };
    // RFC 8843 §6: such a section has no port of its own, which does not refuse it.
    let bundled = section.lines().any(|line| line.trim_end() == "a=bundle-only");
    let refused = words.next()? == "0" && !bundled;
    let types: Vec<u8> = words.skip(1).filter_map(|word| word.trim().parse().ok()).collect();
    let (sends, receives) =
        if refused { (false, false) } else { direction(section).unwrap_or(inherited) };
    let by_type =
        |name: &str| -> HashMap<u8, &str> { values(section, name).filter_map(by_number).collect() };
    let (maps, parameters) = (by_type("rtpmap"), by_type("fmtp"));
    let formats = types.into_iter().filter_map(|payload_type| {
        let codec = codec(maps.get(&payload_type)?, parameters.get(&payload_type).copied())?;
        (codec.kind() == kind).then_some((payload_type, codec))
    });
    Some(Section {
        kind,
        mid: values(section, "mid").next().unwrap_or_default().to_owned(),
        ids: ids(section),
        sends,
        receives,
        formats: formats.collect(),
    })
}

/// The values of an attribute (`a=name:value`).
fn values<'a>(text: &'a str, name: &str) -> impl Iterator<Item = &'a str> {
    let prefix = format!("a={name}:");
    text.lines().filter_map(move |line| line.trim_end().strip_prefix(&prefix))
}

/// The ids of stream and track, also in the form that older peers use.
fn ids(section: &str) -> Option<(String, String)> {
    let old =
        || values(section, "ssrc").find_map(|value| value.split_once(' ')?.1.strip_prefix("msid:"));
    let value = values(section, "msid").next().or_else(old)?;
    let mut words = value.split_whitespace().map(str::to_owned);
    Some((words.next()?, words.next().unwrap_or_default()))
}

fn by_number(value: &str) -> Option<(u8, &str)> {
    let (number, rest) = value.split_once(' ')?;
    Some((u8::from_str(number).ok()?, rest))
}

/// Whether the writer sends, and receives.
fn direction(text: &str) -> Option<(bool, bool)> {
    text.lines().find_map(|line| match line.trim_end() {
        "a=sendrecv" => Some((true, true)),
        "a=sendonly" => Some((true, false)),
        "a=recvonly" => Some((false, true)),
        "a=inactive" => Some((false, false)),
        _ => None,
    })
}

/// The codec of a format that we can handle.
fn codec(map: &str, parameters: Option<&str>) -> Option<Codec> {
    let name = map.split('/').next()?;
    let codec = Codec::ALL.into_iter().find(|codec| codec.name().eq_ignore_ascii_case(name))?;
    let has = |wanted: &str| {
        let mut all = parameters.unwrap_or_default().split(';');
        all.any(|parameter| parameter.trim().eq_ignore_ascii_case(wanted))
    };
    let named = |name: &str| parameters.is_some_and(|parameters| parameters.contains(name));
    let usable = match codec {
        Codec::H264 => has("packetization-mode=1"),
        Codec::Vp9 => has("profile-id=0") || !named("profile-id"),
        _ => true,
    };
    usable.then_some(codec)
}

#[cfg(test)]
mod tests {
    use super::*;

    const OFFER: &str = "v=0\r\ns=-\r\na=group:BUNDLE 0 1 2\r\n\
        m=audio 9 UDP/TLS/RTP/SAVPF 111 63 9\r\na=mid:0\r\na=sendrecv\r\n\
        a=rtpmap:111 opus/48000/2\r\na=rtpmap:63 red/48000/2\r\na=rtpmap:9 G722/8000\r\n\
        m=video 9 UDP/TLS/RTP/SAVPF 98 96 97 102 108 100\r\na=mid:1\r\na=recvonly\r\n\
        a=rtpmap:96 VP8/90000\r\na=rtpmap:97 rtx/90000\r\na=fmtp:97 apt=96\r\n\
        a=rtpmap:98 vp9/90000\r\na=fmtp:98 profile-id=0\r\n\
        a=rtpmap:100 VP9/90000\r\na=fmtp:100 profile-id=2\r\n\
        a=rtpmap:102 H264/90000\r\na=fmtp:102 packetization-mode=1;profile-level-id=42001f\r\n\
        a=rtpmap:108 H264/90000\r\na=fmtp:108 packetization-mode=0;profile-level-id=42001f\r\n\
        m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\na=mid:2\r\n\
        m=video 0 UDP/TLS/RTP/SAVPF 96\r\na=mid:3\r\na=rtpmap:96 VP8/90000\r\n\
        m=video 0 UDP/TLS/RTP/SAVPF 96\r\na=mid:4\r\na=bundle-only\r\na=msid:camera front\r\n";

    #[test]
    fn sections_are_read_with_what_can_be_used() {
        let sections = sections(OFFER);
        let [audio, video, refused, bundled] = &sections[..] else { panic!("{sections:?}") };
        assert_eq!((audio.kind, &*audio.mid), (MediaKind::Audio, "0"));
        assert_eq!((audio.sends, audio.receives), (true, true));
        assert_eq!(audio.formats, [(111, Codec::Opus)]);
        assert_eq!((video.kind, &*video.mid), (MediaKind::Video, "1"));
        assert_eq!((video.sends, video.receives), (false, true));
        assert_eq!(video.formats, [(98, Codec::Vp9), (96, Codec::Vp8), (102, Codec::H264)]);
        assert_eq!((refused.sends, refused.receives), (false, false));
        let camera = ("camera".to_owned(), "front".to_owned());
        assert_eq!((bundled.sends, bundled.receives), (true, true));
        assert_eq!((refused.ids.as_ref(), bundled.ids.as_ref()), (None, Some(&camera)));
        assert_eq!(payload_types(&sections).len(), 4);
    }

    #[test]
    fn what_is_sent_is_what_both_name_in_the_peers_order() {
        let remote = &sections(OFFER)[1];
        let answer = OFFER.replace("a=recvonly", "a=sendonly").replace("98 96 97 102", "96 102");
        let local = &sections(&answer)[1];
        assert_eq!(agreed(local, remote), [(96, Codec::Vp8), (102, Codec::H264)]);
        assert_eq!(agreed(remote, local), [], "nobody receives");
    }

    #[test]
    fn a_description_without_media_has_no_sections() {
        assert_eq!(sections("v=0\r\n"), []);
        assert_eq!(sections(""), []);
        assert_eq!(sections("v=0\nm=application 9 UDP/DTLS/SCTP webrtc-datachannel\n"), []);
    }
}
