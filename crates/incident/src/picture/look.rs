//! Which format bytes are, and how large the picture is: as far as that is told without drawing it.
//!
//! *Invariants*: nothing is drawn and nothing is unpacked, so that no file costs more than a walk over
//! its bytes. A file that ends too early is none.
//!
//! *Sources*: PNG (third edition), ITU-T T.81 (JPEG), GIF89a, RFC 9649 (WebP).

use super::{PictureError, PictureKind};

/// By its first bytes alone.
pub(super) fn kind(bytes: &[u8]) -> Result<PictureKind, PictureError> {
    let is_webp = || bytes.starts_with(b"RIFF") && bytes.get(8..12) == Some(b"WEBP");
    if bytes.starts_with(PNG) {
        Ok(PictureKind::Png)
    } else if bytes.starts_with(&[0xFF, 0xD8, 0xFF]) {
        Ok(PictureKind::Jpeg)
    } else if bytes.starts_with(b"GIF87a") || bytes.starts_with(b"GIF89a") {
        Ok(PictureKind::Gif)
    } else if is_webp() {
        Ok(PictureKind::Webp)
    } else if is_drawing(bytes) {
        Err(PictureError::Drawing)
    } else {
        Err(PictureError::Unknown)
    }
}

/// Width and height of a whole file; `None` when it is none.
pub(super) fn size(kind: PictureKind, bytes: &[u8]) -> Option<(u32, u32)> {
    let reader = Reader(bytes);
    match kind {
        PictureKind::Png => png(reader),
        PictureKind::Jpeg => jpeg(reader),
        PictureKind::Gif => gif(reader),
        PictureKind::Webp => webp(reader),
    }
}

/// Only to say why it is refused: what is not recognised here is refused all the same.
fn is_drawing(bytes: &[u8]) -> bool {
    let text = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    let text = text.trim_ascii_start();
    let head = text
        .get(..DRAWING_BYTES)
        .unwrap_or(text)
        .to_ascii_lowercase();
    head.starts_with(b"<") && head.windows(4).any(|it| it == b"<svg")
}

/// Chunks of a length, a name, the data and a checksum, from `IHDR` to `IEND`.
fn png(mut reader: Reader<'_>) -> Option<(u32, u32)> {
    reader.take(PNG.len())?;
    let mut size = None;
    let mut has_data = false;
    loop {
        let n_bytes = reader.be32()? as usize;
        let name = reader.take(4)?;
        let mut data = Reader(reader.take(n_bytes)?);
        reader.take(4)?;
        match name {
            b"IHDR" if size.is_none() => size = Some((data.be32()?, data.be32()?)),
            // It has to come first, and once.
            _ if size.is_none() => return None,
            b"IHDR" => return None,
            b"IDAT" => has_data = true,
            b"IEND" => return size.filter(|_| has_data),
            _ => {}
        }
    }
}

/// Segments behind markers, then what is drawn, then the marker of the end.
fn jpeg(mut reader: Reader<'_>) -> Option<(u32, u32)> {
    reader.take(2)?;
    let mut size = None;
    loop {
        if reader.u8()? != 0xFF {
            return None;
        }
        let mut marker = reader.u8()?;
        while marker == 0xFF {
            marker = reader.u8()?;
        }
        // These stand alone.
        if matches!(marker, 0x01 | 0xD0..=0xD8) {
            continue;
        }
        if marker == 0xD9 {
            return None;
        }
        let n_bytes = usize::from(reader.be16()?).checked_sub(2)?;
        let mut data = Reader(reader.take(n_bytes)?);
        match marker {
            // A scan; what is between it and the end is not looked at.
            0xDA => {
                let has_end = reader.0.windows(2).rev().any(|it| it == [0xFF, 0xD9]);
                return size.filter(|_| has_end);
            }
            // The other two of these are tables.
            0xC0..=0xCF if !matches!(marker, 0xC4 | 0xC8 | 0xCC) => {
                data.u8()?;
                let (height, width) = (data.be16()?, data.be16()?);
                size = Some((width.into(), height.into()));
            }
            _ => {}
        }
    }
}

/// A screen, then blocks, of which one at least is an image, then the trailer. An image may reach beyond
/// the screen, and browsers make the picture as large.
fn gif(mut reader: Reader<'_>) -> Option<(u32, u32)> {
    reader.take(6)?;
    let mut size = (u32::from(reader.le16()?), u32::from(reader.le16()?));
    let flags = reader.u8()?;
    reader.take(2)?;
    reader.colours(flags)?;
    let mut has_image = false;
    loop {
        match reader.u8()? {
            0x21 => {
                reader.u8()?;
            }
            0x2C => {
                let mut side = || Some(u32::from(reader.le16()?));
                let (left, top) = (side()?, side()?);
                let (width, height) = (side()?, side()?);
                size = (size.0.max(left + width), size.1.max(top + height));
                let flags = reader.u8()?;
                reader.colours(flags)?;
                reader.u8()?;
                has_image = true;
            }
            0x3B => return Some(size).filter(|_| has_image),
            _ => return None,
        }
        // Its data: pieces of up to 255 bytes, and an empty one.
        loop {
            let n_bytes = reader.u8()?;
            if n_bytes == 0 {
                break;
            }
            reader.take(n_bytes.into())?;
        }
    }
}

