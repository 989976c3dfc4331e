//! Tables by slot, in pages that are made when a slot of theirs is.
//!
//! *Invariants*: a slot costs its own page, however high it is: files name slots, and a damaged or
//! forged one must not have the store want memory for all slots below.

/// What is known of slots; of those that nobody made, nothing.
pub(crate) struct BySlot<T> {
    /// Empty until a slot of it is made.
    pages: Vec<Box<[T]>>,
}

impl<T> Default for BySlot<T> {
    fn default() -> Self {
        Self { pages: Vec::new() }
    }
}

impl<T: Default> BySlot<T> {
    #[inline]
    pub(crate) fn get(&self, slot: u32) -> Option<&T> {
        let (page, place) = place_of(slot);
        self.pages.get(page)?.get(place)
    }

    pub(crate) fn get_mut(&mut self, slot: u32) -> Option<&mut T> {
        let (page, place) = place_of(slot);
        self.pages.get_mut(page)?.get_mut(place)
    }

    /// What is known of the slot, to be changed: at first the default.
    #[inline]
    pub(crate) fn make(&mut self, slot: u32) -> &mut T {
        let (page, place) = place_of(slot);
        if page >= self.pages.len() {
            self.pages.resize_with(page + 1, Box::default);
        }
        let page = &mut self.pages[page];
        if page.is_empty() {
            *page = (0..PAGE_SLOTS).map(|_| T::default()).collect();
        }
        &mut page[place]
    }

    /// Some neighbouring slots; `None` past the last of them.
    pub(crate) fn page(&self, idx: usize) -> Option<&[T]> {
        self.pages.get(idx).map(|page| &**page)
    }

    /// In order of slots.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        self.pages.iter().flatten()
    }
}

#[inline]
fn place_of(slot: u32) -> (usize, usize) {
    let slot = slot as usize;
    (slot / PAGE_SLOTS, slot % PAGE_SLOTS)
}

const PAGE_SLOTS: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_high_slot_costs_its_own_page_only() {
        let mut table = BySlot::default();
        for slot in [7, 1 << 27, PAGE_SLOTS as u32, 3] {
            *table.make(slot) = slot;
        }
        *table.make(7) += 1;
        assert_eq!(table.iter().count(), 3 * PAGE_SLOTS);
        let known: Vec<u32> = table.iter().copied().filter(|&it| it != 0).collect();
        assert_eq!(known, [3, 8, PAGE_SLOTS as u32, 1 << 27]);
        assert_eq!((table.get(4), table.get(1 << 20)), (Some(&0), None));
        assert_eq!(table.get_mut(u32::MAX), None);
    }
}
