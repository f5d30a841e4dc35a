//! The skapi-rtc program: serve, token, listen, call, engines, demo.

mod call;
mod chat;
mod cli;
mod connect;
mod demo;
mod dev_token;
mod dial;
mod engines;
mod exit;
mod figures;
mod files;
mod keys;
mod listen;
mod logging;
mod media;
mod news;
mod output;
mod pings;
mod progress;
mod project;
mod secret;
mod serve;
mod signals;
mod tls;
mod token;
mod tokens;
mod volley;

use std::process::ExitCode;

use clap::Parser as _;

use crate::{
    cli::{Cli, Command},
    exit::{Exit, Failure},
    output::Output,
};

fn main() -> ExitCode {
    let cli = Cli::parse();
    logging::init(cli.verbose);
    let output = Output::new(cli.json);
    let exit = match run(cli.command, &output) {
        Ok(()) => Exit::Ok,
        Err(failure) => {
            output.failure(&failure);
            failure.exit()
        }
    };
    exit.into()
}

fn run(command: Command, output: &Output) -> Result<(), Failure> {
    match command {
        Command::Serve(args) => block_on(serve::run(&args, output)),
        Command::Token(args) => token::run(&args, output),
        Command::Listen(args) => block_on(listen::run(args, output)),
        Command::Call(args) => block_on(call::run(args, output)),
        Command::Engines => {
            engines::run(output);
            Ok(())
        }
        Command::Demo(args) => block_on(demo::run(args, output)),
    }
}

fn block_on(command: impl Future<Output = Result<(), Failure>>) -> Result<(), Failure> {
    let runtime = tokio::runtime::Runtime::new()
        .map_err(|error| Failure::from(anyhow::Error::new(error).context("no runtime")))?;
    let result = runtime.block_on(command);
    // A chat leaves a thread behind that waits for a line from stdin; the program does not wait for it.
    runtime.shutdown_background();
    result
}
