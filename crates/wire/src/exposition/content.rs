//! Which format is asked for and which one came.

/// The formats that can be read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Format {
    /// Prometheus's text format 0.0.4.
    Text,
    /// OpenMetrics 0.0.1 and 1.0.0, as text.
    OpenMetrics,
}

/// The `Accept` header of a scrape: OpenMetrics is preferred, UTF-8 names are understood.
pub const ACCEPT: &str = "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,\
application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,\
text/plain;version=0.0.4;q=0.3,*/*;q=0.2";

/// A target that answers in no format that can be read.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error(
    "target answers with content type `{0}`, neither text/plain nor application/openmetrics-text; \
     set `fallback_scrape_protocol` to read it anyway"
)]
pub struct UnknownContentType(pub String);

impl Format {
    /// The format that a `Content-Type` header names.
    ///
    /// # Errors
    /// When it names another format, or none: as in Prometheus 3, nothing is guessed.
    pub fn of_content_type(header: &str) -> Result<Self, UnknownContentType> {
        let media_type = header.split(';').next().unwrap_or("").trim();
        if media_type.eq_ignore_ascii_case("application/openmetrics-text") {
            Ok(Self::OpenMetrics)
        } else if media_type.eq_ignore_ascii_case("text/plain") {
            Ok(Self::Text)
        } else {
            Err(UnknownContentType(header.to_owned()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_content_type_decides() {
        for (header, expected) in [
            (
                "text/plain; version=0.0.4; charset=utf-8",
                Some(Format::Text),
            ),
            ("Text/Plain", Some(Format::Text)),
            (
                "application/openmetrics-text; version=1.0.0",
                Some(Format::OpenMetrics),
            ),
            ("text/html", None),
            ("", None),
        ] {
            assert_eq!(Format::of_content_type(header).ok(), expected, "{header}");
        }
    }
}
