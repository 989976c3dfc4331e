//! Bits one behind the other, and values as what differs from the ones before.

/// The value before, and which of its bits were written last.
pub(super) struct Values {
    pub(super) last: u64,
    /// `None` until a difference was written.
    window: Option<(u32, u32)>,
}

impl Values {
    /// A value that was written whole.
    pub(super) fn of(value: f64) -> Self {
        Self {
            last: value.to_bits(),
            window: None,
        }
    }

    pub(super) fn write(&mut self, value: f64, out: &mut Bits) {
        let bits = value.to_bits();
        let differing = bits ^ self.last;
        self.last = bits;
        if differing == 0 {
            return out.write(0, 1);
        }
        // The number of leading zeros has five bits.
        let leading = differing.leading_zeros().min(31);
        let trailing = differing.trailing_zeros();
        if let Some((known_leading, known_trailing)) = self.window
            && leading >= known_leading
            && trailing >= known_trailing
        {
            out.write(0b10, 2);
            let n_bits = 64 - known_leading - known_trailing;
            return out.write(differing >> known_trailing, n_bits);
        }
        self.window = Some((leading, trailing));
        let n_bits = 64 - leading - trailing;
        out.write(0b11, 2);
        out.write(leading.into(), 5);
        // 64 does not fit into six bits, and 0 does not occur.
        out.write(u64::from(n_bits) & 63, 6);
        out.write(differing >> trailing, n_bits);
    }
}

/// Bits, the highest of each byte first.
#[derive(Default)]
pub(super) struct Bits {
    pub(super) bytes: Vec<u8>,
    /// Bits of the last byte that are free.
    free: u32,
}

impl Bits {
    /// Writes the low bits of a number.
    pub(super) fn write(&mut self, number: u64, mut n_bits: u32) {
        while n_bits > 0 {
            if self.free == 0 {
                self.bytes.push(0);
                self.free = 8;
            }
            let taken = n_bits.min(self.free);
            let part = (number >> (n_bits - taken)) & ((1 << taken) - 1);
            if let Some(last) = self.bytes.last_mut() {
                *last |= (part << (self.free - taken)) as u8;
            }
            self.free -= taken;
            n_bits -= taken;
        }
    }

    /// Writes a number in groups of seven bits, the lowest first.
    pub(super) fn varint(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.write(number & 0x7f | 0x80, 8);
            number >>= 7;
        }
        self.write(number, 8);
    }
}
