//! The parser: one entry after the other.

use std::borrow::Cow;

use firebell_model::{Labels, MetricKind, Timestamp};

use super::cursor::{Cursor, LineStart};
use super::number::parse_value;
use super::series::{Pair, replace_escapes, unescape, unique_labels};
use super::{ExpositionError, Format, SeriesText};

/// Reads a body entry by entry: `while let Some(entry) = parser.next_entry()? { … }`.
#[derive(Debug)]
pub struct Parser<'a> {
    cursor: Cursor<'a>,
    format: Format,
    kind: MetricKind,
    /// The metric of which the kind was said.
    family: Cow<'a, str>,
    has_ended: bool,
    /// Where the last entry begins.
    entry_at: usize,
    /// A line up to which lines have been counted.
    counted: LineStart,
    // Kept between lines, so that a line costs no allocation.
    pairs: Vec<Pair<'a>>,
    exemplar_pairs: Vec<Pair<'a>>,
}

/// What a line says.
#[derive(Debug)]
pub enum Entry<'p, 'a> {
    /// A value of a series.
    Sample(SampleLine<'p, 'a>),
    /// `# HELP`
    Help {
        /// Name of the metric family.
        metric: Cow<'a, str>,
        /// What it means.
        help: Cow<'a, str>,
    },
    /// `# TYPE`
    Type {
        /// Name of the metric family.
        metric: Cow<'a, str>,
        /// Its kind, which holds for the samples that follow.
        kind: MetricKind,
    },
    /// `# UNIT`
    Unit {
        /// Name of the metric family.
        metric: Cow<'a, str>,
        /// Such as `seconds`.
        unit: &'a str,
    },
}

/// A value of a series.
#[derive(Debug)]
pub struct SampleLine<'p, 'a> {
    /// Which series.
    pub series: SeriesText<'p, 'a>,
    /// The value.
    pub value: f64,
    /// When it was, if the target says so.
    pub at: Option<Timestamp>,
    /// The example that OpenMetrics may add.
    pub exemplar: Option<Exemplar<'p, 'a>>,
}

/// One observation behind a sample, with labels such as `trace_id`.
#[derive(Clone, Copy, Debug)]
pub struct Exemplar<'p, 'a> {
    pairs: &'p [Pair<'a>],
    /// The observed value.
    pub value: f64,
    /// When it was observed.
    pub at: Option<Timestamp>,
}

impl Exemplar<'_, '_> {
    /// Its labels.
    ///
    /// # Errors
    /// The name of a label that occurs twice.
    pub fn labels(&self) -> Result<Labels, String> {
        let pairs = self.pairs.iter();
        unique_labels(pairs.map(|&(name, value)| (unescape(name), unescape(value))))
    }
}

impl<'a> Parser<'a> {
    /// Begins to read a body.
    ///
    /// # Errors
    /// When the body is not UTF-8.
    pub fn new(body: &'a [u8], format: Format) -> Result<Self, ExpositionError> {
        let text = std::str::from_utf8(body).map_err(|error| {
            let before = &body[..error.valid_up_to()];
            let line = before.rsplit(|&byte| byte == b'\n').next();
            ExpositionError {
                line: before.iter().filter(|&&byte| byte == b'\n').count() + 1,
                column: line.map_or(0, |it| String::from_utf8_lossy(it).chars().count()) + 1,
                message: "the body is not valid UTF-8".to_owned(),
            }
        })?;
        Ok(Self {
            cursor: Cursor::new(text),
            format,
            kind: MetricKind::Unknown,
            family: Cow::Borrowed(""),
            has_ended: false,
            entry_at: 0,
            counted: LineStart { at: 0, line: 1 },
            pairs: Vec::new(),
            exemplar_pairs: Vec::new(),
        })
    }

