//! Scraped bodies in protobuf.
#![no_main]

use firebell_wire::exposition::{HistogramOptions, Point, Scraped, read_families};
use firebell_wire::histogram::{limit_buckets, reduce};

libfuzzer_sys::fuzz_target!(|body: &[u8]| {
    for (native, to_custom) in [(true, false), (false, true)] {
        let options = HistogramOptions {
            native,
            classic: true,
            to_custom,
        };
        let _ = read_families(body, options, |scraped| {
            if let Scraped::Point(point) = scraped {
                point.labels()?;
                if let Point::Histogram(histogram) = point.point {
                    let coarse = reduce((*histogram).clone(), -1);
                    let n_before = histogram.positive.iter().count();
                    assert!(coarse.positive.iter().count() <= n_before);
                    let _ = limit_buckets(*histogram, 10);
                }
            }
            Ok(())
        });
    }
});
