//! Which trace something belongs to, as it travels between processes.
//!
//! *Sources*: W3C Trace Context (level 2), W3C Baggage.

/// What came in with a request or a message.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Remote {
    /// Never zero.
    pub trace_id: u128,
    /// Never zero.
    pub span_id: u64,
    /// Whether the sender records the trace.
    pub is_sampled: bool,
    /// As it came, handed on.
    pub tracestate: Option<String>,
    /// As it came, handed on.
    pub baggage: Option<String>,
}

impl Remote {
    /// Reads a `traceparent`; of later versions what this one knows.
    #[must_use]
    pub fn parse(traceparent: &str) -> Option<Self> {
        let mut parts = traceparent.trim().split('-');
        let (version, trace, span, flags) =
            (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let is_small_hex = |it: &str, len: usize| {
            it.len() == len && it.bytes().all(|it| matches!(it, b'0'..=b'9' | b'a'..=b'f'))
        };
        let is_well_formed = is_small_hex(version, 2)
            && version != "ff"
            && (version != "00" || parts.next().is_none())
            && is_small_hex(trace, 32)
            && is_small_hex(span, 16)
            && is_small_hex(flags, 2);
        let remote = Self {
            trace_id: u128::from_str_radix(trace, 16).ok()?,
            span_id: u64::from_str_radix(span, 16).ok()?,
            is_sampled: u8::from_str_radix(flags, 16).ok()? & 1 == 1,
            ..Self::default()
        };
        (is_well_formed && remote.trace_id != 0 && remote.span_id != 0).then_some(remote)
    }

    /// The `baggage` as pairs, percent-decoded; members that cannot be read are left out.
    #[must_use]
    pub fn baggage_pairs(&self) -> Vec<(String, String)> {
        let members = self.baggage.as_deref().unwrap_or_default().split(',');
        let pairs = members.take(BAGGAGE_MEMBERS_MAX).filter_map(|member| {
            let (key, value) = member.split(';').next()?.split_once('=')?;
            let key = key.trim();
            (!key.is_empty()).then(|| (key.to_owned(), percent_decoded(value.trim())))
        });
        pairs.collect()
    }
}

/// A `traceparent`.
#[must_use]
pub fn traceparent(trace_id: u128, span_id: u64, is_sampled: bool) -> String {
    format!(
        "00-{trace_id:032x}-{span_id:016x}-{:02x}",
        u8::from(is_sampled)
    )
}

/// `%20` is a space; what cannot be read stays as it is.
pub(crate) fn percent_decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let decoded = match (first, after.get(..2)) {
            (b'%', Some(two)) => std::str::from_utf8(two)
                .ok()
                .and_then(|it| u8::from_str_radix(it, 16).ok()),
            _ => None,
        };
        bytes.push(decoded.unwrap_or(*first));
        rest = after
            .get(if decoded.is_some() { 2 } else { 0 }..)
            .unwrap_or_default();
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

const BAGGAGE_MEMBERS_MAX: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_traceparent_comes_out_as_it_went_in() {
        let text = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let remote = Remote::parse(text).unwrap();
        assert_eq!(
            traceparent(remote.trace_id, remote.span_id, remote.is_sampled),
            text
        );
        assert!(
            Remote::parse("01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-x").is_some()
        );
    }

    #[test]
    fn what_is_malformed_is_left_out() {
        for text in [
            "",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-x",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-+bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        ] {
            assert_eq!(Remote::parse(text), None, "{text}");
        }
    }

    #[test]
    fn baggage_is_decoded() {
        let remote = Remote {
            baggage: Some("user=ana%20b, x = 1;meta ,bad,=2, pct=%zz%4".into()),
            ..Remote::default()
        };
        let expected = [("user", "ana b"), ("x", "1"), ("pct", "%zz%4")];
        assert_eq!(
            remote.baggage_pairs(),
            expected.map(|(a, b)| (a.to_owned(), b.to_owned()))
        );
    }
}
