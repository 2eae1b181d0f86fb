//! Pid files of a simulated process: the calls that `host_core` makes for them, each of which takes time.

use super::SimSys;
use crate::kernel::Kernel;
use host_core::sys::pid_file::{PidFileCalls, leave, take};
use host_core::sys::{Errno, Handle, Pid, PidFileError};

/// A path, as one process uses it.
struct Path<'a> {
    sys: &'a SimSys,
    path: &'a str,
}

impl Path<'_> {
    /// A system call, after which a fault may strike.
    fn call<T>(&self, code: impl FnOnce(&mut Kernel) -> T) -> T {
        let answer = self.sys.call(|kernel| {
            let answer = code(kernel);
            kernel.check_pid_files();
            kernel.cut_pid_file(self.sys.me);
            answer
        });
        self.sys.stop_here_if_dead();
        answer
    }
}

impl PidFileCalls for Path<'_> {
    type File = Handle;

    fn open(&self) -> Result<Handle, Errno> {
        self.call(|kernel| kernel.pid_file_open(self.sys.me, self.path))
    }

    fn lock(&self, file: &Handle) -> Result<(), Errno> {
        self.call(|kernel| kernel.pid_file_lock(self.sys.me, *file))
    }

    fn is_there(&self, file: &Handle) -> bool {
        self.call(|kernel| kernel.pid_file_is_there(self.sys.me, *file, self.path))
    }

    fn read(&self, file: &Handle, buffer: &mut [u8]) -> Result<usize, Errno> {
        self.call(|kernel| kernel.pid_file_read(self.sys.me, *file, buffer))
    }

    fn empty(&self, file: &Handle) -> Result<(), Errno> {
        self.call(|kernel| kernel.pid_file_empty(self.sys.me, *file))
    }

    fn write(&self, file: &Handle, bytes: &[u8]) -> Result<usize, Errno> {
        self.call(|kernel| kernel.pid_file_write(self.sys.me, *file, bytes))
    }

    fn unlink(&self) -> Result<(), Errno> {
        self.call(|kernel| kernel.pid_file_unlink(self.sys.me, self.path))
    }

    fn close(&self, file: Handle) {
        self.call(|kernel| kernel.close(self.sys.me, file));
    }
}

impl SimSys {
    pub(super) fn take_pid_file(&self, path: &str) -> Result<Handle, PidFileError> {
        let number = self.kernel.borrow_mut().process(self.me).number.unwrap_or(Pid(0));
        let file = take(&Path { sys: self, path }, number)?;
        let kernel = &mut *self.kernel.borrow_mut();
        kernel.pid_file_taken(self.me, file);
        kernel.check_pid_files();
        Ok(file)
    }

    /// A handle is about to be closed: if it is that of a pid file of this process, the file is removed before.
    pub(super) fn leave_pid_file(&self, handle: Handle) {
        let path = self.kernel.borrow().has_pid_file(self.me, handle).map(str::to_owned);
        if let Some(path) = path {
            leave(&Path { sys: self, path: &path }, &handle);
            self.kernel.borrow_mut().pid_file_left(self.me, handle);
        }
    }
}
