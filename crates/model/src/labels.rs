//! Label sets: sorted, immutable, cheap to clone.

use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::quoted::Quoted;

/// The label that holds a series' metric name.
pub const METRIC_NAME: &str = "__name__";
/// The label that holds the type of a series' metric, such as `counter`, where types are labels.
pub const METRIC_TYPE: &str = "__type__";
/// The label that holds the unit of a series' metric, where units are labels.
pub const METRIC_UNIT: &str = "__unit__";
/// The label that holds the name of an alerting rule.
pub const ALERT_NAME: &str = "alertname";

/// One name with its value; both are never empty inside a [`Labels`].
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Label {
    /// Name, such as `service`.
    pub name: Arc<str>,
    /// Value, such as `checkout`.
    pub value: Arc<str>,
}

/// A label set: sorted by name, names unique, no empty value (an empty value means "absent").
///
/// Two label sets are equal when they have the same pairs. `Ord` compares pair by pair, as
/// Prometheus does when it sorts results.
///
/// Pairs are shared: of a hundred thousand series with five labels each, a few thousand pairs are
/// different, and a word for each is what a label set costs besides.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Labels(Arc<[Arc<Label>]>);

/// Identity of an alert's label set: 64-bit FNV-1a over name, 0xff, value, 0xff, in order of name.
///
/// Source: Alertmanager and `prometheus/common`, `LabelSet.Fingerprint`. Printed as 16 hex digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Fingerprint(pub u64);

/// By name, then value. Most labels that are compared share one or both, which need not be read.
impl Ord for Label {
    fn cmp(&self, other: &Self) -> Ordering {
        let by = |a: &Arc<str>, b: &Arc<str>| match Arc::ptr_eq(a, b) {
            true => Ordering::Equal,
            false => a.cmp(b),
        };
        by(&self.name, &other.name).then_with(|| by(&self.value, &other.value))
    }
}

impl PartialOrd for Label {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// Label by label; a beginning comes first.
impl Ord for Labels {
    fn cmp(&self, other: &Self) -> Ordering {
        if Arc::ptr_eq(&self.0, &other.0) {
            return Ordering::Equal;
        }
        let differs = |(a, b): &(&Arc<Label>, &Arc<Label>)| !Arc::ptr_eq(a, b);
        let pairs = self.0.iter().zip(other.0.iter()).filter(differs);
        let by_label = pairs.map(|(a, b)| a.cmp(b)).find(|it| it.is_ne());
        by_label.unwrap_or_else(|| self.len().cmp(&other.len()))
    }
}

impl PartialOrd for Labels {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Labels {
    /// The empty label set.
    #[must_use]
    pub fn empty() -> Self {
        Self(Arc::from([]))
    }

    /// Makes a label set from pairs in any order; the last value of a repeated name wins, and pairs
    /// with an empty value are left out.
    pub fn from_pairs<N: Into<Arc<str>>, V: Into<Arc<str>>>(
        pairs: impl IntoIterator<Item = (N, V)>,
    ) -> Self {
        let mut builder = LabelsBuilder::default();
        for (name, value) in pairs {
            builder.set(name, value);
        }
        builder.build()
    }

    /// Makes a label set of pairs that are shared with others, in order of name, each name once and
    /// no value empty.
    #[must_use]
    pub fn from_shared(pairs: Vec<Arc<Label>>) -> Self {
        debug_assert!(pairs.is_sorted_by(|a, b| a.name < b.name));
        Self(pairs.into())
    }

    /// The value of a label, or `None` when it is absent.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        // Most names differ in length, which tells them apart without being read.
        if self.len() <= READ_IN_ORDER_MAX {
            let found = self.iter().find(|label| *label.name == *name)?;
            return Some(&found.value);
        }
        let idx = self
            .0
            .binary_search_by(|label| (*label.name).cmp(name))
            .ok()?;
        Some(&self.0[idx].value)
    }

    /// The value of a label, or the empty string: what matchers and grouping see.
    #[must_use]
    pub fn value(&self, name: &str) -> &str {
        self.get(name).unwrap_or("")
    }

    /// The metric name, or the empty string.
    #[must_use]
    pub fn metric_name(&self) -> &str {
        self.value(METRIC_NAME)
    }

    /// The pairs in order of name.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &Label> + ExactSizeIterator + Clone {
        self.0.iter().map(|label| &**label)
    }

    /// The pairs in order of name, to be shared with other label sets.
    #[must_use]
    pub fn shared(&self) -> &[Arc<Label>] {
        &self.0
    }

