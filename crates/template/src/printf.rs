//! Go's `fmt.Sprintf`: verbs, flags, and what it prints when they do not fit.
//!
//! *Sources*: Go, `fmt/print.go`, `fmt/format.go`.

use std::fmt::Write;
use std::sync::Arc;

use firebell_model::format_float;

use crate::histogram;
use crate::print::{Bounded, Full, float_text, print_value, printed};
use crate::value::Value;

/// Writes the operands as the format says.
pub(crate) fn printf(out: &mut Bounded, format: &str, args: &[Value]) -> Result<(), Full> {
    let mut operands = Operands {
        args,
        next: 0,
        is_reordered: false,
    };
    let mut rest = format;
    while let Some(at) = rest.find('%') {
        out.push(&rest[..at])?;
        rest = one_verb(out, &rest[at + 1..], &mut operands)?;
    }
    out.push(rest)?;
    let Operands {
        next, is_reordered, ..
    } = operands;
    if !is_reordered && next < args.len() {
        out.push("%!(EXTRA ")?;
        for (idx, arg) in args[next..].iter().enumerate() {
            out.push(if idx == 0 { "" } else { ", " })?;
            typed(out, arg)?;
        }
        out.push(")")?;
    }
    Ok(())
}

struct Operands<'a> {
    args: &'a [Value],
    next: usize,
    is_reordered: bool,
}

/// Flags, width and precision of one verb.
#[derive(Clone, Copy, Default)]
struct Spec {
    minus: bool,
    plus: bool,
    sharp: bool,
    space: bool,
    zero: bool,
    width: Option<usize>,
    precision: Option<usize>,
}

/// Writes one verb; `text` begins after the `%`. Answers what follows it.
fn one_verb<'t>(
    out: &mut Bounded,
    text: &'t str,
    operands: &mut Operands<'_>,
) -> Result<&'t str, Full> {
    let mut spec = Spec::default();
    let mut rest = text;
    while let Some(flag) = rest.chars().next().filter(|c| "-+# 0".contains(*c)) {
        match flag {
            '-' => spec.minus = true,
            '+' => spec.plus = true,
            '#' => spec.sharp = true,
            ' ' => spec.space = true,
            _ => spec.zero = true,
        }
        rest = &rest[1..];
    }
    let mut is_index_good = index(&mut rest, operands);
    match number(out, &mut rest, operands, "%!(BADWIDTH)")? {
        Some(width) if width < 0 => {
            spec.minus = true;
            spec.width = usize::try_from(width.unsigned_abs()).ok();
        }
        width => spec.width = width.and_then(|it| usize::try_from(it).ok()),
    }
    if let Some(after) = rest.strip_prefix('.') {
        rest = after;
        is_index_good &= index(&mut rest, operands);
        let precision = number(out, &mut rest, operands, "%!(BADPREC)")?;
        spec.precision = usize::try_from(precision.unwrap_or(0)).ok();
    }
    is_index_good &= index(&mut rest, operands);
    let Some(verb) = rest.chars().next() else {
        out.push("%!(NOVERB)")?;
        return Ok("");
    };
    rest = &rest[verb.len_utf8()..];
    if verb == '%' {
        out.push("%")?;
    } else if !is_index_good {
        write!(out, "%!{verb}(BADINDEX)")?;
    } else if let Some(arg) = operands.args.get(operands.next) {
        operands.next += 1;
        operand(out, spec, verb, arg)?;
    } else {
        write!(out, "%!{verb}(MISSING)")?;
    }
    Ok(rest)
}

/// Takes `[n]`, when it is there; answers whether it names an operand.
fn index(rest: &mut &str, operands: &mut Operands<'_>) -> bool {
    let Some(inside) = rest.strip_prefix('[') else {
        return true;
    };
    operands.is_reordered = true;
    let Some((digits, after)) = inside.split_once(']') else {
        *rest = inside;
        return false;
    };
    *rest = after;
    match digits.parse::<usize>() {
        Ok(n) if (1..=operands.args.len()).contains(&n) => {
            operands.next = n - 1;
            true
        }
        _ => false,
    }
}

