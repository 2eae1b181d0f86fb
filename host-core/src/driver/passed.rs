//! Which listener takes which of the descriptors that were passed to this process (sd_listen_fds(3)).
//!
//! By name. Where no descriptor has the name of any listener, and there are as many of these as of those, in their
//! order: a socket unit that says nothing else calls its descriptors after itself.

use crate::app::Listen;
use crate::error::Mistake;
use crate::sys::{Errno, Handle, Passed, Place};
use alloc::borrow::ToOwned as _;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

/// For each of `listens` what it takes. What nobody takes, and what is no listener, is a mistake like any other.
pub(super) fn assign(
    passed: &[Passed],
    listens: &[Listen],
    spread: &[&str],
    mistakes: &mut Vec<Mistake>,
) -> Vec<Option<(Handle, Place)>> {
    let has_name = |name: &str| listens.iter().any(|listen| listen.name == name) || spread.contains(&name);
    let by_name = passed.iter().any(|passed| has_name(&passed.name)) || passed.len() != listens.len();
    let mut taken: Vec<Option<&Passed>> = listens.iter().map(|_| None).collect();
    for (index, passed) in passed.iter().enumerate() {
        let place = if by_name { listens.iter().position(|l| l.name == passed.name) } else { Some(index) };
        let wanted = match place {
            Some(place) if taken[place].is_none() => {
                taken[place] = Some(passed);
                match passed.listener {
                    Ok(_) => continue,
                    Err(Errno::BADF) => "must be open and inherited: LISTEN_FDS says that it is there".into(),
                    Err(errno) => format!("must be a stream socket that listens: {errno}"),
                }
            }
            Some(_) => {
                "each listener takes one: give the others names of their own (FileDescriptorName=)".into()
            }
            None if spread.contains(&&*passed.name) => {
                "the listener of that name is spread over a fleet, which binds its sockets itself".into()
            }
            None => {
                let names: Vec<_> = listens.iter().map(|listen| listen.name.as_str()).collect();
                match &*names {
                    [] => "there is no listener to take it: App::listen(name, address)".to_owned(),
                    names => format!(
                        "must be called like a listener (FileDescriptorName=), one of: {}",
                        names.join(", ")
                    ),
                }
            }
        };
        mistakes.push(Mistake {
            field: format!("passed descriptor {}", passed.number),
            found: found(passed),
            wanted,
        });
    }
    taken.into_iter().map(|passed| passed.and_then(|passed| passed.listener.ok())).collect()
}

fn found(passed: &Passed) -> String {
    let name = passed.name.escape_debug();
    match passed.listener {
        Ok((_, place)) => format!("`{name}`, at {place}"),
        Err(_) => format!("`{name}`"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    fn passed(number: u32, name: &str, errno: Option<Errno>) -> Passed {
        let place = Place::Ip(format!("127.0.0.1:{number}").parse().unwrap());
        let handle = Handle::from_raw(number.into());
        let listener = errno.map_or(Ok((handle, place)), Err);
        Passed { number, name: name.into(), listener }
    }

    /// The numbers of what each listener takes, and what is told.
    fn assigned(sockets: &[Passed], listens: &[&str], spread: &[&str]) -> (Vec<u64>, Vec<String>) {
        let listens: Vec<_> = listens.iter().map(|name| Listen::new(*name, "127.0.0.1:0")).collect();
        let mut mistakes = Vec::new();
        let taken = assign(sockets, &listens, spread, &mut mistakes);
        let taken = taken.iter().map(|taken| taken.map_or(0, |(handle, _)| handle.raw())).collect();
        (taken, mistakes.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn who_takes_what() {
        type Row = (&'static str, &'static [(u32, &'static str)], &'static [&'static str], &'static [u64]);
        let rows: &[Row] = &[
            ("nothing was passed", &[], &["web"], &[0]),
            ("by name, whatever the order", &[(3, "jobs"), (4, "web")], &["web", "jobs"], &[4, 3]),
            ("the others bind their own", &[(3, "jobs")], &["web", "jobs"], &[0, 3]),
            (
                "in order, where no name is known",
                &[(3, "x.socket"), (4, "x.socket")],
                &["web", "jobs"],
                &[3, 4],
            ),
            ("one, of whatever name", &[(3, "unknown")], &["web"], &[3]),
        ];
        for (name, sockets, listens, expected) in rows {
            let sockets: Vec<_> = sockets.iter().map(|(number, name)| passed(*number, name, None)).collect();
            assert_eq!(assigned(&sockets, listens, &[]), (expected.to_vec(), Vec::new()), "{name}");
        }
    }

    #[test]
    fn what_is_left_over_is_told_with_what_to_do() {
        let two = |one, other| [passed(3, one, None), passed(4, other, None)];
        let (taken, told) = assigned(&two("web", "x"), &["web", "jobs"], &[]);
        assert_eq!(taken, [3, 0]);
        assert_eq!(
            told,
            [
                "passed descriptor 4 is `x`, at 127.0.0.1:4, but must be called like a listener (FileDescriptorName=), one of: web, jobs"
            ]
        );
        let (_, told) = assigned(&two("web", "web"), &["web"], &[]);
        assert_eq!(
            told,
            [
                "passed descriptor 4 is `web`, at 127.0.0.1:4, but each listener takes one: give the others names of their own (FileDescriptorName=)"
            ]
        );
        let (taken, told) = assigned(&two("x", "y"), &["web"], &[]);
        assert_eq!((taken, told.len()), ([0].to_vec(), 2), "which of them is it?");
        let (_, told) = assigned(&[passed(3, "x", None)], &[], &[]);
        assert!(told[0].ends_with("there is no listener to take it: App::listen(name, address)"), "{told:?}");
        let (taken, told) = assigned(&[passed(3, "lanes", None)], &["web"], &["lanes"]);
        assert_eq!(taken, [0]);
        assert!(told[0].contains("is spread over a fleet"), "{told:?}");
    }

    #[test]
    fn what_is_no_listener_is_told() {
        for (errno, words) in [
            (
                Errno::NOTSOCK,
                "passed descriptor 3 is `web`, but must be a stream socket that listens: not a socket (ENOTSOCK)",
            ),
            (
                Errno::BADF,
                "passed descriptor 3 is `web`, but must be open and inherited: LISTEN_FDS says that it is there",
            ),
        ] {
            let (taken, told) = assigned(&[passed(3, "web", Some(errno))], &["web"], &[]);
            assert_eq!((taken, told), ([0].to_vec(), [words.to_owned()].to_vec()));
        }
    }
}
