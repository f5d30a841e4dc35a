//! What is measured: each engine alone, calls on it, and Google's libwebrtc.

use std::time::Duration;

use async_trait::async_trait;

use crate::{alone, facade::Stage, libwebrtc};

/// One way to have a data channel between two ends on this machine.
#[async_trait]
pub(crate) trait Subject: Send + Sync {
    /// Two connected ends, and how long that took.
    async fn connect(&self) -> (Box<dyn Pair>, Duration);

    /// How long each of so many small messages took there and back, over a pair of its own.
    async fn echo(&self, times: usize) -> Vec<Duration> {
        let (mut pair, _) = self.connect().await;
        let measured = pair.echo(times).await;
        pair.close().await;
        measured
    }

    /// How long so many messages of so many bytes took, over a pair of its own.
    async fn transfer(&self, size: usize, count: usize) -> Duration {
        let (mut pair, _) = self.connect().await;
        let measured = pair.transfer(size, count).await;
        pair.close().await;
        measured
    }
}

/// Two connected ends.
#[async_trait]
pub(crate) trait Pair: Send {
    async fn echo(&mut self, times: usize) -> Vec<Duration>;
    async fn transfer(&mut self, size: usize, count: usize) -> Duration;
    async fn close(self: Box<Self>);
}

/// The subjects by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Name {
    WebrtcAlone,
    WebrtcCall,
    Str0mAlone,
    Str0mCall,
    Libwebrtc,
}

impl Name {
    pub(crate) const ALL: [Self; 5] =
        [Self::WebrtcAlone, Self::WebrtcCall, Self::Str0mAlone, Self::Str0mCall, Self::Libwebrtc];

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::WebrtcAlone => "webrtc-rs",
            Self::WebrtcCall => "call, webrtc-rs",
            Self::Str0mAlone => "str0m",
            Self::Str0mCall => "call, str0m",
            Self::Libwebrtc => "libwebrtc",
        }
    }

    pub(crate) fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.as_str() == name)
    }

    /// Sets the stage for it, with room for so many calls at once; otherwise says what is missing.
    pub(crate) async fn set(self, calls: usize) -> Result<Box<dyn Subject>, String> {
        Ok(match self {
            Self::WebrtcAlone => Box::new(alone::Webrtc),
            Self::WebrtcCall => Box::new(Stage::set(crate::facade::webrtc(), calls).await),
            Self::Str0mAlone => Box::new(alone::Str0m),
            Self::Str0mCall => Box::new(Stage::set(crate::facade::str0m(), calls).await),
            Self::Libwebrtc => Box::new(libwebrtc::Libwebrtc::start().await?),
        })
    }
}
