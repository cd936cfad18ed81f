//! A list that allocates only past its sixteenth entry: payloads have few top-level names.

const INLINE: usize = 16;

pub(super) struct Few<T> {
    first: [T; INLINE],
    len: usize,
    rest: Vec<T>,
}

impl<T: Default> Few<T> {
    pub(super) fn new() -> Self {
        Self { first: std::array::from_fn(|_| T::default()), len: 0, rest: Vec::new() }
    }

    pub(super) fn push(&mut self, item: T) {
        match self.first.get_mut(self.len) {
            Some(slot) => {
                *slot = item;
                self.len += 1;
            }
            None => self.rest.push(item),
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        self.inline().iter().chain(&self.rest)
    }

    /// Whether two entries have the same `name`.
    pub(super) fn repeats<'a>(&'a self, name: impl Fn(&'a T) -> &'a [u8]) -> bool {
        if !self.rest.is_empty() {
            let mut all: Vec<_> = self.iter().map(name).collect();
            all.sort_unstable();
            return all.windows(2).any(|pair| pair.first() == pair.get(1));
        }
        let few = self.inline();
        few.iter().enumerate().any(|(at, one)| few.iter().take(at).any(|other| name(one) == name(other)))
    }

    fn inline(&self) -> &[T] {
        self.first.get(..self.len).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repeats_are_found_below_and_above_the_inline_room() {
        for count in [0, 1, 2, INLINE, INLINE + 1, 3 * INLINE] {
            let mut list = Few::new();
            (0..count).for_each(|n| list.push(n.to_string()));
            assert_eq!(list.iter().count(), count);
            assert!(!list.repeats(|name| name.as_bytes()));
            list.push("0".to_owned());
            assert_eq!(list.repeats(|name| name.as_bytes()), count > 0);
        }
    }
}
