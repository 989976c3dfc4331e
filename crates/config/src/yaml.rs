//! YAML as a tree with places: read tolerantly, so that one mistake does not hide the next.
//!
//! Scalars keep their text: `version: 1.10` is `1.10` until somebody wants a number. Anchors and
//! merge keys are resolved here. Of most files only the first document is read, as upstream does.
//!
//! *Sources*: YAML 1.2 by way of `granit-parser`, which gives events with places and needs two
//! small crates; YAML 1.1's merge key.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use granit_parser::{Event, Parser, ScalarStyle, Span};

use crate::problem::Pos;

/// A value and where it begins.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) at: Pos,
    pub(crate) value: Value,
}

#[derive(Clone, Debug)]
pub(crate) enum Value {
    Null,
    Scalar(Scalar),
    List(Arc<Vec<Node>>),
    Map(Arc<Vec<Entry>>),
}

/// A key with its value.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) key: String,
    pub(crate) at: Pos,
    pub(crate) value: Node,
}

/// A text, and which bytes of the file it was written as.
#[derive(Clone, Debug)]
pub(crate) struct Scalar {
    pub(crate) text: Arc<str>,
    style: ScalarStyle,
    start: usize,
    end: usize,
}

/// A file that is no YAML, or a part of it that cannot be used.
#[derive(Debug)]
pub(crate) struct Mistake {
    pub(crate) at: Pos,
    pub(crate) message: String,
}

/// Reads the first document. Mistakes that leave a tree are returned with it.
pub(crate) fn parse(source: &str) -> (Option<Node>, Vec<Mistake>) {
    let mut builder = Builder::new(source);
    let root = builder.document().unwrap_or_else(|mistake| {
        builder.mistakes.push(mistake);
        None
    });
    (root, builder.mistakes)
}

/// As [`parse`], of a text that people at the other end may have a part in: aliases are refused,
/// so that what comes out is no larger than the text, and no deeper than the parser goes.
pub(crate) fn parse_foreign(source: &str) -> Result<Option<Node>, Vec<Mistake>> {
    let mut builder = Builder::new(source);
    builder.takes_aliases = false;
    let root = builder.document().unwrap_or_else(|mistake| {
        builder.mistakes.push(mistake);
        None
    });
    match builder.mistakes.is_empty() {
        true => Ok(root),
        false => Err(builder.mistakes),
    }
}

/// Reads every document of a file, as [`parse`] does the first. Documents that hold nothing are left
/// out; what follows a mistake that leaves no tree is not read.
pub(crate) fn parse_all(source: &str) -> (Vec<Node>, Vec<Mistake>) {
    let mut builder = Builder::new(source);
    let mut roots = Vec::new();
    loop {
        let read = builder.next().and_then(|(event, span)| match event {
            Event::StreamEnd => Ok(None),
            Event::StreamStart | Event::DocumentStart(..) | Event::DocumentEnd => Ok(Some(None)),
            event => Ok(Some(Some(builder.node(event, &span)?))),
        });
        match read {
            Ok(Some(root)) => roots.extend(root),
            Ok(None) => break,
            Err(mistake) => {
                builder.mistakes.push(mistake);
                break;
            }
        }
    }
    roots.retain(|root| !matches!(root.value, Value::Null));
    (roots, builder.mistakes)
}

/// Which bytes of a file say nothing to whoever reads its first document: comments, and all that
/// follows it. In the order of the file.
pub(crate) fn unread(source: &str) -> Vec<(usize, usize)> {
    let options = granit_parser::options! {
        emit_comments: true,
        max_buffered_comment_events: usize::MAX,
    };
    let offset = |marker: &granit_parser::Marker| marker.byte_offset().unwrap_or(0);
    let mut found = Vec::new();
    for event in Parser::new_from_str_with_options(source, options) {
        match event {
            Ok((Event::Comment(..), span)) => found.push((offset(&span.start), offset(&span.end))),
            Ok((Event::DocumentEnd, span)) => {
                found.push((offset(&span.start), source.len()));
                break;
            }
            Ok(_) => {}
            // What follows cannot be told apart.
            Err(error) => {
                found.push((offset(error.marker()), source.len()));
                break;
            }
        }
    }
    found.sort_unstable();
    found
}

