//! What descriptions say about media, on their way into the engine and out of it.
//!
//! The engine answers with the direction and the ids of the offer, orders codecs by its own configuration
//! and lets neither be changed before the description is made. So it is told that every section goes both
//! ways, and what a section really does is written here, into the text.

/// Attributes for several sources in one section (RFC 8853): one source is what is answered.
const OF_SEVERAL_SOURCES: [&str; 2] = ["a=rid:", "a=simulcast:"];
const DIRECTIONS: [&str; 4] = ["a=sendrecv", "a=sendonly", "a=recvonly", "a=inactive"];
/// What is left out of a section in which nothing is sent.
const OF_SENDERS: [&str; 3] = ["a=msid:", "a=ssrc:", "a=ssrc-group:"];

/// What a section of ours is to say.
#[derive(Debug, Default)]
pub(crate) struct Wanted {
    /// The ids of stream and track, where something is sent.
    pub(crate) sends: Option<(String, String)>,
    pub(crate) receives: bool,
    /// Payload types in order of preference; those that are not named come behind.
    pub(crate) order: Vec<u8>,
}

/// A description of the peer's, as the engine should see it.
pub(crate) fn for_engine(sdp: &str) -> String {
    rewritten(sdp, |section| {
        section.retain(|line| {
            !DIRECTIONS.contains(line)
                && !starts_with_any(line, &OF_SEVERAL_SOURCES)
                && !is_useless_candidate(line)
        });
        section.push("a=sendrecv");
        Vec::new()
    })
}

/// Whether nobody can be reached at a candidate: over TCP only those can be who listen. The engine would pair it all
/// the same, and has room for only so many pairs.
fn is_useless_candidate(line: &str) -> bool {
    let Some(candidate) = line.strip_prefix("a=candidate:") else { return false };
    let is_udp = candidate.split(' ').nth(2).is_some_and(|it| it.eq_ignore_ascii_case("udp"));
    !is_udp && !candidate.contains(" tcptype passive")
}

/// A description of ours, with what its sections are to say, by their names.
pub(crate) fn finished(sdp: &str, wanted: impl Fn(&str) -> Wanted) -> String {
    rewritten(sdp, |section| {
        let is_refused = section.first().is_some_and(|line| line.split(' ').nth(1) == Some("0"));
        let mid = section.iter().find_map(|line| line.strip_prefix("a=mid:"));
        let (Some(mid), false) = (mid, is_refused) else { return Vec::new() };
        let wanted = wanted(mid);
        section.retain(|line| {
            let is_changed = DIRECTIONS.contains(line) || line.starts_with("a=msid:");
            !is_changed && (wanted.sends.is_some() || !starts_with_any(line, &OF_SENDERS))
        });
        let mut own = vec![direction(wanted.sends.is_some(), wanted.receives).to_owned()];
        if let Some((stream, track)) = &wanted.sends {
            own.push(format!("a=msid:{stream} {track}"));
            for line in section.iter_mut() {
                if let Some((source, _)) = line.split_once(" msid:") {
                    own.push(format!("{source} msid:{stream} {track}"));
                    *line = "";
                }
            }
            section.retain(|line| !line.is_empty());
        }
        if let Some(line) = section.first_mut() {
            own.insert(0, ordered(line, &wanted.order));
            *line = "";
        }
        own
    })
}

/// Rewrites every section of audio and video. What is done with its lines gives more of them: a new first
/// line where the old one was emptied, and some for the end.
fn rewritten<'a>(sdp: &'a str, change: impl Fn(&mut Vec<&'a str>) -> Vec<String>) -> String {
    let mut sections: Vec<Vec<&str>> = vec![Vec::new()];
    for line in sdp.lines().map(str::trim_end).filter(|line| !line.is_empty()) {
        if line.starts_with("m=") {
            sections.push(Vec::new());
        }
        if let Some(section) = sections.last_mut() {
            section.push(line);
        }
    }
    let mut text = String::with_capacity(sdp.len() + 256);
    let mut write = |line: &str| {
        text.push_str(line);
        text.push_str("\r\n");
    };
    for mut section in sections {
        let is_media =
            section.first().is_some_and(|line| starts_with_any(line, &["m=audio ", "m=video "]));
        let mut more = if is_media { change(&mut section) } else { Vec::new() };
        if section.first() == Some(&"") {
            write(&more.remove(0));
            section.remove(0);
        }
        section.into_iter().for_each(&mut write);
        more.iter().for_each(|line| write(line));
    }
    text
}

