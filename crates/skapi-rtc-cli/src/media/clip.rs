//! The clip that comes with the program: VP8 in IVF, Opus in Ogg (RFC 3533, RFC 7845).

use anyhow::{Context as _, ensure};
use skapi_rtc::{Codec, EncodedFrame};

const VIDEO: &[u8] = include_bytes!("../../assets/test.ivf");
const AUDIO: &[u8] = include_bytes!("../../assets/test.ogg");

/// Opus counts in 48,000ths of a second; the clip's packets last 20 ms (`assets/README.md`).
const AUDIO_PACKET: u32 = 960;

/// Frames of one codec that can be looped.
#[derive(Debug)]
pub(super) struct Clip {
    /// Times count from the clip's beginning, in ticks of the codec's RTP clock.
    pub(super) frames: Vec<EncodedFrame>,
    /// From the clip's beginning to its end, in the same ticks.
    pub(super) length: u32,
}

impl Clip {
    pub(super) fn video() -> anyhow::Result<Self> {
        ivf(VIDEO).context("the clip's video")
    }

    pub(super) fn audio() -> anyhow::Result<Self> {
        ogg(AUDIO).context("the clip's audio")
    }
}

/// A file header of 32 bytes, then frames with a header of 12 bytes: size, time.
fn ivf(file: &'static [u8]) -> anyhow::Result<Clip> {
    let (header, mut rest) = file.split_at_checked(32).context("it is cut off")?;
    ensure!(header.starts_with(b"DKIF") && &header[8..12] == b"VP80", "it is no VP8 in IVF");
    let (rate, scale) = (number(header, 16)?, number(header, 20)?);
    ensure!(rate > 0 && scale > 0, "its time base is 0");
    let tick = Codec::Vp8.clock_rate() * scale / rate;
    let mut frames = Vec::new();
    while !rest.is_empty() {
        let size = number(rest, 0)? as usize;
        let time = number(rest, 4)?;
        let payload = rest.get(12..12 + size).context("a frame is cut off")?;
        let keyframe = payload.first().is_some_and(|first| first & 1 == 0);
        frames.push(EncodedFrame::new(Codec::Vp8, time * tick, keyframe, payload.into()));
        rest = &rest[12 + size..];
    }
    let last = frames.last().context("it has no frames")?;
    Ok(Clip { length: last.rtp_time + tick, frames })
}

fn number(bytes: &[u8], at: usize) -> anyhow::Result<u32> {
    let bytes = bytes.get(at..at + 4).context("it is cut off")?;
    Ok(u32::from_le_bytes(bytes.try_into()?))
}

/// Pages of segments; a segment shorter than 255 bytes ends a packet. The first two packets are headers.
fn ogg(file: &'static [u8]) -> anyhow::Result<Clip> {
    let mut packets = Vec::new();
    let mut packet = Vec::new();
    let mut rest = file;
    while !rest.is_empty() {
        ensure!(rest.starts_with(b"OggS"), "a page does not begin as one");
        let count = usize::from(*rest.get(26).context("a page is cut off")?);
        let (table, mut body) =
            rest[27..].split_at_checked(count).context("a page's table is cut off")?;
        for &size in table {
            let (segment, after) =
                body.split_at_checked(size.into()).context("a segment is cut off")?;
            packet.extend_from_slice(segment);
            body = after;
            if size < 255 {
                packets.push(std::mem::take(&mut packet));
            }
        }
        rest = body;
    }
    ensure!(packets.first().is_some_and(|head| head.starts_with(b"OpusHead")), "it is no Opus");
    ensure!(packets.len() > 2, "it has no packets");
    let times = (0..).step_by(AUDIO_PACKET as usize);
    let frames: Vec<_> = packets
        .into_iter()
        .skip(2)
        .zip(times)
        .map(|(packet, time)| EncodedFrame::new(Codec::Opus, time, true, packet.into()))
        .collect();
    Ok(Clip { length: frames.len() as u32 * AUDIO_PACKET, frames })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clip_is_what_its_description_says() {
        let video = Clip::video().unwrap();
        assert_eq!((video.frames.len(), video.length), (30, 180_000));
        let keys: Vec<_> = video
            .frames
            .iter()
            .filter(|frame| frame.keyframe)
            .map(|frame| frame.rtp_time)
            .collect();
        assert_eq!(keys, [0, 90_000]);
        let audio = Clip::audio().unwrap();
        assert!(audio.length >= 96_000, "{} ticks", audio.length);
        assert_eq!(audio.length as usize, audio.frames.len() * 960);
        // Mono, 20 ms, one frame (RFC 6716 §3.1).
        assert!(audio.frames.iter().all(|frame| frame.payload[0] & 0x07 == 0));
    }

    #[test]
    fn damaged_files_are_refused() {
        assert!(ivf(&VIDEO[..VIDEO.len() - 1]).is_err());
        assert!(ivf(AUDIO).is_err());
        assert!(ogg(&AUDIO[..AUDIO.len() - 1]).is_err());
        assert!(ogg(VIDEO).is_err());
    }
}
