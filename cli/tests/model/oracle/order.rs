//! In which order a tree is listed. Each directory by name; which directory comes first is nobody's
//! business, but decides which name of a file is met first, where two answers are both right.

use std::collections::VecDeque;

use crate::tree::{Path, Tree};

/// One of the orders in which directories may be met.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    DeepFirst,
    DeepFirstBackwards,
    WideFirst,
    WideFirstBackwards,
}

impl Order {
    pub(crate) const ALL: [Self; 4] = [
        Self::DeepFirst,
        Self::DeepFirstBackwards,
        Self::WideFirst,
        Self::WideFirstBackwards,
    ];
}

/// All paths but the root: a directory's entries together, parents before children.
pub(crate) fn listing(tree: &Tree, order: Order) -> Vec<Path> {
    let mut listed = Vec::new();
    let mut open = VecDeque::from([Path::new()]);
    while let Some(directory) = open.pop_front() {
        let children: Vec<Path> = tree
            .below(&directory)
            .into_iter()
            .filter(|path| path.len() == directory.len() + 1)
            .collect();
        let mut entered: Vec<Path> = children
            .iter()
            .filter(|path| tree.is_directory(path))
            .cloned()
            .collect();
        listed.extend(children);
        if matches!(order, Order::DeepFirstBackwards | Order::WideFirstBackwards) {
            entered.reverse();
        }
        match order {
            Order::WideFirst | Order::WideFirstBackwards => open.extend(entered),
            _ => entered
                .into_iter()
                .rev()
                .for_each(|path| open.push_front(path)),
        }
    }
    listed
}
