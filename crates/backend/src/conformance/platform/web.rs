//! Time and tasks by the event loop of a browser's page.

use std::{
    future::Future,
    pin::{Pin, pin},
    task::Poll,
    time::Duration,
};

use gloo_timers::future::TimeoutFuture;

use crate::MaybeSend;

/// What a future gives within a time, for what need not happen at all.
pub(in super::super) async fn within<T>(
    time: Duration,
    future: impl Future<Output = T>,
) -> Option<T> {
    let (mut future, mut timer) = (pin!(future), timer(time));
    std::future::poll_fn(|cx| match future.as_mut().poll(cx) {
        Poll::Ready(value) => Poll::Ready(Some(value)),
        Poll::Pending => Pin::new(&mut timer).poll(cx).map(|()| None),
    })
    .await
}

pub(in super::super) fn spawn(future: impl Future<Output = ()> + MaybeSend + 'static) {
    wasm_bindgen_futures::spawn_local(future);
}

/// How many tasks there are; `None` where nobody counts them.
pub(in super::super) fn alive_tasks() -> Option<usize> {
    None
}

pub(super) async fn sleep(time: Duration) {
    timer(time).await;
}

fn timer(time: Duration) -> TimeoutFuture {
    TimeoutFuture::new(u32::try_from(time.as_millis()).unwrap_or(u32::MAX))
}
