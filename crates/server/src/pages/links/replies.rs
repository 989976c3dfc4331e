//! Requests that answer pages, from chats, texts and mails: one that comes again, because its sender
//! did not hear what came of it or somebody has overheard it, does nothing.
//!
//! Before an answer is acted on, it is noted which run of which page it is about, and after it, that
//! it is done: an answer that a kill cut short and that comes again is about that page, whatever has
//! opened meanwhile. Kept are keyed hashes, in a log of their own.

use firebell_disk::{LogError, LogOptions};
use firebell_escalation::PageKey;
use firebell_model::{Duration, Timestamp};

use super::{Links, locked};

/// What is known of a request that came before.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Heard {
    /// It was about this run of this page; what came of it was not written down.
    Begun(PageKey, u32),
    /// It was answered.
    Done,
}

impl Links {
    /// Whether a request came before.
    pub(crate) fn heard(&self, now: Timestamp, request: &str) -> Option<Heard> {
        let name = self.half_mac(REPLY, request);
        let heard = locked(&self.heard);
        let mut known = None;
        for (_, rest) in heard.beginning(&name, now) {
            match begun(rest) {
                _ if rest.is_empty() => return Some(Heard::Done),
                Some((page, run)) => known = Some(Heard::Begun(page, run)),
                None => {}
            }
        }
        known
    }

    /// Notes that a request is about to be acted on.
    ///
    /// # Errors
    /// When the disk fails.
    pub(crate) fn note_begun(
        &self,
        now: Timestamp,
        request: &str,
        (page, run): (PageKey, u32),
    ) -> Result<(), LogError> {
        let name = self.half_mac(REPLY, request);
        let name = format!("{name}.{}.{run}", page.0);
        locked(&self.heard).keep(now, (now + HEARD_FOR, name))
    }

    /// Notes that a request was answered.
    ///
    /// # Errors
    /// When the disk fails.
    pub(crate) fn note_done(&self, now: Timestamp, request: &str) -> Result<(), LogError> {
        let name = self.half_mac(REPLY, request);
        locked(&self.heard).keep(now, (now + HEARD_FOR, name))
    }
}

fn begun(rest: &str) -> Option<(PageKey, u32)> {
    let (page, run) = rest.strip_prefix('.')?.split_once('.')?;
    Some((PageKey(page.parse().ok()?), run.parse().ok()?))
}

/// What is signed: a request is no link.
const REPLY: &str = "firebell reply 1";
/// Longer than anybody sends a request again. Twilio and Telegram sign no moment.
const HEARD_FOR: Duration = Duration::from_hours(30 * 24);
/// Two of each answer; more than people give in that time. Of more the oldest are forgotten.
pub(super) const HEARD_MAX: usize = 20_000;
pub(super) const HEARD: LogOptions = LogOptions {
    folder: "replies",
    magic: *b"FBREPLY1",
    magics_read: &[],
    segment_bytes_max: 64 << 20,
};

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use firebell_disk::{Disk, MemoryDisk};

    use super::*;

    const NOW: Timestamp = Timestamp(1_790_000_000_000);

    #[test]
    fn a_request_is_known_over_restarts_for_a_month() {
        let disk: Arc<dyn Disk> = Arc::new(MemoryDisk::default());
        let open = || {
            let (links, damage) = Links::open(Arc::clone(&disk)).unwrap();
            assert_eq!(damage, Vec::<String>::new());
            links
        };
        let links = open();
        assert_eq!(links.heard(NOW, "telegram 7"), None);
        links
            .note_begun(NOW, "telegram 7", (PageKey(4), 2))
            .unwrap();
        links
            .note_begun(NOW, "twilio SM1", (PageKey(5), 1))
            .unwrap();
        let links = open();
        let begun = Some(Heard::Begun(PageKey(4), 2));
        assert_eq!(links.heard(NOW, "telegram 7"), begun);
        assert_eq!(links.heard(NOW, "telegram 70"), None);
        let later = NOW + Duration(5);
        links.note_done(later, "telegram 7").unwrap();
        for links in [links, open()] {
            assert_eq!(links.heard(later, "telegram 7"), Some(Heard::Done));
            let other = Some(Heard::Begun(PageKey(5), 1));
            assert_eq!(links.heard(later, "twilio SM1"), other);
            assert_eq!(links.heard(later + HEARD_FOR, "telegram 7"), None);
        }
    }

    #[test]
    fn more_answers_than_are_kept_push_out_the_oldest_and_no_links() {
        let (links, _) = Links::open(Arc::new(MemoryDisk::default())).unwrap();
        for idx in 0..=HEARD_MAX as i64 {
            let request = format!("mailgun {idx}");
            links.note_done(NOW + Duration(idx), &request).unwrap();
        }
        assert_eq!(links.heard(NOW, "mailgun 0"), None);
        assert_eq!(links.heard(NOW, "mailgun 1"), Some(Heard::Done));
        assert_eq!(locked(&links.heard).kept.len(), HEARD_MAX);
        assert_eq!(locked(&links.used).kept.len(), 0);
    }
}
