//! Large answers, written piece by piece: what has been written is freed, and what nobody reads is
//! not written.

use serde::Serialize;

use super::{MatrixSeries, QueryAnswer, QueryData, Success};

/// Bytes of an answer, in order; each piece but the last is a little longer than [`PIECE_BYTES`].
pub type Pieces = Box<dyn Iterator<Item = Vec<u8>> + Send>;

impl<T: Serialize + Send + 'static> Success<Vec<T>> {
    /// The body, item by item.
    #[must_use]
    pub fn into_pieces(mut self) -> Pieces {
        let items = std::mem::take(&mut self.data);
        around(&self.to_json(), items)
    }
}

impl Success<QueryAnswer> {
    /// The body, series by series.
    #[must_use]
    pub fn into_pieces(mut self) -> Pieces {
        match &mut self.data.data {
            QueryData::Vector(samples) => {
                let samples = std::mem::take(samples);
                around(&self.to_json(), samples)
            }
            QueryData::Matrix(series) => {
                let series = std::mem::take(series);
                self.into_pieces_of(series)
            }
            QueryData::Scalar(_) | QueryData::String(..) => {
                Box::new(std::iter::once(self.to_json()))
            }
        }
    }
}

impl Success<QueryAnswer> {
    /// The body of an answer whose matrix is empty as yet, with series that are made one by one.
    #[must_use]
    pub fn into_pieces_of<I>(self, series: I) -> Pieces
    where
        I: IntoIterator<Item = MatrixSeries>,
        I::IntoIter: Send + 'static,
    {
        around(&self.to_json(), series)
    }
}

/// Items within the frame of an answer without any: its first empty list is where they go, since no
/// text and no other list comes before.
fn around<I>(frame: &[u8], items: I) -> Pieces
where
    I: IntoIterator<Item: Serialize>,
    I::IntoIter: Send + 'static,
{
    let at = frame.windows(2).position(|two| two == b"[]");
    let (head, tail) = frame.split_at(at.map_or(0, |at| at + 1));
    let mut head = Some(head.to_vec());
    let mut tail = Some(tail.to_vec());
    let mut items = items.into_iter();
    let mut is_first = true;
    Box::new(std::iter::from_fn(move || {
        let mut piece = head.take().unwrap_or_default();
        while piece.len() < PIECE_BYTES {
            let Some(item) = items.next() else {
                piece.extend(tail.take()?);
                return Some(piece);
            };
            if !std::mem::take(&mut is_first) {
                piece.push(b',');
            }
            // Only maps with keys that are no text fail, and none of ours has those.
            let _ = serde_json::to_writer(&mut piece, &item);
        }
        Some(piece)
    }))
}

/// From how many bytes on a piece is sent.
pub const PIECE_BYTES: usize = 128 << 10;

#[cfg(test)]
mod tests {
    use firebell_model::{Labels, Sample, Timestamp};

    use super::*;

    fn matrix(n_series: usize) -> Success<QueryAnswer> {
        let series = |n: usize| MatrixSeries {
            metric: Labels::from_pairs([("__name__", "[]"), ("n", &n.to_string())]),
            values: (0..1000)
                .map(|at| Sample {
                    at: Timestamp(at),
                    value: 0.5,
                })
                .collect(),
            histograms: Vec::new(),
        };
        let data = QueryData::Matrix((0..n_series).map(series).collect());
        let mut success = Success::new(QueryAnswer { data, stats: None });
        success.warnings.push("careful [] there".to_owned());
        success
    }

    #[test]
    fn pieces_are_the_answer() {
        for n in [0, 1, 2, 50] {
            let whole = matrix(n).to_json();
            let pieces: Vec<Vec<u8>> = matrix(n).into_pieces().collect();
            assert_eq!(pieces.len() > 1, whole.len() > PIECE_BYTES, "{n}");
            assert!(
                pieces.iter().all(|it| it.len() < PIECE_BYTES + (32 << 10)),
                "{n}"
            );
            assert!(pieces.concat() == whole, "{n}");
        }
        let labels = || {
            Success::new(vec![
                Labels::from_pairs([("a", "1")]),
                Labels::from_pairs([("a", "2")]),
            ])
        };
        let pieces: Vec<Vec<u8>> = labels().into_pieces().collect();
        assert_eq!(pieces.concat(), labels().to_json());
    }
}