fn direction(sends: bool, receives: bool) -> &'static str {
    match (sends, receives) {
        (true, true) => "a=sendrecv",
        (true, false) => "a=sendonly",
        (false, true) => "a=recvonly",
        (false, false) => "a=inactive",
    }
}

/// The first line of a section with its payload types in this order.
fn ordered(line: &str, order: &[u8]) -> String {
    let words: Vec<&str> = line.split(' ').collect();
    let (head, types) = words.split_at(words.len().min(3));
    let mut types = types.to_vec();
    types.sort_by_key(|word| {
        let rank = |number: u8| order.iter().position(|wanted| *wanted == number);
        word.parse().ok().and_then(rank).unwrap_or(order.len())
    });
    [head, &types].concat().join(" ")
}

fn starts_with_any(line: &str, prefixes: &[&str]) -> bool {
    prefixes.iter().any(|prefix| line.starts_with(prefix))
}

#[cfg(test)]
mod tests {
    use super::*;

    const OFFER: &str = "v=0\r\ns=-\r\nm=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\na=mid:0\r\n\
        m=video 9 UDP/TLS/RTP/SAVPF 96 97 102\r\na=sendonly\r\na=mid:1\r\na=rid:h send\r\n\
        a=simulcast:send h\r\na=rtcp-mux\r\n";

    #[test]
    fn the_engine_sees_every_section_go_both_ways_from_one_source() {
        let seen = for_engine(OFFER);
        assert!(seen.ends_with("a=mid:1\r\na=rtcp-mux\r\na=sendrecv\r\n"), "{seen}");
        assert!(!seen.contains("sendonly") && !seen.contains("simulcast"), "{seen}");
        assert_eq!(seen.matches("sendrecv").count(), 1, "{seen}");
    }

    #[test]
    fn candidates_that_lead_nowhere_are_left_out() {
        let candidates = [
            ("a=candidate:1 1 UDP 1 192.0.2.1 5000 typ host", true),
            ("a=candidate:1 1 tcp 1 192.0.2.1 5000 typ host tcptype passive", true),
            ("a=candidate:1 1 tcp 1 192.0.2.1 9 typ host tcptype active", false),
            ("a=candidate:1 1 ssltcp 1 192.0.2.1 443 typ host", false),
        ];
        let offer = OFFER.to_owned() + &candidates.map(|(line, _)| format!("{line}\r\n")).concat();
        let seen = for_engine(&offer);
        for (line, is_kept) in candidates {
            assert_eq!(seen.contains(line), is_kept, "{line}");
        }
    }

    #[test]
    fn what_is_sent_has_our_ids_and_our_order() {
        let own = OFFER.replace(
            "a=rtcp-mux",
            "a=msid:theirs theirs\r\na=ssrc:7 cname:x\r\na=ssrc:7 msid:theirs theirs",
        );
        let sends = Some(("stream".to_owned(), "{track}".to_owned()));
        let said = finished(&own, |mid| {
            assert_eq!(mid, "1");
            Wanted { sends: sends.clone(), receives: true, order: vec![102] }
        });
        assert!(said.contains("m=video 9 UDP/TLS/RTP/SAVPF 102 96 97\r\n"), "{said}");
        assert!(said.contains("a=sendrecv\r\na=msid:stream {track}\r\n"), "{said}");
        assert!(said.contains("a=ssrc:7 cname:x\r\n"), "{said}");
        assert!(said.contains("a=ssrc:7 msid:stream {track}\r\n"), "{said}");
        assert!(!said.contains("theirs"), "{said}");
    }

    #[test]
    fn where_nothing_is_sent_no_source_is_named() {
        let own =
            OFFER.replace("a=rtcp-mux", "a=msid:a b\r\na=ssrc:7 cname:x\r\na=ssrc-group:FID 7 8");
        let said = finished(&own, |_| Wanted { receives: true, ..Wanted::default() });
        assert!(
            said.contains("a=recvonly") && !said.contains("ssrc") && !said.contains("msid"),
            "{said}"
        );
        let refused = own.replace("m=video 9", "m=video 0");
        assert_eq!(finished(&refused, |_| unreachable!()), refused);
    }
}
