//! S41: a pid file is empty or has a whole number; one host has it at a time, and nobody else removes it.
//!
//! Looked at after each call for such a file and after each event: as a reader would who looks at any moment.

use crate::check::Violation;
use crate::kernel::pid_files::PidFile;
use crate::kernel::{Index, Kernel};
use host_core::error::exit;
use host_core::sys::ExitStatus;

impl Kernel {
    /// Whatever has just happened.
    pub(crate) fn check_pid_files(&mut self) {
        if let Some(detail) = self.disk.pid_files.iter().find_map(|file| self.wrong_with(file)) {
            self.violate(Violation::new("S41", detail));
        }
    }

    fn wrong_with(&self, file: &PidFile) -> Option<String> {
        let PidFile { path, text, .. } = file;
        let is_empty = text.iter().all(u8::is_ascii_whitespace);
        if file.is_named && !is_empty && !file.valid.contains(text) {
            return Some(format!("`{path}` reads {:?}", String::from_utf8_lossy(text)));
        }
        let owner = file.taken_by.filter(|owner| !file.is_lost && self.is_living_host(*owner))?;
        let name = &self.processes[owner as usize].name;
        if file.lock.is_none_or(|(_, by)| by != owner) {
            return Some(format!("`{name}` has `{path}`, and not its lock"));
        }
        let others = self.disk.pid_files.iter().filter(|other| other.path == *path && !other.is_lost);
        let mut others = others.filter_map(|other| other.taken_by).filter(|other| *other != owner);
        let other = others.find(|other| self.is_living_host(*other))?;
        Some(format!(
            "`{name}` has `{path}`, and so has process {other}, `{}`",
            self.processes[other as usize].name
        ))
    }

    fn is_living_host(&self, index: Index) -> bool {
        self.hosts.contains(&index) && self.processes[index as usize].is_living()
    }

    /// A process is told that `owner` has the file.
    pub(crate) fn check_refusal(&mut self, me: Index, file: usize, owner: Index) {
        if !self.hosts.contains(&me) {
            return;
        }
        if self.processes[owner as usize].is_living() {
            self.process(me).truth.kept_out = true;
            return;
        }
        let (name, path) = (&self.processes[owner as usize].name, &self.disk.pid_files[file].path);
        let detail = format!("`{path}` is locked, and `{name}`, who has locked it, has ended");
        self.violate(Violation::new("S41", detail));
    }

    /// A process removes the file.
    pub(crate) fn check_removal(&mut self, me: Index, file: usize) {
        let found = &self.disk.pid_files[file];
        if self.hosts.contains(&me) && found.lock.is_none_or(|(_, by)| by != me) {
            let name = &self.processes[me as usize].name;
            let detail = format!("`{name}` removes `{}`, which it has not locked", found.path);
            self.violate(Violation::new("S41", detail));
        }
    }

    /// A process has ended: whoever comes to its end by itself has left its file before.
    pub(crate) fn check_pid_files_of_the_dead(&mut self, index: Index, status: ExitStatus) {
        let by_itself =
            matches!(status, ExitStatus::Code(code) if code != exit::KICKED && code != exit::PANICKED);
        if !by_itself || !self.hosts.contains(&index) {
            return;
        }
        let had = |file: &&PidFile| file.is_named && file.taken_by == Some(index);
        if let Some(PidFile { path, .. }) = self.disk.pid_files.iter().find(had) {
            let detail =
                format!("`{}` ended with {status} and left `{path}`", self.processes[index as usize].name);
            self.violate(Violation::new("S41", detail));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::choice::Choices;
    use crate::kernel::process::Process;
    use host_core::sys::{Handle, Signal};

    const PATH: &str = "/run/x.pid";

    /// A machine with two hosts.
    fn machine() -> Kernel {
        let mut kernel = Kernel::new(Choices::seeded(0), false);
        for index in 0..2 {
            kernel.processes.push(Process::new(format!("host {index}")));
            kernel.hosts.push(index);
            kernel.give_number(index);
        }
        kernel.host = Some(0);
        kernel
    }

    fn take(kernel: &mut Kernel, host: Index) -> Handle {
        let file = kernel.pid_file_open(host, PATH).expect("it may");
        kernel.pid_file_lock(host, file).expect("nobody has it");
        kernel.pid_file_taken(host, file);
        file
    }

    fn write(kernel: &mut Kernel, host: Index, text: &str) {
        let file = take(kernel, host);
        kernel.pid_file_write(host, file, text.as_bytes()).expect("there is room");
    }

    #[test]
    fn each_departure_is_seen() {
        type Row = (&'static str, fn(&mut Kernel), Option<&'static str>);
        let rows: [Row; 10] = [
            ("its number", |kernel| write(kernel, 0, "2\n"), None),
            ("nothing but space", |kernel| write(kernel, 0, "\n\n"), None),
            ("another number", |kernel| write(kernel, 0, "3\n"), Some("`/run/x.pid` reads \"3\\n\"")),
            ("a part of it", |kernel| write(kernel, 0, "2"), Some("`/run/x.pid` reads \"2\"")),
            (
                "no lock",
                |kernel| {
                    let file = kernel.pid_file_open(0, PATH).expect("it may");
                    kernel.pid_file_taken(0, file);
                },
                Some("`host 0` has `/run/x.pid`, and not its lock"),
            ),
            (
                "a file of two",
                |kernel| {
                    take(kernel, 0);
                    kernel.disk.pid_files[0].is_named = false;
                    take(kernel, 1);
                },
                Some("`host 0` has `/run/x.pid`, and so has process 1, `host 1`"),
            ),
            (
                "two, one after the other was killed",
                |kernel| {
                    take(kernel, 0);
                    kernel.end(0, ExitStatus::by(Signal::Kill));
                    take(kernel, 1);
                },
                None,
            ),
            (
                "a removal by another",
                |kernel| {
                    take(kernel, 0);
                    kernel.pid_file_unlink(1, PATH).expect("it may");
                },
                Some("`host 1` removes `/run/x.pid`, which it has not locked"),
            ),
            (
                "an end that leaves it",
                |kernel| {
                    take(kernel, 0);
                    kernel.end(0, ExitStatus::Code(0));
                },
                Some("`host 0` ended with exit status 0 and left `/run/x.pid`"),
            ),
            (
                "a lock that outlives its host",
                |kernel| {
                    let file = take(kernel, 0);
                    let kept = kernel.file(0, file).expect("it is open");
                    kernel.name_again(kept);
                    kernel.end(0, ExitStatus::by(Signal::Kill));
                    let file = kernel.pid_file_open(1, PATH).expect("it may");
                    kernel.pid_file_lock(1, file).expect_err("it is locked");
                },
                Some("`/run/x.pid` is locked, and `host 0`, who has locked it, has ended"),
            ),
        ];
        for (what, happens, expected) in rows {
            let mut kernel = machine();
            happens(&mut kernel);
            kernel.check_pid_files();
            let found = kernel.violation.map(|found| (found.id, found.detail));
            assert_eq!(found, expected.map(|detail| ("S41", detail.to_owned())), "{what}");
        }
    }
}
