//! `call`: calls somebody, does what was asked for, and hangs up.

use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

use clap::{Args, ValueEnum};
use serde::Serialize;
use skapi_rtc::{
    Call, CallEnd, CallError, CallEvents, CallOptions, Channel, ChannelOptions, DEFAULT_CHANNEL,
    EndReason, Message, Realtime, RealtimeEvents,
};
use tokio::task::JoinSet;

use crate::{
    chat,
    connect::{ConnectArgs, connect},
    dial::{dial, find},
    exit::{Exit, Failure},
    figures::Figures,
    files,
    media::{Counters, Player},
    news,
    output::Output,
    pings,
    progress::{Progress, say_ended},
    signals::Stop,
    token::duration,
    volley,
};

#[derive(Debug, Args)]
pub(crate) struct CallArgs {
    /// Whom to call: a connection id (cid:…), or a user who is in the group, all of whose devices ring
    #[arg(value_name = "CID|USER")]
    target: String,
    #[command(flatten)]
    connect: ConnectArgs,
    /// Send this text and wait for the answer; can be repeated
    #[arg(long, value_name = "TEXT")]
    message: Vec<String>,
    /// Send this file; can be repeated
    #[arg(long, value_name = "FILE")]
    send_file: Vec<PathBuf>,
    /// Send N small messages, each after the echo of the one before, and say how long they took
    #[arg(long, value_name = "N")]
    ping: Option<u32>,
    /// Send N messages at once, texts and bytes by turns, and check that they come back as they went
    #[arg(long, value_name = "N")]
    volley: Option<u32>,
    /// Send audio and video, and count what comes back. Without any other wish that goes on until the
    /// call ends, or Ctrl-C
    #[arg(long, value_enum, default_value_t = MediaSource::None)]
    media: MediaSource,
    /// Hang up when media have gone on for this long
    #[arg(long, value_name = "TIME", value_parser = duration, requires = "media")]
    media_time: Option<Duration>,
    /// Say at the end what has flowed: path, round trip, bit rates, losses
    #[arg(long)]
    stats: bool,
    /// How long it may ring
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = duration)]
    timeout: Duration,
}

/// What to send as audio and video.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum MediaSource {
    /// Nothing
    None,
    /// A test picture and a beep
    Test,
}

/// How long the answer to a message may take.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);

pub(crate) async fn run(args: CallArgs, output: &Output) -> Result<(), Failure> {
    check_files(&args.send_file)?;
    let (realtime, events) = connect(&args.connect, output).await?;
    let mut stop = Stop::listen()?;
    let received = Counters::default();
    // What tells of calls until they end, and outlives the work that a signal ends.
    let mut reports = JoinSet::new();
    let result = tokio::select! {
        result = call(&args, &realtime, events, &received, output, &mut reports) => result,
        signal = stop.requested() => args.interrupted(signal),
    };
    // Hangs up if the call is still up, and tells the peer.
    realtime.close_realtime().await;
    while reports.join_next().await.is_some() {}
    received.report(false, output);
    result
}

impl CallArgs {
    fn has_task(&self) -> bool {
        self.ping.or(self.volley).is_some()
            || !self.message.is_empty()
            || !self.send_file.is_empty()
    }

    fn has_media(&self) -> bool {
        self.media != MediaSource::None
    }

    /// Without any wish, the call is a chat.
    fn is_chat(&self) -> bool {
        !self.has_task() && !self.has_media()
    }

    /// What has no end of its own ends by Ctrl-C as it should; what was asked for otherwise is not done.
    fn interrupted(&self, signal: &str) -> Result<(), Failure> {
        if !self.has_task() && self.media_time.is_none() {
            return Ok(());
        }
        let text = format!("{signal} came before everything was done");
        Err(Failure::msg(Exit::Failure, text))
    }
}

/// Better known before anybody's phone rings.
fn check_files(files: &[PathBuf]) -> Result<(), Failure> {
    for path in files {
        let check = std::fs::metadata(path).and_then(|metadata| {
            if !metadata.is_file() {
                return Err(std::io::Error::other("it is not a file"));
            }
            std::fs::File::open(path)
        });
        check.map_err(|error| {
            Failure::msg(Exit::File, format!("cannot read {}: {error}", path.display()))
        })?;
    }
    Ok(())
}