/// Takes a width or precision: digits, or `*` for the next operand.
fn number(
    out: &mut Bounded,
    rest: &mut &str,
    operands: &mut Operands<'_>,
    bad: &str,
) -> Result<Option<i64>, Full> {
    let value = if let Some(after) = rest.strip_prefix('*') {
        *rest = after;
        let arg = operands.args.get(operands.next);
        operands.next += 1;
        match arg {
            Some(Value::Int(value)) => Some(*value),
            _ => None,
        }
    } else {
        let n = rest.bytes().take_while(u8::is_ascii_digit).count();
        if n == 0 {
            return Ok(None);
        }
        let value = rest[..n].parse().ok();
        *rest = &rest[n..];
        value
    };
    match value {
        Some(value) if value.abs() <= NUMBER_MAX => Ok(Some(value)),
        _ => {
            out.push(bad)?;
            Ok(None)
        }
    }
}

fn operand(out: &mut Bounded, spec: Spec, verb: char, arg: &Value) -> Result<(), Full> {
    match (verb, arg) {
        ('T', _) => pad(out, spec, arg.type_name()),
        ('v', Value::Nil) => pad(out, spec, "<nil>"),
        (_, Value::Nil) => bad_verb(out, spec, verb, arg),
        ('t' | 'v', Value::Bool(value)) => pad(out, spec, &value.to_string()),
        (_, Value::Bool(_)) => bad_verb(out, spec, verb, arg),
        (_, Value::Int(value)) => integer(out, spec, verb, arg, *value),
        (_, Value::Duration(nanos)) if !matches!(verb, 'v' | 's' | 'q') => {
            integer(out, spec, verb, arg, *nanos)
        }
        (_, Value::Float(value)) => float(out, spec, verb, arg, *value),
        (_, Value::Text(_) | Value::Pattern(_)) => {
            string(out, spec, verb, arg, arg.as_text().unwrap_or(""))
        }
        (_, Value::List(_) | Value::Labels(_) | Value::Map(_) | Value::Struct(_))
            if verb != 'v' && !prints_itself(arg) =>
        {
            compound(out, spec, verb, arg)
        }
        ('v' | 's' | 'q' | 'x' | 'X', _) if prints_itself(arg) => {
            let text = printed(arg)?;
            string(out, spec, verb, arg, &text)
        }
        ('v' | 's', _) => {
            let text = printed(arg)?;
            pad(out, spec, &text)
        }
        (_, Value::Histogram(histogram)) => {
            out.push("&")?;
            compound(out, spec, verb, &histogram::structure(histogram))
        }
        _ => bad_verb(out, spec, verb, arg),
    }
}

/// A list, map or struct: the verb goes to what is inside.
fn compound(out: &mut Bounded, spec: Spec, verb: char, arg: &Value) -> Result<(), Full> {
    let space = |idx: usize| if idx == 0 { "" } else { " " };
    let entry = |out: &mut Bounded, idx: usize, name: &Arc<str>, value: &Value| {
        out.push(space(idx))?;
        operand(out, spec, verb, &Value::Text(name.clone()))?;
        out.push(":")?;
        operand(out, spec, verb, value)
    };
    match arg {
        Value::List(list) => {
            out.push("[")?;
            for (idx, item) in list.items.iter().enumerate() {
                out.push(space(idx))?;
                operand(out, spec, verb, item)?;
            }
            out.push("]")
        }
        Value::Labels(labels) => {
            out.push("map[")?;
            for (idx, label) in labels.iter().enumerate() {
                entry(out, idx, &label.name, &Value::Text(label.value.clone()))?;
            }
            out.push("]")
        }
        Value::Map(map) => {
            out.push("map[")?;
            for (idx, (name, value)) in map.entries.iter().enumerate() {
                entry(out, idx, name, value)?;
            }
            out.push("]")
        }
        Value::Struct(structure) => {
            out.push("{")?;
            for (idx, (_, value)) in structure.fields.iter().enumerate() {
                out.push(space(idx))?;
                operand(out, spec, verb, value)?;
            }
            out.push("}")
        }
        _ => bad_verb(out, spec, verb, arg),
    }
}

/// Whether Go's type has a `String` method, which then prints it.
fn prints_itself(value: &Value) -> bool {
    match value {
        Value::Kv(_) | Value::Time(_) | Value::Duration(_) | Value::Histogram(_) => true,
        Value::List(list) => list.kind == crate::value::ListKind::Pairs,
        _ => false,
    }
}

