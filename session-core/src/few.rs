//! One list for what is nearly always short: the names of a payload, the cookies of our name, the sessions of a request.

use smallvec::SmallVec;

/// Allocates only past its `N`th entry. `smallvec`, because it leaves unused places untouched, which needs `unsafe`: a
/// list of our own would fill them first, and ask for `T: Default` or for an `Option` around each. In constants:
/// `Few::new_const()`.
pub(crate) type Few<T, const N: usize> = SmallVec<[T; N]>;

/// So many are compared with each other; more are sorted.
const COMPARED: usize = 16;

/// An entry that is there twice.
pub(crate) fn repeated<T: Ord + Copy>(entries: &[T]) -> Option<T> {
    if entries.len() <= COMPARED {
        let again =
            |(at, entry): &(usize, &T)| entries.get(at + 1..).is_some_and(|rest| rest.contains(entry));
        return entries.iter().enumerate().find(again).map(|(_, entry)| *entry);
    }
    let mut sorted = entries.to_vec();
    sorted.sort_unstable();
    let twice = sorted.windows(2).find(|pair| pair.first() == pair.get(1))?;
    twice.first().copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_there_twice_is_found_among_few_and_among_many() {
        for count in [0, 1, 2, COMPARED, COMPARED + 1, 3 * COMPARED] {
            let mut entries: Few<usize, 4> = (0..count).rev().collect();
            assert_eq!(repeated(&entries), None);
            entries.push(0);
            assert_eq!(repeated(&entries), (count > 0).then_some(0));
        }
    }
}
