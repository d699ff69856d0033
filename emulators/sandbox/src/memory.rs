//! The memory of this process itself: how much it holds, and giving back what it does not need.

use std::fs;

/// What is resident, in bytes; `None` where the system does not tell.
pub fn resident() -> Option<u64> {
    let statm = fs::read_to_string("/proc/self/statm").ok()?;
    let pages: u64 = statm.split_whitespace().nth(1)?.parse().ok()?;
    Some(pages * rustix::param::page_size() as u64)
}

/// Gives freed memory back to the system, which the allocator keeps for later otherwise. Blocking, for some
/// milliseconds.
#[cfg(target_env = "gnu")]
#[expect(unsafe_code, reason = "the allocator's own call, which no crate wraps")]
pub fn give_back() {
    // SAFETY: it takes the allocator's own locks, and nothing that is in use moves.
    unsafe { libc::malloc_trim(0) };
}

/// Other allocators do it by themselves, or cannot be asked.
#[cfg(not(target_env = "gnu"))]
pub fn give_back() {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_freed_is_given_back() {
        let before = resident().expect("it is told");
        // Small pieces with a live one at the end stay with the allocator when they are freed.
        let mut pieces: Vec<Vec<u8>> = (0..20_000).map(|_| vec![1; 2000]).collect();
        let last = pieces.pop();
        drop(pieces);
        give_back();
        let after = resident().expect("it is told");
        assert!(after < before + 20_000_000, "{before} {after}");
        drop(last);
    }
}
