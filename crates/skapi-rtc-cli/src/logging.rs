//! The log, on stderr: `-v` for our own crates, `RUST_LOG` for all.

use tracing::{Level, Metadata};
use tracing_subscriber::{
    EnvFilter, Layer as _,
    filter::{FilterExt as _, filter_fn},
    layer::SubscriberExt as _,
    util::SubscriberInitExt as _,
};

/// Libraries that write what travels into their log when they are asked for much, tokens included.
const TALKATIVE: [&str; 4] = ["tungstenite", "tokio_tungstenite", "hyper", "reqwest"];

pub(crate) fn init(verbose: u8) {
    let level = match verbose {
        0 => "warn",
        1 => "info",
        2 => "debug",
        _ => "trace",
    };
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| {
        // `serve` warns of the dev mode itself, whatever the log is set to.
        let quiet = "skapi_rtc_server::dev_mode=off";
        // The engine warns of what is normal in every set-up.
        let engine = if verbose == 0 { "rtc=error,webrtc=error," } else { "" };
        EnvFilter::new(format!("warn,{engine}skapi_rtc={level},{quiet}"))
    });
    let layer = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr()))
        .with_filter(filter.and(filter_fn(keeps_secrets)));
    tracing_subscriber::registry().with(layer).init();
}

fn keeps_secrets(metadata: &Metadata<'_>) -> bool {
    let library = metadata.target().split("::").next().unwrap_or_default();
    *metadata.level() <= Level::INFO || !TALKATIVE.contains(&library)
}
