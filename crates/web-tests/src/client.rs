//! A session of the facade in a page, and its calls, as the scenarios drive them.

use std::{cell::RefCell, rc::Rc, time::Duration};

use js_sys::{Array, Error};
use skapi_rtc::{
    Call, CallEnd, CallOptions, Channel, ConnectOptions, ConnectionId, GroupName, LocalTrack,
    MediaKind, Message, Realtime, RealtimeEvent, RealtimeEvents, connect_realtime,
};
use wasm_bindgen::{JsValue, prelude::wasm_bindgen};
use web_sys::{MediaStream, MediaStreamConstraints};

type Fallible<T> = Result<T, JsValue>;

/// A connected session.
#[wasm_bindgen]
pub struct Client {
    realtime: Realtime,
    events: Rc<RefCell<Option<RealtimeEvents>>>,
}

/// A call that is up.
#[wasm_bindgen]
pub struct Talk {
    call: Call,
    channel: Rc<RefCell<Option<Channel>>>,
}

/// Connects, and joins a group.
///
/// # Errors
/// When that fails.
#[wasm_bindgen(js_name = connectClient)]
pub async fn connect_client(
    url: String,
    token: String,
    project: Vec<String>,
    group: String,
) -> Fallible<Client> {
    let options = ConnectOptions::new(&url, token).map_err(wrong)?;
    let options = options.project(project[0].as_str(), project[1].as_str());
    let (realtime, events) = connect_realtime(options).await.map_err(wrong)?;
    realtime.join_realtime(GroupName::new(group).map_err(wrong)?).await.map_err(wrong)?;
    Ok(Client { realtime, events: Rc::new(RefCell::new(Some(events))) })
}

#[wasm_bindgen]
impl Client {
    /// The connection's own id; none while there is no connection.
    #[wasm_bindgen(getter)]
    pub fn cid(&self) -> Option<String> {
        self.realtime.cid().map(|cid| cid.as_str().to_owned())
    }

    /// Calls a connection, and waits until the call is up. `tracks` are of the browser's.
    ///
    /// # Errors
    /// With the reason, when it does not come up.
    pub async fn call(&self, cid: String, stream: Option<MediaStream>) -> Fallible<Talk> {
        let realtime = self.realtime.clone();
        let cid = ConnectionId::new(cid).map_err(wrong)?;
        let placed = realtime.connect_rtc(cid, options(stream)?).await.map_err(wrong)?;
        Ok(Talk::new(placed.await.map_err(wrong)?))
    }

    /// Accepts the next call.
    ///
    /// # Errors
    /// When the session ends before.
    pub async fn accept(&self, stream: Option<MediaStream>) -> Fallible<Talk> {
        let (events, options) = (self.events.clone(), options(stream)?);
        let taken = events.borrow_mut().take();
        let mut reader = taken.ok_or_else(|| wrong("somebody else waits for calls"))?;
        let incoming = loop {
            match reader.next().await {
                Some(RealtimeEvent::Incoming(incoming)) => break incoming,
                Some(_) => {}
                None => return Err(wrong("the session ended")),
            }
        };
        *events.borrow_mut() = Some(reader);
        Ok(Talk::new(incoming.connect_rtc(options).await.map_err(wrong)?))
    }

    /// Ends the session.
    pub async fn close(&self) {
        let realtime = self.realtime.clone();
        realtime.close_realtime().await;
    }
}

#[wasm_bindgen]
impl Talk {
    fn new(call: Call) -> Self {
        Self { call, channel: Rc::default() }
    }

    /// Sends texts and bytes to a peer that sends them back, and sees that they come back as they went.
    ///
    /// # Errors
    /// When they do not.
    pub async fn echoed(&self) -> Fallible<()> {
        let (call, kept) = (self.call.clone(), self.channel.clone());
        let mut channel = default_channel(&call, &kept).await?;
        let sent: [Message; 4] = [
            "grüß dich 🎉".into(),
            vec![0, 1, 255].into(),
            vec![7; 100_000].into(),
            "x".repeat(60_000).into(),
        ];
        for message in &sent {
            channel.send(message.clone()).await.map_err(wrong)?;
        }
        for message in &sent {
            let back = channel.recv().await;
            if back.as_ref() != Some(message) {
                return Err(wrong(format!("sent {message:?}, {back:?} came back")));
            }
        }
        *kept.borrow_mut() = Some(channel);
        Ok(())
    }

    /// Sends so many MiB as fast as the channel takes them to a peer that sends them back, and sees that all
    /// come back in order. Gives how much was buffered at most.
    ///
    /// # Errors
    /// When they do not.
    pub async fn bulk(&self, mib: u32) -> Fallible<u32> {
        const SIZE: usize = 16 * 1024;
        let (call, kept) = (self.call.clone(), self.channel.clone());
        let mut channel = default_channel(&call, &kept).await?;
        let count = mib * 64;
        let sender = channel.sender().clone();
        let sending = async {
            let mut most = 0;
            for number in 0..count {
                sender.send(block(number, SIZE)).await.map_err(wrong)?;
                most = most.max(sender.buffered_amount());
            }
            Ok::<_, JsValue>(most)
        };
        let receiving = async {
            for number in 0..count {
                let back = channel.recv().await;
                if back != Some(block(number, SIZE)) {
                    return Err(wrong(format!("{back:?} came as number {number} of {count}")));
                }
            }
            Ok(channel)
        };
        let (most, channel) = tokio::try_join!(sending, receiving)?;
        *kept.borrow_mut() = Some(channel);
        Ok(most as u32)
    }

