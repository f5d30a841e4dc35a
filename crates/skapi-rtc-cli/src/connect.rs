//! How the commands that are clients reach the service, and who they are there.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;
use serde::Serialize;
use skapi_rtc::{
    AskError, ConnectError, ConnectOptions, GroupName, OpenError, PostError, Realtime,
    RealtimeEvents, UserId, connect_realtime,
};

use crate::{
    dev_token,
    exit::{Exit, Failure},
    output::Output,
    secret::read_file,
};

/// The environment variable that may hold the token.
const VARIABLE: &str = "SKAPI_RTC_TOKEN";

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
}

/// Connects and joins the group, saying so.
pub(crate) async fn connect(
    args: &ConnectArgs,
    output: &Output,
) -> Result<(Realtime, RealtimeEvents), Failure> {
    let token = token(args).await?;
    let options = ConnectOptions::new(&args.server, token)
        .map_err(|error| Failure::new(Exit::Usage, error))?;
    let (realtime, events) = connect_realtime(options).await.map_err(connect_failure)?;
    say_connected(args, &realtime, output);
    realtime
        .join_realtime(args.group.clone())
        .await
        .map_err(post_failure)?;
    say_joined(&args.group, output);
    Ok((realtime, events))
}

pub(crate) fn ask_failure(error: AskError) -> Failure {
    Failure::new(
        Exit::Failure,
        anyhow::Error::new(error).context("cannot ask who is there"),
    )
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
    let hint = if hint.is_empty() {
        String::new()
    } else {
        format!(" ({hint})")
    };
    Failure::msg(exit, format!("{error}{hint}"))
}

fn post_failure(error: PostError) -> Failure {
    Failure::new(
        Exit::Failure,
        anyhow::Error::new(error).context("cannot join the group"),
    )
}

async fn token(args: &ConnectArgs) -> Result<String, Failure> {
    if let Some(user) = &args.dev_user {
        return dev_token::fetch(&args.server, user).await;
    }
    if let Some(path) = &args.token_file {
        let text = String::from_utf8(read_file(path)?)
            .with_context(|| format!("{} holds no token", path.display()))
            .map_err(|error| Failure::new(Exit::File, error))?;
        return Ok(text.trim().to_owned());
    }
    std::env::var(VARIABLE).map_err(|_| {
        Failure::msg(
            Exit::Usage,
            format!(
                "who are you? give --token-file or {VARIABLE} (make a token with `skapi-rtc \
                 token`), or --dev-user NAME with a service that runs with --dev"
            ),
        )
    })
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
    output.line(
        human,
        &Event {
            event: "connected",
            server: &args.server,
            user,
            cid,
        },
    );
}

fn say_joined(group: &GroupName, output: &Output) {
    #[derive(Serialize)]
    struct Event<'a> {
        event: &'static str,
        group: &'a str,
    }
    let event = Event {
        event: "joined",
        group: group.as_str(),
    };
    output.line(format_args!("joined the group {group}"), &event);
}
