//! Words that are close to what somebody wrote.

/// `did you mean …?`, when a known word is close to what was written.
pub fn did_you_mean<'k>(written: &str, known: impl IntoIterator<Item = &'k str>) -> Option<String> {
    let n_chars = written.chars().count();
    let allowed = n_chars.div_ceil(3);
    let known = known.into_iter();
    // Most words differ too much in length already.
    let candidates = known.filter(|it| it.chars().count().abs_diff(n_chars) <= allowed);
    let distances = candidates.map(|it| (distance(written, it), it));
    let (nearest, word) = distances.min()?;
    (nearest <= allowed).then(|| format!("did you mean `{word}`?"))
}

/// How many characters have to be put in, left out, replaced or swapped with their neighbour.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    if a.len().abs_diff(b.len()) > 8 || a.len() > 64 {
        return usize::MAX;
    }
    let mut rows: Vec<Vec<usize>> = vec![(0..=b.len()).collect()];
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let replaced = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut least = replaced.min(rows[i - 1][j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                least = least.min(rows[i - 2][j - 2] + 1);
            }
            row.push(least);
        }
        rows.push(row);
    }
    rows[a.len()][b.len()]
}
