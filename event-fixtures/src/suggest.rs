//! Finding what somebody meant when a name is unknown.

/// At most this many suggestions.
const AT_MOST: usize = 3;

/// Known names that are close to what was typed, the closest first. Names that contain it, or that it
/// contains, count as close.
pub(crate) fn similar<'a>(typed: &str, known: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    let typed = typed.to_lowercase();
    let allowed = (typed.chars().count() / 3).clamp(1, 4);
    let mut close: Vec<(usize, &str)> = known
        .into_iter()
        .filter_map(|name| {
            let lower = name.to_lowercase();
            let distance = distance(&typed, &lower);
            let within = typed.len() >= 3 && (lower.contains(&typed) || typed.contains(&lower));
            let same_words = words(&typed) == words(&lower);
            (distance <= allowed || within || same_words).then_some((distance, name))
        })
        .collect();
    close.sort_unstable();
    close.into_iter().take(AT_MOST).map(|(_, name)| name.to_owned()).collect()
}

/// `s3-put` and `s3/put` are the same words.
fn words(name: &str) -> Vec<&str> {
    name.split(['/', '-', '_', '.', ' ']).filter(|word| *word != "aws").collect()
}

/// Edits from one to the other: insert, delete, replace or swap neighbours.
fn distance(from: &str, to: &str) -> usize {
    let (from, to): (Vec<char>, Vec<char>) = (from.chars().collect(), to.chars().collect());
    if from.len().max(to.len()) > 64 {
        return usize::MAX;
    }
    // The first row and the first column are those of an empty text; the rest is filled in below.
    let mut rows: Vec<Vec<usize>> = (0..=from.len()).map(|i| (i..=i + to.len()).collect()).collect();
    for i in 1..=from.len() {
        for j in 1..=to.len() {
            let replaced = rows[i - 1][j - 1] + usize::from(from[i - 1] != to[j - 1]);
            let mut best = replaced.min(rows[i - 1][j] + 1).min(rows[i][j - 1] + 1);
            if i > 1 && j > 1 && from[i - 1] == to[j - 2] && from[i - 2] == to[j - 1] {
                best = best.min(rows[i - 2][j - 2] + 1);
            }
            rows[i][j] = best;
        }
    }
    rows[from.len()][to.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_edits() {
        for (from, to, edits) in [("", "", 0), ("a", "", 1), ("bukcet", "bucket", 1), ("put", "get", 2)] {
            assert_eq!(distance(from, to), edits, "{from} to {to}");
        }
    }

    #[test]
    fn finds_typos_parts_and_other_separators() {
        let known = ["aws/s3/put", "aws/s3/delete", "aws/sqs/message", "ml/image"];
        assert_eq!(similar("aws/s3/putt", known), ["aws/s3/put"]);
        assert_eq!(similar("s3-put", known), ["aws/s3/put"]);
        assert_eq!(similar("message", known), ["aws/sqs/message"]);
        assert_eq!(similar("zzzzzzzz", known), Vec::<String>::new());
    }

    #[test]
    fn a_very_long_name_is_no_work() {
        assert!(similar(&"x".repeat(1_000_000), ["aws/s3/put"]).is_empty());
    }
}