    /// The next entry; `None` at the end. Comments and blank lines are passed over.
    ///
    /// # Errors
    /// At a line that is not in the format. There is nothing more to be read then, unless
    /// [`Parser::skip_line`] goes on.
    pub fn next_entry(&mut self) -> Result<Option<Entry<'_, 'a>>, ExpositionError> {
        if self.has_ended {
            return Ok(None);
        }
        // An error ends the reading as well.
        self.has_ended = true;
        while self.format == Format::Text {
            self.cursor.skip_blanks();
            match self.cursor.peek() {
                None => return Ok(None),
                Some(b'\n') => self.cursor.at += 1,
                Some(b'#') if !self.is_metadata() => {
                    self.cursor.take_while(|byte| byte != b'\n');
                }
                Some(_) => break,
            }
        }
        self.entry_at = self.cursor.at;
        match self.cursor.peek() {
            None => Err(self.error("the data does not end with `# EOF`")),
            Some(b'#') if self.cursor.take_text("# EOF") => self.end(),
            Some(b'#') => self.metadata().map(Some),
            Some(_) => self.sample().map(Some),
        }
    }

    /// Goes on behind the line of an error, for those who take what is right in a body that is not.
    /// False when that line was the last.
    pub fn skip_line(&mut self) -> bool {
        self.counted = self.cursor.line_of(self.cursor.at, self.counted);
        self.cursor.take_while(|byte| byte != b'\n');
        self.has_ended = !self.cursor.take(b'\n') || self.cursor.peek().is_none();
        !self.has_ended
    }

    /// The line in which the last entry begins, right or wrong, from 1.
    pub fn entry_line(&mut self) -> usize {
        self.counted = self.cursor.line_of(self.entry_at, self.counted);
        self.counted.line
    }

    /// Whether a comment of the text format is `# HELP` or `# TYPE`.
    fn is_metadata(&self) -> bool {
        let mut ahead = self.cursor;
        ahead.at += 1;
        let has_blank = matches!(ahead.peek(), Some(b' ' | b'\t'));
        ahead.skip_blanks();
        has_blank
            && (ahead.take_text("HELP") || ahead.take_text("TYPE"))
            && matches!(ahead.peek(), Some(b' ' | b'\t'))
    }

    fn end(&mut self) -> Result<Option<Entry<'_, 'a>>, ExpositionError> {
        let end = self.cursor.at;
        self.cursor.take(b'\n');
        if self.cursor.peek().is_none() {
            return Ok(None);
        }
        let error = self.error("there is more after `# EOF`");
        // Whoever goes on does so with the next line.
        self.cursor.at = end;
        Err(error)
    }

    fn metadata(&mut self) -> Result<Entry<'_, 'a>, ExpositionError> {
        self.cursor.at += 1;
        self.blank("`# HELP`, `# TYPE`, `# UNIT` or `# EOF`")?;
        let word = self.cursor.take_name(false).unwrap_or("");
        if !matches!(word, "HELP" | "TYPE" | "UNIT") {
            return Err(self.error("a comment of OpenMetrics is HELP, TYPE, UNIT or EOF"));
        }
        self.blank("a metric name")?;
        let metric = match self.cursor.take_quoted(true) {
            Some(quoted) => unescape(quoted),
            None => match self.cursor.take_name(true) {
                Some(name) => Cow::Borrowed(name),
                None => return Err(self.expected(&format!("a metric name after {word}"))),
            },
        };
        let start = self.cursor.at;
        let text = self.cursor.take_while(|byte| byte != b'\n');
        let is_blank = |c| c == ' ' || (c == '\t' && self.format == Format::Text);
        let text = match (text.strip_prefix(is_blank), self.format) {
            (Some(text), _) => text,
            (None, Format::Text) if text.is_empty() => text,
            (None, _) => {
                self.cursor.at = start;
                return Err(self.expected(&format!("a space and text in {word}")));
            }
        };
        let entry = self.metadata_entry(word, metric, text)?;
        self.line_end()?;
        self.has_ended = false;
        Ok(entry)
    }

    fn metadata_entry(
        &mut self,
        word: &str,
        metric: Cow<'a, str>,
        text: &'a str,
    ) -> Result<Entry<'a, 'a>, ExpositionError> {
        match word {
            "HELP" => {
                let help = replace_escapes(text, self.format == Format::OpenMetrics);
                Ok(Entry::Help { metric, help })
            }
            "TYPE" => match parse_kind(text, self.format) {
                Some(kind) => {
                    self.kind = kind;
                    self.family.clone_from(&metric);
                    Ok(Entry::Type { metric, kind })
                }
                None => Err(self.error(&format!("`{text}` is no metric type"))),
            },
            _ => {
                let without = metric.strip_suffix(text);
                if !text.is_empty() && !without.is_some_and(|name| name.ends_with('_')) {
                    let message = format!("unit `{text}` is not a suffix of metric `{metric}`");
                    return Err(self.error(&message));
                }
                Ok(Entry::Unit { metric, unit: text })
            }
        }
    }

