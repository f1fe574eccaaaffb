//! The keys of a file as a tree, and paths into it.

use crate::Key;
use crate::key::WhenWrong;

/// One step of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Segment<'p> {
    /// A key of an object.
    Name(&'p str),
    /// An item of an array.
    Index(usize),
}

/// The steps of `ports[0]/meter/port`; `None` when the text is no path.
pub(crate) fn segments(path: &str) -> Option<Vec<Segment<'_>>> {
    let mut all = Vec::new();
    for part in path.split('/') {
        let (name, index) = match part.split_once('[') {
            Some((name, index)) => (name, Some(index.strip_suffix(']')?)),
            None => (part, None),
        };
        if name.is_empty() || name.contains(']') {
            return None;
        }
        all.push(Segment::Name(name));
        if let Some(index) = index {
            all.push(Segment::Index(index.parse().ok()?));
        }
    }
    Some(all)
}

/// Whether a key's path (with `[]` for each item and `*` for any name) covers a path.
pub(crate) fn matches_path(pattern: &'static str, path: &[Segment<'_>]) -> bool {
    let pattern = steps(pattern);
    pattern.len() == path.len()
        && pattern
            .iter()
            .zip(path)
            .all(|(step, segment)| match segment {
                Segment::Name(name) => *step == "*" || step == name,
                Segment::Index(0) => matches!(*step, "[0]" | "[]"),
                Segment::Index(_) => *step == "[]",
            })
}

/// The guide's print of one object's name, which is read as well.
///
/// Table 47 prints some keys of `rcd_monitor` below `rzd_monitor`.
pub(crate) fn printed_name(name: &str) -> Option<&'static str> {
    (name == "rcd_monitor").then_some("rzd_monitor")
}

/// A key with the keys below it.
#[derive(Debug, Default)]
pub(crate) struct Tree {
    /// The key, where the table has a row for it.
    pub(crate) key: Option<&'static Key>,
    /// The steps below: a name, `*` for any name, `[0]` for the first item, `[]` for each.
    pub(crate) children: Vec<(&'static str, Tree)>,
}

impl Tree {
    pub(crate) fn of(keys: impl IntoIterator<Item = &'static Key>) -> Self {
        let mut root = Self::default();
        for key in keys {
            root.insert(&steps(key.path), key);
        }
        root
    }

    fn insert(&mut self, steps: &[&'static str], key: &'static Key) {
        let Some((step, rest)) = steps.split_first() else {
            self.key = Some(key);
            return;
        };
        if let Some((_, child)) = self.children.iter_mut().find(|(name, _)| name == step) {
            child.insert(rest, key);
        } else {
            let mut child = Self::default();
            child.insert(rest, key);
            self.children.push((step, child));
        }
    }

    /// Whether a wrong value here must not be replaced by defaults.
    pub(crate) fn is_refused_when_wrong(&self) -> bool {
        self.key
            .is_some_and(|key| key.when_wrong == WhenWrong::Refuse)
            || self
                .children
                .iter()
                .any(|(_, child)| child.is_refused_when_wrong())
    }
}

/// `ports[0]/rfid` as `ports`, `[0]`, `rfid`.
fn steps(path: &'static str) -> Vec<&'static str> {
    let part = |part: &'static str| match part.find('[') {
        Some(bracket) => {
            let (name, index) = part.split_at(bracket);
            vec![name, index]
        }
        None => vec![part],
    };
    path.split('/').flat_map(part).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_taken_apart() {
        assert_eq!(
            segments("ports[0]/meter/port"),
            Some(vec![
                Segment::Name("ports"),
                Segment::Index(0),
                Segment::Name("meter"),
                Segment::Name("port"),
            ])
        );
        for wrong in [
            "", "/", "a//b", "a[", "a[]", "a[x]", "[0]", "a]b", "a[0]b", "a[0][1]",
        ] {
            assert_eq!(segments(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn patterns_cover_paths() {
        let covers = |pattern, path| matches_path(pattern, &segments(path).unwrap());
        assert!(covers("ports[0]/pluggable", "ports[0]/pluggable"));
        assert!(!covers("ports[0]/pluggable", "ports[1]/pluggable"));
        assert!(covers("a[]/b", "a[7]/b"));
        assert!(covers("vendors/*/oui", "vendors/Tesla/oui"));
        assert!(!covers("vendors/*/oui", "vendors/oui"));
    }
}
