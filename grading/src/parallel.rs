//! Work spread over a few threads, results in the order of the items.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// The number of jobs where the user names none: one for each processor.
#[must_use]
pub fn default_jobs() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

/// The same for work that mostly waits, as a lab's checks do for the programs that they run.
#[must_use]
pub fn jobs_that_wait() -> usize {
    2 * default_jobs()
}

/// Does `work` on every item, at most `jobs` at a time; the results are in the items' order.
///
/// # Panics
/// If `work` panics.
pub fn map<T: Sync, R: Send>(items: &[T], jobs: usize, work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let next = AtomicUsize::new(0);
    let results: Vec<Mutex<Option<R>>> = items.iter().map(|_| Mutex::new(None)).collect();
    thread::scope(|scope| {
        for _ in 0..jobs.clamp(1, items.len().max(1)) {
            scope.spawn(|| {
                while let Some((item, slot)) = {
                    let i = next.fetch_add(1, Ordering::Relaxed);
                    items.get(i).zip(results.get(i))
                } {
                    let result = work(item);
                    *slot.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(result);
                }
            });
        }
    });
    results
        .into_iter()
        .map(|slot| slot.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner).expect("the scope ended, so every item was worked on"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_are_in_the_order_of_the_items() {
        let items: Vec<usize> = (0..100).collect();
        assert_eq!(map(&items, 7, |n| n * n), items.iter().map(|n| n * n).collect::<Vec<_>>());
        assert_eq!(map(&[] as &[usize], 3, |n| *n), Vec::<usize>::new());
    }
}
