//! Samples compressed by what changes: times by the change of their distance, values by the bits
//! that differ from the one before.

use firebell_model::Sample;

use super::bits::{Bits, Values};

/// A chunk of at most 65,535 samples.
pub(super) fn encode(samples: &[Sample]) -> Vec<u8> {
    let mut out = Bits::default();
    out.write(samples.len() as u64, 16);
    let mut values = Values::of(0.0);
    let (mut last_at, mut last_delta) = (0_i64, 0_i64);
    for (idx, sample) in samples.iter().enumerate() {
        let at = sample.at.0;
        let delta = at.wrapping_sub(last_at);
        match idx {
            0 => {
                out.varint((at.cast_unsigned() << 1) ^ (at >> 63).cast_unsigned());
                out.write(sample.value.to_bits(), 64);
                values = Values::of(sample.value);
            }
            1 => {
                out.varint(delta.cast_unsigned());
                values.write(sample.value, &mut out);
            }
            _ => {
                write_change(delta.wrapping_sub(last_delta), &mut out);
                values.write(sample.value, &mut out);
            }
        }
        (last_at, last_delta) = (at, delta);
    }
    out.bytes
}

/// How the distance between two samples changed: a prefix says in how many bits.
fn write_change(change: i64, out: &mut Bits) {
    let fits = |bits: u32| (-(1 << (bits - 1)) + 1..=1 << (bits - 1)).contains(&change);
    let (prefix, prefix_bits, bits) = match change {
        0 => (0, 1, 0),
        _ if fits(14) => (0b10, 2, 14),
        _ if fits(17) => (0b110, 3, 17),
        _ if fits(20) => (0b1110, 4, 20),
        _ => (0b1111, 4, 64),
    };
    out.write(prefix, prefix_bits);
    out.write(change.cast_unsigned(), bits);
}

#[cfg(test)]
mod tests {
    use firebell_model::Timestamp;

    use super::*;

    #[test]
    fn a_chunk_is_written_bit_by_bit() {
        let sample = |at, value| Sample {
            at: Timestamp(at),
            value,
        };
        let samples = [
            sample(1, 1.0),
            sample(3, 1.0),
            sample(5, 1.0),
            sample(8, 2.0),
        ];
        assert_eq!(
            encode(&samples),
            [
                // Count; 1 as signed varint; 1.0; distance 2.
                0,
                4,
                2,
                0x3f,
                0xf0,
                0,
                0,
                0,
                0,
                0,
                0,
                2,
                // Same value, same distance, same value; then 1 more in 14 bits.
                0b0001_0000,
                0b0000_0000,
                0b0011_1000,
                0b0100_1011,
                0b1111_1111,
                0b1110_0000,
            ]
        );
    }
}
