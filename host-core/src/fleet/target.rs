//! How many workers are wanted: set by the configuration, signals and calls.

/// The wanted number of workers of one fleet.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Target {
    count: u32,
    max: u32,
    /// What was wanted before WINCH took everybody away.
    remembered: Option<u32>,
}

impl Target {
    pub(crate) fn new(count: u32, max: u32) -> Self {
        Self { count: count.min(max), max, remembered: None }
    }

    pub(crate) const fn count(&self) -> u32 {
        self.count
    }

    /// TTIN: one more, up to the configured most.
    pub(crate) fn more(&mut self) {
        self.count = self.max.min(self.count + 1);
    }

    /// TTOU: one less, never below 0 (PF-C23).
    pub(crate) fn less(&mut self) {
        self.count = self.count.saturating_sub(1);
    }

    /// Exactly `count`, or the configured most; what WINCH remembered is forgotten.
    pub(crate) fn set(&mut self, count: u32) {
        self.count = count.min(self.max);
        self.remembered = None;
    }

    /// What the load calls for; what WINCH remembered stays.
    pub(crate) fn scale(&mut self, count: u32) {
        self.count = count.min(self.max);
    }

    /// WINCH: nobody, and the number is remembered (PF-C11); where nobody is wanted: as many as before (PF-C33).
    pub(crate) fn toggle(&mut self) {
        if self.count > 0 {
            self.remembered = Some(core::mem::take(&mut self.count));
        } else {
            self.restore();
        }
    }

    /// As many as before WINCH; without one nothing changes.
    pub(crate) fn restore(&mut self) {
        if let Some(count) = self.remembered.take() {
            self.count = count;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_step_gives_the_count_that_preforker_and_its_cases_say() {
        type Step = fn(&mut Target);
        let rows: &[(&str, &[Step], u32)] = &[
            ("one more", &[Target::more], 3),
            ("one less", &[Target::less], 1),
            ("pf_c23: less than none is none", &[Target::less, Target::less, Target::less], 0),
            (
                "pf_c23: and the next is the first",
                &[Target::less, Target::less, Target::less, Target::more],
                1,
            ),
            ("never above the most", &[Target::more, Target::more, Target::more], 4),
            ("set", &[|t| t.set(4)], 4),
            ("set above the most", &[|t| t.set(9)], 4),
            ("pf_c11: WINCH", &[Target::toggle], 0),
            ("pf_c33: WINCH twice", &[Target::toggle, Target::toggle], 2),
            ("pf_c33: WINCH and restore", &[Target::toggle, Target::restore], 2),
            ("after WINCH one counts from none", &[Target::toggle, Target::more], 1),
            ("and is forgotten by the restore", &[Target::toggle, Target::more, Target::restore], 2),
            ("and who is there then is taken away", &[Target::toggle, Target::more, Target::toggle], 0),
            ("and comes back", &[Target::toggle, Target::more, Target::toggle, Target::toggle], 1),
            ("nobody, and WINCH", &[|t| t.set(0), Target::toggle], 0),
            ("restore without WINCH", &[Target::more, Target::restore], 3),
            ("the load calls for more after WINCH", &[Target::toggle, Target::more, |t| t.scale(3)], 3),
            ("and never above the most", &[|t| t.scale(9)], 4),
            ("and the restore is as ever", &[Target::toggle, |t| t.scale(3), Target::restore], 2),
            ("a number that was set is not restored", &[Target::toggle, |t| t.set(1), Target::restore], 1),
        ];
        for (name, steps, expected) in rows {
            let mut target = Target::new(2, 4);
            for step in *steps {
                step(&mut target);
            }
            assert_eq!(target.count(), *expected, "{name}");
        }
        assert_eq!(Target::new(9, 4).count(), 4);
    }
}
