//! The engines by themselves.

use std::time::Duration;

use async_trait::async_trait;

use crate::{
    raw, raw_str0m,
    subject::{Pair, Subject},
};

/// webrtc-rs with every setting that helps.
pub(crate) struct Webrtc;

#[async_trait]
impl Subject for Webrtc {
    async fn connect(&self) -> (Box<dyn Pair>, Duration) {
        let (pair, time) = raw::Pair::connect().await;
        (Box::new(pair), time)
    }
}

/// str0m behind a simple driver.
pub(crate) struct Str0m;

#[async_trait]
impl Subject for Str0m {
    async fn connect(&self) -> (Box<dyn Pair>, Duration) {
        let (pair, time) = raw_str0m::Pair::connect().await;
        (Box::new(pair), time)
    }
}

macro_rules! pair {
    ($type:ty) => {
        #[async_trait]
        impl Pair for $type {
            async fn echo(&mut self, times: usize) -> Vec<Duration> {
                Self::echo(self, times).await
            }

            async fn transfer(&mut self, size: usize, count: usize) -> Duration {
                Self::transfer(self, size, count).await
            }

            async fn close(self: Box<Self>) {
                Self::close(*self).await;
            }
        }
    };
}

pair!(raw::Pair);
pair!(raw_str0m::Pair);
pair!(crate::facade::Pair);
