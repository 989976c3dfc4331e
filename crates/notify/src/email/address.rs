//! Lists of mail addresses, as people write them: `Ops <ops@example.org>, oncall@example.org`.
//!
//! *Sources*: RFC 5322, section 3.4; Go, `net/mail`, `ParseAddressList`.

/// The bare addresses of a list, in order, groups opened. None at all is an error.
pub(crate) fn parse_list(text: &str) -> Result<Vec<String>, String> {
    let (mut cursor, mut found) = (Cursor(text), Vec::new());
    cursor.list(&mut found, false)?;
    if found.is_empty() {
        return Err("no address".to_owned());
    }
    Ok(found)
}

/// What is left to read.
struct Cursor<'t>(&'t str);

impl Cursor<'_> {
    fn list(&mut self, found: &mut Vec<String>, is_group: bool) -> Result<(), String> {
        loop {
            self.skip_blanks()?;
            if self.eat(',') {
                continue;
            }
            if self.0.is_empty() || (is_group && self.0.starts_with(';')) {
                return Ok(());
            }
            self.mailbox(found, is_group)?;
            self.skip_blanks()?;
            let is_end = self.0.is_empty() || (is_group && self.0.starts_with(';'));
            if !is_end && !self.eat(',') {
                return Err("expected a comma after an address".to_owned());
            }
        }
    }

    /// An address, one with a name before it, or a group of them.
    fn mailbox(&mut self, found: &mut Vec<String>, is_group: bool) -> Result<(), String> {
        let begin = self.0;
        if let Some(address) = self.bare() {
            found.push(address);
            return Ok(());
        }
        self.0 = begin;
        self.name()?;
        if !is_group && self.eat(':') {
            self.list(found, true)?;
            return self.expect(';');
        }
        if !self.eat('<') {
            return Err("an address lacks its `@`".to_owned());
        }
        self.skip_blanks()?;
        let none = "there is no address between `<` and `>`";
        found.push(self.bare().ok_or(none)?);
        self.skip_blanks()?;
        self.expect('>')
    }

    /// `local@domain`; where a quoted local part needs no quotes they are left out.
    fn bare(&mut self) -> Option<String> {
        let local = if self.0.starts_with('"') {
            let text = self.quoted().ok()?;
            match is_dotted(&text) {
                true => text,
                false => format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"")),
            }
        } else {
            self.dotted()?
        };
        if !self.eat('@') {
            return None;
        }
        let domain = if self.0.starts_with('[') {
            let end = self.0.find(']')? + 1;
            let (literal, rest) = self.0.split_at(end);
            let is_literal = |c: char| c.is_ascii_alphanumeric() || "[]:.-".contains(c);
            self.0 = rest;
            literal
                .chars()
                .all(is_literal)
                .then(|| literal.to_owned())?
        } else {
            self.dotted()?
        };
        Some(format!("{local}@{domain}"))
    }

    fn dotted(&mut self) -> Option<String> {
        let is_part = |c: char| c == '.' || is_atom(c);
        let end = self.0.find(|c| !is_part(c)).unwrap_or(self.0.len());
        let (text, rest) = self.0.split_at(end);
        self.0 = rest;
        is_dotted(text).then(|| text.to_owned())
    }

    /// Words before `<` or `:`.
    fn name(&mut self) -> Result<(), String> {
        loop {
            self.skip_blanks()?;
            if self.0.starts_with('"') {
                self.quoted()?;
                continue;
            }
            let is_part = |c: char| c == '.' || is_atom(c);
            let rest = self.0.trim_start_matches(is_part);
            if rest.len() == self.0.len() {
                return Ok(());
            }
            self.0 = rest;
        }
    }

    /// What stands in quotes, which is where the cursor is.
    fn quoted(&mut self) -> Result<String, String> {
        let (mut text, mut is_escaped) = (String::new(), false);
        for (idx, c) in self.0.char_indices().skip(1) {
            if c.is_control() && c != '\t' {
                return Err("a control character in quotes".to_owned());
            }
            match c {
                '\\' if !is_escaped => is_escaped = true,
                '"' if !is_escaped => {
                    self.0 = &self.0[idx + 1..];
                    return Ok(text);
                }
                c => {
                    text.push(c);
                    is_escaped = false;
                }
            }
        }
        Err("quotes that do not end".to_owned())
    }

    /// Blanks and comments in parentheses, which may nest.
    fn skip_blanks(&mut self) -> Result<(), String> {
        loop {
            self.0 = self.0.trim_start_matches([' ', '\t']);
            if !self.0.starts_with('(') {
                return Ok(());
            }
            let (mut depth, mut is_escaped, mut end) = (0_usize, false, None);
            for (idx, c) in self.0.char_indices() {
                match c {
                    _ if is_escaped => is_escaped = false,
                    '\\' => is_escaped = true,
                    '(' => depth += 1,
                    ')' => depth -= 1,
                    _ => {}
                }
                if depth == 0 {
                    end = Some(idx + 1);
                    break;
                }
            }
            let end = end.ok_or("a comment that does not end")?;
            self.0 = &self.0[end..];
        }
    }

    fn eat(&mut self, wanted: char) -> bool {
        let rest = self.0.strip_prefix(wanted);
        self.0 = rest.unwrap_or(self.0);
        rest.is_some()
    }

    fn expect(&mut self, wanted: char) -> Result<(), String> {
        match self.eat(wanted) {
            true => Ok(()),
            false => Err(format!("`{wanted}` is missing")),
        }
    }
}

