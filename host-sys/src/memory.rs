//! How much memory a child has, as /proc tells it.

use host_core::fleet::memory::MemoryFigure;
use host_core::sys::Pid;
use rustix::fs::{Mode, OFlags, open};
use rustix::io::{Errno, Result, read, retry_on_intr};
use std::io::Write as _;

/// More than the line of `statm` has, and enough of `smaps_rollup` for the line that is wanted.
const READ_MAX: usize = 1024;

/// The memory of process `pid` in bytes, which must be that of a child that was not reaped.
pub(crate) fn of(pid: Pid, figure: MemoryFigure) -> Result<u64> {
    let mut bytes = [0; READ_MAX];
    match figure {
        MemoryFigure::Rss => {
            let pages = resident(contents(pid, "statm", &mut bytes)?).ok_or(Errno::IO)?;
            Ok(pages.saturating_mul(rustix::param::page_size() as u64))
        }
        // One that has ended has no page tables to walk: it reads as nothing.
        MemoryFigure::Pss => match contents(pid, "smaps_rollup", &mut bytes)? {
            [] => Ok(0),
            text => Ok(proportional(text).ok_or(Errno::IO)?.saturating_mul(1024)),
        },
    }
}

/// In one read: the kernel makes the text when it is asked for.
fn contents<'a>(pid: Pid, name: &str, bytes: &'a mut [u8; READ_MAX]) -> Result<&'a [u8]> {
    let mut path = [0; 48];
    write!(&mut path[..], "/proc/{pid}/{name}").map_err(|_| Errno::NAMETOOLONG)?;
    let length = path.iter().position(|byte| *byte == 0).ok_or(Errno::NAMETOOLONG)?;
    let file = retry_on_intr(|| open(&path[..length], OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()))?;
    let count = retry_on_intr(|| read(&file, &mut bytes[..]))?;
    Ok(&bytes[..count])
}

/// The second number of `statm`: pages in main memory.
fn resident(text: &[u8]) -> Option<u64> {
    number(str::from_utf8(text).ok()?.split(' ').nth(1)?)
}

/// The line `Pss:               1234 kB`.
fn proportional(text: &[u8]) -> Option<u64> {
    let line = str::from_utf8(text).ok()?.lines().find_map(|line| line.strip_prefix("Pss:"))?;
    number(line.strip_suffix("kB")?.trim())
}

fn number(word: &str) -> Option<u64> {
    word.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_found_in_what_the_kernel_writes_and_nothing_else_is_taken_for_one() {
        assert_eq!(resident(b"1263 474 421 5 0 110 0\n"), Some(474));
        assert_eq!(resident(b"0 0 0 0 0 0 0\n"), Some(0));
        for text in [&b""[..], b"1263", b"1263 x 3", b"\xff 1 2"] {
            assert_eq!(resident(text), None, "{text:?}");
        }
        let rollup = b"55d0-7ffc ---p 00000000 00:00 0    [rollup]\nRss:     1896 kB\nPss:      463 kB\nPss_Dirty:  88 kB\n";
        assert_eq!(proportional(rollup), Some(463));
        for text in [&b""[..], b"Rss: 1 kB\n", b"Pss: 1 MB\n", b"Pss: kB\n"] {
            assert_eq!(proportional(text), None, "{text:?}");
        }
    }

    #[test]
    fn this_process_has_some_memory_by_both_figures_and_shares_some_of_it() {
        let this = Pid(std::process::id());
        let (rss, pss) = (of(this, MemoryFigure::Rss).unwrap(), of(this, MemoryFigure::Pss).unwrap());
        assert!(rss > 100 << 10, "{rss} bytes");
        assert!(pss > 10 << 10 && pss <= rss + (1 << 20), "{pss} of {rss} bytes");
    }

    #[test]
    fn what_was_allocated_and_written_to_counts() {
        const MORE: usize = 32 << 20;
        let this = Pid(std::process::id());
        let before = of(this, MemoryFigure::Rss).unwrap();
        let block = std::hint::black_box(vec![1_u8; MORE]);
        let after = of(this, MemoryFigure::Rss).unwrap();
        assert!(after >= before + MORE as u64 / 2, "{before} and {after} bytes");
        drop(block);
    }

    #[test]
    fn of_a_process_that_there_is_not_nothing_is_read() {
        // Numbers end below 2^22 (proc(5), pid_max).
        assert_eq!(of(Pid(1 << 23), MemoryFigure::Rss), Err(Errno::NOENT));
    }
}
