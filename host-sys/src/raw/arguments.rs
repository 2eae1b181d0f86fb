//! The memory that the kernel shows as the arguments of this process (`/proc/PID/cmdline`).
//!
//! # Safety
//!
//! Only for a process of one thread, as each is just after its birth: nobody reads the arguments meanwhile.

#![allow(unsafe_code, reason = "the kernel looks for the title where a program is handed its arguments")]

use std::ffi::{CStr, CString, c_char, c_int};
use std::ptr;
use std::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};

/// The array of pointers that this program was started with, as glibc tells each initialiser; null with
/// another libc, which tells none.
static VECTOR: AtomicPtr<*mut c_char> = AtomicPtr::new(ptr::null_mut());
/// Where the strings are that it pointed to at first, and how long they are together.
static AREA: AtomicPtr<c_char> = AtomicPtr::new(ptr::null_mut());
static AREA_LENGTH: AtomicUsize = AtomicUsize::new(0);

#[cfg(target_env = "gnu")]
#[used]
// SAFETY: the section holds functions of this type, which glibc calls before main.
#[unsafe(link_section = ".init_array")]
static AT_START: extern "C" fn(c_int, *mut *mut c_char, *mut *mut c_char) = {
    extern "C" fn at_start(_: c_int, vector: *mut *mut c_char, _: *mut *mut c_char) {
        VECTOR.store(vector, Ordering::Relaxed);
    }
    at_start
};

/// Shows `title` in place of the arguments, as much of it as there is room. Says whether it could.
///
/// The strings move elsewhere first, so that `std::env::args` goes on to tell what it told before. Only for
/// a process of one thread: it must not read its arguments meanwhile.
pub(crate) fn overwrite_arguments(title: &[u8]) -> bool {
    if AREA.load(Ordering::Relaxed).is_null() {
        move_out();
    }
    let (area, length) = (AREA.load(Ordering::Relaxed), AREA_LENGTH.load(Ordering::Relaxed));
    // The last byte stays zero: from a title that fills all the room the kernel would read on, into the
    // environment.
    let Some(room) = length.checked_sub(1) else { return false };
    let shown = title.len().min(room);
    // SAFETY: the area is so long, writable, and ours: `move_out` has left nobody who points into it.
    unsafe { ptr::copy_nonoverlapping(title.as_ptr().cast(), area, shown) };
    // SAFETY: as above.
    unsafe { ptr::write_bytes(area.add(shown), 0, length - shown) };
    true
}

/// Lets each entry of the vector that points into the area point to a copy instead.
fn move_out() {
    let vector = VECTOR.load(Ordering::Relaxed);
    if vector.is_null() {
        return;
    }
    let mut end = ptr::null_mut::<c_char>();
    for index in 0.. {
        // SAFETY: the entries before this one were not null, so this one exists (execve(2)).
        let entry = unsafe { vector.add(index) };
        // SAFETY: as above.
        let string = unsafe { *entry };
        if string.is_null() {
            break;
        }
        if index == 0 {
            AREA.store(string, Ordering::Relaxed);
        } else if string != end {
            // Somebody has let this entry point elsewhere: the area ends before it.
            break;
        }
        // SAFETY: an argument ends with a zero byte and lives as long as the process.
        let text: CString = unsafe { CStr::from_ptr(string) }.into();
        // SAFETY: within the area, or one past its end.
        end = unsafe { string.add(text.as_bytes_with_nul().len()) };
        // SAFETY: the vector is writable (C11 5.1.2.2.1), and the one thread that there is is here.
        unsafe { *entry = text.into_raw() };
    }
    let base = AREA.load(Ordering::Relaxed);
    AREA_LENGTH.store((end as usize).saturating_sub(base as usize), Ordering::Relaxed);
}
