//! The small values that facts and orders are made of.

use super::bytes::{In, Out, Wrong};
use super::wire::{Numbered, Wire, fields, variants};
use crate::fleet::beat::{Beat, Pace};
use crate::fleet::lanes::Lanes;
use crate::fleet::message::{FromWorker, Garbled};
use crate::id::{FleetId, ServiceId, Slot, SocketId, WorkerId};
use crate::service::kick::Callback;
use crate::sys::{
    ConfineError, Errno, ExitStatus, ForkError, Interest, Limit, Pid, Readiness, Signal, SlotReading, Step,
    UnixPath,
};
use crate::time::{Duration, Instant, WallTime};
use core::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};

variants! {
    Callback {
        1 = Connect;
        2 = Prepare;
        3 = Receive;
        4 = Wake;
        5 = Stop;
        6 = Drain;
    }
    Pace {
        1 = Waiting;
        2 = Busy;
    }
    FromWorker {
        1 = Ready;
        2 = ServedEnough;
        3 = Extended;
        4 = LeftWaiting;
        5 = Leaves;
        6 = Unconfined(error);
    }
    Limit {
        1 = OpenFiles;
        2 = Processes;
        3 = AddressSpace;
        4 = Data;
        5 = Stack;
        6 = LockedMemory;
        7 = FileSize;
        8 = Core;
        9 = CpuSeconds;
    }
    Step {
        1 = Limit(limit);
        2 = Nice;
        3 = Groups;
        4 = Chroot;
        5 = WorkingDirectory;
        6 = Group;
        7 = User;
        8 = Capabilities;
        9 = HostDeath;
        10 = Dumpable;
        11 = NoNewPrivs;
    }
    ExitStatus {
        1 = Code(code);
        2 = Signal { number, core };
        3 = Unknown;
    }
    ForkError {
        1 = Threads { count };
        2 = System { call, errno };
    }
}

fields! {
    ConfineError { step, errno }
    Garbled { first, length }
    WorkerId { fleet, slot, incarnation }
    Beat { at, pace }
    SlotReading { beat, extended_until, requests, connections }
}

/// Ids and moments: a number and what is made of it.
macro_rules! wrapped {
    ($($type:ident: $number:ident, $new:expr, $inner:expr;)*) => { $(
        impl Wire for $type {
            #[inline]
            fn put(&self, out: &mut Out) {
                let inner: fn(Self) -> $number = $inner;
                inner(*self).put(out);
            }

            #[inline]
            fn take(input: &mut In<'_>) -> Result<Self, Wrong> {
                $number::take(input).map($new)
            }
        }
    )* };
}

wrapped! {
    ServiceId: u32, ServiceId::new, ServiceId::number;
    FleetId: u16, FleetId::new, |fleet| fleet.index() as u16;
    Slot: u16, Slot::new, Slot::number;
    Pid: u32, Pid, |pid| pid.0;
    Instant: u64, Instant::from_nanos, Instant::as_nanos;
}

/// Seat and generation apart: both are small numbers.
impl Wire for SocketId {
    #[inline]
    fn put(&self, out: &mut Out) {
        out.number(self.index() as u64);
        out.number(self.generation().into());
    }

    #[inline]
    fn take(input: &mut In<'_>) -> Result<Self, Wrong> {
        Ok(Self::new(u32::take(input)?, u32::take(input)?))
    }
}

impl Wire for Interest {
    #[inline]
    fn put(&self, out: &mut Out) {
        let Self { readable, writable } = *self;
        out.byte(u8::from(readable) | u8::from(writable) << 1);
    }

    #[inline]
    fn take(input: &mut In<'_>) -> Result<Self, Wrong> {
        let bits = flags::<2>(input, "interest")?;
        Ok(Self { readable: bits[0], writable: bits[1] })
    }
}

impl Wire for Readiness {
    #[inline]
    fn put(&self, out: &mut Out) {
        let Self { readable, writable, ended } = *self;
        out.byte(u8::from(readable) | u8::from(writable) << 1 | u8::from(ended) << 2);
    }

    #[inline]
    fn take(input: &mut In<'_>) -> Result<Self, Wrong> {
        let bits = flags::<3>(input, "readiness")?;
        Ok(Self { readable: bits[0], writable: bits[1], ended: bits[2] })
    }
}

fn flags<const N: usize>(input: &mut In<'_>, what: &'static str) -> Result<[bool; N], Wrong> {
    let byte = input.byte(what)?;
    if u32::from(byte) >> N != 0 {
        return Err(Wrong::Number { wanted: what, found: byte.into() });
    }
    Ok(core::array::from_fn(|bit| byte & 1 << bit != 0))
}

