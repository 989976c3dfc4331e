//! Two lists of lines beside each other: what is common, what is only in one.

/// A line of both lists, or of one; positions count from 0 in its own list.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Edit<'a> {
    Same(&'a str),
    /// In the first list only.
    Removed(usize, &'a str),
    /// In the second list only, at this position of the first.
    Added(usize, &'a str),
}

/// The shortest way from one list to the other; both have tens of lines.
pub(crate) fn edits<'a>(before: &[&'a str], after: &[&'a str]) -> Vec<Edit<'a>> {
    // Longest common subsequence, from the back.
    let mut longest = vec![vec![0_u32; after.len() + 1]; before.len() + 1];
    for i in (0..before.len()).rev() {
        for j in (0..after.len()).rev() {
            longest[i][j] = match before[i] == after[j] {
                true => longest[i + 1][j + 1] + 1,
                false => longest[i + 1][j].max(longest[i][j + 1]),
            };
        }
    }
    let (mut i, mut j, mut edits) = (0, 0, Vec::new());
    while i < before.len() || j < after.len() {
        if i < before.len() && j < after.len() && before[i] == after[j] {
            edits.push(Edit::Same(before[i]));
            (i, j) = (i + 1, j + 1);
        } else if j >= after.len() || (i < before.len() && longest[i + 1][j] >= longest[i][j + 1]) {
            edits.push(Edit::Removed(i, before[i]));
            i += 1;
        } else {
            edits.push(Edit::Added(i, after[j]));
            j += 1;
        }
    }
    edits
}
