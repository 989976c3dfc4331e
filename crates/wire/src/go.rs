//! Texts as Go's `strconv` reads them, and what it says of those it does not: clients see these words.
//!
//! *Sources*: Go, `strconv.Atoi` and `strconv.ParseBool`, as behaviour.

use std::num::IntErrorKind;

use firebell_model::Quoted;

/// A whole number.
///
/// # Errors
/// Go's message.
pub fn int(text: &str) -> Result<i64, String> {
    int_as(text, "Atoi")
}

/// A whole number, read by the function whose name stands in the message.
///
/// # Errors
/// Go's message.
pub fn int_as(text: &str, function: &str) -> Result<i64, String> {
    text.parse().map_err(|error: std::num::ParseIntError| {
        let why = match error.kind() {
            IntErrorKind::PosOverflow | IntErrorKind::NegOverflow => "value out of range",
            _ => "invalid syntax",
        };
        format!("strconv.{function}: parsing {}: {why}", Quoted(text))
    })
}

/// Yes or no.
///
/// # Errors
/// Go's message.
pub fn bool(text: &str) -> Result<bool, String> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(false),
        _ => Err(format!(
            "strconv.ParseBool: parsing {}: invalid syntax",
            Quoted(text)
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_read_is_named_in_gos_words() {
        assert_eq!((int("-7"), int("+7")), (Ok(-7), Ok(7)));
        assert_eq!((self::bool("T"), self::bool("0")), (Ok(true), Ok(false)));
        for (error, expected) in [
            (
                int("1.5").unwrap_err(),
                r#"strconv.Atoi: parsing "1.5": invalid syntax"#,
            ),
            (
                int_as("99999999999999999999", "ParseInt").unwrap_err(),
                r#"strconv.ParseInt: parsing "99999999999999999999": value out of range"#,
            ),
            (
                self::bool("yes").unwrap_err(),
                r#"strconv.ParseBool: parsing "yes": invalid syntax"#,
            ),
        ] {
            assert_eq!(error, expected);
        }
    }
}
