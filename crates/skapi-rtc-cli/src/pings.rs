//! Echo round trips: how long a small message takes to the peer and back.

use std::time::{Duration, Instant};

use serde::Serialize;
use skapi_rtc::{Channel, Message};

use crate::{
    exit::{Exit, Failure},
    output::Output,
};

/// Bytes of one message.
const SIZE: usize = 64;

#[derive(Serialize)]
struct Event {
    event: &'static str,
    count: usize,
    p50_us: f64,
    p99_us: f64,
    max_us: f64,
}

/// Sends `count` messages, each after the echo of the one before.
pub(crate) async fn run(channel: &mut Channel, count: u32, output: &Output) -> Result<(), Failure> {
    if count == 0 {
        return Ok(());
    }
    let mut times = Vec::with_capacity(count as usize);
    for number in 0..count {
        let mut payload = [0; SIZE];
        payload[..4].copy_from_slice(&number.to_be_bytes());
        let sent = Instant::now();
        channel
            .send(payload.to_vec())
            .await
            .map_err(|error| Failure::new(Exit::CallLost, error))?;
        match channel.recv().await {
            Some(Message::Binary(echo)) if echo[..] == payload => times.push(sent.elapsed()),
            Some(_) => {
                return Err(Failure::msg(
                    Exit::Failure,
                    "the peer does not echo what it is sent: is it `skapi-rtc listen`?",
                ));
            }
            None => return Err(Failure::msg(Exit::CallLost, "the channel was closed")),
        }
    }
    times.sort_unstable();
    let event = Event {
        event: "pings",
        count: times.len(),
        p50_us: micros(at(&times, 0.5)),
        p99_us: micros(at(&times, 0.99)),
        max_us: micros(at(&times, 1.0)),
    };
    output.line(
        format_args!(
            "{} echo round trips: p50 {:.0} µs, p99 {:.0} µs, longest {:.0} µs",
            event.count, event.p50_us, event.p99_us, event.max_us
        ),
        &event,
    );
    Ok(())
}

/// The value below which this part of the sorted times lies.
fn at(times: &[Duration], part: f64) -> Duration {
    let index = ((times.len().saturating_sub(1)) as f64 * part).round() as usize;
    times.get(index).copied().unwrap_or_default()
}

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_of_sorted_times() {
        let times: Vec<_> = (1..=101).map(Duration::from_micros).collect();
        assert_eq!(at(&times, 0.5), Duration::from_micros(51));
        assert_eq!(at(&times, 1.0), Duration::from_micros(101));
        assert_eq!(at(&[], 0.5), Duration::ZERO);
    }
}
