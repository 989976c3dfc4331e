//! Reads the words of a line: names, quoted strings, single bytes.

/// Where a line begins, and its number, from 1.
#[derive(Clone, Copy, Debug)]
pub(super) struct LineStart {
    pub(super) at: usize,
    pub(super) line: usize,
}

/// A place in a text. Every method either takes something and moves on, or leaves the place.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cursor<'a> {
    text: &'a str,
    pub(super) at: usize,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    /// The next byte, or `None` at the end.
    pub(super) fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    /// Takes one byte, if it is the expected one.
    pub(super) fn take(&mut self, expected: u8) -> bool {
        let is_there = self.peek() == Some(expected);
        self.at += usize::from(is_there);
        is_there
    }

    /// Takes a text, if it is there.
    pub(super) fn take_text(&mut self, expected: &str) -> bool {
        let is_there = self.text.as_bytes()[self.at..].starts_with(expected.as_bytes());
        self.at += if is_there { expected.len() } else { 0 };
        is_there
    }

    /// Takes bytes as long as they satisfy `is_wanted`. ASCII bytes only may be refused, so that
    /// the end lies between characters.
    pub(super) fn take_while(&mut self, mut is_wanted: impl FnMut(u8) -> bool) -> &'a str {
        let start = self.at;
        let rest = &self.text.as_bytes()[start..];
        let len = rest.iter().position(|&byte| !is_wanted(byte));
        self.at = start + len.unwrap_or(rest.len());
        self.slice(start, self.at)
    }

    /// The text between two places.
    pub(super) fn slice(&self, start: usize, end: usize) -> &'a str {
        self.text.get(start..end).unwrap_or("")
    }

    pub(super) fn skip_blanks(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t')) {
            self.at += 1;
        }
    }

    /// A name of letters, digits and `_`, with `:` when it is a metric's.
    pub(super) fn take_name(&mut self, may_have_colon: bool) -> Option<&'a str> {
        let starts = |byte: u8| {
            byte.is_ascii_alphabetic() || byte == b'_' || (byte == b':' && may_have_colon)
        };
        if !self.peek().is_some_and(starts) {
            return None;
        }
        Some(self.take_while(|byte| starts(byte) || byte.is_ascii_digit()))
    }

    /// A string in double quotes; what is between them, escapes and all. `None` when there is no
    /// quote here, or no closing one (within the line, unless line feeds are allowed).
    pub(super) fn take_quoted(&mut self, may_have_line_feed: bool) -> Option<&'a str> {
        let bytes = self.text.as_bytes();
        if self.peek() != Some(b'"') {
            return None;
        }
        let start = self.at + 1;
        let mut end = start;
        loop {
            match bytes.get(end)? {
                b'"' => break,
                b'\\' if bytes.get(end + 1) == Some(&b'\n') => return None,
                b'\\' => end += 2,
                b'\n' if !may_have_line_feed => return None,
                _ => end += 1,
            }
        }
        self.at = end + 1;
        self.text.get(start..end)
    }

    /// The line that a place is in, counted on from one before it.
    pub(super) fn line_of(&self, at: usize, from: LineStart) -> LineStart {
        let between = &self.text.as_bytes()[from.at..at.clamp(from.at, self.text.len())];
        match between.iter().rposition(|&byte| byte == b'\n') {
            Some(last) => LineStart {
                at: from.at + last + 1,
                line: from.line + between.iter().filter(|&&byte| byte == b'\n').count(),
            },
            None => from,
        }
    }

    /// What is at this place, for an error: up to 20 characters of the line.
    pub(super) fn found(&self) -> String {
        let rest = self.text.get(self.at..).unwrap_or("");
        match rest.chars().next() {
            None => "the end".to_owned(),
            Some('\n') => "the end of the line".to_owned(),
            Some(_) => {
                let line = rest.lines().next().unwrap_or("");
                let head: String = line.chars().take(20).collect();
                let more = if head.len() < line.len() { "…" } else { "" };
                format!("`{head}{more}`")
            }
        }
    }
}
