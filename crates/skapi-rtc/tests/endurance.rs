//! Many calls, one after the other: each comes up, carries data, and leaves nothing behind.

#![allow(clippy::unwrap_used, reason = "a test: whatever fails ends it")]

mod support;

use skapi_rtc::{CallOptions, EndReason, Message};
use support::{Service, call, soon};

/// How many; `SKAPI_RTC_CALLS` asks for more.
fn calls() -> u32 {
    std::env::var("SKAPI_RTC_CALLS").ok().and_then(|n| n.parse().ok()).unwrap_or(40)
}

fn tasks() -> usize {
    tokio::runtime::Handle::current().metrics().num_alive_tasks()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_in_a_row_all_come_up_and_leave_nothing_behind() {
    let service = Service::start().await;
    let (alice, _events) = service.connect("alice").await;
    let (bob, mut bob_events) = service.connect("bob").await;
    let before = tasks();
    for number in 0..calls() {
        let options = CallOptions::default();
        let (at_alice, at_bob) = call(&alice, &bob, &mut bob_events, options).await;
        let channel = soon("alice's channel", at_alice.channel("default")).await.unwrap();
        let mut other = soon("bob's channel", at_bob.channel("default")).await.unwrap();
        channel.send(number.to_string()).await.unwrap();
        let got = soon("the message", other.recv()).await;
        assert_eq!(got, Some(Message::from(number.to_string())), "call {number}");
        let end = soon("the hang-up", at_alice.hangup()).await;
        assert_eq!(end.reason, EndReason::HungUp, "call {number}");
        soon("the end at bob", at_bob.ended()).await;
    }
    soon("the tasks of the calls to end", async {
        while tasks() > before {
            tokio::task::yield_now().await;
        }
    })
    .await;
}
