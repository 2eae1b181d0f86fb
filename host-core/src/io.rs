//! Sockets as user code holds them: they close on drop, and know the loop that watches them.

mod listener;
pub(crate) mod queues;
pub(crate) mod registry;
mod stream;

pub use listener::Listener;
pub use stream::Stream;

use crate::id::SocketId;
use crate::sys::Readiness;

/// Which socket is ready, and for what.
///
/// A hint: by the time it is read another callback may have taken the bytes, and the read then answers
/// that there is nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ready {
    /// The socket; compare with [`Stream::id`] and [`Listener::id`].
    pub socket: SocketId,
    /// What holds of it, within the interest that was declared.
    pub readiness: Readiness,
}
