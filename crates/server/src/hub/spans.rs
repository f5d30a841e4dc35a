//! Conditions of queries as spans: of texts, and of whole numbers.

use std::ops::Bound::{self, Excluded, Included, Unbounded};

use skapi_rtc_protocol::http::{Condition, Matcher};

pub(crate) type Span<T> = (Bound<T>, Bound<T>);

/// The names that a condition holds for, as disjoint spans in ascending order.
pub(crate) fn name_spans(matcher: &Matcher<String>) -> Vec<Span<String>> {
    match matcher.clone() {
        Matcher::Compare(Condition::Gt, v) => vec![(Excluded(v), Unbounded)],
        // On names, `>=` means "starts with".
        Matcher::Compare(Condition::Gte, v) => {
            let end = after_prefix(&v).map_or(Unbounded, Excluded);
            vec![(Included(v), end)]
        }
        Matcher::Compare(Condition::Eq, v) => vec![(Included(v.clone()), Included(v))],
        Matcher::Compare(Condition::Ne, v) => {
            vec![(Unbounded, Excluded(v.clone())), (Excluded(v), Unbounded)]
        }
        Matcher::Compare(Condition::Lt, v) => vec![(Unbounded, Excluded(v))],
        Matcher::Compare(Condition::Lte, v) => vec![(Unbounded, Included(v))],
        Matcher::Range(a, b) if a <= b => vec![(Included(a), Included(b))],
        Matcher::Range(a, b) => vec![(Included(b), Included(a))],
    }
}

/// The sizes that a condition holds for, as disjoint spans in ascending order, both ends included.
pub(crate) fn size_spans(matcher: &Matcher<f64>) -> Vec<(u64, u64)> {
    // Conversions from floating point saturate, which is what is wanted of 1e300 and -1.
    let at_least = |v: f64| (v.ceil() as u64, u64::MAX);
    let above = |v: f64| match v {
        v if v < 0.0 => (0, u64::MAX),
        v => ((v.floor() as u64).saturating_add(1), u64::MAX),
    };
    let at_most = |v: f64| (v >= 0.0).then(|| (0, v.floor() as u64));
    let below = |v: f64| (v > 0.0).then(|| (0, v.ceil() as u64 - 1));
    match *matcher {
        Matcher::Compare(Condition::Gt, v) => vec![above(v)],
        Matcher::Compare(Condition::Gte, v) => vec![at_least(v)],
        Matcher::Compare(Condition::Eq, v) if v >= 0.0 && v.fract() == 0.0 => {
            vec![(v as u64, v as u64)]
        }
        Matcher::Compare(Condition::Eq, _) => Vec::new(),
        Matcher::Compare(Condition::Ne, v) if v.fract() == 0.0 => {
            below(v).into_iter().chain([above(v)]).collect()
        }
        Matcher::Compare(Condition::Ne, _) => vec![(0, u64::MAX)],
        Matcher::Compare(Condition::Lt, v) => below(v).into_iter().collect(),
        Matcher::Compare(Condition::Lte, v) => at_most(v).into_iter().collect(),
        Matcher::Range(a, b) => {
            let high = at_most(a.max(b));
            high.map(|(_, high)| (a.min(b).ceil() as u64, high)).into_iter().collect()
        }
    }
}

/// The least text that is greater than all that begin with the prefix, where there is one.
fn after_prefix(prefix: &str) -> Option<String> {
    let mut text = prefix.to_owned();
    while let Some(last) = text.pop() {
        // A range of characters steps over the surrogates.
        if let Some(next) = (last..=char::MAX).nth(1) {
            text.push(next);
            return Some(text);
        }
    }
    None
}
