//! `demo`: a service, an echo peer and a caller as three processes of this program, and a real call
//! between them.

mod checks;
mod child;
mod story;

use std::{ffi::OsString, path::PathBuf, time::Duration};

use anyhow::Context as _;
use clap::Args;

use self::{checks::Checks, child::Process, story::Story};
use crate::{
    exit::{Exit, Failure},
    output::Output,
    signals::Stop,
};

#[derive(Debug, Args)]
pub(crate) struct DemoArgs {
    /// End after the call, with code 0 only if everything held
    #[arg(long)]
    once: bool,
    /// Size of the file that is sent, in MiB
    #[arg(long, value_name = "MIB", default_value_t = 32, value_parser = clap::value_parser!(u64).range(1..=4096))]
    file_mib: u64,
    /// Number of echo round trips
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..))]
    pings: u32,
    /// Folder with a page for browsers, which the service serves while it stays up
    #[arg(long, value_name = "DIR", conflicts_with = "once")]
    web: Option<PathBuf>,
    /// Time for the whole call
    #[arg(long, value_name = "SECONDS", default_value_t = 180)]
    timeout: u64,
}

/// The name under which the echo peer is called.
const ECHO: &str = "echo";
/// How much later than the caller the echo peer may see the end of the call.
const PATIENCE: Duration = Duration::from_secs(10);

pub(crate) async fn run(args: DemoArgs, output: &Output) -> Result<(), Failure> {
    let mut stop = Stop::listen()?;
    tokio::select! {
        result = play(&args, output) => result,
        _ = stop.requested() => Ok(()),
    }
}

async fn play(args: &DemoArgs, output: &Output) -> Result<(), Failure> {
    let folder = tempfile::Builder::new()
        .prefix("skapi-rtc-demo-")
        .tempdir()
        .context("cannot make a folder for the demo")?;
    let limit = Duration::from_secs(args.timeout);
    let mut story = Story::new(*output);
    let call = tokio::time::timeout(limit, call(args, folder.path().into(), &mut story));
    let stage = match call.await {
        Ok(stage) => stage?,
        Err(_) => {
            let text = format!("the demo did not end within {} s", limit.as_secs());
            return Err(Failure::msg(Exit::Failure, text));
        }
    };
    let failed = story.verdict(&stage.checks);
    if !failed.is_empty() {
        return Err(Failure::msg(
            Exit::Failure,
            format!("this did not hold: {}", failed.join("; ")),
        ));
    }
    if !args.once {
        let page = args.web.is_some().then(|| page_of(&stage.url));
        story.next_steps(&stage.url, page.as_deref());
        stage.stay().await?;
    }
    Ok(())
}

/// Where the page meets the echo peer. Browsers give cameras only to `localhost` and https, and Skapi's
/// client looks for that very name.
fn page_of(url: &str) -> String {
    format!("{}/?group=lobby", url.replace("127.0.0.1", "localhost"))
}

/// What stays up after the call.
struct Stage {
    server: Process,
    echo: Process,
    url: String,
    checks: Checks,
}

impl Stage {
    /// Stays until one of the processes ends.
    async fn stay(mut self) -> anyhow::Result<()> {
        tokio::select! {
            result = drain(&mut self.server) => result,
            result = drain(&mut self.echo) => result,
        }
    }
}

async fn drain(process: &mut Process) -> anyhow::Result<()> {
    while process.next().await?.is_some() {}
    Ok(())
}

async fn call(args: &DemoArgs, folder: PathBuf, story: &mut Story) -> anyhow::Result<Stage> {
    let received = folder.join("received");
    let file = folder.join("demo.bin");
    let sum = checks::make_file(&file, args.file_mib << 20).await?;

    let mut serve: Vec<OsString> =
        ["serve", "--dev", "--listen", "127.0.0.1:0"].map(Into::into).into();
    if let Some(folder) = &args.web {
        serve.extend(["--web".into(), folder.clone().into_os_string()]);
    }
    let mut server = Process::start("the service", serve)?;
    let url = server.expect("listening").await?["http"]
        .as_str()
        .context("the service named no address")?
        .to_owned();
    story.step("service", &format!("listening on {url}"), server.id());

    let mut listen = vec!["listen".into(), "--server".into(), url.clone().into()];
    listen.extend(["--dev-user".into(), ECHO.into(), "--save-dir".into()]);
    listen.push(received.clone().into_os_string());
    let mut echo = Process::start("the echo peer", listen)?;
    story.step("echo peer", "started", echo.id());
    echo.expect("waiting").await?;
    story.step("echo peer", "waiting for calls in the group lobby", None);

    let pings = args.pings.to_string();
    let mut dial = vec!["call".into(), ECHO.into(), "--server".into(), url.clone().into()];
    dial.extend(["--dev-user", "caller", "--message", "hello", "--ping", &pings].map(Into::into));
    dial.extend(["--send-file".into(), file.clone().into_os_string()]);
    let mut caller = Process::start("the caller", dial)?;
    story.step("caller", "started", caller.id());

    let mut checks = Checks::default();
    let (mut calling, mut called) = (true, true);
    while calling || called {
        tokio::select! {
            event = caller.next(), if calling => match event? {
                Some(event) => {
                    story.caller(&event);
                    checks.caller(&event);
                }
                None => {
                    calling = false;
                    checks.caller_exit(caller.exit_code().await?);
                }
            },
            event = echo.next(), if called => {
                let event = event?.context("the echo peer has ended")?;
                story.echo(&event);
                checks.echo(&event);
                called = event["event"] != "ended";
            }
            // The caller failed before it called anybody, so there is nothing to wait for.
            () = tokio::time::sleep(PATIENCE), if !calling => called = false,
        }
    }
    checks.file(&received.join("demo.bin"), &sum).await;
    Ok(Stage { server, echo, url, checks })
}