    /// Sends back what comes, until the channel or the call is over.
    pub async fn echo(&self) {
        let (call, kept) = (self.call.clone(), self.channel.clone());
        let Ok(mut channel) = default_channel(&call, &kept).await else { return };
        while let Some(message) = channel.recv().await {
            if channel.send(message).await.is_err() {
                return;
            }
        }
    }

    /// The next tracks that the peer sends, as the browser has them.
    ///
    /// # Errors
    /// When the call ends before they come.
    pub async fn tracks(&self, count: u32) -> Fallible<Array> {
        let call = self.call.clone();
        let tracks = Array::new();
        for _ in 0..count {
            let track = call.next_track().await.ok_or_else(|| wrong("the call is over"))?;
            let native = track.native().ok_or_else(|| wrong("no track of the browser's"))?;
            let is_audio = track.kind() == MediaKind::Audio;
            if is_audio != (native.kind() == "audio") || native.id() != track.id() {
                return Err(wrong(format!("{track:?} is not {} {}", native.kind(), native.id())));
            }
            tracks.push(&native);
        }
        Ok(tracks)
    }

    /// Adds the tracks of a stream in the running call, and gives the codecs, once there are some.
    ///
    /// # Errors
    /// When that fails.
    pub async fn add(&self, stream: MediaStream) -> Fallible<Array> {
        let call = self.call.clone();
        let codecs = Array::new();
        for (track, mut events) in tracks(&stream)? {
            call.add_track(&track).await.map_err(wrong)?;
            let event = events.recv().await;
            codecs.push(&format!("{event:?}").into());
        }
        Ok(codecs)
    }

    /// Packets of tracks, sent and received.
    ///
    /// # Errors
    /// When the call is over.
    pub async fn packets(&self) -> Fallible<Array> {
        let call = self.call.clone();
        let stats = call.stats().await.map_err(wrong)?;
        let shown = |track: &skapi_rtc::backend::TrackStats| {
            JsValue::from(format!("{:?} {} {}", track.direction, track.kind, track.packets > 0))
        };
        Ok(stats.tracks.iter().map(shown).collect())
    }

    /// Hangs up.
    pub async fn hangup(&self) -> String {
        let call = self.call.clone();
        said(&call.hangup().await)
    }

    /// How the call ended.
    pub async fn ended(&self) -> String {
        let call = self.call.clone();
        said(&call.ended().await)
    }
}

/// Asks the browser for its camera and microphone, by our own way.
///
/// # Errors
/// When it refuses.
#[wasm_bindgen]
pub async fn camera() -> Fallible<MediaStream> {
    let constraints = MediaStreamConstraints::new();
    constraints.set_audio(&true.into());
    constraints.set_video(&true.into());
    skapi_rtc::web::media::user_media(&constraints).await.map_err(wrong)
}

/// Asks the browser for its screen, by our own way.
///
/// # Errors
/// When it refuses.
#[wasm_bindgen]
pub async fn screen() -> Fallible<MediaStream> {
    let constraints = web_sys::DisplayMediaStreamConstraints::new();
    skapi_rtc::web::media::display_media(&constraints).await.map_err(wrong)
}

/// The kinds of the devices that there are.
///
/// # Errors
/// When the browser does not say.
#[wasm_bindgen]
pub async fn devices() -> Fallible<Array> {
    let devices = skapi_rtc::web::media::list().await.map_err(wrong)?;
    Ok(devices
        .iter()
        .map(|device| js_sys::Reflect::get(device, &"kind".into()).unwrap_or_default())
        .collect())
}

fn options(stream: Option<MediaStream>) -> Fallible<CallOptions> {
    let mut options = CallOptions::default().no_answer_timeout(Duration::from_secs(25));
    if let Some(stream) = stream {
        for (track, _) in tracks(&stream)? {
            options = options.track(&track);
        }
    }
    Ok(options)
}

fn tracks(stream: &MediaStream) -> Fallible<Vec<(LocalTrack, skapi_rtc::LocalTrackEvents)>> {
    use wasm_bindgen::JsCast as _;
    let native = stream.get_tracks().into_iter();
    native
        .map(|track| LocalTrack::from_native(&track.unchecked_into(), stream).map_err(wrong))
        .collect()
}

async fn default_channel(call: &Call, kept: &RefCell<Option<Channel>>) -> Fallible<Channel> {
    let known = kept.borrow_mut().take();
    match known {
        Some(channel) => Ok(channel),
        None => call.channel("default").await.map_err(wrong),
    }
}

fn block(number: u32, size: usize) -> Message {
    let mut payload = number.to_be_bytes().to_vec();
    payload.resize(size, number as u8);
    payload.into()
}

fn said(end: &CallEnd) -> String {
    format!("{:?} by {:?}", end.reason, end.by)
}

fn wrong(why: impl ToString) -> JsValue {
    Error::new(&why.to_string()).into()
}