    /// How many pairs there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is no pair.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether both are clones of one label set. When not, they still may be equal.
    #[must_use]
    pub fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// A builder that starts with these labels.
    #[must_use]
    pub fn to_builder(&self) -> LabelsBuilder {
        LabelsBuilder {
            labels: self.0.to_vec(),
        }
    }

    /// The labels whose name satisfies `keep`.
    #[must_use]
    pub fn filter(&self, mut keep: impl FnMut(&str) -> bool) -> Self {
        Self(
            self.0
                .iter()
                .filter(|label| keep(&label.name))
                .cloned()
                .collect(),
        )
    }

    /// The labels without those that say which metric it is: its name, type and unit.
    #[must_use]
    pub fn without_metric_name(&self) -> Self {
        if self.iter().any(|label| is_metric_label(&label.name)) {
            self.filter(|name| !is_metric_label(name))
        } else {
            self.clone()
        }
    }

    /// See [`Fingerprint`].
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint::of(self.iter().map(|label| (&*label.name, &*label.value)))
    }
}

impl Fingerprint {
    /// Of pairs as a label set would have them: in order of name, each name once, no value empty.
    pub fn of<'a>(pairs: impl Iterator<Item = (&'a str, &'a str)>) -> Self {
        let mut hash = FNV_OFFSET;
        for (name, value) in pairs {
            hash = fnv_extend(hash, name.as_bytes());
            hash = fnv_extend(hash, &[0xff]);
            hash = fnv_extend(hash, value.as_bytes());
            hash = fnv_extend(hash, &[0xff]);
        }
        Self(hash)
    }
}

impl Default for Labels {
    fn default() -> Self {
        Self::empty()
    }
}

/// `{a="1", b="2"}`, or `name{a="1"}` with a metric name: Prometheus's form.
impl fmt::Display for Labels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.metric_name())?;
        let mut pairs = self
            .iter()
            .filter(|label| &*label.name != METRIC_NAME)
            .peekable();
        if pairs.peek().is_none() && !self.metric_name().is_empty() {
            return Ok(());
        }
        f.write_str("{")?;
        for (idx, label) in pairs.enumerate() {
            let separator = if idx == 0 { "" } else { ", " };
            if is_valid_label_name(&label.name) {
                write!(f, "{separator}{}={}", label.name, Quoted(&label.value))?;
            } else {
                write!(
                    f,
                    "{separator}{}={}",
                    Quoted(&label.name),
                    Quoted(&label.value)
                )?;
            }
        }
        f.write_str("}")
    }
}

impl fmt::Debug for Labels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A JSON object `{"name": "value"}`, in order of name.
impl Serialize for Labels {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter().map(|label| (&*label.name, &*label.value)))
    }
}

impl<'de> Deserialize<'de> for Labels {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let pairs = std::collections::BTreeMap::<String, String>::deserialize(deserializer)?;
        Ok(Self::from_pairs(pairs))
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Builds a [`Labels`] by setting and removing single labels.
#[derive(Clone, Debug, Default)]
pub struct LabelsBuilder {
    // Sorted by name, names unique; may hold empty values until `build`.
    labels: Vec<Arc<Label>>,
}

impl LabelsBuilder {
    /// Sets a label; an empty value removes it.
    pub fn set(&mut self, name: impl Into<Arc<str>>, value: impl Into<Arc<str>>) -> &mut Self {
        let label = Arc::new(Label {
            name: name.into(),
            value: value.into(),
        });
        match self
            .labels
            .binary_search_by(|known| known.name.cmp(&label.name))
        {
            Ok(idx) => self.labels[idx] = label,
            Err(idx) => self.labels.insert(idx, label),
        }
        self
    }

    /// Removes a label, if it is there.
    pub fn remove(&mut self, name: &str) -> &mut Self {
        self.labels.retain(|label| &*label.name != name);
        self
    }

    /// The value set so far, or the empty string.
    #[must_use]
    pub fn value(&self, name: &str) -> &str {
        match self
            .labels
            .binary_search_by(|known| (*known.name).cmp(name))
        {
            Ok(idx) => &self.labels[idx].value,
            Err(_) => "",
        }
    }

    /// The pairs set so far, in order of name.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &Label> + ExactSizeIterator + Clone {
        self.labels.iter().map(|label| &**label)
    }

    /// The label set; pairs with an empty value are left out.
    #[must_use]
    pub fn build(mut self) -> Labels {
        self.labels.retain(|label| !label.value.is_empty());
        Labels(self.labels.into())
    }
}