fn integer(out: &mut Bounded, spec: Spec, verb: char, arg: &Value, value: i64) -> Result<(), Full> {
    let size = value.unsigned_abs();
    let (digits, prefix) = match verb {
        'd' | 'v' => (size.to_string(), ""),
        'b' => (format!("{size:b}"), "0b"),
        'o' => (format!("{size:o}"), "0"),
        'O' => (format!("0o{size:o}"), ""),
        'x' => (format!("{size:x}"), "0x"),
        'X' => (format!("{size:X}"), "0X"),
        'c' | 'q' | 'U' => return rune(out, spec, verb, value),
        _ => return bad_verb(out, spec, verb, arg),
    };
    let mut body = String::new();
    if spec.sharp {
        body.push_str(prefix);
    }
    let sign = sign_of(spec, value < 0);
    let width = spec.width.unwrap_or(0);
    let zeros_to = match spec.precision {
        Some(precision) => precision,
        None if spec.zero && !spec.minus => width.saturating_sub(sign.len()),
        None => 0,
    };
    let zeros = zeros_to.saturating_sub(digits.len());
    let is_nothing = spec.precision == Some(0) && value == 0;
    let digits = if is_nothing { "" } else { &digits };
    let text_len = sign.len() + body.len() + zeros + digits.len();
    let padding = width.saturating_sub(text_len);
    out.push_times(' ', if spec.minus { 0 } else { padding })?;
    out.push(sign)?;
    out.push(&body)?;
    out.push_times('0', zeros)?;
    out.push(digits)?;
    out.push_times(' ', if spec.minus { padding } else { 0 })
}

fn rune(out: &mut Bounded, spec: Spec, verb: char, value: i64) -> Result<(), Full> {
    let code = u32::try_from(value).unwrap_or(u32::MAX);
    let c = char::from_u32(code).unwrap_or('\u{fffd}');
    let text = match verb {
        'c' => c.to_string(),
        'q' => quoted(&c.to_string(), '\''),
        _ => format!("U+{value:04X}"),
    };
    pad(out, spec, &text)
}

fn sign_of(spec: Spec, is_negative: bool) -> &'static str {
    match (is_negative, spec.plus, spec.space) {
        (true, _, _) => "-",
        (_, true, _) => "+",
        (_, _, true) => " ",
        _ => "",
    }
}

fn float(out: &mut Bounded, spec: Spec, verb: char, arg: &Value, value: f64) -> Result<(), Full> {
    let precision = spec.precision.map(|it| it.min(DECIMALS_MAX));
    let size = value.abs();
    let digits = match verb {
        _ if !"vgGeEfF".contains(verb) => return bad_verb(out, spec, verb, arg),
        _ if !value.is_finite() => format_float(size).trim_start_matches('+').to_owned(),
        'v' | 'g' | 'G' => match precision {
            None => float_text(size),
            Some(precision) => significant(size, precision),
        },
        'e' | 'E' => exponent_form(size, precision.unwrap_or(6)),
        _ => format!("{size:.0$}", precision.unwrap_or(6)),
    };
    let digits = match verb {
        'E' | 'G' => digits.replace('e', "E"),
        _ => digits,
    };
    // An infinity always shows its sign when asked; NaN never is negative.
    let is_negative = value.is_sign_negative() && !value.is_nan();
    let sign = match sign_of(spec, is_negative) {
        "" if value.is_infinite() => "+",
        sign => sign,
    };
    let width = spec.width.unwrap_or(0);
    let padding = width.saturating_sub(sign.len() + digits.len());
    let with_zeros = spec.zero && !spec.minus && value.is_finite();
    out.push_times(' ', if spec.minus || with_zeros { 0 } else { padding })?;
    out.push(sign)?;
    out.push_times('0', if with_zeros { padding } else { 0 })?;
    out.push(&digits)?;
    out.push_times(' ', if spec.minus { padding } else { 0 })
}