    fn sample(&mut self) -> Result<Entry<'_, 'a>, ExpositionError> {
        let start = self.cursor.at;
        self.pairs.clear();
        let mut metric = self.cursor.take_name(true);
        let mut end = self.cursor.at;
        self.skip_text_blanks();
        if self.cursor.take(b'{') {
            metric = self.label_pairs(metric)?;
            end = self.cursor.at;
        } else {
            self.cursor.at = end;
        }
        let Some(metric) = metric.filter(|name| !name.is_empty()) else {
            if end > start {
                return Err(self.error("the series has no metric name"));
            }
            return Err(self.expected("a metric name"));
        };
        let text = self.cursor.slice(start, end);
        let value = self.value("a value after the series")?;
        let (at, exemplar) = match self.format {
            Format::Text => (self.millis()?, None),
            Format::OpenMetrics => (self.seconds(false)?, self.exemplar()?),
        };
        self.line_end()?;
        self.has_ended = false;
        let (pairs, kind, family) = (&*self.pairs, self.kind, &*self.family);
        let exemplar = exemplar.map(|(value, at)| Exemplar {
            pairs: &self.exemplar_pairs,
            value,
            at,
        });
        Ok(Entry::Sample(SampleLine {
            series: SeriesText {
                text,
                metric,
                pairs,
                kind,
                family,
            },
            value,
            at,
            exemplar,
        }))
    }

