//! Helpers for the tests of skapi-rtc: virtual clock, simulated network, server launcher.
