//! Large answers, written piece by piece: what has been written is freed, and what nobody reads is
//! not written.

use serde::Serialize;

use super::result::{HistogramPoint, Point};
use super::{MatrixSeries, QueryAnswer, QueryData, Success};

/// Bytes of an answer, in order; each piece but the last is longer than [`PIECE_BYTES`] by at most an
/// item or, of a matrix, a point.
pub type Pieces = Box<dyn Iterator<Item = Vec<u8>> + Send>;

impl<T: Serialize + Send + 'static> Success<Vec<T>> {
    /// The body, item by item.
    #[must_use]
    pub fn into_pieces(mut self) -> Pieces {
        let items = std::mem::take(&mut self.data);
        around(&self.to_json(), items.into_iter().map(Whole))
    }
}

impl Success<QueryAnswer> {
    /// The body, series by series.
    #[must_use]
    pub fn into_pieces(mut self) -> Pieces {
        match &mut self.data.data {
            QueryData::Vector(samples) => {
                let samples = std::mem::take(samples);
                around(&self.to_json(), samples.into_iter().map(Whole))
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
        around(&self.to_json(), series.into_iter().map(SeriesParts::new))
    }
}

/// An item of a list, written part by part.
trait Item: Send {
    /// Writes on until a piece is full; whether that was all.
    fn write(&mut self, piece: &mut Vec<u8>) -> bool;
}

/// An item that is small.
struct Whole<T>(T);

impl<T: Serialize + Send> Item for Whole<T> {
    fn write(&mut self, piece: &mut Vec<u8>) -> bool {
        write(&self.0, piece);
        true
    }
}

/// A series, which may have any number of points.
struct SeriesParts {
    series: MatrixSeries,
    is_begun: bool,
    n_values: usize,
    n_histograms: usize,
}

impl SeriesParts {
    fn new(series: MatrixSeries) -> Self {
        Self {
            series,
            is_begun: false,
            n_values: 0,
            n_histograms: 0,
        }
    }
}

impl Item for SeriesParts {
    fn write(&mut self, piece: &mut Vec<u8>) -> bool {
        if !std::mem::replace(&mut self.is_begun, true) {
            piece.extend(b"{\"metric\":");
            write(&self.series.metric, piece);
        }
        let values = self.series.values.iter().map(Point);
        let histograms = self.series.histograms.iter().map(HistogramPoint);
        let is_whole = write_points(b",\"values\":[", values, &mut self.n_values, piece)
            && write_points(
                b",\"histograms\":[",
                histograms,
                &mut self.n_histograms,
                piece,
            );
        if is_whole {
            piece.push(b'}');
        }
        is_whole
    }
}

/// Writes the points behind the first `n_written`, as many as a piece has room for; whether there are
/// no more. A list without any is left out.
fn write_points<T: Serialize>(
    name: &[u8],
    points: impl ExactSizeIterator<Item = T>,
    n_written: &mut usize,
    piece: &mut Vec<u8>,
) -> bool {
    let n_points = points.len();
    for point in points.skip(*n_written) {
        if piece.len() >= PIECE_BYTES {
            return false;
        }
        piece.extend(if *n_written == 0 { name } else { b"," });
        write(&point, piece);
        *n_written += 1;
        if *n_written == n_points {
            piece.push(b']');
        }
    }
    true
}

fn write(value: &impl Serialize, piece: &mut Vec<u8>) {
    // Only maps with keys that are no text fail, and none of ours has those.
    let _ = serde_json::to_writer(piece, value);
}

/// Items within the frame of an answer without any: its first empty list is where they go, since no
/// text and no other list comes before.
fn around<T: Item + 'static>(
    frame: &[u8],
    mut items: impl Iterator<Item = T> + Send + 'static,
) -> Pieces {
    let at = frame.windows(2).position(|two| two == b"[]");
    let (head, tail) = frame.split_at(at.map_or(0, |at| at + 1));
    let mut head = Some(head.to_vec());
    let mut tail = Some(tail.to_vec());
    let mut is_first = true;
    let mut open: Option<T> = None;
    Box::new(std::iter::from_fn(move || {
        let mut piece = head.take().unwrap_or_default();
        while piece.len() < PIECE_BYTES {
            if let Some(item) = &mut open {
                if item.write(&mut piece) {
                    open = None;
                }
                continue;
            }
            open = items.next();
            if open.is_none() {
                piece.extend(tail.take()?);
                return Some(piece);
            }
            if !std::mem::take(&mut is_first) {
                piece.push(b',');
            }
        }
        Some(piece)
    }))
}

/// From how many bytes on a piece is sent.
pub const PIECE_BYTES: usize = 128 << 10;

#[cfg(test)]
mod tests {
    use firebell_model::{Histogram, HistogramSample, Labels, Sample, Timestamp};

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
    fn one_series_may_be_many_pieces() {
        let at = |secs: i64| Timestamp(secs * 1000);
        let values = (0..40_000).map(|idx| Sample {
            at: at(idx),
            value: 0.5,
        });
        let histograms = (0..9_000).map(|idx| HistogramSample {
            at: at(idx),
            histogram: Box::new(Histogram::default()).into(),
        });
        for (values, histograms) in [
            (values.clone().collect(), Vec::new()),
            (Vec::new(), histograms.clone().collect()),
            (values.collect(), histograms.collect()),
        ] {
            let series = MatrixSeries {
                metric: Labels::from_pairs([("a", "1")]),
                values,
                histograms,
            };
            let data = QueryData::Matrix(vec![series.clone(), series]);
            let answer = || {
                Success::new(QueryAnswer {
                    data: data.clone(),
                    stats: None,
                })
            };
            let pieces: Vec<Vec<u8>> = answer().into_pieces().collect();
            assert!(pieces.iter().all(|it| it.len() < PIECE_BYTES + 200));
            assert!(pieces.concat() == answer().to_json());
        }
    }

    #[test]
    fn pieces_are_the_answer() {
        for n in [0, 1, 2, 50] {
            let whole = matrix(n).to_json();
            let pieces: Vec<Vec<u8>> = matrix(n).into_pieces().collect();
            assert_eq!(pieces.len() > 1, whole.len() > PIECE_BYTES, "{n}");
            assert!(pieces.iter().all(|it| it.len() < PIECE_BYTES + 200), "{n}");
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
