//! Sizes in bytes, such as `10MB`.
//!
//! *Sources*: `alecthomas/units`, `Base2Bytes`, as Prometheus uses it: `MB` and `MiB` are the same.

/// Reads a size; a bare `0` is allowed.
///
/// # Errors
/// What a size looks like.
pub fn parse_bytes(text: &str) -> Result<u64, String> {
    let failed = || format!("`{text}` is not a size such as 10MB or 1.5GiB");
    if text == "0" {
        return Ok(0);
    }
    let digits = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .ok_or_else(failed)?;
    let (number, unit) = text.split_at(digits);
    let number: f64 = number.parse().map_err(|_| failed())?;
    let power = UNITS
        .iter()
        .position(|units| units.contains(&unit))
        .ok_or_else(failed)?;
    Ok((number * 1024_f64.powi(power as i32)) as u64)
}

const UNITS: [[&str; 2]; 7] = [
    ["B", "B"],
    ["KB", "KiB"],
    ["MB", "MiB"],
    ["GB", "GiB"],
    ["TB", "TiB"],
    ["PB", "PiB"],
    ["EB", "EiB"],
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_powers_of_two() {
        for (text, expected) in [
            ("0", Ok(0)),
            ("10MB", Ok(10 << 20)),
            ("1.5GiB", Ok(3 << 29)),
            ("7B", Ok(7)),
        ] {
            assert_eq!(parse_bytes(text), expected);
        }
        for bad in ["", "10", "MB", "10mb", "1.2.3KB", "-1B"] {
            assert!(parse_bytes(bad).is_err(), "{bad}");
        }
    }
}