impl Node {
    /// What it is, for messages.
    pub(crate) fn kind(&self) -> &'static str {
        match self.value {
            Value::Null => "nothing",
            Value::Scalar(_) => "a single value",
            Value::List(_) => "a list",
            Value::Map(_) => "a map",
        }
    }

    /// The entry of a map.
    pub(crate) fn get(&self, name: &str) -> Option<&Self> {
        let Value::Map(entries) = &self.value else {
            return None;
        };
        entries.iter().find(|it| it.key == name).map(|it| &it.value)
    }

    /// The items of a list that is the entry of a map; none of anything else.
    pub(crate) fn items(&self, name: &str) -> &[Self] {
        match self.get(name).map(|it| &it.value) {
            Some(Value::List(items)) => items,
            _ => &[],
        }
    }

    /// A single value.
    pub(crate) fn as_text(&self) -> Option<&str> {
        match &self.value {
            Value::Scalar(scalar) => Some(&scalar.text),
            _ => None,
        }
    }

    /// The single value that is the entry of a map.
    pub(crate) fn text_of(&self, name: &str) -> Option<String> {
        self.get(name)?.as_text().map(str::to_owned)
    }

    fn n_nodes(&self) -> usize {
        match &self.value {
            Value::Null | Value::Scalar(_) => 1,
            Value::List(items) => items.iter().map(Self::n_nodes).sum::<usize>() + 1,
            Value::Map(entries) => entries.iter().map(|it| it.value.n_nodes()).sum::<usize>() + 1,
        }
    }
}

impl Scalar {
    /// Whether it was written without quotes.
    pub(crate) fn is_plain(&self) -> bool {
        self.style == ScalarStyle::Plain
    }

    /// Which bytes of the file it was written as.
    pub(crate) fn range(&self) -> (usize, usize) {
        (self.start, self.end)
    }

    /// Where in the file a byte of the text stands.
    ///
    /// Quotes, escapes, indentation and folding make text and file differ, but what is no blank
    /// stands in both in the same order; so those characters are counted off.
    pub(crate) fn position_of(&self, source: &str, offset: usize) -> Pos {
        let offset = offset.min(self.text.len());
        let before = self.text.get(..offset).unwrap_or(&self.text);
        let n_before = before.chars().filter(|c| !c.is_whitespace()).count();
        let is_blank = self.text[before.len()..]
            .chars()
            .next()
            .is_none_or(char::is_whitespace);
        let places = self.visible_characters(source);
        match places.get(n_before) {
            Some(&(place, _)) if !is_blank || n_before == 0 => position(source, place),
            // In a blank, or at the end: right after the character before it.
            _ => match n_before.checked_sub(1).and_then(|idx| places.get(idx)) {
                Some(&(place, len)) => position(source, place + len),
                None => position(source, self.start),
            },
        }
    }

    /// Byte offset and length in the file of each character of the text that is no blank.
    fn visible_characters(&self, source: &str) -> Vec<(usize, usize)> {
        let end = self.end.min(source.len());
        let mut start = self.start.min(end);
        // A block's place is that of its first line, after the `|`.
        if matches!(
            self.style,
            ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted
        ) {
            start += 1;
        }
        let mut places = Vec::new();
        let mut chars = source
            .get(start..end)
            .unwrap_or("")
            .char_indices()
            .peekable();
        while let Some((at, c)) = chars.next() {
            let mut len = c.len_utf8();
            match (self.style, c) {
                (ScalarStyle::SingleQuoted, '\'') => {
                    if chars.next_if(|(_, next)| *next == '\'').is_none() {
                        break;
                    }
                    len = 2;
                }
                (ScalarStyle::DoubleQuoted, '"') => break,
                (ScalarStyle::DoubleQuoted, '\\') => {
                    let Some((_, escaped)) = chars.next() else {
                        break;
                    };
                    let n_digits = match escaped {
                        'x' => 2,
                        'u' => 4,
                        'U' => 8,
                        _ => 0,
                    };
                    for _ in 0..n_digits {
                        chars.next();
                    }
                    len = 1 + escaped.len_utf8() + n_digits;
                    if "nrtNLP_ve \n".contains(escaped) {
                        continue;
                    }
                }
                _ if c.is_whitespace() => continue,
                _ => {}
            }
            places.push((start + at, len));
        }
        places
    }
}

/// The place of a byte of the file.
fn position(source: &str, offset: usize) -> Pos {
    let before = source.get(..offset).unwrap_or(source);
    let line_start = before.rfind('\n').map_or(0, |idx| idx + 1);
    Pos {
        line: number(before.bytes().filter(|byte| *byte == b'\n').count() + 1),
        column: number(before[line_start..].chars().count() + 1),
    }
}

fn number(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

struct Builder<'s> {
    events: Parser<'s, granit_parser::StrInput<'s>>,
    anchors: BTreeMap<usize, Node>,
    mistakes: Vec<Mistake>,
    n_nodes: usize,
    takes_aliases: bool,
}

impl<'s> Builder<'s> {
    fn new(source: &'s str) -> Self {
        let options = granit_parser::options! { emit_comments: false };
        Self {
            events: Parser::new_from_str_with_options(source, options),
            anchors: BTreeMap::new(),
            mistakes: Vec::new(),
            n_nodes: 0,
            takes_aliases: true,
        }
    }

