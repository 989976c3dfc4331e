//! Reads alerts as nearly all senders write them, several times as fast as the reader that knows all
//! forms: in one pass, without a machine for values of any shape.
//!
//! *Invariants*: what is read here is what the other reader would read. Wherever a body differs from
//! the usual form (other fields, `null`, odd numbers, what is no JSON) this one stops before that
//! alert, and the other one goes on or says what is wrong.

use std::borrow::Cow;

use super::bodies::{AlertInBody, Moment, Pairs, Text};

/// Gives `each` the alerts of a body as far as they are plain. Returns how many these are, and
/// whether they are all.
pub(super) fn read<'a>(body: &'a str, each: &mut impl FnMut(&AlertInBody<'a>)) -> (usize, bool) {
    let mut reader = Reader {
        text: body,
        at: 0,
        moments: [("", None); 2],
    };
    let (mut alert, mut n_read) = (AlertInBody::default(), 0);
    let is_whole = reader.list(&mut alert, |alert| {
        each(alert);
        n_read += 1;
    });
    (n_read, is_whole.is_some())
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
    // The last start and the last end: the alerts of a post have few.
    moments: [(&'a str, Moment); 2],
}

enum Field {
    Labels,
    Annotations,
    StartsAt,
    EndsAt,
    GeneratorUrl,
}

// Everywhere here `None` is: not plain.
impl<'a> Reader<'a> {
    fn list(
        &mut self,
        alert: &mut AlertInBody<'a>,
        mut each: impl FnMut(&AlertInBody<'a>),
    ) -> Option<()> {
        self.take(b'[')?;
        if self.next_is(b']') {
            return self.end();
        }
        loop {
            self.alert(alert)?;
            each(alert);
            match self.separator()? {
                b',' => {}
                b']' => return self.end(),
                _ => return None,
            }
        }
    }

    // Behind the list.
    fn end(&mut self) -> Option<()> {
        self.skip_space();
        (self.at == self.text.len()).then_some(())
    }

    fn alert(&mut self, alert: &mut AlertInBody<'a>) -> Option<()> {
        (alert.starts_at, alert.ends_at) = (None, None);
        alert.generator_url = Cow::Borrowed("");
        self.take(b'{')?;
        let (mut has_labels, mut has_annotations) = (false, false);
        loop {
            let field = self.field()?;
            self.take(b':')?;
            match field {
                Field::Labels => {
                    self.pairs(&mut alert.labels)?;
                    has_labels = true;
                }
                Field::Annotations => {
                    self.pairs(&mut alert.annotations)?;
                    has_annotations = true;
                }
                Field::StartsAt => alert.starts_at = self.moment(0)?,
                Field::EndsAt => alert.ends_at = self.moment(1)?,
                Field::GeneratorUrl => alert.generator_url = self.text()?,
            }
            match self.separator()? {
                b',' => {}
                b'}' => break,
                _ => return None,
            }
        }
        if !has_annotations {
            alert.annotations.clear();
        }
        has_labels.then_some(())
    }

    fn field(&mut self) -> Option<Field> {
        self.take(b'"')?;
        let rest = self.text.as_bytes().get(self.at..)?;
        let (field, len) = if rest.starts_with(b"labels\"") {
            (Field::Labels, 7)
        } else if rest.starts_with(b"annotations\"") {
            (Field::Annotations, 12)
        } else if rest.starts_with(b"startsAt\"") {
            (Field::StartsAt, 9)
        } else if rest.starts_with(b"endsAt\"") {
            (Field::EndsAt, 7)
        } else if rest.starts_with(b"generatorURL\"") {
            (Field::GeneratorUrl, 13)
        } else {
            return None;
        };
        self.at += len;
        Some(field)
    }

    // In place of those that are there.
    fn pairs(&mut self, pairs: &mut Pairs<'a>) -> Option<()> {
        self.take(b'{')?;
        let mut n_pairs = 0;
        if !self.next_is(b'}') {
            loop {
                let name = self.name(pairs.name(n_pairs))?;
                self.take(b':')?;
                pairs.put(n_pairs, (Text(name), Text(self.text()?)));
                n_pairs += 1;
                match self.separator()? {
                    b',' => {}
                    b'}' => break,
                    _ => return None,
                }
            }
        }
        pairs.truncate(n_pairs);
        pairs.tidy();
        Some(())
    }

    // Most alerts of a post have the same names, which stand at the same places.
    fn name(&mut self, before: Option<&'a str>) -> Option<Cow<'a, str>> {
        let rest = self.text.as_bytes().get(self.at..)?;
        if let Some(before) = before
            && let Some(behind) = rest
                .strip_prefix(b"\"")
                .and_then(|it| it.strip_prefix(before.as_bytes()))
            && behind.first() == Some(&b'"')
        {
            self.at += before.len() + 2;
            return Some(Cow::Borrowed(before));
        }
        self.text()
    }

    fn moment(&mut self, which: usize) -> Option<Moment> {
        let Cow::Borrowed(text) = self.text()? else {
            return None;
        };
        let (known, moment) = self.moments[which];
        if known == text {
            return Some(moment);
        }
        let moment = super::bodies::moment(text).ok()?;
        self.moments[which] = (text, moment);
        Some(moment)
    }

    fn text(&mut self) -> Option<Cow<'a, str>> {
        self.take(b'"')?;
        let start = self.at;
        let bytes = self.text.as_bytes();
        self.at += plain_len(bytes.get(start..)?);
        match bytes.get(self.at)? {
            b'"' => {
                let text = self.text.get(start..self.at)?;
                self.at += 1;
                Some(Cow::Borrowed(text))
            }
            b'\\' => self.escaped(start),
            _ => None,
        }
    }

    // A text from its begin on, of which all is read before its first escape.
    fn escaped(&mut self, start: usize) -> Option<Cow<'a, str>> {
        let bytes = self.text.as_bytes();
        while bytes.get(self.at)? == &b'\\' {
            self.at += 2;
            self.at += plain_len(bytes.get(self.at..)?);
        }
        let quoted = self.text.get(start - 1..=self.at)?;
        self.at += 1;
        serde_json::from_str(quoted).ok().map(Cow::Owned)
    }

    fn take(&mut self, wanted: u8) -> Option<()> {
        (self.separator()? == wanted).then_some(())
    }

    // The next byte that is no space, and goes behind it.
    fn separator(&mut self) -> Option<u8> {
        let mut byte = *self.text.as_bytes().get(self.at)?;
        if byte <= b' ' {
            self.skip_space();
            byte = *self.text.as_bytes().get(self.at)?;
        }
        self.at += 1;
        Some(byte)
    }

    // Whether the next byte that is no space is this one; goes behind it then.
    fn next_is(&mut self, wanted: u8) -> bool {
        self.skip_space();
        let is_it = self.text.as_bytes().get(self.at) == Some(&wanted);
        self.at += usize::from(is_it);
        is_it
    }

    fn skip_space(&mut self) {
        let bytes = self.text.as_bytes();
        while matches!(bytes.get(self.at), Some(b' ' | b'\n' | b'\t' | b'\r')) {
            self.at += 1;
        }
    }
}

// How many bytes stand before a quote, a backslash or a control character: eight at a time, as bits.
fn plain_len(bytes: &[u8]) -> usize {
    let mut len = 0;
    for word in bytes.as_chunks::<8>().0 {
        let word = u64::from_le_bytes(*word);
        let quote = word ^ (EACH * u64::from(b'"'));
        let backslash = word ^ (EACH * u64::from(b'\\'));
        // The lowest bit that is set stands in the first such byte; ones behind it may be wrong.
        let ends = (quote.wrapping_sub(EACH) & !quote)
            | (backslash.wrapping_sub(EACH) & !backslash)
            | (word.wrapping_sub(EACH * u64::from(b' ')) & !word);
        let ends = ends & (EACH << 7);
        if ends != 0 {
            return len + ends.trailing_zeros() as usize / 8;
        }
        len += 8;
    }
    let is_end = |byte: &u8| *byte < b' ' || matches!(byte, b'"' | b'\\');
    let rest = &bytes[len..];
    len + rest.iter().position(is_end).unwrap_or(rest.len())
}

/// A one in each byte.
const EACH: u64 = 0x0101_0101_0101_0101;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::alerts_reader::AlertsReader;
    use super::*;

    const PLAIN: &str = r#"[{"annotations":{"summary":"Gr\u00fc\u00dfe, \"x\" \\ ü"},
        "endsAt":"2026-01-02T03:04:05.678Z","startsAt":"0001-01-01T00:00:00Z",
        "generatorURL":"http://x/graph?g0.expr=up\u0026g0.tab=1",
        "labels":{"b":"2","a":"1","c":"","b":"3"}} , {"labels" : {} , "startsAt":""}]"#;

    fn plainly(body: &str) -> (Vec<AlertInBody<'_>>, bool) {
        let mut alerts = Vec::new();
        let (n_read, is_whole) = read(body, &mut |alert| alerts.push(alert.clone()));
        assert_eq!(n_read, alerts.len());
        (alerts, is_whole)
    }

    // What the reader of all forms reads, and whether it is content.
    fn fully(body: &str) -> (Vec<AlertInBody<'_>>, bool) {
        let mut alerts = Vec::new();
        let mut reader = AlertsReader::new(|alert: &AlertInBody<'_>| alerts.push(alert.clone()));
        let is_read = reader.read(&mut serde_json::Deserializer::from_str(body));
        let is_content = is_read.is_ok() && reader.without_labels.is_none();
        (alerts, is_content)
    }

    // Fails when what is plain is not read as it is by the reader of all forms.
    fn check(body: &str) -> Result<(), TestCaseError> {
        let ((plain, is_whole), (all, is_content)) = (plainly(body), fully(body));
        prop_assert!(all.starts_with(&plain), "{body}: {plain:?}, but {all:?}");
        prop_assert!(
            !is_whole || is_content && all.len() == plain.len(),
            "{body}"
        );
        Ok(())
    }

    #[test]
    fn usual_bodies_are_read_to_the_end() {
        let (alerts, is_whole) = plainly(PLAIN);
        assert!(is_whole);
        assert_eq!(alerts, fully(PLAIN).0);
        assert_eq!(
            alerts[0].generator_url,
            "http://x/graph?g0.expr=up&g0.tab=1"
        );
        for empty in ["[]", " [ ] "] {
            assert_eq!(plainly(empty), (Vec::new(), true));
        }
    }

    #[test]
    fn what_is_not_usual_is_left_to_the_other_reader() {
        let first = r#"{"labels":{"a":"1"}}"#;
        for other in [
            r#"{"labels":{"a":"1"},"status":{}}"#,
            r#"{"labels":{"a":null}}"#,
            r#"{"labels":{"a":"1"},"startsAt":null}"#,
            r#"{"labels":{"a":"1"},"startsAt":"x"}"#,
            r#"{"labels":{"a":"1"},"startsAt":"2026-01-02T03:04:05Z\n"}"#,
            r#"{"labels":{"a":"\ud800"}}"#,
            r#"{"labels":{"a":"1",}}"#,
            r#"{"annotations":{}}"#,
            "{}",
            "{\"labels\":{\"a\":\"\n\"}}",
            r#"{"labels":{"a":"1"}"#,
            "",
        ] {
            let body = format!("[{first},{other}]");
            let (alerts, is_whole) = plainly(&body);
            assert_eq!((alerts.len(), is_whole), (1, false), "{other}");
        }
        for other in ["", "null", "[", "[1]", "[] x", "{}"] {
            assert_eq!(plainly(other), (Vec::new(), false), "{other}");
        }
    }

    #[test]
    fn a_text_ends_where_it_ends_whatever_its_length() {
        let ends = ["\"", "\\", "\u{1f}", "\0"].into_iter();
        for (end, len) in ends.flat_map(|end| (0_usize..40).map(move |len| (end, len))) {
            for filler in ["x", "\u{7f}", " ", "!", "#", "[", "]"] {
                let text = format!("{}{end}\"\"\"\"\"\"\"\"\"", filler.repeat(len));
                assert_eq!(plain_len(text.as_bytes()), len, "{text:?}");
            }
            let text = format!("{}{end}\"ü\"", "ü".repeat(len));
            assert_eq!(plain_len(text.as_bytes()), 2 * len, "{text:?}");
        }
        assert_eq!(plain_len(b"0123456789"), 10);
    }

    fn token() -> impl Strategy<Value = String> {
        let tokens = [
            "{",
            "}",
            "[",
            "]",
            ",",
            ":",
            " ",
            "\"",
            "\\",
            "null",
            "\\u00e4",
            "ü",
            "\n",
            "\"labels\":{\"a\":\"1\"}",
            "\"labels\"",
            "\"annotations\":{",
            "\"startsAt\":",
            "\"endsAt\":",
            "\"generatorURL\":",
            "\"a\":\"b\"",
            "\"b\":\"\"",
            "\"\"",
            "\"0001-01-01T00:00:00Z\"",
            "\"2026-01-02T03:04:05Z\"",
            "{\"labels\":{\"x\":\"y\"}}",
            "\"other\":1",
        ];
        prop::sample::select(tokens.map(str::to_owned).to_vec())
    }

    proptest! {
        #[test]
        fn what_is_plain_is_read_as_by_the_other_reader(
            tokens in prop::collection::vec(token(), 0..24),
            cuts in prop::collection::vec((any::<prop::sample::Index>(), token(), 0_usize..4), 0..4),
        ) {
            let free = format!("[{{\"labels\":{{}}}},{}]", tokens.concat());
            check(&free)?;
            let mut usual = PLAIN.to_owned();
            for (at, token, len) in cuts {
                let places: Vec<usize> = usual.char_indices().map(|(at, _)| at).collect();
                let place = at.index(places.len());
                let end = places.get(place + len).copied().unwrap_or(usual.len());
                usual.replace_range(places[place]..end, &token);
                check(&usual)?;
            }
        }
    }
}
