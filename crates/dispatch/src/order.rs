//! Upstream's order of label sets and of alerts in a message.
//!
//! *Sources*: `common/model`, `LabelSet.Before`; Alertmanager, `types.AlertSlice.Less`.

use std::cmp::Ordering;

use firebell_model::Labels;

/// Fewer labels first; then by the first label that differs.
pub fn by_label_set(a: &Labels, b: &Labels) -> Ordering {
    let by_first_difference = || {
        let differs = a.iter().zip(b.iter()).find(|(a, b)| a != b);
        differs.map_or(Ordering::Equal, |(a, b)| {
            // The set that lacks the smaller name comes first.
            b.name.cmp(&a.name).then_with(|| a.value.cmp(&b.value))
        })
    };
    a.len().cmp(&b.len()).then_with(by_first_difference)
}

/// By `job`, then `instance`, an absent one last; then by label set.
pub fn by_origin(a: &Labels, b: &Labels) -> Ordering {
    let by_name = |name: &str| {
        let (a, b) = (a.get(name), b.get(name));
        a.is_none().cmp(&b.is_none()).then_with(|| a.cmp(&b))
    };
    by_name("job")
        .then_with(|| by_name("instance"))
        .then_with(|| by_label_set(a, b))
}