async fn call(
    args: &CallArgs,
    realtime: &Realtime,
    mut events: RealtimeEvents,
    received: &Counters,
    output: &Output,
    reports: &mut JoinSet<()>,
) -> Result<(), Failure> {
    let to = find(&args.target, &args.connect.group, realtime, output).await?;
    let dialed = Instant::now();
    let mut options = CallOptions::default()
        .channel(ChannelOptions::new(DEFAULT_CHANNEL))
        .no_answer_timeout(args.timeout);
    let player = args.has_media().then(Player::start).transpose()?;
    if let Some(player) = &player {
        options = player.join(options);
    }
    let work = async {
        let outgoing = dial(to, &args.connect.group, options, realtime, output, reports).await?;
        reports.spawn(report(outgoing.events(), *output));
        outgoing.accepted().await.map_err(not_answered)?;
        let call = outgoing.await.map_err(lost)?;
        let channel = call.channel(DEFAULT_CHANNEL).await.map_err(lost)?;
        say_open(&channel, dialed, output);
        let task = async {
            let figures = Figures::begin(&call).await;
            let result = work(args, &call, channel, output).await;
            if args.stats {
                figures.report(&call, output).await;
            }
            call.hangup().await;
            result
        };
        tokio::join!(task, received.read(&call, output)).0
    };
    tokio::pin!(work);
    loop {
        tokio::select! {
            result = &mut work => return result,
            Some(event) = events.next() => news::tell(&event, output),
        }
    }
}

/// Everything that was asked for; without any wish, a chat.
async fn work(
    args: &CallArgs,
    call: &Call,
    mut channel: Channel,
    output: &Output,
) -> Result<(), Failure> {
    for text in &args.message {
        or_end(call, message(&mut channel, text, output)).await?;
    }
    if let Some(count) = args.ping {
        or_end(call, pings::run(&mut channel, count, output)).await?;
    }
    if let Some(count) = args.volley {
        or_end(call, volley::run(&mut channel, count, output)).await?;
    }
    for path in &args.send_file {
        or_end(call, files::send(call, path, output)).await?;
    }
    if let Some(time) = args.media_time {
        or_end(call, async {
            tokio::time::sleep(time).await;
            Ok(())
        })
        .await?;
    } else if args.is_chat() {
        chat::run(call, channel, output).await?;
    } else if !args.has_task() {
        let end = call.ended().await;
        if end.reason != EndReason::HungUp {
            return Err(ended(end));
        }
    }
    Ok(())
}

/// Does something over the call; the end of the call ends it, with its reason.
async fn or_end(
    call: &Call,
    work: impl Future<Output = Result<(), Failure>>,
) -> Result<(), Failure> {
    tokio::select! {
        result = work => match result {
            // A closed channel is only half the news: the call's end says why.
            Err(failure) if failure.exit() == Exit::CallLost => {
                let end = tokio::time::timeout(Duration::from_secs(5), call.ended()).await;
                Err(end.map_or(failure, ended))
            }
            result => result,
        },
        end = call.ended() => Err(ended(end)),
    }
}

async fn message(channel: &mut Channel, text: &str, output: &Output) -> Result<(), Failure> {
    channel.send(text).await.map_err(|error| Failure::new(Exit::CallLost, error))?;
    let answer = tokio::time::timeout(ANSWER_TIMEOUT, channel.recv()).await.map_err(|_| {
        Failure::msg(
            Exit::Failure,
            format!("no answer to the message within {} s", ANSWER_TIMEOUT.as_secs()),
        )
    })?;
    match answer {
        Some(Message::Text(answer)) => say(output, "message", format_args!("> {answer}"), &answer),
        Some(Message::Binary(bytes)) => {
            let text = format!("{} bytes", bytes.len());
            say(output, "message", format_args!("> {text}"), &text);
        }
        None => return Err(Failure::msg(Exit::CallLost, "the channel was closed")),
    }
    Ok(())
}

/// Reports what happens to the call until it ends.
async fn report(events: CallEvents, output: Output) {
    if let Some(end) = Progress::new(output).follow(events).await {
        say_ended(&end, &output);
    }
}

pub(crate) fn not_answered(error: CallError) -> Failure {
    Failure::new(Exit::NotAnswered, anyhow::Error::new(error).context("no call"))
}

fn lost(error: CallError) -> Failure {
    Failure::new(Exit::CallLost, anyhow::Error::new(error).context("the call was lost"))
}

fn ended(end: CallEnd) -> Failure {
    let exit = match end.reason {
        EndReason::HungUp => Exit::Failure,
        _ => Exit::CallLost,
    };
    Failure::msg(exit, format!("the call ended before its work was done: {end}"))
}

pub(crate) fn say(
    output: &Output,
    event: &'static str,
    human: impl std::fmt::Display,
    value: impl ToString,
) {
    #[derive(Serialize)]
    struct Event {
        event: &'static str,
        #[serde(skip_serializing_if = "String::is_empty")]
        value: String,
    }
    output.line(human, &Event { event, value: value.to_string() });
}

fn say_open(channel: &Channel, dialed: Instant, output: &Output) {
    #[derive(Serialize)]
    struct Event<'a> {
        event: &'static str,
        label: &'a str,
        dial_to_open_ms: f64,
    }
    let dial_to_open_ms = dialed.elapsed().as_secs_f64() * 1e3;
    let label = channel.label();
    output.line(
        format_args!("channel {label} open {dial_to_open_ms:.1} ms after dialing"),
        &Event { event: "channel_open", label, dial_to_open_ms },
    );
}