/// A length of all of it, then chunks; the first one says how large it is.
fn webp(mut reader: Reader<'_>) -> Option<(u32, u32)> {
    reader.take(4)?;
    let n_bytes = reader.le32()? as usize;
    let mut file = Reader(reader.take(n_bytes)?);
    file.take(4)?;
    let name = file.take(4)?;
    let n_bytes = file.le32()? as usize;
    let mut data = Reader(file.take(n_bytes)?);
    match name {
        b"VP8X" => {
            data.take(4)?;
            Some((data.le24()? + 1, data.le24()? + 1))
        }
        b"VP8L" => {
            if data.u8()? != 0x2F {
                return None;
            }
            let bits = data.le32()?;
            Some(((bits & SIDE_BITS) + 1, (bits >> 14 & SIDE_BITS) + 1))
        }
        b"VP8 " => {
            data.take(3)?;
            if data.take(3)? != [0x9D, 0x01, 0x2A] {
                return None;
            }
            let side = |value: u16| u32::from(value) & SIDE_BITS;
            Some((side(data.le16()?), side(data.le16()?)))
        }
        _ => None,
    }
}

/// Bytes from the front; `None` when there are not so many.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, n_bytes: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(n_bytes)?;
        self.0 = rest;
        Some(taken)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    fn u8(&mut self) -> Option<u8> {
        self.array().map(u8::from_be_bytes)
    }

    fn be16(&mut self) -> Option<u16> {
        self.array().map(u16::from_be_bytes)
    }

    fn be32(&mut self) -> Option<u32> {
        self.array().map(u32::from_be_bytes)
    }

    fn le16(&mut self) -> Option<u16> {
        self.array().map(u16::from_le_bytes)
    }

    fn le24(&mut self) -> Option<u32> {
        let [low, middle, high] = self.array()?;
        Some(u32::from_le_bytes([low, middle, high, 0]))
    }

    fn le32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    /// A table of colours of a GIF, when the flags say that there is one.
    fn colours(&mut self, flags: u8) -> Option<()> {
        let n_colours = match flags & 0x80 {
            0 => 0,
            _ => 2_usize << (flags & 7),
        };
        self.take(3 * n_colours).map(drop)
    }
}

