//! Pages of a list: keyset, newest or oldest first as the list says.

/// How many items a page holds when the caller does not say.
pub const DEFAULT_SIZE: u64 = 50;
/// How many items a page holds at the most.
pub const MAX_SIZE: u64 = 1000;

/// One wanted page, already opened and checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// How many items at the most.
    pub size: u64,
    /// The key after which the page starts; empty for the first page.
    pub after: String,
}

impl Page {
    /// The first page of the default size.
    #[must_use]
    pub const fn first() -> Self {
        Self { size: DEFAULT_SIZE, after: String::new() }
    }
}

/// Some items and where the next page starts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Paged<T> {
    /// The items of this page.
    pub items: Vec<T>,
    /// The key of the last item when there are more; `None` at the end.
    pub next: Option<String>,
}

impl<T> Paged<T> {
    /// Cuts `items`, read with one more than the page holds, into the page and its continuation.
    pub fn cut(mut items: Vec<T>, page: &Page, key: impl Fn(&T) -> String) -> Self {
        let size = usize::try_from(page.size).unwrap_or(usize::MAX);
        let more = items.len() > size;
        items.truncate(size);
        let next = if more { items.last().map(key) } else { None };
        Self { items, next }
    }

    /// The same page with every item turned into something else.
    pub fn map<U>(self, turn: impl FnMut(T) -> U) -> Paged<U> {
        Paged { items: self.items.into_iter().map(turn).collect(), next: self.next }
    }
}
