//! `listen`: a peer that accepts every call, echoes what it is sent, audio and video too, and stores files.

use std::{path::PathBuf, sync::Arc};

use clap::{Args, ValueEnum};
use serde::Serialize;
use skapi_rtc::{
    Call, CallEnd, CallOptions, Channel, CloseReason, IncomingCall, RealtimeEvent,
    file::IncomingFile,
};

use crate::{
    connect::{ConnectArgs, connect},
    exit::{Exit, Failure},
    files::{self, Inbox},
    media::{Counters, Echo},
    output::Output,
    progress::Progress,
    signals::Stop,
};

#[derive(Debug, Args)]
pub(crate) struct ListenArgs {
    #[command(flatten)]
    connect: ConnectArgs,
    /// Folder for files that callers send; without it they are refused
    #[arg(long, value_name = "DIR")]
    save_dir: Option<PathBuf>,
    /// Largest file to store, in MiB; larger ones are refused
    #[arg(long, value_name = "MIB", default_value_t = 4096, requires = "save_dir")]
    max_file_mib: u64,
    /// Leave after the first call
    #[arg(long)]
    once: bool,
    /// What to do with calls
    #[arg(long, value_enum, default_value_t = Answer::Accept)]
    answer: Answer,
}

/// What to do with a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Answer {
    /// Accept it
    Accept,
    /// Decline it
    Decline,
    /// Say that there is another one
    Busy,
    /// Let it ring
    Never,
}

#[derive(Serialize)]
struct CallEvent<'a> {
    event: &'static str,
    user: &'a str,
    cid: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

/// Channels of one call that are served at a time; further ones are closed.
const MAX_CHANNELS: usize = 64;

pub(crate) async fn run(args: ListenArgs, output: &Output) -> Result<(), Failure> {
    let (realtime, mut events) = connect(&args.connect, output).await?;
    #[derive(Serialize)]
    struct Waiting {
        event: &'static str,
    }
    output.line("waiting for calls (Ctrl-C ends)", &Waiting { event: "waiting" });
    let max_size = args.max_file_mib.saturating_mul(1 << 20);
    let inbox = args.save_dir.map(|folder| Arc::new(Inbox { folder, max_size }));
    let mut calls = tokio::task::JoinSet::new();
    let mut stop = Stop::listen()?;
    let result = loop {
        tokio::select! {
            _ = stop.requested() => break Ok(()),
            Some(_) = calls.join_next() => if args.once { break Ok(()) },
            event = events.next() => match event {
                Some(RealtimeEvent::Incoming(call)) => {
                    calls.spawn(answer(call, args.answer, inbox.clone(), *output));
                }
                Some(RealtimeEvent::Closed(CloseReason::Refused(reason))) => {
                    break Err(Failure::msg(Exit::NotAuthorised, reason));
                }
                Some(event) => crate::news::tell(&event, output),
                None => break Ok(()),
            },
        }
    };
    // Hangs up, so that the calls in progress end and say so.
    realtime.close_realtime().await;
    while calls.join_next().await.is_some() {}
    result
}

async fn answer(incoming: IncomingCall, answer: Answer, inbox: Option<Arc<Inbox>>, output: Output) {
    let (user, cid) = (incoming.user().to_string(), incoming.peer().to_string());
    let say = |event, text: String, reason| {
        output.line(text, &CallEvent { event, user: &user, cid: &cid, reason });
    };
    say("incoming", format!("{user} ({cid}) calls"), None);
    let missed = |end: CallEnd| {
        let reason = end.to_string();
        say("missed", format!("no call with {user}: {reason}"), Some(reason));
    };
    match answer {
        Answer::Accept => {}
        Answer::Decline => return missed(incoming.decline().await),
        Answer::Busy => return missed(incoming.decline_busy().await),
        Answer::Never => return missed(incoming.cancelled().await),
    }
    let echo = match Echo::new() {
        Ok(echo) => echo,
        Err(error) => return say("missed", format!("no echo: {error}"), Some(error.to_string())),
    };
    say("accepted", format!("accepting the call of {user}"), None);
    let progress = Progress::with(&user, &cid, output).follow(incoming.events());
    let call = match incoming.connect_rtc(echo.join(CallOptions::default())).await {
        Ok(call) => call,
        Err(error) => {
            let reason = error.to_string();
            return say("missed", format!("no call with {user}: {reason}"), Some(reason));
        }
    };
    say("call_up", format!("in a call with {user}"), None);
    let counters = Counters::default();
    tokio::join!(serve(&call, inbox, output), echo.run(&call, &counters), progress);
    counters.report(true, &output);
    let reason = call.ended().await.to_string();
    say("ended", format!("the call with {user} has ended: {reason}"), Some(reason));
}

/// Serves every channel of a call until it ends.
async fn serve(call: &Call, inbox: Option<Arc<Inbox>>, output: Output) {
    let mut channels = tokio::task::JoinSet::new();
    while let Some(channel) = call.next_channel().await {
        // Those that have ended are let go.
        while channels.try_join_next().is_some() {}
        if channels.len() >= MAX_CHANNELS {
            channel.close().await;
        } else if IncomingFile::is_file(&channel) {
            let inbox = inbox.clone();
            channels.spawn(async move { files::receive(channel, inbox.as_deref(), &output).await });
        } else {
            channels.spawn(echo(channel));
        }
    }
    // The call is over, so every channel ends.
    while channels.join_next().await.is_some() {}
}

async fn echo(mut channel: Channel) {
    while let Some(message) = channel.recv().await {
        if channel.send(message).await.is_err() {
            return;
        }
    }
}
