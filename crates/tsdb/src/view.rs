//! The store at one moment, as readers see it.

use std::sync::Arc;

use firebell_model::{Matcher, Series, SeriesId, Source, SourceError, TimeRange};

/// An immutable view of a [`Store`](crate::Store).
#[derive(Clone)]
pub struct View {}

impl Source for View {
    fn select(
        &self,
        _matchers: &[Matcher],
        _range: TimeRange,
    ) -> Result<Vec<Arc<dyn Series>>, SourceError> {
        Ok(Vec::new())
    }

    fn generation(&self) -> u64 {
        0
    }

    fn series(&self, _id: SeriesId) -> Option<Arc<dyn Series>> {
        None
    }
}
