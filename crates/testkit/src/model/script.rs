//! A script: everything that users and faults do in one run, as a few bytes.
//!
//! What a fuzzer makes up, what a seed stands for and what a regression is kept as are the same bytes, so a
//! run that went wrong is repeated by them wherever it was found.

use std::{fmt, time::Duration};

use skapi_rtc_signaling::BusyPolicy;

/// What happens in a run, and in which world.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Script {
    /// Decides all delays.
    pub seed: u16,
    /// What the world is like.
    pub setting: Setting,
    /// What is done in it, one after the other.
    pub steps: Vec<Step>,
}

/// What a world is like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Setting {
    /// How many machines, 2 to 4.
    pub nodes: usize,
    /// What a machine does about a second call.
    pub busy: BusyPolicy,
    /// Whether engines refuse now and then.
    pub engines_fail: bool,
    /// Whether the service loses contents now and then.
    pub contents_get_lost: bool,
    /// Whether the service takes lost connections up again.
    pub resumes: bool,
    /// Whether there is a page of Skapi's, too.
    pub page: bool,
}

/// One thing that is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// How long after the step before.
    pub pause: Duration,
    /// Which machine, counted round.
    pub node: usize,
    /// What.
    pub deed: Deed,
}

/// What is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deed {
    /// Calls another machine.
    Place(usize),
    /// Calls another machine, which calls back in the same moment.
    PlaceBoth(usize),
    /// Accepts a call that rings.
    Accept(usize),
    /// Declines a call that rings.
    Decline(usize),
    /// Hangs a call up, or cancels it.
    HangUp(usize),
    /// Adds a channel or track to a call.
    Change(usize),
    /// Posts to a user.
    Post(usize),
    /// The path to another machine's engines is gone for a while.
    CutPath(usize),
    /// The machine's engines do not hear another's for a while, which notice nothing.
    Deafen(usize),
    /// The machine's socket is cut.
    Cut,
    /// The machine's socket is cut before the service can say what it has just taken.
    CutBehind(usize),
    /// The machine's process dies, and another one is started.
    Kill,
    /// The service dies, and another one is started.
    Restart,
}

/// Longer scripts are cut off.
pub const MAX_STEPS: usize = 64;

const HEADER: usize = 3;
const STEP: usize = 3;

impl Script {
    /// Reads a script; every sequence of bytes is one.
    pub fn from_bytes(bytes: &[u8]) -> Self {
        let byte = |at: usize| bytes.get(at).copied().unwrap_or(0);
        let steps = bytes.get(HEADER..).unwrap_or_default();
        Self {
            seed: u16::from_le_bytes([byte(0), byte(1)]),
            setting: Setting::from_byte(byte(2)),
            steps: steps.chunks_exact(STEP).take(MAX_STEPS).map(Step::from_bytes).collect(),
        }
    }

    /// The script that a seed stands for.
    pub fn from_seed(seed: u64) -> Self {
        let mut rng = fastrand::Rng::with_seed(seed);
        let steps = rng.usize(4..32);
        let bytes: Vec<u8> =
            std::iter::repeat_with(|| rng.u8(..)).take(HEADER + STEP * steps).collect();
        Self::from_bytes(&bytes)
    }

    /// Writes it, so that it is read as the same again.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = self.seed.to_le_bytes().to_vec();
        bytes.push(self.setting.to_byte());
        bytes.extend(self.steps.iter().flat_map(|step| step.to_bytes()));
        bytes
    }

    /// The bytes in hexadecimal.
    pub fn to_hex(&self) -> String {
        self.to_bytes().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Reads hexadecimal digits.
    pub fn from_hex(text: &str) -> Option<Self> {
        let digits = |at| u8::from_str_radix(text.get(at..at + 2)?, 16).ok();
        let bytes: Option<Vec<u8>> = (0..text.len()).step_by(2).map(digits).collect();
        Some(Self::from_bytes(&bytes?))
    }
}

