//! Which series `limit_ratio` keeps: by a hash of their labels, the same as upstream's.
//!
//! *Sources*: Prometheus, `promql/engine.go`, `AddRatioSample`; `model/labels/labels_stringlabels.go`,
//! whose encoding is what is hashed; the specification of XXH64.

use firebell_model::Labels;

/// Whether a series stays: from below for positive ratios and from above for negative ones, so that
/// `r` and `r - 1` complement each other.
pub(crate) fn is_sampled(labels: &Labels, ratio: f64) -> bool {
    let mut encoded = Vec::new();
    for label in labels.iter() {
        for text in [&label.name, &label.value] {
            encode_len(text.len(), &mut encoded);
            encoded.extend_from_slice(text.as_bytes());
        }
    }
    let offset = xxh64(&encoded) as f64 / u64::MAX as f64;
    if ratio >= 0.0 {
        offset < ratio
    } else {
        offset >= 1.0 + ratio
    }
}

/// A length in one byte, or in three behind a full one.
fn encode_len(len: usize, out: &mut Vec<u8>) {
    match u8::try_from(len) {
        Ok(short) if short < u8::MAX => out.push(short),
        _ => {
            let bytes = len.to_le_bytes();
            out.extend([u8::MAX, bytes[0], bytes[1], bytes[2]]);
        }
    }
}

const PRIMES: [u64; 5] = [
    0x9e37_79b1_85eb_ca87,
    0xc2b2_ae3d_27d4_eb4f,
    0x1656_67b1_9e37_79f9,
    0x85eb_ca77_c2b2_ae63,
    0x27d4_eb2f_1656_67c5,
];

/// XXH64 with seed zero.
fn xxh64(bytes: &[u8]) -> u64 {
    let (stripes, mut rest) = bytes.as_chunks::<32>();
    let mut hash = if stripes.is_empty() {
        PRIMES[4]
    } else {
        let mut lanes = [
            PRIMES[0].wrapping_add(PRIMES[1]),
            PRIMES[1],
            0,
            PRIMES[0].wrapping_neg(),
        ];
        for stripe in stripes {
            for (lane, word) in lanes.iter_mut().zip(stripe.as_chunks().0) {
                *lane = round(*lane, u64::from_le_bytes(*word));
            }
        }
        let rotated = lanes.iter().zip([1, 7, 12, 18]);
        let sum = rotated.fold(0_u64, |sum, (lane, by)| {
            sum.wrapping_add(lane.rotate_left(by))
        });
        lanes.iter().fold(sum, |hash, &lane| {
            (hash ^ round(0, lane))
                .wrapping_mul(PRIMES[0])
                .wrapping_add(PRIMES[3])
        })
    };
    hash = hash.wrapping_add(bytes.len() as u64);
    while let Some((word, after)) = rest.split_first_chunk() {
        hash ^= round(0, u64::from_le_bytes(*word));
        hash = hash
            .rotate_left(27)
            .wrapping_mul(PRIMES[0])
            .wrapping_add(PRIMES[3]);
        rest = after;
    }
    if let Some((word, after)) = rest.split_first_chunk() {
        hash ^= u64::from(u32::from_le_bytes(*word)).wrapping_mul(PRIMES[0]);
        hash = hash
            .rotate_left(23)
            .wrapping_mul(PRIMES[1])
            .wrapping_add(PRIMES[2]);
        rest = after;
    }
    for &byte in rest {
        hash ^= u64::from(byte).wrapping_mul(PRIMES[4]);
        hash = hash.rotate_left(11).wrapping_mul(PRIMES[0]);
    }
    hash = (hash ^ hash >> 33).wrapping_mul(PRIMES[1]);
    hash = (hash ^ hash >> 29).wrapping_mul(PRIMES[2]);
    hash ^ hash >> 32
}

fn round(lane: u64, word: u64) -> u64 {
    lane.wrapping_add(word.wrapping_mul(PRIMES[1]))
        .rotate_left(31)
        .wrapping_mul(PRIMES[0])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_hash_as_the_specification_has_it() {
        for (text, expected) in [
            ("", 0xef46_db37_51d8_e999),
            ("a", 0xd24e_c4f1_a98c_6e5b),
            ("as", 0x1c33_0fb2_d66b_e179),
            ("asd", 0x631c_37ce_72a9_7393),
            ("asdf", 0x4158_72f5_99ce_a71e),
            (
                "Call me Ishmael. Some years ago--never mind how long precisely-",
                0x02a2_e854_70d6_fd96,
            ),
        ] {
            assert_eq!(xxh64(text.as_bytes()), expected, "{text}");
        }
    }

    /// What a real Prometheus 3.5.3 keeps of 60 series, some with long values.
    #[test]
    fn the_same_series_stay_as_upstream() {
        let kept = |ratio: f64| -> Vec<usize> {
            let labels = |idx: usize| {
                let number = idx.to_string();
                let long = "v".repeat(100 + idx * 4);
                let mut pairs = vec![("__name__", "m"), ("i", number.as_str())];
                pairs.extend(idx.is_multiple_of(3).then_some(("long", long.as_str())));
                pairs.extend(idx.is_multiple_of(5).then_some(("é x", "ü")));
                Labels::from_pairs(pairs)
            };
            (0..60)
                .filter(|&idx| is_sampled(&labels(idx), ratio))
                .collect()
        };
        let of_30 = [
            2, 3, 11, 16, 26, 29, 30, 31, 36, 38, 39, 45, 46, 50, 51, 52, 58,
        ];
        assert_eq!(kept(0.3), of_30);
        let of_the_other_30 = [
            0, 5, 7, 9, 12, 13, 15, 18, 19, 20, 21, 27, 32, 34, 37, 40, 41, 42, 47, 56,
        ];
        assert_eq!(kept(-0.3), of_the_other_30);
        assert_eq!((kept(0.0), kept(-1.0).len()), (Vec::new(), 60));
    }
}
