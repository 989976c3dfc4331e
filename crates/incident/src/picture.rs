//! Pictures in timelines: what is known of one, and how much room they take.
//!
//! *Invariants*: what a picture is, its own bytes say ([`Picture::look`]), never who sends it. An id
//! is always 64 hexadecimal digits: nothing that somebody typed becomes the name of a file.
//!
//! *Not here*: the bytes, which the server keeps under the id.

mod look;

use std::fmt;
use std::str::FromStr;

use firebell_model::{from_hex, hex};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The SHA-256 of a picture's bytes; written as 64 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct PictureId(pub [u8; 32]);

/// What is known of a picture.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Picture {
    /// Under which its bytes are kept.
    pub id: PictureId,
    /// What its bytes are.
    pub kind: PictureKind,
    /// How many there are.
    pub n_bytes: usize,
    /// In pixels.
    pub width: u32,
    /// In pixels.
    pub height: u32,
}

/// A format that every browser shows, and that cannot carry a script.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PictureKind {
    /// PNG.
    Png,
    /// JPEG.
    Jpeg,
    /// GIF, moving or not.
    Gif,
    /// WebP.
    Webp,
}

/// Why bytes are taken for no picture; in words for who sent them.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum PictureError {
    /// There are none.
    #[error("the body is empty: send the picture itself")]
    Empty,
    /// There are too many.
    #[error("the picture is larger than {} MiB: make it smaller, or link to it", PICTURE_BYTES_MAX >> 20)]
    TooLarge,
    /// They are none of the formats that are taken.
    #[error("the body is no picture: its first bytes are not those of a PNG, JPEG, GIF or WebP")]
    Unknown,
    /// They are a drawing.
    #[error("an SVG can carry scripts, and is not taken: send it as a PNG")]
    Drawing,
    /// They begin as a picture and do not go on as one.
    #[error("the {0} is damaged or was cut off: send it again")]
    Damaged(PictureKind),
    /// Whoever looks at it would need too much memory.
    #[error(
        "the {kind} is {width} x {height} pixels, and {} million are taken: make it smaller",
        PIXELS_MAX / 1_000_000
    )]
    TooManyPixels {
        /// What it is.
        kind: PictureKind,
        /// In pixels.
        width: u32,
        /// In pixels.
        height: u32,
    },
}

impl Picture {
    /// What bytes are; `id` is their SHA-256.
    ///
    /// # Errors
    /// When they are no picture that is taken.
    pub fn look(id: PictureId, bytes: &[u8]) -> Result<Self, PictureError> {
        if bytes.is_empty() {
            return Err(PictureError::Empty);
        }
        if bytes.len() > PICTURE_BYTES_MAX {
            return Err(PictureError::TooLarge);
        }
        let kind = look::kind(bytes)?;
        let size = look::size(kind, bytes).filter(|(width, height)| *width > 0 && *height > 0);
        let (width, height) = size.ok_or(PictureError::Damaged(kind))?;
        if u64::from(width) * u64::from(height) > PIXELS_MAX {
            return Err(PictureError::TooManyPixels {
                kind,
                width,
                height,
            });
        }
        Ok(Self {
            id,
            kind,
            n_bytes: bytes.len(),
            width,
            height,
        })
    }
}

impl PictureKind {
    /// As `Content-Type` says it.
    #[must_use]
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Png => "image/png",
            Self::Jpeg => "image/jpeg",
            Self::Gif => "image/gif",
            Self::Webp => "image/webp",
        }
    }

    /// At the end of a file's name.
    #[must_use]
    pub fn extension(self) -> &'static str {
        match self {
            Self::Png => "png",
            Self::Jpeg => "jpg",
            Self::Gif => "gif",
            Self::Webp => "webp",
        }
    }
}

impl fmt::Display for PictureKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Png => "PNG",
            Self::Jpeg => "JPEG",
            Self::Gif => "GIF",
            Self::Webp => "WebP",
        })
    }
}

impl fmt::Display for PictureId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex(&self.0))
    }
}

impl FromStr for PictureId {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        // One picture has one name: small digits only.
        let is_small = !text.bytes().any(|it| it.is_ascii_uppercase());
        let bytes = from_hex(text).filter(|_| is_small);
        let id = bytes.and_then(|it| it.try_into().ok());
        id.map(Self).ok_or_else(|| {
            format!("`{text}` is no picture: that is 64 hexadecimal digits, in lower case")
        })
    }
}

impl Serialize for PictureId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for PictureId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// The most bytes of a picture.
pub const PICTURE_BYTES_MAX: usize = 5 << 20;
/// The most pictures of an incident; the same one twice is one.
pub const PICTURES_MAX: usize = 200;
/// The most bytes of the pictures of an incident.
pub const PICTURES_BYTES_MAX: usize = 50 << 20;
/// The most bytes of the pictures of all incidents that are kept.
pub const PICTURES_BYTES_ALL_MAX: usize = 1 << 30;
/// A browser needs four bytes for each: a quarter of a gigabyte.
const PIXELS_MAX: u64 = 64_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_its_digits_and_nothing_else_is_one() {
        let id = PictureId(std::array::from_fn(|idx| idx as u8 * 8));
        let text = id.to_string();
        assert_eq!(text.parse(), Ok(id));
        assert!(text.starts_with("000810182028"), "{text}");
        let upper = text.to_uppercase();
        let path = format!("../../{}", &text[..58]);
        let odd = text.replacen("00", "é", 1);
        for wrong in [
            "",
            "00",
            &upper,
            &path,
            &odd,
            &format!("{text}0"),
            &text.replace('8', "g"),
        ] {
            let why = wrong.parse::<PictureId>().unwrap_err();
            assert!(why.contains("64 hexadecimal digits"), "{why}");
        }
    }
}
