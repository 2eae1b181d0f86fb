//! Real time, and bounds that scale with the machine.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// The variable by whose value every bound is multiplied: `HOST_TIME_SCALE=5` on a slow machine.
pub const TIME_SCALE: &str = "HOST_TIME_SCALE";

/// How long an expectation waits that does not say so itself: on a machine that is busy with other things.
pub const BOUND: Duration = Duration::from_secs(30);

/// How long something takes, by a real clock.
#[derive(Clone, Copy, Debug)]
pub struct Stopwatch(Instant);

impl Stopwatch {
    /// Begins to measure.
    #[expect(clippy::disallowed_methods, reason = "real processes are timed by the real clock")]
    pub fn start() -> Self {
        Self(Instant::now())
    }

    /// The time since then.
    pub fn elapsed(self) -> Duration {
        self.0.elapsed()
    }

    /// What is left of `bound`; zero when it is over.
    pub(super) fn left_of(self, bound: Duration) -> Duration {
        bound.saturating_sub(self.elapsed())
    }
}

/// `bound`, times the value of [`TIME_SCALE`].
///
/// # Panics
/// With what was found and what is allowed, if the variable is no positive number.
pub fn scaled(bound: Duration) -> Duration {
    static SCALE: OnceLock<f64> = OnceLock::new();
    let scale = SCALE.get_or_init(|| {
        scale_of(std::env::var_os(TIME_SCALE).map(|text| text.to_string_lossy().into_owned()).as_deref())
            .unwrap_or_else(|mistake| panic!("{mistake}"))
    });
    bound.mul_f64(*scale)
}

fn scale_of(text: Option<&str>) -> Result<f64, String> {
    /// What a bound of half a minute becomes with it is still a time that somebody might wait.
    const MOST: f64 = 1000.0;
    let Some(text) = text else { return Ok(1.0) };
    let wrong = || format!("{TIME_SCALE} is `{text}`, but must be a number above 0 and not above {MOST}");
    text.parse().ok().filter(|scale| *scale > 0.0 && *scale <= MOST).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scale_is_a_positive_number_and_anything_else_is_refused_with_its_value() {
        let rows =
            [(None, Some(1.0)), (Some("1"), Some(1.0)), (Some("2.5"), Some(2.5)), (Some("0.5"), Some(0.5))];
        for (text, scale) in rows {
            assert_eq!(scale_of(text).ok(), scale, "{text:?}");
        }
        for text in ["", "0", "-1", "slow", "NaN", "inf", "1001"] {
            let mistake = scale_of(Some(text)).expect_err(text);
            assert!(mistake.contains(&format!("HOST_TIME_SCALE is `{text}`")), "{mistake}");
        }
    }
}
