//! Memory that a process and the children that it forks later share.
//!
//! # Safety
//!
//! The words are atomic, and nobody but [`Shared`] knows where they are.

#![allow(unsafe_code, reason = "memory that processes share has no safe interface")]

use rustix::io::Result;
use rustix::mm::{MapFlags, ProtFlags, mmap_anonymous, munmap};
use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;
use std::ptr::{self, NonNull};
use std::sync::atomic::AtomicU64;

/// So many words on a line: two lines of 64 bytes, which the processor fetches in pairs, so that the
/// writer of one line does not slow down that of the next.
pub(crate) const LINE: usize = 16;

/// Words that processes share, in lines. All are zero at first.
#[repr(C, align(128))]
pub(crate) struct Line(pub(crate) [AtomicU64; LINE]);

const _: () = assert!(size_of::<Line>() == 128);

/// Lines in shared anonymous memory (mmap(2)).
pub(crate) struct Shared {
    base: NonNull<Line>,
    count: usize,
    owns: PhantomData<Line>,
}

impl Shared {
    pub(crate) fn new(count: usize) -> Result<Self> {
        // There is no mapping of nothing.
        let length = count.max(1) * size_of::<Line>();
        let (access, flags) = (ProtFlags::READ | ProtFlags::WRITE, MapFlags::SHARED);
        // SAFETY: a null pointer lets the kernel choose a place where nothing is.
        let base = unsafe { mmap_anonymous(ptr::null_mut(), length, access, flags) }?;
        let base = NonNull::new(base.cast()).expect("the kernel maps nothing at zero unless it is asked to");
        Ok(Self { base, count, owns: PhantomData })
    }
}

impl Deref for Shared {
    type Target = [Line];

    #[inline]
    fn deref(&self) -> &[Line] {
        // SAFETY: the mapping is so long, at least as aligned (a page), and lives as long as `self`; zeros are
        // valid words, and words are atomic, so that other processes may write them meanwhile.
        unsafe { std::slice::from_raw_parts(self.base.as_ptr(), self.count) }
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        let length = self.count.max(1) * size_of::<Line>();
        // SAFETY: the mapping that `new` made; whoever borrowed from it has borrowed `self`, which ends here.
        let _ = unsafe { munmap(self.base.as_ptr().cast(), length) };
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").field("lines", &self.count).finish()
    }
}
