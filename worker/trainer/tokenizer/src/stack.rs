//! Room for work that nests as deeply as a template of others wants it to.

use std::io;
use std::panic::resume_unwind;
use std::thread;

/// Runs `work` on a thread with `size` bytes of stack, of which only what is touched takes memory.
pub fn with_stack<T: Send>(size: usize, work: impl FnOnce() -> T + Send) -> io::Result<T> {
    thread::scope(|scope| {
        let thread = thread::Builder::new()
            .stack_size(size)
            .spawn_scoped(scope, work)?;
        Ok(thread.join().unwrap_or_else(|panic| resume_unwind(panic)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn deep(depth: usize) -> usize {
        let touched = std::hint::black_box([1u8; 512]);
        if depth == 0 {
            return 0;
        }
        deep(depth - 1) + usize::from(touched[depth % 512])
    }

    #[test]
    fn what_nests_deeply_has_room() {
        assert_eq!(with_stack(256 << 20, || deep(100_000)).unwrap(), 100_000);
    }

    #[test]
    fn a_panic_is_passed_on() {
        let panic = std::panic::catch_unwind(|| with_stack(1 << 20, || panic!("of 3")));
        assert_eq!(panic.unwrap_err().downcast_ref::<&str>(), Some(&"of 3"));
    }
}
