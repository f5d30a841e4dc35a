//! Plays the clip into a call, over and over.

use std::time::Duration;

use anyhow::Context as _;
use skapi_rtc::{
    CallOptions, Codec, LocalTrack, LocalTrackEvent, LocalTrackEvents, MediaError, TrackInit,
};
use tokio::{
    task::JoinSet,
    time::{Instant, sleep_until},
};

use super::{STREAM, clip::Clip};

/// The clip's two tracks, played as long as this lives.
pub(crate) struct Player {
    tracks: [LocalTrack; 2],
    _playing: JoinSet<()>,
}

impl Player {
    pub(crate) fn start() -> anyhow::Result<Self> {
        let mut playing = JoinSet::new();
        let mut track = |codec: Codec, clip: Clip| {
            let init = TrackInit::new([codec], STREAM, format!("test-{}", codec.kind()));
            let (track, events) = LocalTrack::new(init).context("a track for the clip")?;
            playing.spawn(play(track.clone(), events, clip));
            anyhow::Ok(track)
        };
        let tracks = [track(Codec::Opus, Clip::audio()?)?, track(Codec::Vp8, Clip::video()?)?];
        Ok(Self { tracks, _playing: playing })
    }

    /// Makes the tracks part of a call.
    pub(crate) fn join(&self, options: CallOptions) -> CallOptions {
        self.tracks.iter().fold(options, CallOptions::track)
    }
}

/// Plays in time. The clip begins anew at its end, and goes to its next key frame when one is asked for.
async fn play(track: LocalTrack, mut events: LocalTrackEvents, clip: Clip) {
    let (mut at, mut time) = (0, 0_u32);
    let mut due = Instant::now();
    loop {
        let mut wanted = false;
        tokio::select! {
            event = events.recv() => match event {
                Some(LocalTrackEvent::KeyframeRequested) => wanted = true,
                Some(_) => {}
                None => return,
            },
            () = sleep_until(due) => {}
        }
        if wanted {
            at = clip.next_keyframe(at);
        } else if Instant::now() < due {
            continue;
        }
        let mut frame = clip.frames[at].clone();
        let ticks = clip.duration(at);
        frame.rtp_time = time;
        // A call that knows the codec of no track is reported when it is made.
        if let Err(MediaError::Closed) = track.write(frame).await {
            return;
        }
        time = time.wrapping_add(ticks);
        at = (at + 1) % clip.frames.len();
        let pause = Duration::from_secs(1) * ticks / track_rate(&clip);
        due = if wanted { Instant::now() + pause } else { due + pause };
    }
}

fn track_rate(clip: &Clip) -> u32 {
    clip.frames[0].codec.clock_rate()
}

impl Clip {
    /// From a frame to the next one, in ticks.
    fn duration(&self, at: usize) -> u32 {
        let end = self.frames.get(at + 1).map_or(self.length, |next| next.rtp_time);
        end - self.frames[at].rtp_time
    }

    /// The first key frame from here on, over the end if need be.
    fn next_keyframe(&self, at: usize) -> usize {
        let count = self.frames.len();
        (at..at + count).map(|at| at % count).find(|at| self.frames[*at].keyframe).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clip_goes_round() {
        let clip = Clip::video().unwrap();
        assert_eq!(clip.duration(0), 6000);
        assert_eq!(clip.duration(29), 6000);
        assert_eq!(clip.next_keyframe(0), 0);
        assert_eq!(clip.next_keyframe(1), 15);
        assert_eq!(clip.next_keyframe(16), 0);
    }
}
