//! `firebell incident note`: a text, or pictures with a text; `take-back`: such a picture.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use firebell_server::PICTURE_BYTES_MAX;
use serde_json::{Value, json};

use super::{Of, PATH, segment, text, told};
use crate::explain::Asked;
use crate::say;

/// Something to know.
#[derive(Args)]
pub(crate) struct Note {
    #[command(flatten)]
    pub(super) of: Of,
    /// What; of a picture, what it shows.
    #[arg(value_name = "TEXT", required_unless_present = "pictures")]
    text: Option<String>,
    /// It is for those who wait for it.
    #[arg(long)]
    stakeholders: bool,
    /// A PNG, JPEG, GIF or WebP of up to 5 MiB; may be given again.
    #[arg(long = "picture", value_name = "FILE")]
    pub(super) pictures: Vec<PathBuf>,
}

impl Note {
    /// What is posted when there is no picture.
    pub(super) fn act(&self) -> Value {
        json!({ "do": "note", "text": self.text, "audience": self.audience() })
    }

    /// Shows the pictures, one after the other.
    pub(super) fn show(&self) -> Result<(), ExitCode> {
        let by = self.of.as_whom.name()?;
        // All are read before the first is sent: no half of a note for a name that was mistyped.
        let read = self.pictures.iter().map(|file| read(file));
        let pictures = read.collect::<Result<Vec<_>, _>>()?;
        let path = format!("{PATH}/{}/pictures", segment(&self.of.id));
        let n_pictures = pictures.len();
        for (idx, bytes) in pictures.into_iter().enumerate() {
            let shown = caption(self.text.as_deref().unwrap_or_default(), idx, n_pictures);
            let params = [
                ("by", &*by),
                ("text", &*shown),
                ("audience", self.audience()),
            ];
            let body = self.of.asked.post_bytes(&path, &params, bytes);
            let body = body.inspect_err(|_| {
                if let Some(why) = unshown(&self.pictures, idx) {
                    eprintln!("firebell: {why}");
                }
            })?;
            told(&body, &self.of.asked)?;
        }
        Ok(())
    }

    fn audience(&self) -> &'static str {
        match self.stakeholders {
            true => "stakeholders",
            false => "team",
        }
    }
}

/// A picture that was the wrong one.
#[derive(Args)]
pub(crate) struct TakeBack {
    #[command(flatten)]
    of: Of,
    /// Its id, or its address, as `firebell incident show` prints it.
    #[arg(value_name = "PICTURE")]
    picture: String,
}

impl TakeBack {
    /// Has it shown no longer.
    pub(super) fn take_back(&self) -> Result<(), ExitCode> {
        let by = self.of.as_whom.name()?;
        let (id, picture) = (segment(&self.of.id), segment(id_in(&self.picture)));
        let path = format!("{PATH}/{id}/pictures/{picture}");
        let body = self.of.asked.delete(&path, &[("by", &*by)])?;
        told(&body, &self.of.asked)
    }
}

/// The id that an address ends with.
fn id_in(picture: &str) -> &str {
    let picture = picture.trim();
    picture.rsplit_once('/').map_or(picture, |(_, id)| id)
}

/// Where the picture of an entry is, if it has one, for who reads a timeline.
pub(super) fn print_picture(incident: &Value, entry: &Value, asked: &Asked) {
    let picture = segment(text(&entry["picture"], "id"));
    if !picture.is_empty() {
        let (url, id) = (asked.name(), segment(text(incident, "id")));
        say(format_args!("  {url}{PATH}/{id}/pictures/{picture}"));
    }
}

/// What one of several shows: without its number where the server takes no longer text.
fn caption(text: &str, idx: usize, n_pictures: usize) -> String {
    let text = text.trim();
    let numbered = format!("{text} ({} of {n_pictures})", idx + 1);
    let has_room = numbered.chars().count() <= CAPTION_CHARS_MAX;
    match n_pictures > 1 && !text.is_empty() && has_room {
        true => numbered,
        false => text.to_owned(),
    }
}

/// Those that are to be given again when one was refused, or its answer did not come: those before it
/// are in the timeline, and would stand there twice.
fn unshown(pictures: &[PathBuf], idx: usize) -> Option<String> {
    let rest = pictures.get(idx..).filter(|_| idx > 0)?;
    let rest = rest.iter().map(|it| it.display().to_string());
    let rest = rest.collect::<Vec<_>>().join(", ");
    Some(format!(
        "shown so far: {idx}; give only the others again: {rest}"
    ))
}

fn read(path: &Path) -> Result<Vec<u8>, ExitCode> {
    let failed = |why: String| {
        eprintln!("firebell: {}: {why}", path.display());
        ExitCode::from(2)
    };
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(|error| failed(error.to_string()))?;
    // The server takes no larger one: it is not even sent.
    let read = file
        .take(PICTURE_BYTES_MAX as u64 + 1)
        .read_to_end(&mut bytes);
    read.map_err(|error| failed(error.to_string()))?;
    if bytes.len() > PICTURE_BYTES_MAX {
        let max = PICTURE_BYTES_MAX >> 20;
        return Err(failed(format!(
            "it is larger than {max} MiB: make it smaller, or link to it"
        )));
    }
    Ok(bytes)
}

/// So many characters may be said of a picture.
const CAPTION_CHARS_MAX: usize = 1_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_pictures_of_a_text_are_counted() {
        for (text, idx, n_pictures, expected) in [
            ("", 0, 1, ""),
            (" ", 1, 2, ""),
            ("latency", 0, 1, "latency"),
            (" latency ", 1, 3, "latency (2 of 3)"),
        ] {
            assert_eq!(caption(text, idx, n_pictures), expected);
        }
    }

    #[test]
    fn a_text_that_a_picture_takes_is_taken_of_several_too() {
        let text = |n: usize| "é".repeat(n);
        assert_eq!(caption(&text(991), 0, 2), text(991) + " (1 of 2)");
        assert_eq!(caption(&text(992), 0, 2), text(992));
        assert_eq!(caption(&text(1_000), 9, 10), text(1_000));
    }

    #[test]
    fn what_was_shown_before_one_was_refused_is_not_given_again() {
        let pictures = ["a.png", "b.png", "c.png"].map(PathBuf::from);
        let expected = "shown so far: 1; give only the others again: b.png, c.png";
        assert_eq!(unshown(&pictures, 1).as_deref(), Some(expected));
        assert_eq!(unshown(&pictures, 0), None);
    }

    #[test]
    fn a_picture_is_known_by_its_id_or_its_address() {
        let address = "http://localhost:9494/api/firebell/v1/incidents/INC-4/pictures/5d1b";
        for picture in ["5d1b", " 5d1b ", address] {
            assert_eq!(id_in(picture), "5d1b");
        }
    }

    #[test]
    fn a_file_that_is_too_large_is_not_read_to_its_end() {
        let folder = std::env::temp_dir().join(format!("firebell-note-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let file = folder.join("large.png");
        let large = File::create(&file).unwrap();
        large.set_len(PICTURE_BYTES_MAX as u64).unwrap();
        assert_eq!(read(&file).unwrap().len(), PICTURE_BYTES_MAX);
        large.set_len(1 << 40).unwrap();
        assert!(read(&file).is_err());
        assert!(read(&folder.join("none.png")).is_err());
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
