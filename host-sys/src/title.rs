//! The title of a process, as ps(1) and top(1) show it.

use crate::raw;
use std::ffi::CStr;

/// The longest name of a thread that the kernel keeps (PR_SET_NAME: 16 bytes with the zero).
const NAME_MAX: usize = 15;

/// Makes `title` the title of this process: its beginning as the name of its thread, and all of it, or
/// what there is room for, in the place of its arguments.
pub(crate) fn set(title: &str) {
    let title = printable(title);
    let mut name = [0; NAME_MAX + 1];
    let length = title.floor_char_boundary(NAME_MAX);
    name[..length].copy_from_slice(&title.as_bytes()[..length]);
    if let Ok(name) = CStr::from_bytes_until_nul(&name) {
        let _ = rustix::thread::set_name(name);
    }
    // Where it is not possible, the name says the most important.
    let _ = raw::overwrite_arguments(title.as_bytes());
}

/// Up to the first zero byte, which would end it for whoever reads it.
fn printable(title: &str) -> &str {
    title.split('\0').next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_title_ends_before_a_zero_byte() {
        for (given, shown) in [("", ""), ("echo", "echo"), ("a\0b", "a"), ("\0", "")] {
            assert_eq!(printable(given), shown);
        }
    }
}
