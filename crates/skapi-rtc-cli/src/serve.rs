//! `serve`: runs the realtime service until it is told to stop.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use anyhow::Context as _;
use clap::Args;
use serde::Serialize;
use skapi_rtc_protocol::{IceServer, Project};
use skapi_rtc_server::{
    Config, DevAuthenticator, IpRange, ResumeKey, Server, ServerBuilder, StartError, Tls,
};

use crate::{
    exit::{Exit, Failure},
    keys::{KeyArgs, key_failure},
    output::Output,
    project::ProjectArgs,
    secret::{read_file, without_line_break},
    signals::{Hangup, Stop},
    tls::TlsArgs,
    token::duration,
};

#[derive(Debug, Args)]
pub(crate) struct ServeArgs {
    /// Address to listen on; port 0 takes a free one
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8787")]
    listen: String,
    #[command(flatten)]
    keys: KeyArgs,
    /// For development: POST /dev/session and /dev/token give tokens for any user to anybody who asks
    #[arg(long)]
    dev: bool,
    /// Allow --dev on an address that others can reach
    #[arg(long, requires = "dev")]
    dev_allow_remote: bool,
    /// File with a secret of its own for clients that come back after a restart or at another server; without
    /// it, the secret that tokens are signed with, where there is one
    #[arg(long, value_name = "FILE")]
    resume_key_file: Option<PathBuf>,
    /// For how long a client that was cut off may come back and has missed nothing; 0s turns it off
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = duration)]
    resume_window: Duration,
    #[command(flatten)]
    tls: TlsArgs,
    /// Folder whose files are served beside the API, for pages; those that begin with a dot are not
    #[arg(long, value_name = "DIR")]
    web: Option<PathBuf>,
    /// Address that clients reach the service under, such as `https://rtc.example`; without it, the host that
    /// they ask
    #[arg(long, value_name = "URL", env = "SKAPI_RTC_PUBLIC_URL")]
    public_url: Option<String>,
    /// Proxy that is believed what it says about a request (Forwarded, X-Forwarded-*), such as 127.0.0.1 or
    /// 10.0.0.0/8; can be repeated
    #[arg(long, value_name = "CIDR", env = "SKAPI_RTC_TRUSTED_PROXIES", value_delimiter = ',')]
    trusted_proxy: Vec<IpRange>,
    #[command(flatten)]
    project: ProjectArgs,
    /// URL of a STUN server that clients are told to use; can be repeated
    #[arg(long, value_name = "URL")]
    ice_server: Vec<String>,
    /// Show counters to anybody at GET /metrics
    #[arg(long)]
    metrics: bool,
    #[command(flatten, next_help_heading = "Limits")]
    limits: LimitArgs,
}

#[derive(Debug, Args)]
struct LimitArgs {
    /// Connections in all
    #[arg(long, value_name = "N")]
    max_connections: Option<usize>,
    /// Connections of one user
    #[arg(long, value_name = "N")]
    max_connections_per_user: Option<usize>,
    /// Groups at a time
    #[arg(long, value_name = "N")]
    max_groups: Option<usize>,
    /// Connections in one group
    #[arg(long, value_name = "N")]
    max_group_size: Option<usize>,
    /// Bytes of a frame
    #[arg(long, value_name = "BYTES")]
    max_frame_bytes: Option<usize>,
    /// Frames that a connection may send at once
    #[arg(long, value_name = "N")]
    frame_burst: Option<u32>,
    /// Frames per second that a connection may send in the long run
    #[arg(long, value_name = "N")]
    frames_per_second: Option<f64>,
}

#[derive(Serialize)]
struct Listening<'a> {
    event: &'static str,
    version: &'static str,
    address: SocketAddr,
    http: &'a str,
    ws: &'a str,
    dev: bool,
}

pub(crate) async fn run(args: &ServeArgs, output: &Output) -> Result<(), Failure> {
    raise_open_files();
    let address = resolve(&args.listen).await?;
    let config = config(args)?;
    let tls = args.tls.read(address)?;
    let project = config.project.clone();
    let mut builder = authenticated(args, project.as_ref(), address, output)
        .await?
        .config(config)
        .listen(address);
    if let Some(tls) = &tls {
        builder = builder.tls(tls.clone());
    }
    if let Some(path) = &args.resume_key_file {
        let secret = without_line_break(read_file(path)?);
        builder = builder.resume_key(ResumeKey::from_secret(&secret).map_err(key_failure)?);
    }
    // Before the address is told: whoever reads it may stop the service at once.
    let mut stop = Stop::listen()?;
    let mut hangup = tls.as_ref().map(|_| Hangup::listen()).transpose()?;
    let server = builder.start().await.map_err(start_failure)?;

    let address = server.local_addr();
    let secure = if tls.is_some() { "s" } else { "" };
    let http = format!("http{secure}://{address}");
    let ws = format!("ws{secure}://{address}/ws");
    let version = env!("CARGO_PKG_VERSION");
    output.line(
        format_args!("skapi-rtc {version} listening on {http} ({ws})"),
        &Listening { event: "listening", version, address, http: &http, ws: &ws, dev: args.dev },
    );
    if args.dev {
        output.warning(&format!(
            "DEV MODE: anybody who reaches {address} can be any user (POST {http}/dev/session). \
             Never run it where others can reach it."
        ));
    }

    let signal = loop {
        tokio::select! {
            signal = stop.requested() => break signal,
            () = next(&mut hangup) => reload(tls.as_ref(), output),
        }
    };
    tracing::info!(signal, "stopping");
    server.shutdown().await;
    tracing::info!("stopped");
    Ok(())
}