impl Wire for Lanes {
    fn put(&self, out: &mut Out) {
        let bytes = self.bytes();
        out.number(bytes.len() as u64);
        out.bytes.extend_from_slice(&bytes);
    }

    fn take(input: &mut In<'_>) -> Result<Self, Wrong> {
        let length = input.count("set of lanes")?;
        Self::of_bytes(input.slice(length, "set of lanes")?).ok_or(Wrong::Text("set of lanes"))
    }
}

impl Wire for Signal {
    fn put(&self, out: &mut Out) {
        out.byte(self.number());
    }

    fn take(input: &mut In<'_>) -> Result<Self, Wrong> {
        let found = input.byte("signal")?;
        Self::from_number(found.into()).ok_or_else(|| Wrong::Number { wanted: "signal", found: found.into() })
    }
}

/// Any number is allowed, also one that no system has.
impl Wire for Errno {
    fn put(&self, out: &mut Out) {
        self.raw().cast_unsigned().put(out);
    }

    fn take(input: &mut In<'_>) -> Result<Self, Wrong> {
        u32::take(input).map(|number| Self::from_raw(number.cast_signed()))
    }
}

impl Wire for Duration {
    fn put(&self, out: &mut Out) {
        self.as_secs().put(out);
        self.subsec_nanos().put(out);
    }

    fn take(input: &mut In<'_>) -> Result<Self, Wrong> {
        let (seconds, nanos) = (u64::take(input)?, u32::take(input)?);
        if nanos >= 1_000_000_000 {
            return Err(Wrong::Number { wanted: "part of a second", found: nanos.into() });
        }
        Ok(Self::new(seconds, nanos))
    }
}

impl Wire for WallTime {
    fn put(&self, out: &mut Out) {
        out.bytes.extend_from_slice(&self.0.to_le_bytes());
    }

    fn take(input: &mut In<'_>) -> Result<Self, Wrong> {
        octets(input, "wall time").map(|bytes| Self(i128::from_le_bytes(bytes)))
    }
}

impl Wire for UnixPath {
    fn put(&self, out: &mut Out) {
        out.text(self.as_str());
    }

    fn take(input: &mut In<'_>) -> Result<Self, Wrong> {
        Self::new(input.text("path")?).ok_or(Wrong::Text("path"))
    }
}

impl Wire for SocketAddr {
    fn put(&self, out: &mut Out) {
        match self {
            Self::V4(address) => {
                out.byte(4);
                out.bytes.extend_from_slice(&address.ip().octets());
            }
            Self::V6(address) => {
                out.byte(6);
                out.bytes.extend_from_slice(&address.ip().octets());
                address.flowinfo().put(out);
                address.scope_id().put(out);
            }
        }
        self.port().put(out);
    }

    fn take(input: &mut In<'_>) -> Result<Self, Wrong> {
        match input.byte("address")? {
            4 => {
                let ip = Ipv4Addr::from(octets::<4>(input, "address")?);
                Ok(SocketAddrV4::new(ip, u16::take(input)?).into())
            }
            6 => {
                let ip = Ipv6Addr::from(octets::<16>(input, "address")?);
                let (flow, scope) = (u32::take(input)?, u32::take(input)?);
                Ok(SocketAddrV6::new(ip, u16::take(input)?, flow, scope).into())
            }
            found => Err(Wrong::Number { wanted: "kind of address", found: found.into() }),
        }
    }
}

fn octets<const N: usize>(input: &mut In<'_>, what: &'static str) -> Result<[u8; N], Wrong> {
    input.slice(N, what)?.try_into().map_err(|_| Wrong::Ends(what))
}

/// The calls that can fail, by number from 1; append-only, too. One that is not among them is recorded as
/// [`OTHER`]: names live as long as the program, and nobody makes new ones from bytes.
const CALLS: &[&str] = &[
    "epoll_wait",
    "epoll_ctl",
    "read of signalfd",
    "sigaction",
    "waitid",
    "socketpair",
    "fork",
    "pidfd_open",
    "stat of /proc/self/task",
    "mmap",
    "signalfd",
    "clone3",
    "reading /proc/self/task",
    "epoll_create1",
    "pipe2",
];

/// Number 0.
const OTHER: &str = "another call";

impl Wire for &'static str {
    fn put(&self, out: &mut Out) {
        let place = CALLS.iter().position(|call| call == self);
        out.byte(place.map_or(0, |place| place as u8 + 1));
    }

    fn take(input: &mut In<'_>) -> Result<Self, Wrong> {
        let found = input.byte("call")?;
        match usize::from(found).checked_sub(1) {
            None => Ok(OTHER),
            Some(place) => {
                CALLS.get(place).copied().ok_or_else(|| Wrong::Number { wanted: "call", found: found.into() })
            }
        }
    }
}