impl Setting {
    fn from_byte(byte: u8) -> Self {
        let bit = |n: u8| byte >> n & 1 == 1;
        Self {
            nodes: 2 + usize::from(byte & 3).min(2),
            busy: if bit(2) { BusyPolicy::Reject } else { BusyPolicy::CallWaiting },
            engines_fail: bit(3) && bit(4),
            contents_get_lost: bit(4) && !bit(3),
            resumes: !bit(5),
            page: bit(6) && bit(7),
        }
    }

    fn to_byte(self) -> u8 {
        let faults = match (self.engines_fail, self.contents_get_lost) {
            (true, _) => 0b0001_1000,
            (_, true) => 0b0001_0000,
            _ => 0,
        };
        let bits = [
            (self.busy == BusyPolicy::Reject, 0b100),
            (!self.resumes, 0b10_0000),
            (self.page, 0b1100_0000),
        ];
        let bits = bits.iter().filter(|(set, _)| *set).map(|(_, bit)| *bit);
        bits.fold(u8::try_from(self.nodes.saturating_sub(2)).unwrap_or(2) | faults, |all, bit| {
            all | bit
        })
    }
}

/// How long users wait: mostly not at all, or less than a frame takes.
const PAUSES: [u64; 16] =
    [0, 0, 1, 5, 20, 50, 100, 200, 300, 500, 1000, 3000, 5000, 8000, 15_000, 40_000];

impl Step {
    fn from_bytes(bytes: &[u8]) -> Self {
        let [first, second, third] = [bytes[0], bytes[1], bytes[2]];
        let which = usize::from(third);
        Self {
            pause: Duration::from_millis(PAUSES[usize::from(first >> 4)]),
            node: usize::from(first & 3),
            deed: match second {
                0..50 => Deed::Place(which),
                50..70 => Deed::PlaceBoth(which),
                70..120 => Deed::Accept(which),
                120..130 => Deed::Decline(which),
                130..155 => Deed::HangUp(which),
                155..190 => Deed::Change(which),
                190..200 => Deed::Post(which),
                200..205 => Deed::Deafen(which),
                205..215 => Deed::CutPath(which),
                215..235 => Deed::Cut,
                235..245 => Deed::CutBehind(which),
                245..250 => Deed::Kill,
                250.. => Deed::Restart,
            },
        }
    }

    fn to_bytes(self) -> [u8; STEP] {
        let millis = u64::try_from(self.pause.as_millis()).unwrap_or(u64::MAX);
        let pause = PAUSES.iter().rposition(|pause| *pause <= millis).unwrap_or(0);
        let (deed, which) = match self.deed {
            Deed::Place(which) => (0, which),
            Deed::PlaceBoth(which) => (50, which),
            Deed::Accept(which) => (70, which),
            Deed::Decline(which) => (120, which),
            Deed::HangUp(which) => (130, which),
            Deed::Change(which) => (155, which),
            Deed::Post(which) => (190, which),
            Deed::Deafen(which) => (200, which),
            Deed::CutPath(which) => (205, which),
            Deed::Cut => (215, 0),
            Deed::CutBehind(which) => (235, which),
            Deed::Kill => (245, 0),
            Deed::Restart => (250, 0),
        };
        let first = u8::try_from(pause << 4 | self.node & 3).unwrap_or(0);
        [first, deed, u8::try_from(which).unwrap_or(u8::MAX)]
    }
}

impl fmt::Display for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.to_hex())?;
        writeln!(f, "  seed {}, {:?}", self.seed, self.setting)?;
        for step in &self.steps {
            writeln!(f, "  after {:?}, node {}: {:?}", step.pause, step.node, step.deed)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_as_the_same() {
        let mut deeds = std::collections::BTreeSet::new();
        for seed in 0..500 {
            let script = Script::from_seed(seed);
            assert_eq!(Script::from_bytes(&script.to_bytes()), script);
            assert_eq!(Script::from_hex(&script.to_hex()), Some(script.clone()));
            let names = script.steps.iter().map(|step| format!("{:?}", step.deed));
            deeds.extend(names.map(|name| name.split('(').next().unwrap_or_default().to_owned()));
        }
        assert_eq!(deeds.len(), 13, "{deeds:?}");
        assert_eq!(Script::from_hex("xy"), None);
        assert!(Script::from_bytes(&[]).steps.is_empty());
    }
}
