//! A peer's process: sessions that call, are called, and tell what happens. `chaos peer <control>`.

use std::{collections::HashMap, net::SocketAddr, sync::Arc, time::Duration};

use anyhow::{Context as _, Result};
use skapi_rtc::{
    Call, CallError, ConnectOptions, IncomingCall, Realtime, RealtimeEvent, Side, connect_realtime,
};
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    sync::{Mutex, mpsc, watch},
    task::JoinSet,
};

use crate::{
    talk::{Heard, Offer, talk},
    transport::{Relayed, Relays},
    words::{Command, Load, News},
};

/// How long the first connect of a session is tried.
const JOIN: Duration = Duration::from_secs(120);

/// How long closing a session may take.
const CLOSE: Duration = Duration::from_secs(30);

pub fn run(args: &[String]) -> Result<()> {
    let control = args.first().context("the conductor's address is missing")?.parse()?;
    let engine = args.get(1).context("the engine is missing")?.clone();
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime = runtime.worker_threads(2).enable_all().build()?;
    runtime.block_on(serve(control, engine))
}

async fn serve(control: SocketAddr, engine: String) -> Result<()> {
    let (news, mut told) = mpsc::unbounded_channel::<News>();
    // Whoever reads it may be slow, and nobody here is to wait for that.
    std::thread::spawn(move || {
        use std::io::Write as _;
        while let Some(news) = told.blocking_recv() {
            let line = serde_json::to_string(&news).unwrap_or_default();
            if writeln!(std::io::stdout(), "{line}").is_err() {
                return;
            }
        }
    });
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    let mut sessions: HashMap<usize, mpsc::UnboundedSender<Command>> = HashMap::new();
    let mut tasks = JoinSet::new();
    while let Some(line) = lines.next_line().await? {
        let command: Command = serde_json::from_str(&line)?;
        let session = match &command {
            Command::Join { session, .. }
            | Command::Call { session, .. }
            | Command::HangUp { session }
            | Command::Drain { session }
            | Command::Watch { session, .. } => *session,
            Command::Usage => {
                let tasks = tokio::runtime::Handle::current().metrics().num_alive_tasks();
                let _ = news.send(News::Usage { tasks });
                continue;
            }
            Command::Quit => break,
        };
        if let Command::Join { url, token, .. } = command {
            let options = ConnectOptions::new(&url, token)?.retry_first(true);
            let relays = Relays { control, session };
            let options = options.transport(Arc::new(Relayed::new(relays)));
            let options = with_engine(options, &engine)?;
            let (sender, commands) = mpsc::unbounded_channel();
            sessions.insert(session, sender);
            tasks.spawn(live(session, options, commands, news.clone()));
        } else if let Some(sender) = sessions.get(&session) {
            let _ = sender.send(command);
        }
    }
    drop(sessions);
    while tasks.join_next().await.is_some() {}
    Ok(())
}

fn with_engine(options: ConnectOptions, engine: &str) -> Result<ConnectOptions> {
    match engine {
        "webrtc" => Ok(options),
        #[cfg(feature = "str0m")]
        "str0m" => Ok(options.backend(Arc::new(skapi_rtc::Str0mBackend::default()))),
        other => anyhow::bail!("there is no engine `{other}` in this build"),
    }
}

/// What the conductor wants of a running call.
#[derive(Debug)]
struct Orders {
    hang_up: watch::Sender<bool>,
    drain: watch::Sender<bool>,
}

