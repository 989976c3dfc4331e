//! Pictures that people send for a timeline.
#![no_main]

use firebell_incident::{Picture, PictureId};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let look = |bytes: &[u8]| Picture::look(PictureId([0; 32]), bytes);
    let Ok(known) = look(bytes) else {
        return;
    };
    assert!(known.width > 0 && known.height > 0 && known.n_bytes == bytes.len());
    // What stands behind a whole one changes nothing of it.
    let more = look(&[bytes, b"more"].concat()).expect("it begins with a whole one");
    let size = |it: &Picture| (it.kind, it.width, it.height);
    assert_eq!(size(&more), size(&known));
});
