//! What kind of failure it was.

/// The gravest last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Liveness,
    Safety,
    Nondeterminism,
    Crash,
}

impl Kind {
    /// The kind of a broken rule.
    pub(crate) fn of_rule(rule: &str) -> Self {
        match rule {
            "twin" | "S3" => Self::Nondeterminism,
            "S45" => Self::Crash,
            _ if rule.starts_with('L') => Self::Liveness,
            _ => Self::Safety,
        }
    }

    /// The status with which a sweep ends that found this.
    pub(crate) const fn status(self) -> u8 {
        match self {
            Self::Safety => 10,
            Self::Liveness => 11,
            Self::Crash => 12,
            Self::Nondeterminism => 13,
        }
    }

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Safety => "safety",
            Self::Liveness => "liveness",
            Self::Crash => "crash",
            Self::Nondeterminism => "nondeterminism",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Kind;

    #[test]
    fn each_rule_has_its_kind() {
        let rows = [
            ("S1", Kind::Safety),
            ("H2", Kind::Safety),
            ("test", Kind::Safety),
            ("L3", Kind::Liveness),
            ("S45", Kind::Crash),
            ("twin", Kind::Nondeterminism),
            ("S3", Kind::Nondeterminism),
        ];
        for (rule, kind) in rows {
            assert_eq!(Kind::of_rule(rule), kind, "{rule}");
        }
        assert_eq!([Kind::Safety, Kind::Crash, Kind::Liveness].into_iter().max(), Some(Kind::Crash));
    }
}