/// Sockets are files, and the usual soft limit of a thousand is meant for programs that cannot cope with more.
fn raise_open_files() {
    match rlimit::increase_nofile_limit(u64::MAX) {
        Ok(files) => tracing::info!(files, "so many sockets and files can be open"),
        Err(error) => tracing::warn!(%error, "the limit of open files stays as it is"),
    }
}

async fn next(hangup: &mut Option<Hangup>) {
    match hangup {
        Some(hangup) => hangup.next().await,
        None => std::future::pending().await,
    }
}

fn reload(tls: Option<&Tls>, output: &Output) {
    match tls.map_or(Ok(()), Tls::reload) {
        Ok(()) => tracing::info!("the certificate was read again"),
        Err(error) => output.warning(&format!("{error}; the certificate from before stays in use")),
    }
}

async fn resolve(listen: &str) -> Result<SocketAddr, Failure> {
    let mut addresses = tokio::net::lookup_host(listen)
        .await
        .with_context(|| {
            format!("`{listen}` is not an address to listen on; try 127.0.0.1:8787 or 0.0.0.0:8787")
        })
        .map_err(|error| Failure::new(Exit::Usage, error))?;
    addresses
        .next()
        .ok_or_else(|| Failure::msg(Exit::Usage, format_args!("`{listen}` has no address")))
}

async fn authenticated(
    args: &ServeArgs,
    project: Option<&Project>,
    address: SocketAddr,
    output: &Output,
) -> Result<ServerBuilder, Failure> {
    let builder = Server::builder();
    if args.dev {
        if !address.ip().is_loopback() && !args.dev_allow_remote {
            let message = format_args!(
                "--dev on {address} would let anybody who reaches it be any user; listen on \
                 127.0.0.1, or say --dev-allow-remote if that is what you want"
            );
            return Err(Failure::msg(Exit::Usage, message));
        }
        let dev = match args.keys.secret.read(output)? {
            // With a secret of the operator's, tokens outlive a restart.
            Some(secret) => DevAuthenticator::with_secret(&secret).map_err(key_failure)?,
            None => DevAuthenticator::new(),
        };
        return Ok(builder.dev(dev));
    }
    let (jwt, resume_key) = args.keys.read(project, output).await?;
    let builder = builder.authenticator(jwt);
    Ok(match resume_key {
        Some(key) => builder.resume_key(key),
        None => builder,
    })
}

fn config(args: &ServeArgs) -> Result<Config, Failure> {
    let ice_servers = args
        .ice_server
        .iter()
        .map(|url| IceServer { urls: vec![url.clone()], ..IceServer::default() });
    let mut config =
        Config::default().ice_servers(ice_servers.collect()).expose_metrics(args.metrics);
    config.hub.resume.window = args.resume_window;
    config.web.clone_from(&args.web);
    config.public_url.clone_from(&args.public_url);
    config.trusted_proxies.clone_from(&args.trusted_proxy);
    config.project = args.project.read()?;
    let limits = &args.limits;
    let hub = &mut config.hub;
    set(&mut hub.max_connections, limits.max_connections);
    set(&mut hub.max_connections_per_user, limits.max_connections_per_user);
    set(&mut hub.max_groups, limits.max_groups);
    set(&mut hub.max_group_size, limits.max_group_size);
    set(&mut config.max_frame_bytes, limits.max_frame_bytes);
    set(&mut config.frame_burst, limits.frame_burst);
    set(&mut config.frames_per_second, limits.frames_per_second);
    // Whoever allows larger frames means them to be delivered, too.
    config.max_queued_bytes = config.max_queued_bytes.max(config.max_frame_bytes);
    Ok(config)
}

fn set<T>(setting: &mut T, argument: Option<T>) {
    if let Some(value) = argument {
        *setting = value;
    }
}

fn start_failure(error: StartError) -> Failure {
    let exit = match &error {
        StartError::AddressInUse(_) | StartError::Listen { .. } => Exit::Unreachable,
        StartError::Config(_) => Exit::Usage,
        StartError::Web { .. } => Exit::File,
        _ => Exit::Failure,
    };
    Failure::new(exit, error)
}
