//! `engines`: the engines of this program, and what each can do.

use clap::ValueEnum as _;
use serde::Serialize;

use crate::{connect::Engine, output::Output};

/// One engine; the names of its abilities are those of `Capabilities`.
#[derive(Serialize)]
struct Event {
    event: &'static str,
    name: String,
    media: bool,
    ice_restart: bool,
    mdns: bool,
    turn_udp: bool,
    turn_tcp: bool,
    turn_tls: bool,
    ice_tcp: bool,
    incoming_reliability: bool,
    empty_messages: bool,
    round_trip_time: bool,
    back_pressure: bool,
    max_message_size: usize,
}

pub(crate) fn run(output: &Output) {
    for engine in Engine::value_variants() {
        let can = engine.backend().capabilities();
        let name = engine.to_possible_value().map_or_else(String::new, |v| v.get_name().to_owned());
        let abilities = [
            ("audio and video", can.media),
            ("ICE restart", can.ice_restart),
            (".local addresses", can.mdns),
            ("TURN over UDP", can.turn_udp),
            ("TURN over TCP", can.turn_tcp),
            ("TURN over TLS", can.turn_tls),
            ("ICE over TCP", can.ice_tcp),
            ("reliability of channels that the peer opens", can.incoming_reliability),
            ("empty messages", can.empty_messages),
            ("round trip times", can.round_trip_time),
            ("back-pressure", can.back_pressure),
        ];
        let words: Vec<_> =
            abilities.iter().filter(|(_, has)| *has).map(|(word, _)| *word).collect();
        let human = format!(
            "{name}: data, {}; messages of at most {} bytes",
            words.join(", "),
            can.max_message_size
        );
        let event = Event {
            event: "engine",
            name,
            media: can.media,
            ice_restart: can.ice_restart,
            mdns: can.mdns,
            turn_udp: can.turn_udp,
            turn_tcp: can.turn_tcp,
            turn_tls: can.turn_tls,
            ice_tcp: can.ice_tcp,
            incoming_reliability: can.incoming_reliability,
            empty_messages: can.empty_messages,
            round_trip_time: can.round_trip_time,
            back_pressure: can.back_pressure,
            max_message_size: can.max_message_size,
        };
        output.line(human, &event);
    }
}