    fn next(&mut self) -> Result<(Event<'s>, Span), Mistake> {
        match self.events.next() {
            Some(Ok(event)) => Ok(event),
            Some(Err(error)) => Err(Mistake {
                at: mark(error.marker()),
                message: error.info(),
            }),
            None => Ok((Event::StreamEnd, Span::default())),
        }
    }

    fn document(&mut self) -> Result<Option<Node>, Mistake> {
        loop {
            let (event, span) = self.next()?;
            match event {
                Event::StreamStart | Event::DocumentStart(..) => {}
                Event::StreamEnd | Event::DocumentEnd => return Ok(None),
                event => return self.node(event, &span).map(Some),
            }
        }
    }

    fn node(&mut self, event: Event<'s>, span: &Span) -> Result<Node, Mistake> {
        let at = mark(&span.start);
        self.count(1, at)?;
        let (value, anchor) = match event {
            Event::Scalar(text, style, anchor, tag) => {
                let is_null = style == ScalarStyle::Plain
                    && tag.is_none()
                    && matches!(&*text, "" | "~" | "null" | "Null" | "NULL");
                let scalar = |text| Scalar {
                    text,
                    style,
                    start: span.start.byte_offset().unwrap_or(0),
                    end: span.end.byte_offset().unwrap_or(0),
                };
                let value = if is_null {
                    Value::Null
                } else {
                    Value::Scalar(scalar(Arc::from(&*text)))
                };
                (value, anchor)
            }
            Event::SequenceStart(_, anchor, _) => (self.list()?, anchor),
            Event::MappingStart(_, anchor, _) => (self.map()?, anchor),
            Event::Alias(anchor) => return self.alias(anchor, at),
            _ => {
                let message = "this cannot be understood here".to_owned();
                return Err(Mistake { at, message });
            }
        };
        let node = Node { at, value };
        if anchor != 0 {
            self.anchors.insert(anchor, node.clone());
        }
        Ok(node)
    }

    fn list(&mut self) -> Result<Value, Mistake> {
        let mut items = Vec::new();
        loop {
            let (event, span) = self.next()?;
            if event == Event::SequenceEnd {
                return Ok(Value::List(Arc::new(items)));
            }
            items.push(self.node(event, &span)?);
        }
    }

    fn map(&mut self) -> Result<Value, Mistake> {
        let mut entries: Vec<Entry> = Vec::new();
        let mut names = BTreeSet::new();
        let mut merged = Vec::new();
        loop {
            let (event, span) = self.next()?;
            if event == Event::MappingEnd {
                break;
            }
            let key = self.node(event, &span)?;
            let (event, span) = self.next()?;
            let value = self.node(event, &span)?;
            let at = key.at;
            let name = match &key.value {
                Value::Scalar(scalar) if &*scalar.text == "<<" && scalar.is_plain() => {
                    merged.push(value);
                    continue;
                }
                Value::Scalar(scalar) => scalar.text.to_string(),
                Value::Null => String::new(),
                Value::List(_) | Value::Map(_) => {
                    let message = "a key has to be a single value".to_owned();
                    self.mistakes.push(Mistake { at, message });
                    continue;
                }
            };
            if !names.insert(name.clone()) {
                let message = format!("the key `{name}` is there twice");
                self.mistakes.push(Mistake { at, message });
                continue;
            }
            entries.push(Entry {
                key: name,
                at,
                value,
            });
        }
        for value in &merged {
            self.merge(value, &mut entries);
        }
        Ok(Value::Map(Arc::new(entries)))
    }

    /// Adds the entries of `<<` that the map does not have itself.
    fn merge(&mut self, value: &Node, entries: &mut Vec<Entry>) {
        match &value.value {
            Value::Map(extra) => {
                for entry in extra.iter() {
                    if entries.iter().all(|known| known.key != entry.key) {
                        entries.push(entry.clone());
                    }
                }
            }
            Value::List(maps) => maps.iter().for_each(|map| self.merge(map, entries)),
            Value::Null | Value::Scalar(_) => {
                let message = "`<<` takes a map or a list of maps".to_owned();
                self.mistakes.push(Mistake {
                    at: value.at,
                    message,
                });
            }
        }
    }

    fn alias(&mut self, anchor: usize, at: Pos) -> Result<Node, Mistake> {
        if !self.takes_aliases {
            let message = "there are no aliases here".to_owned();
            return Err(Mistake { at, message });
        }
        let Some(node) = self.anchors.get(&anchor).cloned() else {
            let message = "an alias cannot stand inside of what it names".to_owned();
            return Err(Mistake { at, message });
        };
        // Copies share their content, so they are cheap here; whoever reads them pays.
        self.count(node.n_nodes(), at)?;
        Ok(node)
    }

    fn count(&mut self, n_nodes: usize, at: Pos) -> Result<(), Mistake> {
        self.n_nodes += n_nodes;
        if self.n_nodes <= NODES_MAX {
            return Ok(());
        }
        let message = format!("there are more than {NODES_MAX} values, aliases resolved");
        Err(Mistake { at, message })
    }
}

