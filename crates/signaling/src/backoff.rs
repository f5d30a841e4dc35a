//! How long to wait before the next attempt.

use std::time::Duration;

use crate::{Config, rng::Rng};

/// How long a session waits before it connects again; after a time that the service asked for, up to a
/// quarter as long again as that, or more.
pub(crate) fn delay(config: &Config, attempt: u32, asked: Duration, rng: &mut Rng) -> Duration {
    let own = jittered(config.reconnect_base, config.reconnect_max, attempt, rng);
    let spread = asked / 4;
    own.max(spread.mul_f64(0.5 + rng.unit() / 2.0))
}

/// Exponential back-off with jitter: attempt n waits between half and all of `base · 2ⁿ`, capped.
///
/// Half of it is kept as a floor so that a client never hammers; the other half spreads a crowd that was
/// cut off, or asked to come back, at the same moment.
pub(crate) fn jittered(base: Duration, max: Duration, attempt: u32, rng: &mut Rng) -> Duration {
    let factor = 2u32.saturating_pow(attempt.min(16));
    base.saturating_mul(factor).min(max).mul_f64(0.5 + rng.unit() / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_grow_stay_in_their_band_and_are_capped() {
        let config = Config::default();
        let mut rng = Rng::new(7);
        for attempt in 0..40 {
            let full = config
                .reconnect_base
                .saturating_mul(2u32.saturating_pow(attempt.min(16)))
                .min(config.reconnect_max);
            let delay = delay(&config, attempt, Duration::ZERO, &mut rng);
            assert!(delay >= full / 2 && delay <= full, "{attempt}: {delay:?}");
        }
    }

    #[test]
    fn what_the_service_asks_for_is_spread_too() {
        let asked = Duration::from_secs(60);
        let delay = delay(&Config::default(), 0, asked, &mut Rng::new(7));
        assert!(delay >= asked / 8 && delay <= asked / 4, "{delay:?}");
    }

    #[test]
    fn two_seeds_wait_differently_and_one_seed_alike() {
        let config = Config::default();
        let of = |seed| delay(&config, 3, Duration::ZERO, &mut Rng::new(seed));
        assert_eq!(of(1), of(1));
        assert_ne!(of(1), of(2));
    }
}
