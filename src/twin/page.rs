//! Pages: a list cut into answers, with a token for the rest.

/// One page of `items` and the token of the next, where there is one.
/// The token is the position; one that is not a position of this list gives `None`.
pub fn page<T>(
    items: Vec<T>,
    size: usize,
    token: Option<&str>,
) -> Option<(Vec<T>, Option<String>)> {
    let start: usize = match token {
        None => 0,
        Some(token) => token.strip_prefix("twin-")?.parse().ok()?,
    };
    if start > items.len() {
        return None;
    }
    let end = start.saturating_add(size);
    let next = (end < items.len()).then(|| format!("twin-{end}"));
    let page = items.into_iter().skip(start).take(size).collect();
    Some((page, next))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_whole_and_end() {
        let all: Vec<u8> = (0..5).collect();
        let (first, token) = page(all.clone(), 3, None).unwrap();
        assert_eq!(first, [0, 1, 2]);
        let (second, end) = page(all.clone(), 3, token.as_deref()).unwrap();
        assert_eq!(second, [3, 4]);
        assert_eq!(end, None);
        assert_eq!(page(all, 3, Some("elsewhere")), None);
    }
}
