//! The command line.

use clap::{ArgAction, Parser, Subcommand};

use crate::{
    call::CallArgs, demo::DemoArgs, exit, listen::ListenArgs, serve::ServeArgs, token::TokenArgs,
};

/// Realtime groups and WebRTC calls, as Skapi describes them.
#[derive(Debug, Parser)]
#[command(name = "skapi-rtc", version, after_help = exit::HELP)]
pub(crate) struct Cli {
    /// Print one JSON object a line, for machines
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Log more, to stderr; up to three times (RUST_LOG decides in detail)
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub(crate) verbose: u8,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the realtime service
    Serve(Box<ServeArgs>),
    /// Print a token for a user, signed with the service's secret
    Token(TokenArgs),
    /// Be a peer that accepts every call, echoes data, audio and video, and stores files
    Listen(ListenArgs),
    /// Call somebody: chat, send messages, files, audio and video, measure echo round trips
    Call(CallArgs),
    /// Say which engines there are for --engine, and what each can do
    Engines,
    /// Show a service, an echo peer and a caller, and a real call between them
    Demo(DemoArgs),
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }
}