fn mark(marker: &granit_parser::Marker) -> Pos {
    Pos {
        line: number(marker.line()),
        column: number(marker.col() + 1),
    }
}

/// How many values a file may have; what follows is not read. Rule files of 100,000 rules fit.
const NODES_MAX: usize = 4_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    fn dump(node: &Node, indent: usize, out: &mut String) {
        let pad = " ".repeat(indent);
        let Pos { line, column } = node.at;
        match &node.value {
            Value::Null => *out += &format!("{line}:{column} null\n"),
            Value::Scalar(scalar) => *out += &format!("{line}:{column} {:?}\n", scalar.text),
            Value::List(items) => {
                *out += &format!("{line}:{column} list\n");
                for item in items.iter() {
                    *out += &format!("{pad}- ");
                    dump(item, indent + 2, out);
                }
            }
            Value::Map(entries) => {
                *out += &format!("{line}:{column} map\n");
                for entry in entries.iter() {
                    *out += &format!("{pad}{}@{}:{}: ", entry.key, entry.at.line, entry.at.column);
                    dump(&entry.value, indent + 2, out);
                }
            }
        }
    }

    #[test]
    fn a_tree_keeps_texts_and_places() {
        let source = "a: 1.10\nb: [yes, ~, 'x y']\nc: &c\n  d: \"\"\n  e:\nf:\n  <<: *c\n  e: 1\n\
                      g: *c\na: 2\n---\nmore: 1\n";
        let (root, mistakes) = parse(source);
        let mut text = String::new();
        dump(&root.unwrap(), 0, &mut text);
        for Mistake { at, message } in mistakes {
            text += &format!("! {}:{} {message}\n", at.line, at.column);
        }
        expect_test::expect![[r#"
            1:1 map
            a@1:1: 1:4 "1.10"
            b@2:1: 2:4 list
              - 2:5 "yes"
              - 2:10 null
              - 2:13 "x y"
            c@3:1: 4:3 map
              d@4:3: 4:6 ""
              e@5:3: 5:4 null
            f@6:1: 7:3 map
              e@8:3: 8:6 "1"
              d@4:3: 4:6 ""
            g@9:1: 4:3 map
              d@4:3: 4:6 ""
              e@5:3: 5:4 null
            ! 10:1 the key `a` is there twice
        "#]]
        .assert_eq(&text);
    }

    #[test]
    fn what_is_no_yaml_says_where() {
        let sources = ["a: [1\nb: 2", "a: *b", "\ta: 1", "a: b: c"];
        let found: String = sources
            .iter()
            .flat_map(|source| parse(source).1)
            .map(|it| format!("{}:{} {}\n", it.at.line, it.at.column, it.message))
            .collect();
        expect_test::expect![[r#"
            2:2 illegal placement of ':' indicator
            1:4 while parsing node, found unknown anchor
            1:5 mapping values are not allowed in this context
        "#]]
        .assert_eq(&found);
    }

    #[test]
    fn a_bomb_of_aliases_does_not_go_off() {
        let mut source = "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n".to_owned();
        for idx in 1..12 {
            let items = format!("*a{},", idx - 1).repeat(10);
            source += &format!("a{idx}: &a{idx} [{items}]\n");
        }
        let (root, mistakes) = parse(&source);
        assert!(root.is_none() && mistakes[0].message.starts_with("there are more than"));
    }

    /// Where the byte `|` marks in the decoded text stands in the file.
    fn check_position(source: &str, needle: &str, expected: (u32, u32)) {
        let (root, mistakes) = parse(source);
        assert!(mistakes.is_empty(), "{source}: {mistakes:?}");
        let Value::Map(entries) = root.unwrap().value else {
            panic!("no map");
        };
        let Value::Scalar(scalar) = &entries[0].value.value else {
            panic!("no scalar");
        };
        let offset = scalar.text.find(needle).unwrap();
        let Pos { line, column } = scalar.position_of(source, offset);
        assert_eq!((line, column), expected, "{source}");
    }

    #[test]
    fn places_inside_of_texts_are_found_in_every_style() {
        for (source, expected) in [
            ("e: a b @c", (1, 8)),
            ("e: a\n   b @c", (2, 6)),
            ("e: 'it''s @c'", (1, 11)),
            ("e: \"\\ta\\\"\\u00e9 @c\"", (1, 17)),
            ("e: |\n  a b\n  @c", (3, 3)),
            ("e: |2-\n\n    a\n   @c", (4, 4)),
            ("e: >-\n  a\n  b\n  é @c", (4, 5)),
            ("e: &x !!str c @", (1, 15)),
        ] {
            check_position(source, "@", expected);
        }
    }
}