    /// What is between braces, the closing one included; gives the metric name, which may stand
    /// there in quotes.
    fn label_pairs(
        &mut self,
        mut metric: Option<&'a str>,
    ) -> Result<Option<&'a str>, ExpositionError> {
        loop {
            self.skip_text_blanks();
            if self.cursor.take(b'}') {
                return Ok(metric);
            }
            let quoted = self.cursor.take_quoted(true);
            let Some(name) = quoted.or_else(|| self.cursor.take_name(false)) else {
                return Err(self.expected("a label name or `}`"));
            };
            self.skip_text_blanks();
            if quoted.is_some() && matches!(self.cursor.peek(), Some(b',' | b'}')) {
                if metric.replace(name).is_some() {
                    return Err(self.error("the series has two metric names"));
                }
            } else if name.is_empty() {
                return Err(self.error("a label has an empty name"));
            } else {
                let value = self.label_value()?;
                self.pairs.push((name, value));
            }
            self.skip_text_blanks();
            // The text format takes pairs without a comma between them.
            let has_comma = self.cursor.take(b',');
            let may_go_on = self.format == Format::Text || self.cursor.peek() == Some(b'}');
            if !has_comma && !may_go_on {
                return Err(self.expected("`,` or `}`"));
            }
        }
    }

    fn label_value(&mut self) -> Result<&'a str, ExpositionError> {
        if !self.cursor.take(b'=') {
            return Err(self.expected("`=` after the label name"));
        }
        self.skip_text_blanks();
        let may_have_line_feed = self.format == Format::Text;
        match self.cursor.take_quoted(may_have_line_feed) {
            Some(value) => Ok(value),
            None => Err(self.expected("a label value in quotes")),
        }
    }

    fn value(&mut self, what: &str) -> Result<f64, ExpositionError> {
        match self.format {
            Format::Text => self.cursor.skip_blanks(),
            Format::OpenMetrics => self.blank(what)?,
        }
        let start = self.cursor.at;
        let is_text = self.format == Format::Text;
        let word = self.cursor.take_while(|byte| match byte {
            b' ' | b'\n' => false,
            b'\t' | b'{' => !is_text,
            _ => true,
        });
        match parse_value(word) {
            Some(value) => Ok(value),
            None => {
                self.cursor.at = start;
                Err(self.expected(what))
            }
        }
    }

    /// The text format's timestamp: whole milliseconds.
    fn millis(&mut self) -> Result<Option<Timestamp>, ExpositionError> {
        self.cursor.skip_blanks();
        let start = self.cursor.at;
        let digits = self.cursor.take_while(|byte| byte.is_ascii_digit());
        if digits.is_empty() {
            return Ok(None);
        }
        self.cursor.skip_blanks();
        match digits.parse() {
            Ok(millis) => Ok(Some(Timestamp(millis))),
            Err(_) => {
                self.cursor.at = start;
                Err(self.expected("a timestamp in milliseconds"))
            }
        }
    }

    /// OpenMetrics' timestamp: seconds, cut to milliseconds.
    fn seconds(&mut self, is_exemplar: bool) -> Result<Option<Timestamp>, ExpositionError> {
        let start = self.cursor.at;
        let has_word = self.cursor.take(b' ');
        if !has_word || (self.cursor.peek() == Some(b'#') && !is_exemplar) {
            self.cursor.at = start;
            return Ok(None);
        }
        let word = self.cursor.take_while(|byte| !matches!(byte, b' ' | b'\n'));
        match parse_value(word).filter(|secs| secs.is_finite()) {
            Some(secs) => Ok(Some(Timestamp((secs * 1000.0) as i64))),
            None => {
                self.cursor.at = start + 1;
                Err(self.expected("a timestamp in seconds"))
            }
        }
    }

    fn exemplar(&mut self) -> Result<Option<(f64, Option<Timestamp>)>, ExpositionError> {
        if !self.cursor.take_text(" # {") {
            return Ok(None);
        }
        // Labels are read into `pairs`; the sample's own wait aside.
        std::mem::swap(&mut self.pairs, &mut self.exemplar_pairs);
        self.pairs.clear();
        let metric = self.label_pairs(None);
        std::mem::swap(&mut self.pairs, &mut self.exemplar_pairs);
        if metric?.is_some() {
            return Err(self.error("an exemplar has no metric name"));
        }
        let value = self.value("a value after the exemplar")?;
        Ok(Some((value, self.seconds(true)?)))
    }

    /// One blank in OpenMetrics, any number in the text format.
    fn blank(&mut self, what: &str) -> Result<(), ExpositionError> {
        let start = self.cursor.at;
        match self.format {
            Format::Text => self.cursor.skip_blanks(),
            Format::OpenMetrics => self.cursor.at += usize::from(self.cursor.peek() == Some(b' ')),
        }
        if self.cursor.at == start {
            return Err(self.expected(&format!("a space and {what}")));
        }
        Ok(())
    }

    fn line_end(&mut self) -> Result<(), ExpositionError> {
        // The last line of the text format may lack its line feed.
        let is_end = self.cursor.peek().is_none() && self.format == Format::Text;
        if is_end || self.cursor.take(b'\n') {
            return Ok(());
        }
        Err(self.expected("the end of the line"))
    }

    fn skip_text_blanks(&mut self) {
        if self.format == Format::Text {
            self.cursor.skip_blanks();
        }
    }

    fn expected(&self, what: &str) -> ExpositionError {
        self.error(&format!("expected {what}, found {}", self.cursor.found()))
    }

    #[cold]
    fn error(&self, message: &str) -> ExpositionError {
        let at = self.cursor.at;
        let LineStart { at: start, line } = self.cursor.line_of(at, self.counted);
        ExpositionError {
            line,
            column: self.cursor.slice(start, at).chars().count() + 1,
            message: message.to_owned(),
        }
    }
}

fn parse_kind(word: &str, format: Format) -> Option<MetricKind> {
    Some(match (word, format) {
        ("counter", _) => MetricKind::Counter,
        ("gauge", _) => MetricKind::Gauge,
        ("histogram", _) => MetricKind::Histogram,
        ("summary", _) => MetricKind::Summary,
        ("untyped", Format::Text) | ("unknown", Format::OpenMetrics) => MetricKind::Unknown,
        ("gaugehistogram", Format::OpenMetrics) => MetricKind::GaugeHistogram,
        ("info", Format::OpenMetrics) => MetricKind::Info,
        ("stateset", Format::OpenMetrics) => MetricKind::StateSet,
        _ => return None,
    })
}
