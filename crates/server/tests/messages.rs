//! Groups, notices, posts and signals, over real sockets.

mod support;

use skapi_rtc_protocol::{ErrorCode, Json, NoticeCode, ServerFrame};
use support::{TestServer, broadcast, private, rtc};

#[tokio::test]
async fn the_group_hears_of_who_comes_switches_and_goes_but_not_of_oneself() {
    let server = TestServer::start().await;
    let mut alice = server.member("alice", "G").await;
    let mut bob = server.member("bob", "G").await;
    alice
        .expect_notice(NoticeCode::UserJoined, &bob.cid())
        .await;

    // Joining again, as clients do after a reconnect, is not news.
    bob.join(Some("G")).await;
    alice.expect_nothing().await;

    let mut carol = server.member("carol", "H").await;
    bob.join(Some("H")).await;
    alice.expect_notice(NoticeCode::UserLeft, &bob.cid()).await;
    carol
        .expect_notice(NoticeCode::UserJoined, &bob.cid())
        .await;

    bob.join(None).await;
    carol.expect_notice(NoticeCode::UserLeft, &bob.cid()).await;
    bob.expect_nothing().await;

    let gone = carol.cid();
    let mut dave = server.member("dave", "H").await;
    carol
        .expect_notice(NoticeCode::UserJoined, &dave.cid())
        .await;
    drop(carol);
    dave.expect_notice(NoticeCode::UserDisconnected, &gone)
        .await;
    alice.expect_nothing().await;
    server.server.shutdown().await;
}
