//! Whom `call` calls, and letting it ring: at one connection, or at every device of a user.

use serde::Serialize;
use skapi_rtc::{
    CallOptions, ConnectionId, GroupName, OutgoingCall, PlaceError, PlaceUserError, Realtime,
    UserEntry, UserId,
};
use tokio::{sync::oneshot, task::JoinSet};

use crate::{
    call::{not_answered, say},
    connect::ask_failure,
    exit::{Exit, Failure},
    output::Output,
    progress::say_ended,
};

/// Whom to call.
pub(crate) enum Target {
    Connection(ConnectionId),
    User(UserId),
}

/// Whom to call, after saying who is there.
pub(crate) async fn find(
    target: &str,
    group: &GroupName,
    realtime: &Realtime,
    output: &Output,
) -> Result<Target, Failure> {
    let users = realtime.realtime_users(group.clone()).await.map_err(ask_failure)?;
    say_users(&users, realtime, output);
    let usage = |error: skapi_rtc::IdError| {
        Failure::msg(Exit::Usage, format!("{target} cannot be called: {error}"))
    };
    if ConnectionId::has_prefix(target) {
        return ConnectionId::new(target).map(Target::Connection).map_err(usage);
    }
    target.parse().map(Target::User).map_err(usage)
}

/// Lets it ring, and says so. Gives the call to whoever takes it.
pub(crate) async fn dial(
    to: Target,
    group: &GroupName,
    options: CallOptions,
    realtime: &Realtime,
    output: &Output,
    reports: &mut JoinSet<()>,
) -> Result<OutgoingCall, Failure> {
    let rings = || say(output, "ringing", "it rings", "");
    match to {
        Target::Connection(to) => {
            say(output, "dialing", format_args!("calling {to}"), &to);
            let outgoing = realtime.connect_rtc(to, options).await.map_err(not_placed)?;
            if outgoing.ringing().await {
                rings();
            }
            Ok(outgoing)
        }
        Target::User(user) => {
            let placed = realtime.connect_rtc_user(user, group.clone(), options).await;
            let outgoing = placed.map_err(user_not_called)?;
            let (ended, output_then) = (outgoing.ended(), *output);
            let (told, all_told) = oneshot::channel::<()>();
            reports.spawn(async move {
                if let Some(end) = ended.await {
                    // Who declines at once does so after it has rung.
                    let _ = all_told.await;
                    say_ended(&end, &output_then);
                }
            });
            for to in outgoing.connections() {
                say(output, "dialing", format_args!("calling {} ({to})", outgoing.user()), to);
            }
            if outgoing.ringing().await {
                rings();
            }
            drop(told);
            outgoing.answered().await.map_err(not_answered)
        }
    }
}

fn not_placed(error: PlaceError) -> Failure {
    Failure::new(Exit::NotAnswered, anyhow::Error::new(error).context("the call was not placed"))
}

fn user_not_called(error: PlaceUserError) -> Failure {
    match error {
        PlaceUserError::Ask(error) => ask_failure(error),
        PlaceUserError::Place(error) => not_placed(error),
        error => Failure::msg(Exit::NotAnswered, format!("{error}; who is there is listed above")),
    }
}

fn say_users(users: &[UserEntry], realtime: &Realtime, output: &Output) {
    #[derive(Serialize)]
    struct User {
        user: String,
        cid: String,
        own: bool,
    }
    #[derive(Serialize)]
    struct Event {
        event: &'static str,
        users: Vec<User>,
    }
    let own = realtime.cid();
    let users: Vec<_> = users
        .iter()
        .map(|entry| User {
            user: entry.user.to_string(),
            cid: entry.cid.to_string(),
            own: own.as_ref() == Some(&entry.cid),
        })
        .collect();
    let list: Vec<_> = users
        .iter()
        .map(|user| {
            format!("\n  {} {}{}", user.user, user.cid, if user.own { " (we)" } else { "" })
        })
        .collect();
    let human = format!("who is there: {}{}", users.len(), list.concat());
    output.line(human, &Event { event: "users", users });
}
