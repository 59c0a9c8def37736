//! Work spread over a few threads, results in the order of the items.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
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
    let mut results = Vec::with_capacity(items.len());
    each(items, jobs, work, |result| results.push(result));
    results
}

/// Does `work` on every item, at most `jobs` at a time, and gives each result to `take` as soon as those of all items before it have been taken.
///
/// # Panics
/// If `work` panics.
pub fn each<T: Sync, R: Send>(items: &[T], jobs: usize, work: impl Fn(&T) -> R + Sync, mut take: impl FnMut(R)) {
    let (next, work) = (&AtomicUsize::new(0), &work);
    let (send, done) = mpsc::channel();
    let mut early = BTreeMap::new();
    let mut expected = 0;
    thread::scope(|scope| {
        for _ in 0..jobs.clamp(1, items.len().max(1)) {
            let send = send.clone();
            scope.spawn(move || {
                loop {
                    let place = next.fetch_add(1, Ordering::Relaxed);
                    let Some(item) = items.get(place) else { break };
                    if send.send((place, work(item))).is_err() {
                        // `take` has panicked.
                        break;
                    }
                }
            });
        }
        drop(send);
        for (place, result) in done {
            early.insert(place, result);
            while let Some(result) = early.remove(&expected) {
                take(result);
                expected += 1;
            }
        }
    });
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
