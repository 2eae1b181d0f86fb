//! How a value becomes bytes: the trait, what it is for values of every kind, and the tables that all others stand in.

use super::bytes::{In, Out, Wrong};
use alloc::string::String;
use alloc::vec::Vec;

/// A value that can be written and read.
pub(crate) trait Wire: Sized {
    fn put(&self, out: &mut Out);
    fn take(input: &mut In<'_>) -> Result<Self, Wrong>;
}

/// One of several variants, each with a number that no other ever has.
pub(crate) trait Numbered: Wire {
    /// The variant of this number, whose fields follow.
    fn take_numbered(number: u8, input: &mut In<'_>) -> Result<Self, Wrong>;
}

/// A table of the variants of an enum: number, name, fields in the order in which they are written. The compiler
/// tells of a variant or a field that is missing, and of a number that stands there twice.
macro_rules! variants {
    ($($type:ident { $($number:literal = $variant:ident
        $({ $($field:ident),* $(,)? })? $(( $($place:ident),* ))? ;)* })*) => { $(
        impl Wire for $type {
            #[inline]
            fn put(&self, out: &mut Out) {
                match self {
                    $(Self::$variant $({ $($field),* })? $(( $($place),* ))? => {
                        out.byte($number);
                        $($($field.put(out);)*)?
                        $($($place.put(out);)*)?
                    })*
                }
            }

            #[inline]
            fn take(input: &mut In<'_>) -> Result<Self, Wrong> {
                let number = input.byte(stringify!($type))?;
                Self::take_numbered(number, input)
            }
        }

        impl Numbered for $type {
            #[deny(unreachable_patterns)]
            #[allow(unused_variables, reason = "not every enum has fields")]
            fn take_numbered(number: u8, input: &mut In<'_>) -> Result<Self, Wrong> {
                Ok(match number {
                    $($number => {
                        $($(let $field = Wire::take(input)?;)*)?
                        $($(let $place = Wire::take(input)?;)*)?
                        Self::$variant $({ $($field),* })? $(( $($place),* ))?
                    })*
                    found => return Err(Wrong::Number { wanted: stringify!($type), found: found.into() }),
                })
            }
        }
    )* };
}

/// A table of the fields of structs, in the order in which they are written.
macro_rules! fields {
    ($($type:ident { $($field:ident),* $(,)? })*) => { $(
        impl Wire for $type {
            #[inline]
            fn put(&self, out: &mut Out) {
                let Self { $($field),* } = self;
                $($field.put(out);)*
            }

            #[inline]
            fn take(input: &mut In<'_>) -> Result<Self, Wrong> {
                $(let $field = Wire::take(input)?;)*
                Ok(Self { $($field),* })
            }
        }
    )* };
}

pub(crate) use {fields, variants};

/// Numbers, as short as they can be.
macro_rules! numbers {
    ($($type:ident)*) => { $(
        impl Wire for $type {
            #[inline]
            fn put(&self, out: &mut Out) {
                out.number(u64::from(*self));
            }

            #[inline]
            fn take(input: &mut In<'_>) -> Result<Self, Wrong> {
                let found = input.number(stringify!($type))?;
                Self::try_from(found).map_err(|_| Wrong::Number { wanted: stringify!($type), found })
            }
        }
    )* };
}

numbers! { u16 u32 u64 }

impl Wire for u8 {
    fn put(&self, out: &mut Out) {
        out.byte(*self);
    }

    fn take(input: &mut In<'_>) -> Result<Self, Wrong> {
        input.byte("byte")
    }
}

impl Wire for i32 {
    fn put(&self, out: &mut Out) {
        self.cast_unsigned().put(out);
    }

    fn take(input: &mut In<'_>) -> Result<Self, Wrong> {
        u32::take(input).map(u32::cast_signed)
    }
}

impl Wire for bool {
    #[inline]
    fn put(&self, out: &mut Out) {
        out.byte(u8::from(*self));
    }

    #[inline]
    fn take(input: &mut In<'_>) -> Result<Self, Wrong> {
        match input.byte("yes or no")? {
            0 => Ok(false),
            1 => Ok(true),
            found => Err(Wrong::Number { wanted: "yes or no", found: found.into() }),
        }
    }
}

impl<T: Wire> Wire for Option<T> {
    fn put(&self, out: &mut Out) {
        self.is_some().put(out);
        if let Some(value) = self {
            value.put(out);
        }
    }

    fn take(input: &mut In<'_>) -> Result<Self, Wrong> {
        Ok(if bool::take(input)? { Some(T::take(input)?) } else { None })
    }
}

impl<T: Wire, E: Wire> Wire for Result<T, E> {
    fn put(&self, out: &mut Out) {
        self.is_ok().put(out);
        match self {
            Ok(value) => value.put(out),
            Err(error) => error.put(out),
        }
    }

    fn take(input: &mut In<'_>) -> Result<Self, Wrong> {
        Ok(if bool::take(input)? { Ok(T::take(input)?) } else { Err(E::take(input)?) })
    }
}

impl<T: Wire> Wire for Vec<T> {
    fn put(&self, out: &mut Out) {
        out.number(self.len() as u64);
        self.iter().for_each(|value| value.put(out));
    }

    fn take(input: &mut In<'_>) -> Result<Self, Wrong> {
        let count = input.count("list")?;
        (0..count).map(|_| T::take(input)).collect()
    }
}

impl<A: Wire, B: Wire> Wire for (A, B) {
    fn put(&self, out: &mut Out) {
        self.0.put(out);
        self.1.put(out);
    }

    fn take(input: &mut In<'_>) -> Result<Self, Wrong> {
        Ok((A::take(input)?, B::take(input)?))
    }
}

/// The names that an author gives; other text is put by itself, since it is hidden.
impl Wire for String {
    fn put(&self, out: &mut Out) {
        out.name(self);
    }

    fn take(input: &mut In<'_>) -> Result<Self, Wrong> {
        input.text("name").map(Into::into)
    }
}
