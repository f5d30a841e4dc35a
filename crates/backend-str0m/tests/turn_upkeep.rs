//! Allocations over time: they are kept, replaced and given back.

#![allow(clippy::unwrap_used, reason = "a test: whatever fails ends it")]

mod support;

use std::time::Duration;

use skapi_rtc_backend::{ConnectionState, PeerConfig, TransportPolicy};
use skapi_rtc_testkit::turn::{TurnEvent, TurnMethod, TurnOptions, TurnServer};
use support::{Call, Side, account, engine, relayed, server, soon};

/// Both sides by way of the server alone.
async fn call(server: &TurnServer) -> Call {
    let engine = engine();
    let left = Side::new(&engine, relayed(server)).await;
    let right = Side::new(&engine, relayed(server)).await;
    Call::new(left, right).await
}

/// Whose allocations and permissions last only so long.
fn forgetful_server() -> TurnServer {
    let options = TurnOptions {
        lifetime: Duration::from_secs(3),
        permission_lifetime: Duration::from_secs(3),
        ..TurnOptions::default()
    };
    TurnServer::start(options).unwrap()
}

fn count(events: &[TurnEvent], is_one: impl Fn(&TurnEvent) -> bool) -> usize {
    events.iter().filter(|event| is_one(event)).count()
}

/// Waits until something has happened so often, from now on.
async fn happens(server: &TurnServer, times: usize, is_one: impl Fn(&TurnEvent) -> bool) {
    let known = server.events().len();
    let enough = |events: &[TurnEvent]| count(&events[known..], &is_one) >= times;
    soon("the server", server.until(enough)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn allocations_permissions_and_channels_are_kept() {
    let server = forgetful_server();
    let mut call = call(&server).await;
    call.talk(20).await;
    // More than twice as long as the server remembers anything by itself.
    tokio::join!(
        happens(&server, 8, |event| matches!(event, TurnEvent::Refreshed(_))),
        happens(&server, 8, |event| matches!(event, TurnEvent::Permitted(_))),
        happens(&server, 8, |event| matches!(event, TurnEvent::Bound(_))),
    );
    call.talk(20).await;
    let events = server.events();
    assert_eq!(count(&events, |event| matches!(event, TurnEvent::Expired(_))), 0, "{events:?}");
    assert_eq!(server.allocations(), 2);
    call.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stale_nonce_is_replaced() {
    let server = forgetful_server();
    let mut call = call(&server).await;
    for method in [TurnMethod::Refresh, TurnMethod::CreatePermission, TurnMethod::ChannelBind] {
        let stale =
            |event: &TurnEvent| matches!(event, TurnEvent::StaleNonce(_, m) if *m == method);
        server.expire_nonces_at(method);
        soon("a stale nonce", server.until(|events| count(events, stale) > 0)).await;
    }
    happens(&server, 4, |event| matches!(event, TurnEvent::Refreshed(_))).await;
    call.talk(20).await;
    let events = server.events();
    assert_eq!(count(&events, |event| matches!(event, TurnEvent::Expired(_))), 0, "{events:?}");
    call.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn closing_gives_the_allocation_back() {
    let server = server();
    let call = call(&server).await;
    assert_eq!(server.allocations(), 2);
    let released = happens(&server, 2, |event| matches!(event, TurnEvent::Released(_)));
    tokio::join!(released, call.close());
    assert_eq!(server.allocations(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_with_other_credentials_moves_to_new_allocations() {
    let server = server();
    let mut call = call(&server).await;
    let before = call.left.peer.stats().await.unwrap().selected_pair.unwrap();
    server.set_credentials("later", "changed");
    for side in [&call.left, &call.right] {
        let servers = vec![account(&server, "later", "changed")];
        side.peer.set_ice_servers(servers).await.unwrap();
    }
    assert_eq!(server.allocations(), 2, "they count from the next start of ICE on");
    let allocated = happens(&server, 2, |event| matches!(event, TurnEvent::Allocated(_)));
    let released = happens(&server, 2, |event| matches!(event, TurnEvent::Released(_)));
    let talking = async {
        call.restart().await;
        // The old ones carry the call as long as there are no others.
        call.talk(200).await;
    };
    tokio::join!(allocated, released, talking);
    assert_eq!(server.allocations(), 2);
    call.talk(200).await;
    let after = call.left.peer.stats().await.unwrap().selected_pair.unwrap();
    assert_ne!(before.local.address, after.local.address);
    call.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_with_the_same_credentials_keeps_the_allocations() {
    let server = server();
    let mut call = call(&server).await;
    for _ in 0..3 {
        call.restart().await;
        call.talk(50).await;
    }
    let allocated = |event: &TurnEvent| matches!(event, TurnEvent::Allocated(_));
    assert_eq!(count(&server.events(), allocated), 2);
    call.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_replaces_allocations_that_the_server_has_forgotten() {
    let server = server();
    let mut call = call(&server).await;
    server.forget();
    call.left.until(ConnectionState::Disconnected).await;
    call.restart().await;
    call.left.until(ConnectionState::Connected).await;
    call.talk(50).await;
    assert_eq!(server.allocations(), 2);
    call.close().await;
}

/// Without a restart: there is a new candidate.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_allocation_that_is_not_renewed_is_replaced() {
    let server = forgetful_server();
    let call = call(&server).await;
    server.refuse(TurnMethod::Refresh, Some(437));
    happens(&server, 2, |event| matches!(event, TurnEvent::Refused(..))).await;
    server.refuse(TurnMethod::Refresh, None);
    let allocated =
        |events: &[TurnEvent]| count(events, |event| matches!(event, TurnEvent::Allocated(_))) >= 4;
    soon("others", server.until(allocated)).await;
    call.restart().await;
    let mut call = call;
    call.talk(50).await;
    call.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_falls_silent_is_replaced_by_another_at_a_restart() {
    let (first, second) = (server(), server());
    let mut call = call(&first).await;
    first.set_silent(true);
    call.left.until(ConnectionState::Disconnected).await;
    for side in [&call.left, &call.right] {
        let servers = vec![account(&second, "user", "secret")];
        side.peer.set_ice_servers(servers).await.unwrap();
    }
    call.restart().await;
    call.left.until(ConnectionState::Connected).await;
    call.talk(50).await;
    assert_eq!(second.allocations(), 2);
    call.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn restarts_one_after_the_other_hold_a_bounded_number_of_allocations() {
    let server = server();
    let engine = engine();
    let config = PeerConfig::default().transport_policy(TransportPolicy::Relay);
    let left =
        Side::new(&engine, config.clone().ice_servers(vec![account(&server, "user", "secret")]))
            .await;
    let right = Side::new(&engine, relayed(&server)).await;
    let mut call = Call::new(left, right).await;
    for round in 0..20 {
        // Also ones that were used before, and not long ago.
        let name = format!("user{}", round % 3);
        server.set_credentials(&name, "secret");
        let servers = vec![account(&server, &name, "secret")];
        call.left.peer.set_ice_servers(servers).await.unwrap();
        let allocated = happens(&server, 1, |event| matches!(event, TurnEvent::Allocated(_)));
        tokio::join!(allocated, call.restart());
        assert!(server.allocations() <= 8 + 1, "{}", server.allocations());
    }
    call.talk(20).await;
    call.close().await;
}