fn is_dotted(text: &str) -> bool {
    text.split('.')
        .all(|atom| !atom.is_empty() && atom.chars().all(is_atom))
}

fn is_atom(c: char) -> bool {
    c.is_ascii_alphanumeric()
        || "!#$%&'*+-/=?^_`{|}~".contains(c)
        || (!c.is_ascii() && !c.is_control())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_as_people_write_them() {
        for (text, expected) in [
            ("a@b", "a@b"),
            ("a@b,c@d", "a@b c@d"),
            (
                " a.b+c@d.example , , \"x, y\" <e@f> ",
                "a.b+c@d.example e@f",
            ),
            ("Jörg Ü. Ä <jörg@bücher.example>", "jörg@bücher.example"),
            ("<a@b>", "a@b"),
            ("a@[127.0.0.1]", "a@[127.0.0.1]"),
            ("a@b (on (the) phone)", "a@b"),
            ("ops: a@b, C <c@d>;, e@f", "a@b c@d e@f"),
            ("\"a b\"@c", "\"a b\"@c"),
            ("\"a.b\"@c", "a.b@c"),
            ("\"a>\\\"b\"@c", "\"a>\\\"b\"@c"),
        ] {
            assert_eq!(parse_list(text).unwrap().join(" "), expected, "{text}");
        }
        for (text, expected) in [
            ("", "no address"),
            (" , ", "no address"),
            ("ops", "an address lacks its `@`"),
            ("a@", "an address lacks its `@`"),
            ("a@b c@d", "expected a comma after an address"),
            ("a..b@c", "an address lacks its `@`"),
            ("A <a>", "there is no address between `<` and `>`"),
            ("ops@b, A <a>", "there is no address between `<` and `>`"),
            (
                "A <a@b>, Owner <>",
                "there is no address between `<` and `>`",
            ),
            ("A <a@b", "`>` is missing"),
            ("A <a@b, c@d", "`>` is missing"),
            ("ops: a@b", "`;` is missing"),
            ("\"a", "quotes that do not end"),
            ("a@b (x", "a comment that does not end"),
            ("a@b\r\nRCPT TO:<c@d>", "expected a comma after an address"),
            ("\"a\r\nb\"@c", "a control character in quotes"),
            ("a@[b]>\r\n]", "expected a comma after an address"),
            ("a@[b\r\n]", "an address lacks its `@`"),
        ] {
            assert_eq!(parse_list(text).unwrap_err(), expected, "{text:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_address_holds_what_ends_a_command(text in "[a-c@<>\", \r\n\\\\();:.\\[\\]é]{0,24}") {
            for address in parse_list(&text).unwrap_or_default() {
                proptest::prop_assert!(!address.contains(char::is_control), "{address:?}");
            }
        }
    }
}