/// `%.Ng`: at most so many significant digits, an exponent below 1e-4 and from 1eN on.
pub(crate) fn significant(value: f64, n_digits: usize) -> String {
    if !value.is_finite() {
        return format_float(value);
    }
    let n_digits = n_digits.clamp(1, DECIMALS_MAX);
    let text = exponent_form(value, n_digits - 1);
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let n_whole = i32::try_from(n_digits).unwrap_or(i32::MAX);
    if exponent < -4 || exponent >= n_whole {
        let mantissa = trim_zeros(mantissa);
        let sign = if exponent < 0 { '-' } else { '+' };
        return format!("{mantissa}e{sign}{:02}", exponent.abs());
    }
    let n_decimals = usize::try_from(n_whole - 1 - exponent).unwrap_or(0);
    trim_zeros(&format!("{value:.n_decimals$}")).to_owned()
}

fn trim_zeros(digits: &str) -> &str {
    if digits.contains('.') {
        digits.trim_end_matches('0').trim_end_matches('.')
    } else {
        digits
    }
}

/// `%.Ne`: `1.5000e+03`.
fn exponent_form(value: f64, n_decimals: usize) -> String {
    let text = format!("{value:.n_decimals$e}");
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{mantissa}e{sign}{:02}", exponent.abs())
}

fn string(out: &mut Bounded, spec: Spec, verb: char, arg: &Value, text: &str) -> Result<(), Full> {
    let n_chars = spec.precision.unwrap_or(usize::MAX);
    let cut: String = text.chars().take(n_chars).collect();
    match verb {
        's' | 'v' => pad(out, spec, &cut),
        'q' if spec.sharp && !cut.contains('`') => pad(out, spec, &format!("`{cut}`")),
        'q' => pad(out, spec, &quoted(&cut, '"')),
        'x' | 'X' => {
            let mut hex = Bounded::new(crate::exec::OUTPUT_BYTES_MAX);
            for (idx, byte) in text.bytes().take(n_chars).enumerate() {
                hex.push(if spec.space && idx > 0 { " " } else { "" })?;
                match verb {
                    'x' => write!(hex, "{byte:02x}")?,
                    _ => write!(hex, "{byte:02X}")?,
                }
            }
            pad(out, spec, &hex.into_text())
        }
        _ => bad_verb(out, spec, verb, arg),
    }
}

fn pad(out: &mut Bounded, spec: Spec, text: &str) -> Result<(), Full> {
    let width = spec.width.unwrap_or(0);
    let padding = width.saturating_sub(text.chars().count());
    let fill = if spec.zero && !spec.minus { '0' } else { ' ' };
    out.push_times(fill, if spec.minus { 0 } else { padding })?;
    out.push(text)?;
    out.push_times(' ', if spec.minus { padding } else { 0 })
}

/// `%!d(string=x)`.
fn bad_verb(out: &mut Bounded, spec: Spec, verb: char, arg: &Value) -> Result<(), Full> {
    write!(out, "%!{verb}(")?;
    match arg {
        Value::Nil => out.push("<nil>")?,
        Value::Bool(_) | Value::Int(_) | Value::Float(_) | Value::Text(_) | Value::Pattern(_) => {
            write!(out, "{}=", arg.type_name())?;
            operand(out, spec, 'v', arg)?;
        }
        _ => typed(out, arg)?,
    }
    out.push(")")
}

fn typed(out: &mut Bounded, arg: &Value) -> Result<(), Full> {
    if !matches!(arg, Value::Nil) {
        write!(out, "{}=", arg.type_name())?;
    }
    print_value(out, arg)
}

/// Go's `strconv.Quote`.
fn quoted(text: &str, quote: char) -> String {
    let mut quoted = String::from(quote);
    for c in text.chars() {
        match c {
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            '\r' => quoted.push_str("\\r"),
            '\u{7}' => quoted.push_str("\\a"),
            '\u{8}' => quoted.push_str("\\b"),
            '\u{b}' => quoted.push_str("\\v"),
            '\u{c}' => quoted.push_str("\\f"),
            '\\' => quoted.push_str("\\\\"),
            c if c == quote => quoted.extend(['\\', c]),
            c if c.is_ascii_control() => _ = write!(quoted, "\\x{:02x}", u32::from(c)),
            c if c.is_control() => _ = write!(quoted, "\\u{:04x}", u32::from(c)),
            c => quoted.push(c),
        }
    }
    quoted.push(quote);
    quoted
}

/// The widest width and precision, as in Go.
const NUMBER_MAX: i64 = 1_000_000;
/// Digits of a float that mean anything; the rest would be zeros.
const DECIMALS_MAX: usize = 1_100;
