//! How the commands that are clients reach the service, and who they are there.

use std::{path::PathBuf, sync::Arc};

use clap::{Args, ValueEnum};
use serde::Serialize;
use skapi_rtc::{
    AskError, Backend, ConnectError, ConnectOptions, GroupName, HandoverPolicy, OpenError,
    PostError, QueryError, Realtime, RealtimeEvents, UserId, WebRtcBackend, connect_realtime,
};

use crate::{
    exit::{Exit, Failure},
    output::Output,
    tokens::Tokens,
};

#[derive(Debug, Args)]
pub(crate) struct ConnectArgs {
    /// Address of the realtime service
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8787")]
    pub(crate) server: String,
    /// File with the token to connect with; without it, the environment variable SKAPI_RTC_TOKEN
    #[arg(long, value_name = "FILE", conflicts_with = "dev_user")]
    pub(crate) token_file: Option<PathBuf>,
    /// Be this user, with a token from a service that runs with --dev
    #[arg(long, value_name = "USER")]
    pub(crate) dev_user: Option<UserId>,
    /// Group to join
    #[arg(long, value_name = "GROUP", default_value = "lobby")]
    pub(crate) group: GroupName,
    /// Engine that makes the calls
    #[arg(long, value_enum, default_value_t = Engine::Webrtc)]
    engine: Engine,
    /// Listen for calls' data over TCP too, for peers whose network lets no UDP through
    #[cfg(feature = "str0m")]
    #[arg(long)]
    ice_tcp: bool,
}

/// An engine by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Engine {
    /// webrtc-rs: data, audio and video, TURN over UDP, TCP and TLS
    Webrtc,
    /// str0m: the same, and less memory a call
    #[cfg(feature = "str0m")]
    Str0m,
}

impl Engine {
    pub(crate) fn backend(self) -> Arc<dyn Backend> {
        match self {
            Self::Webrtc => Arc::new(WebRtcBackend::default()),
            #[cfg(feature = "str0m")]
            Self::Str0m => Arc::new(skapi_rtc::Str0mBackend::default()),
        }
    }
}

impl ConnectArgs {
    fn backend(&self) -> Result<Arc<dyn Backend>, Failure> {
        #[cfg(feature = "str0m")]
        if self.ice_tcp {
            use skapi_rtc::str0m::{Config, IceTcp, Str0mBackend};
            if self.engine != Engine::Str0m {
                return Err(Failure::msg(Exit::Usage, "--ice-tcp needs --engine str0m"));
            }
            let engine = Str0mBackend::new(Config::default().ice_tcp(IceTcp::Listen));
            return Ok(Arc::new(engine.map_err(|error| Failure::new(Exit::Usage, error))?));
        }
        Ok(self.engine.backend())
    }
}

/// Connects and joins the group, saying so.
pub(crate) async fn connect(
    args: &ConnectArgs,
    output: &Output,
) -> Result<(Realtime, RealtimeEvents), Failure> {
    let backend = args.backend()?;
    let tokens = Tokens::new(args).await?;
    let options = ConnectOptions::new(&args.server, tokens)
        .map_err(|error| Failure::new(Exit::Usage, error))?
        // What goes on here is bound to the channels of one call.
        .handover(HandoverPolicy::Refuse)
        .backend(backend);
    let (realtime, events) = connect_realtime(options).await.map_err(connect_failure)?;
    say_connected(args, &realtime, output);
    realtime.join_realtime(args.group.clone()).await.map_err(post_failure)?;
    say_joined(&args.group, output);
    Ok((realtime, events))
}

pub(crate) fn ask_failure(error: AskError) -> Failure {
    let exit = match &error {
        AskError::Query(QueryError::Refused { status: 401 | 403, .. }) => Exit::NotAuthorised,
        AskError::Query(QueryError::Failed(_)) => Exit::Unreachable,
        _ => Exit::Failure,
    };
    Failure::new(exit, anyhow::Error::new(error).context("cannot ask who is there"))
}

fn connect_failure(error: ConnectError) -> Failure {
    let (exit, hint) = match &error {
        ConnectError::Open(OpenError::Unauthorized { .. }) => (
            Exit::NotAuthorised,
            "make a fresh token with `skapi-rtc token`, signed with the secret of that service",
        ),
        ConnectError::Open(_) | ConnectError::Socket(_) => (
            Exit::Unreachable,
            "is the service running there? start one with `skapi-rtc serve --dev`",
        ),
        _ => (Exit::Failure, ""),
    };
    let hint = if hint.is_empty() { String::new() } else { format!(" ({hint})") };
    Failure::msg(exit, format!("{error}{hint}"))
}

fn post_failure(error: PostError) -> Failure {
    Failure::new(Exit::Failure, anyhow::Error::new(error).context("cannot join the group"))
}

fn say_connected(args: &ConnectArgs, realtime: &Realtime, output: &Output) {
    #[derive(Serialize)]
    struct Event<'a> {
        event: &'static str,
        server: &'a str,
        user: Option<String>,
        cid: Option<String>,
    }
    let user = realtime.user_id().map(|user| user.to_string());
    let cid = realtime.cid().map(|cid| cid.to_string());
    let unknown = || "unknown".to_owned();
    let human = format!(
        "connected to {} as {} ({})",
        args.server,
        user.clone().unwrap_or_else(unknown),
        cid.clone().unwrap_or_else(unknown),
    );
    output.line(human, &Event { event: "connected", server: &args.server, user, cid });
}

fn say_joined(group: &GroupName, output: &Output) {
    #[derive(Serialize)]
    struct Event<'a> {
        event: &'static str,
        group: &'a str,
    }
    let event = Event { event: "joined", group: group.as_str() };
    output.line(format_args!("joined the group {group}"), &event);
}