/// Whether a label says which metric a series is of, so that it goes where the metric's name goes.
#[must_use]
pub fn is_metric_label(name: &str) -> bool {
    matches!(name, METRIC_NAME | METRIC_TYPE | METRIC_UNIT)
}

/// Whether a name fits the classic grammar `[a-zA-Z_][a-zA-Z0-9_]*`.
#[must_use]
pub fn is_valid_label_name(name: &str) -> bool {
    let mut chars = name.chars();
    chars
        .next()
        .is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
        && chars.all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// Whether a name fits the classic grammar `[a-zA-Z_:][a-zA-Z0-9_:]*`.
#[must_use]
pub fn is_valid_metric_name(name: &str) -> bool {
    let mut chars = name.chars();
    chars
        .next()
        .is_some_and(|c| c.is_ascii_alphabetic() || c == '_' || c == ':')
        && chars.all(|c| c.is_ascii_alphanumeric() || c == '_' || c == ':')
}

fn fnv_extend(mut hash: u64, bytes: &[u8]) -> u64 {
    for &byte in bytes {
        hash ^= u64::from(byte);
        hash = hash.wrapping_mul(0x0100_0000_01b3);
    }
    hash
}

/// In so many labels a name is looked for one by one.
const READ_IN_ORDER_MAX: usize = 12;
const FNV_OFFSET: u64 = 0xcbf2_9ce4_8422_2325;

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        /// That labels are shared makes no difference to their order.
        #[test]
        fn label_sets_are_in_order_of_names_and_values(
            sets in proptest::collection::vec(
                proptest::collection::vec(("[ab]{1,2}", "[xy]{1,2}"), 0..4), 2..6),
            is_shared: bool,
        ) {
            let mut known: std::collections::BTreeMap<Label, Arc<Label>> = Default::default();
            let mut share = |label: &Arc<Label>| match is_shared {
                true => Arc::clone(known.entry((**label).clone()).or_insert_with(|| label.clone())),
                false => Arc::clone(label),
            };
            let sets = sets.into_iter().map(Labels::from_pairs);
            let sets: Vec<Labels> =
                sets.map(|set| Labels::from_shared(set.0.iter().map(&mut share).collect())).collect();
            let plain = |set: &Labels| -> Vec<(String, String)> {
                set.iter().map(|it| (it.name.to_string(), it.value.to_string())).collect()
            };
            for (a, b) in sets.iter().flat_map(|a| sets.iter().map(move |b| (a, b))) {
                proptest::prop_assert_eq!(a.cmp(b), plain(a).cmp(&plain(b)));
                proptest::prop_assert_eq!(a == b, a.cmp(b).is_eq());
            }
        }
    }

    #[test]
    fn what_go_does_not_print_is_quoted_by_number() {
        let text = "a\u{ad}\u{a0}\u{200d}e\u{301}√日\u{85}\u{7f}\u{e0001}";
        let expected = r#""a\u00ad\u00a0\u200dé√日\u0085\x7f\U000e0001""#;
        assert_eq!(Quoted(text).to_string(), expected.replace('é', "e\u{301}"));
    }

    #[test]
    fn the_last_value_wins_and_empty_values_are_absent() {
        let labels = Labels::from_pairs([("b", "1"), ("a", "x"), ("b", "2"), ("c", "")]);
        assert_eq!(labels.to_string(), r#"{a="x", b="2"}"#);
        assert_eq!(labels.get("c"), None);
    }

    #[test]
    fn text_forms_are_those_of_prometheus() {
        let labels = Labels::from_pairs([("__name__", "up"), ("job", "a\"b\\c\n"), ("Σ", "x")]);
        assert_eq!(
            labels.to_string(),
            "up{job=\"a\\\"b\\\\c\\n\", \"Σ\"=\"x\"}"
        );
        assert_eq!(Labels::empty().to_string(), "{}");
        assert_eq!(Labels::from_pairs([("__name__", "up")]).to_string(), "up");
    }

    #[test]
    fn fingerprints_are_those_of_alertmanager() {
        // Computed apart from this code, from the definition above.
        assert_eq!(
            Labels::empty().fingerprint().to_string(),
            "cbf29ce484222325"
        );
        let labels = Labels::from_pairs([("alertname", "Down"), ("severity", "page")]);
        assert_eq!(labels.fingerprint().to_string(), "b8f0273cee3e6d28");
    }
}
