//! A simulated process is a coroutine, and a system call that takes time is a yield.
//!
//! This file alone may use `unsafe`: the yielder that a coroutine's body is given lives on that
//! coroutine's own stack, and the process's system needs it in every call without a lifetime.
#![allow(unsafe_code, reason = "the yielder is kept as a pointer, see the head of this file")]

use corosensei::stack::DefaultStack;
use corosensei::{Coroutine, CoroutineResult, Yielder};
use std::cell::Cell;
use std::ptr;

/// A running or suspended process body.
pub(crate) struct Body {
    coroutine: Coroutine<(), (), (), DefaultStack>,
}

/// The process's own way to give way to the others.
pub(crate) struct Gate {
    yielder: Cell<*const Yielder<(), ()>>,
}

impl Gate {
    pub(crate) fn new() -> Self {
        Self { yielder: Cell::new(ptr::null()) }
    }

    /// Gives way; comes back when the scheduler resumes this process.
    ///
    /// # Panics
    /// Outside the body that [`Body::new`] was given this gate for.
    pub(crate) fn give_way(&self) {
        let yielder = self.yielder.get();
        assert!(!yielder.is_null(), "only a process that runs can give way");
        // SAFETY: the pointer is set by the body below for exactly as long as that body runs, on whose
        // stack the yielder lives; `Gate` is neither `Send` nor reachable from another coroutine's code,
        // since each process has a system of its own.
        unsafe { (*yielder).suspend(()) };
    }
}

/// Clears the pointer when the body ends, also by unwinding.
struct Open<'a>(&'a Gate);

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.0.yielder.set(ptr::null());
    }
}

impl Body {
    /// A process that will run `code` with `gate` open.
    pub(crate) fn new(stack: DefaultStack, gate: std::rc::Rc<Gate>, code: impl FnOnce() + 'static) -> Self {
        let coroutine = Coroutine::with_stack(stack, move |yielder: &Yielder<(), ()>, ()| {
            gate.yielder.set(yielder);
            let _open = Open(&gate);
            code();
        });
        Self { coroutine }
    }

    /// Runs it until it gives way or ends; whether it ended.
    pub(crate) fn resume(&mut self) -> bool {
        match self.coroutine.resume(()) {
            CoroutineResult::Yield(()) => false,
            CoroutineResult::Return(()) => true,
        }
    }

    /// Ends it: unwinds a suspended body so that its destructors run, and gives its stack back.
    pub(crate) fn bury(mut self) -> Option<DefaultStack> {
        if self.coroutine.started() && !self.coroutine.done() {
            self.coroutine.force_unwind();
        }
        self.coroutine.done().then(|| self.coroutine.into_stack())
    }
}

/// Stacks that are used again: mapping one costs more than most simulated processes run for.
#[derive(Default)]
pub(crate) struct Stacks {
    free: Vec<DefaultStack>,
}

/// Enough for user code that formats, parses and prints a backtrace.
const STACK_BYTES: usize = 256 * 1024;

impl Stacks {
    pub(crate) fn take(&mut self) -> DefaultStack {
        self.free.pop().unwrap_or_else(|| DefaultStack::new(STACK_BYTES).expect("memory for a stack"))
    }

    pub(crate) fn give_back(&mut self, stack: DefaultStack) {
        self.free.push(stack);
    }
}
