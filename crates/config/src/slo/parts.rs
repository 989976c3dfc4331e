//! What the formats of objectives have in common: queries, targets, names, each noted at its place.

use firebell_model::{Duration, Labels};
use firebell_promql::Selector;
use firebell_rules::Place;
use firebell_slo::{Count, Target, WindowQuery, counter};

use crate::check::PARSE_ERROR;
use crate::fields::{Doc, Fields};
use crate::problem::Pos;
use crate::rule_files::{Kind, Texts, texts};
use crate::yaml::Scalar;

/// Reads a text by one of the core's readers; what is wrong is noted where in the text it is.
pub(super) fn query<T>(
    doc: &Doc<'_>,
    (at, scalar): (Pos, &Scalar),
    read: impl FnOnce(&str) -> Result<T, firebell_slo::QueryError>,
) -> Option<T> {
    match read(&scalar.text) {
        Ok(read) => Some(read),
        Err(error) => {
            let at = error.at.map_or(at, |at| scalar.position_of(doc.source, at));
            doc.problem(at, error.message, error.hint);
            None
        }
    }
}

/// A selector, which has to be there.
pub(super) fn selector(fields: &Fields<'_, '_>, name: &'static str) -> Option<Selector> {
    fields.needed_text(name)?;
    query(fields.doc, fields.scalar(name)?, counter)
}

/// A query with `{{.window}}`, which has to be there.
pub(super) fn window_query(fields: &Fields<'_, '_>, name: &'static str) -> Option<WindowQuery> {
    fields.needed_text(name)?;
    query(fields.doc, fields.scalar(name)?, WindowQuery::new)
}

/// A counter's selector, or a query with `{{.window}}`.
pub(super) fn count(fields: &Fields<'_, '_>, name: &'static str) -> Option<Count> {
    let text = fields.needed_text(name)?;
    match text.contains("{{") {
        true => window_query(fields, name).map(Count::Query),
        false => selector(fields, name).map(Count::Increase),
    }
}

/// An expression.
pub(super) fn expression(fields: &Fields<'_, '_>, name: &'static str) -> Option<String> {
    let text = fields.needed_text(name)?;
    let (_, scalar) = fields.scalar(name)?;
    if let Err(error) = firebell_promql::parse_with(&text, fields.doc.features) {
        let at = scalar.position_of(fields.doc.source, error.span.start);
        let message = format!("{PARSE_ERROR}{}", error.message);
        fields.doc.problem(at, message, None);
        return None;
    }
    Some(text)
}

/// A percentage such as `99.9` or `99.9%`, which has to be there.
pub(super) fn target(fields: &Fields<'_, '_>, name: &'static str) -> Option<Target> {
    fields.needed_text(name)?;
    let read = |text: &str| {
        let number = percent(text)?;
        let target = Target::from_percent(number).map_err(|error| error.to_string())?;
        // 0.999 means 99.9 % to somebody who thinks in shares.
        match number < 1.0 {
            true => Err(format!(
                "{text} % is next to nothing; write 99.9 for 99.9 %"
            )),
            false => Ok(target),
        }
    };
    fields.parsed(name, read)
}

/// A place as rules have it.
pub(super) fn place(at: Pos) -> Place {
    Place {
        line: at.line,
        column: at.column,
    }
}

/// `95`, `95%`, `95 %`.
pub(super) fn percent(text: &str) -> Result<f64, String> {
    let number = text.trim().trim_end_matches('%').trim_end();
    let read = number.parse::<f64>().ok().filter(|it| it.is_finite());
    read.ok_or_else(|| format!("`{text}` is not a percentage such as 99.9"))
}

/// A number that may have a fraction.
pub(super) fn decimal(fields: &Fields<'_, '_>, name: &'static str) -> Option<f64> {
    let read = |text: &str| {
        let read = text.parse::<f64>().ok().filter(|it| it.is_finite());
        read.ok_or_else(|| format!("`{text}` is not a number"))
    };
    fields.parsed(name, read)
}

/// A duration that is longer than nothing.
pub(super) fn span(fields: &Fields<'_, '_>, name: &'static str) -> Option<Duration> {
    let read = |text: &str| match text.parse::<Duration>() {
        Ok(span) if span > Duration::ZERO && span <= SPAN_MAX => Ok(span),
        Ok(_) => Err(format!("`{text}` is not within 1ms and {SPAN_MAX}")),
        Err(error) => Err(error.to_string()),
    };
    fields.parsed(name, read)
}

/// No window is longer.
const SPAN_MAX: Duration = Duration::from_hours(24 * 3650);

/// A name that can stand in ids, links and texts.
pub(super) fn name(fields: &Fields<'_, '_>, field: &'static str) -> Option<String> {
    fields.needed_text(field)?;
    fields.parsed(field, |text| {
        let fits = |c: char| c.is_alphanumeric() || "-_.: ".contains(c);
        match text.chars().all(fits) && text.chars().count() <= NAME_CHARS_MAX {
            true => Ok(text.to_owned()),
            false => Err(format!(
                "`{text}` is not a name of letters, digits, `-`, `_`, `.` and `:`, up to \
                 {NAME_CHARS_MAX} of them"
            )),
        }
    })
}

/// Longest name.
const NAME_CHARS_MAX: usize = 200;

/// Labels that templates may make.
pub(super) fn labels(fields: &Fields<'_, '_>, name: &'static str) -> Labels {
    checked(texts(fields, name, Kind::Label { is_templated: true }))
}

/// Annotations.
pub(super) fn annotations(fields: &Fields<'_, '_>, name: &'static str) -> Labels {
    checked(texts(fields, name, Kind::Annotation))
}

fn checked(texts: Texts) -> Labels {
    Labels::from_pairs(texts)
}

/// The first, with what the second says else or otherwise.
pub(super) fn merged(under: &Labels, over: &Labels) -> Labels {
    let mut merged = under.to_builder();
    for label in over.iter() {
        merged.set(label.name.clone(), label.value.clone());
    }
    merged.build()
}