const PNG: &[u8] = b"\x89PNG\r\n\x1a\n";
const SIDE_BITS: u32 = 0x3FFF;
/// An `<svg` comes within so many bytes, behind what else XML begins with.
const DRAWING_BYTES: usize = 1024;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::{Picture, PictureId};
    use super::*;

    fn png_of(width: u32, height: u32) -> Vec<u8> {
        let mut header = [width.to_be_bytes(), height.to_be_bytes()].concat();
        header.extend([8, 6, 0, 0, 0]);
        let chunk = |name: &[u8], data: &[u8]| {
            let n_bytes = u32::try_from(data.len()).unwrap().to_be_bytes();
            [&n_bytes[..], name, data, b"crc."].concat()
        };
        let chunks = [
            chunk(b"IHDR", &header),
            chunk(b"IDAT", b"data"),
            chunk(b"IEND", b""),
        ];
        [PNG, &*chunks.concat()].concat()
    }

    /// With a table, a thumbnail that ends within a comment, and a scan.
    const JPEG: &[u8] = b"\xFF\xD8\xFF\xFE\x00\x04\xFF\xD9\xFF\xFF\xC4\x00\x03.\
        \xFF\xC2\x00\x0B\x08\x00\x03\x00\x05\x01...\xFF\xDA\x00\x03.scan\xFF\x00more\xFF\xD9";
    const GIF: &[u8] =
        b"GIF89a\x05\0\x03\0\x80\0\0RGBRGB\x21\xF9\x04....\0\x2C\0\0\0\0\x05\0\x03\0\0\
        \x02\x03abc\x01d\0\x3B";
    const LOSSY: &[u8] = b"RIFF\x16\0\0\0WEBPVP8 \x0A\0\0\0...\x9D\x01\x2A\x05\0\x03\0";
    const LOSSLESS: &[u8] = b"RIFF\x12\0\0\0WEBPVP8L\x05\0\0\0\x2F\x04\x80\0\0.";
    const EXTENDED: &[u8] = b"RIFF\x16\0\0\0WEBPVP8X\x0A\0\0\0....\x04\0\0\x02\0\0";

    fn look(bytes: &[u8]) -> String {
        match Picture::look(PictureId([0; 32]), bytes) {
            Ok(it) => format!("{} {}x{}, {}", it.kind, it.width, it.height, it.n_bytes),
            Err(why) => why.to_string(),
        }
    }

    #[test]
    fn a_picture_is_what_its_bytes_say() {
        let png = png_of(5, 3);
        for (bytes, expected) in [
            (&*png, "PNG 5x3, 61"),
            (JPEG, "JPEG 5x3, 44"),
            (GIF, "GIF 5x3, 46"),
            (LOSSY, "WebP 5x3, 30"),
            (LOSSLESS, "WebP 5x3, 26"),
            (EXTENDED, "WebP 5x3, 30"),
        ] {
            assert_eq!(look(bytes), expected);
            // What stands behind a whole one is not looked at.
            let more = [bytes, b"<script>"].concat();
            assert!(look(&more).contains("5x3"), "{}", look(&more));
        }
    }

    #[test]
    fn a_picture_that_ends_too_early_is_none_wherever_that_is() {
        let png = png_of(5, 3);
        for (bytes, kind) in [
            (&*png, "PNG"),
            (JPEG, "JPEG"),
            (GIF, "GIF"),
            (LOSSY, "WebP"),
            (LOSSLESS, "WebP"),
            (EXTENDED, "WebP"),
        ] {
            for n_bytes in 0..bytes.len() {
                let why = look(&bytes[..n_bytes]);
                let is_refused = why.starts_with(&format!("the {kind} is damaged"))
                    || why.starts_with("the body is ");
                assert!(is_refused, "{kind} cut at {n_bytes}: {why}");
            }
        }
    }

    #[test]
    fn what_is_no_picture_is_refused_in_words() {
        let drawing = "an SVG can carry scripts, and is not taken: send it as a PNG";
        let unknown =
            "the body is no picture: its first bytes are not those of a PNG, JPEG, GIF or WebP";
        let late = format!("<!--{}--><svg>", " ".repeat(DRAWING_BYTES));
        for (bytes, expected) in [
            (&b""[..], "the body is empty: send the picture itself"),
            (b"<svg onload='alert(1)'/>", drawing),
            (
                b"\xEF\xBB\xBF \n<?xml version='1.0'?><!DOCTYPE svg><SVG/>",
                drawing,
            ),
            (late.as_bytes(), unknown),
            (b"<html><img src=x onerror=alert(1)>", unknown),
            (b"%PDF-1.7", unknown),
            (b"BM\x3A\0\0\0", unknown),
            (b"RIFF\x04\0\0\0WAVE", unknown),
            (b"GIF88a....", unknown),
            (
                &png_of(0, 3),
                "the PNG is damaged or was cut off: send it again",
            ),
            (
                &png_of(10_000, 6_401),
                "the PNG is 10000 x 6401 pixels, and 64 million are taken: make it smaller",
            ),
            (&png_of(10_000, 6_400), "PNG 10000x6400, 61"),
        ] {
            assert_eq!(look(bytes), expected);
        }
        let large = vec![0; super::super::PICTURE_BYTES_MAX + 1];
        let why = "the picture is larger than 5 MiB: make it smaller, or link to it";
        assert_eq!(look(&large), why);
    }

    #[test]
    fn a_gif_is_as_large_as_its_images_reach() {
        let at = GIF
            .windows(9)
            .position(|it| it == b"\x2C\0\0\0\0\x05\0\x03\0")
            .unwrap();
        for (descriptor, expected) in [
            (b"\x01\0\x01\0\x02\0\x02\0", "GIF 5x3, 46"),
            (b"\x01\0\x02\0\x05\0\x03\0", "GIF 6x5, 46"),
            (
                b"\0\0\0\0\xFF\xFF\xFF\xFF",
                "the GIF is 65535 x 65535 pixels, and 64 million are taken: make it smaller",
            ),
            (
                b"\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF",
                "the GIF is 131070 x 131070 pixels, and 64 million are taken: make it smaller",
            ),
        ] {
            let mut gif = GIF.to_vec();
            gif[at + 1..at + 9].copy_from_slice(descriptor);
            assert_eq!(look(&gif), expected);
        }
    }

    #[test]
    fn chunks_have_their_order() {
        let png = png_of(5, 3);
        let (head, rest) = png.split_at(PNG.len() + 25);
        let (data, end) = rest.split_at(16);
        let damaged = "the PNG is damaged or was cut off: send it again";
        for parts in [
            [PNG, data, &head[PNG.len()..], end],
            [head, &head[PNG.len()..], data, end],
            [head, end, data, b""],
        ] {
            assert_eq!(look(&parts.concat()), damaged);
        }
    }

    proptest! {
        #[test]
        fn no_bytes_are_too_odd(
            start in prop::sample::select(vec![PNG, JPEG, GIF, LOSSY, LOSSLESS, EXTENDED]),
            n_kept in 0_usize..60,
            more in prop::collection::vec(any::<u8>(), 0..200),
        ) {
            let kept = &start[..n_kept.min(start.len())];
            let _ = Picture::look(PictureId([0; 32]), &[kept, &more].concat());
        }
    }
}
