//! Files over a call.

#![allow(clippy::unwrap_used, reason = "a test: whatever fails ends it")]

mod support;

use skapi_rtc::{
    CallOptions,
    file::{FileError, IncomingFile, OutgoingFile},
};
use support::{Service, call, soon};

#[tokio::test]
async fn a_file_arrives_whole_or_the_sender_learns_why_not() {
    let service = Service::start().await;
    let (alice, _events) = service.connect("alice").await;
    let (bob, mut bob_events) = service.connect("bob").await;
    let (at_alice, at_bob) = call(&alice, &bob, &mut bob_events, CallOptions::default()).await;
    soon("the default channel", at_bob.channel("default")).await.unwrap();

    let content: Vec<u8> = (0..300_000u32).map(|n| ((n * 31) >> 3) as u8).collect();
    let send = async {
        let mut file = OutgoingFile::offer(&at_alice, "cat.jpg", content.len() as u64).await?;
        for part in content.chunks(100_000) {
            file.write(part).await?;
        }
        file.finish().await
    };
    let receive = async {
        let mut file = IncomingFile::announced(at_bob.next_channel().await.unwrap()).await?;
        assert_eq!((file.name(), file.size()), ("cat.jpg", 300_000));
        let mut got = Vec::new();
        while let Some(bytes) = file.read().await? {
            got.extend_from_slice(&bytes);
        }
        let receipt = file.confirm().await?;
        Ok::<_, FileError>((got, receipt))
    };
    let (sent, received) = soon("the file", async { tokio::join!(send, receive) }).await;
    let (got, receipt) = received.unwrap();
    assert!(got == content);
    assert_eq!(sent.unwrap(), receipt);

    // A receiver that cannot store it says so, also in the middle.
    let send = async {
        let mut file = OutgoingFile::offer(&at_alice, "big.bin", 1 << 30).await?;
        loop {
            file.write(&[0; 65_000]).await?;
        }
        #[allow(unreachable_code, reason = "it gives the block its type")]
        Ok::<(), FileError>(())
    };
    let refuse = async {
        let mut file = IncomingFile::announced(at_bob.next_channel().await.unwrap()).await.unwrap();
        file.read().await.unwrap();
        file.refuse("the disk is full").await;
    };
    let (sent, ()) = soon("the refusal", async { tokio::join!(send, refuse) }).await;
    assert_eq!(sent, Err(FileError::Refused("the disk is full".to_owned())));

    // Less than announced is no file.
    let send = async {
        let file = OutgoingFile::offer(&at_alice, "short", 10).await?;
        file.finish().await
    };
    let receive = async {
        let mut file = IncomingFile::announced(at_bob.next_channel().await.unwrap()).await.unwrap();
        file.read().await
    };
    let (sent, received) = soon("the error", async { tokio::join!(send, receive) }).await;
    assert_eq!(sent, Err(FileError::Size { announced: 10, written: 0 }));
    assert!(matches!(received, Err(FileError::Refused(_))), "{received:?}");

    // Who loses interest on one side does not leave the other one waiting.
    let send = async {
        let mut file = OutgoingFile::offer(&at_alice, "half", 10).await?;
        file.write(&[0; 5]).await
    };
    let receive = async {
        let mut file = IncomingFile::announced(at_bob.next_channel().await.unwrap()).await.unwrap();
        file.read().await?;
        file.read().await
    };
    let (sent, received) = soon("the end", async { tokio::join!(send, receive) }).await;
    assert_eq!((sent, received), (Ok(()), Err(FileError::CutOff)));
}