/// A session, until nobody commands it any more.
async fn live(
    session: usize,
    options: ConnectOptions,
    mut commands: mpsc::UnboundedReceiver<Command>,
    news: mpsc::UnboundedSender<News>,
) {
    let tell = |what: News| drop(news.send(what));
    let joining = tokio::time::timeout(JOIN, connect_realtime(options));
    tokio::pin!(joining);
    let joined = loop {
        tokio::select! {
            joined = &mut joining => break joined,
            command = commands.recv() => match command {
                // Nothing that is said to a session that is not there yet means anything.
                Some(_) => {}
                None => return,
            },
        }
    };
    let (realtime, mut events) = match joined {
        Ok(Ok(joined)) => joined,
        Ok(Err(error)) => {
            let what = format!("the session could not connect: {error}");
            return tell(News::Fault { session, what });
        }
        Err(_) => {
            let what = "the session could not connect in time".to_owned();
            return tell(News::Fault { session, what });
        }
    };
    let heard = Heard::new();
    // Like somebody with one ear: whatever comes next, the call before has ended then.
    let ear = Arc::new(Mutex::new(()));
    let mut current: Option<Orders> = None;
    let mut calls = JoinSet::new();
    loop {
        tokio::select! {
            event = events.next() => match event {
                Some(RealtimeEvent::Connected { ready: Some(ready), .. }) => {
                    tell(News::Up { session, cid: ready.cid.as_str().to_owned() });
                }
                Some(RealtimeEvent::Disconnected { .. }) => tell(News::Down { session }),
                Some(RealtimeEvent::Incoming(incoming)) => {
                    let (orders, seat) = Seat::new(session, &heard, &news);
                    // Who calls again has nothing of an earlier call any more, also where that is not known yet.
                    if let Some(earlier) = current.replace(orders) {
                        earlier.hang_up.send_replace(true);
                    }
                    let ear = ear.clone();
                    calls.spawn(async move {
                        let _one_at_a_time = ear.lock().await;
                        seat.answer(incoming).await;
                    });
                }
                Some(RealtimeEvent::Closed(reason)) => {
                    tell(News::Fault { session, what: format!("the session was closed: {reason:?}") });
                    break;
                }
                Some(_) => {}
                None => break,
            },
            command = commands.recv() => match command {
                Some(Command::Call { cid, load, .. }) => {
                    let (orders, seat) = Seat::new(session, &heard, &news);
                    current = Some(orders);
                    let (ear, realtime) = (ear.clone(), realtime.clone());
                    calls.spawn(async move {
                        let _one_at_a_time = ear.lock().await;
                        seat.call(realtime, cid, load).await;
                    });
                }
                Some(Command::HangUp { .. }) => {
                    if let Some(orders) = &current {
                        orders.hang_up.send_replace(true);
                    }
                }
                Some(Command::Drain { .. }) => {
                    if let Some(orders) = &current {
                        orders.drain.send_replace(true);
                    }
                }
                Some(Command::Watch { id, .. }) => heard.watch(session, id, &news),
                Some(_) => {}
                None => break,
            },
            Some(_) = calls.join_next() => {}
        }
    }
    if tokio::time::timeout(CLOSE, realtime.close_realtime()).await.is_err() {
        tell(News::Fault { session, what: "the session does not close".to_owned() });
    }
}

/// One call of a session.
struct Seat {
    session: usize,
    heard: Heard,
    news: mpsc::UnboundedSender<News>,
    hang_up: watch::Receiver<bool>,
    drain: watch::Receiver<bool>,
}

impl Seat {
    fn new(session: usize, heard: &Heard, news: &mpsc::UnboundedSender<News>) -> (Orders, Self) {
        let (hang_up, hung_up) = watch::channel(false);
        let (drain, drained) = watch::channel(false);
        let seat = Self {
            session,
            heard: heard.clone(),
            news: news.clone(),
            hang_up: hung_up,
            drain: drained,
        };
        (Orders { hang_up, drain }, seat)
    }

    async fn answer(self, incoming: IncomingCall) {
        let _ = self.news.send(News::Trying { session: self.session });
        let Ok(Offer { options, sound }) = Offer::new(None) else { return };
        let mut hang_up = self.hang_up.clone();
        let call = tokio::select! {
            call = incoming.connect_rtc(options) => call,
            // Dropping it hangs up.
            _ = hang_up.wait_for(|wanted| *wanted) => {
                return self.ended("given up before it was up".to_owned(), true);
            }
        };
        self.sit(call, sound).await;
    }

    async fn call(self, realtime: Realtime, cid: String, load: Load) {
        let _ = self.news.send(News::Trying { session: self.session });
        let Ok(Offer { options, sound }) = Offer::new(Some(load)) else { return };
        let Ok(peer) = cid.parse() else { return };
        match realtime.connect_rtc(peer, options).await {
            Ok(outgoing) => {
                let mut hang_up = self.hang_up.clone();
                let up = async { outgoing.await };
                let call = tokio::select! {
                    call = up => call,
                    // Dropping it takes it back.
                    _ = hang_up.wait_for(|wanted| *wanted) => {
                        return self.ended("cancelled by the caller".to_owned(), true);
                    }
                };
                self.sit(call, sound).await;
            }
            Err(error) => self.ended(format!("not placed: {error}"), true),
        }
    }

    async fn sit(self, call: Result<Call, CallError>, sound: Option<skapi_rtc::LocalTrack>) {
        let call = match call {
            Ok(call) => call,
            Err(CallError::Ended(end)) => {
                return self.ended(end.reason.to_string(), end.by == Side::Local);
            }
            Err(error) => return self.ended(error.to_string(), true),
        };
        let Self { session, heard, news, .. } = &self;
        let _ = news.send(News::Established { session: *session });
        let mut hung_up = self.hang_up.clone();
        let hang_up = async {
            if hung_up.wait_for(|wanted| *wanted).await.is_ok() {
                call.hangup().await;
            }
            std::future::pending::<()>().await;
        };
        tokio::select! {
            () = talk(&call, *session, sound, heard, self.drain.clone(), news) => {}
            () = hang_up => {}
        }
        let end = call.ended().await;
        self.ended(end.reason.to_string(), end.by == Side::Local);
    }

    fn ended(&self, reason: String, local: bool) {
        let _ = self.news.send(News::Ended { session: self.session, reason, local });
    }
}
