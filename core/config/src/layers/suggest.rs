//! Which key was probably meant.

/// The key that is nearest to `written`, if one is near: by its whole name, or by its last part.
pub(super) fn nearest(
    keys: impl Iterator<Item = &'static str>,
    written: &str,
) -> Option<&'static str> {
    let distance = |key: &str| {
        let whole = edits(written, key);
        whole.min(edits(last_part(written), last_part(key)))
    };
    let near = last_part(written).chars().count() / 3;
    keys.map(|key| (distance(key), key))
        .filter(|(edits, _)| *edits <= near.max(1))
        .min()
        .map(|(_, key)| key)
}

fn last_part(key: &str) -> &str {
    key.rsplit('.').next().unwrap_or(key)
}

/// How many letters must be added, dropped or changed to make `b` of `a`.
fn edits(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (at, from) in a.chars().enumerate() {
        let mut before = row[0];
        row[0] = at + 1;
        for (column, to) in b.iter().enumerate() {
            let changed = before + usize::from(from != *to);
            before = row[column + 1];
            row[column + 1] = changed.min(before + 1).min(row[column] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEYS: [&str; 4] = [
        "history.enabled",
        "output.color",
        "transfer.max_delete",
        "transfer.retry_for",
    ];

    #[test]
    fn a_slip_of_the_finger_is_recognised() {
        for (written, meant) in [
            ("output.colour", Some("output.color")),
            ("colour", Some("output.color")),
            ("transfer.retry-for", Some("transfer.retry_for")),
            ("trasnfer.max_delete", Some("transfer.max_delete")),
            ("output.max_delete", Some("transfer.max_delete")),
            ("history.enable", Some("history.enabled")),
            ("bandwidth", None),
            ("", None),
        ] {
            assert_eq!(nearest(KEYS.into_iter(), written), meant, "{written}");
        }
    }
}
