//! A run as something to edit, keep and read: what goes wrong, who does not come, and the answers that are
//! not boring.

use super::{Choice, Choices, Stream};
use crate::fault::{Class, Fault};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

/// The decisions of a run, so that one can be taken out and the others stay as they are.
///
/// A log in order would not do: one decision less, and every later one answers another question. Here an
/// answer belongs to a stream and an entity, and faults are what was planned and not what was drawn.
///
/// As text, one thing a line; `0*12` is twelve times 0, and what is missing at the end is 0:
///
/// ```text
/// fault ShortIo at 1500ms for 10ms target 3
/// absent 0 2
/// net 5: 0*12 3 0 1
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Script {
    /// What goes wrong, in the order in which it was planned.
    pub faults: Vec<Fault>,
    /// Clients that do not come: of which call, and which of those. They count as well served.
    pub absent: BTreeSet<(u32, u32)>,
    /// Every step of a process is scheduled, whether that fault is on or not.
    pub schedules: bool,
    /// The answers, by stream and entity. None ends in 0.
    pub answers: BTreeMap<(Stream, u32), Vec<u32>>,
}

impl Script {
    /// What `choices` have decided so far, when `faults` were planned.
    pub(crate) fn of(choices: &Choices, faults: &[Fault]) -> Self {
        let mut answers: BTreeMap<_, Vec<u32>> = BTreeMap::new();
        for Choice { stream, entity, picked, .. } in choices.log() {
            // What was drawn for the plan is in the plan.
            if *stream != Stream::Fault {
                answers.entry((*stream, *entity)).or_default().push(*picked);
            }
        }
        let (absent, schedules) = (choices.absent().clone(), choices.schedules());
        let mut script = Self { faults: faults.to_vec(), absent, schedules, answers };
        script.trim();
        script
    }

    /// Leaves out what means nothing: boring answers at the end.
    pub fn trim(&mut self) {
        for picked in self.answers.values_mut() {
            let length = picked.iter().rposition(|picked| *picked != 0).map_or(0, |last| last + 1);
            picked.truncate(length);
        }
        self.answers.retain(|_, picked| !picked.is_empty());
    }

    /// Where the answers are that are not boring.
    pub fn decisions(&self) -> impl Iterator<Item = ((Stream, u32), usize)> {
        self.answers.iter().flat_map(|(of, picked)| {
            let telling = picked.iter().enumerate().filter(|(_, picked)| **picked != 0);
            telling.map(|(place, _)| (*of, place))
        })
    }
}

impl fmt::Display for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.schedules {
            writeln!(f, "schedule every step")?;
        }
        for Fault { at, lasts, class, target } in &self.faults {
            writeln!(f, "fault {class:?} at {} for {} target {target}", Moment(*at), Moment(*lasts))?;
        }
        for (call, number) in &self.absent {
            writeln!(f, "absent {call} {number}")?;
        }
        for ((stream, entity), picked) in &self.answers {
            write!(f, "{} {entity}:", stream.name())?;
            let mut rest = &picked[..];
            while let Some(first) = rest.first() {
                let run = rest.iter().take_while(|picked| *picked == first).count();
                match run {
                    1 => write!(f, " {first}")?,
                    _ => write!(f, " {first}*{run}")?,
                }
                rest = &rest[run..];
            }
            writeln!(f)?;
        }
        Ok(())
    }
}

/// A line that is none of a script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScriptError {
    line: String,
    wanted: &'static str,
}

impl fmt::Display for ScriptError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` is no line of a choice log: expected {}", self.line, self.wanted)
    }
}

impl std::error::Error for ScriptError {}

impl FromStr for Script {
    type Err = ScriptError;

    /// Empty lines, and those that begin with `#`, mean nothing.
    fn from_str(text: &str) -> Result<Self, ScriptError> {
        let mut script = Self::default();
        for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
            script.take_in(line).map_err(|wanted| ScriptError { line: line.to_owned(), wanted })?;
        }
        script.trim();
        Ok(script)
    }
}

/// More answers than any run asks for, in one line.
const ANSWERS_MAX: usize = 1 << 24;

impl Script {
    fn take_in(&mut self, line: &str) -> Result<(), &'static str> {
        const FAULT: &str = "`fault CLASS at 10ms for 0s target 0`, with a class that there is";
        const ABSENT: &str = "`absent CALL NUMBER`";
        const ANSWERS: &str = "`STREAM ENTITY: 0*12 3 1`, with a stream that there is, once";
        if line == "schedule every step" {
            self.schedules = true;
            return Ok(());
        }
        let words: Vec<_> = line.split_whitespace().collect();
        match words[..] {
            ["fault", class, "at", at, "for", lasts, "target", target] => {
                let class =
                    Class::ALL.into_iter().find(|known| format!("{known:?}") == class).ok_or(FAULT)?;
                let (at, lasts) =
                    (at.parse::<Moment>().or(Err(FAULT))?, lasts.parse::<Moment>().or(Err(FAULT))?);
                let target = target.parse().or(Err(FAULT))?;
                self.faults.push(Fault { at: at.0, lasts: lasts.0, class, target });
            }
            ["absent", call, number] => {
                self.absent.insert((call.parse().or(Err(ABSENT))?, number.parse().or(Err(ABSENT))?));
            }
            [stream, entity, ref answers @ ..] => {
                let stream = Stream::ALL.into_iter().find(|known| known.name() == stream).ok_or(ANSWERS)?;
                let entity =
                    entity.strip_suffix(':').and_then(|entity| entity.parse().ok()).ok_or(ANSWERS)?;
                let mut picked = Vec::new();
                for answer in answers {
                    let (answer, times) = answer.split_once('*').unwrap_or((answer, "1"));
                    let answer: u32 = answer.parse().or(Err(ANSWERS))?;
                    let times: usize = times.parse().or(Err(ANSWERS))?;
                    if times > ANSWERS_MAX - picked.len() {
                        return Err("fewer answers: no run asks so often");
                    }
                    picked.extend(std::iter::repeat_n(answer, times));
                }
                if self.answers.insert((stream, entity), picked).is_some() {
                    return Err(ANSWERS);
                }
            }
            _ => return Err("`fault`, `absent`, `schedule every step` or a stream"),
        }
        Ok(())
    }
}

impl Stream {
    /// As it stands in a script.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Schedule => "schedule",
            Self::Net => "net",
            Self::Fault => "fault",
            Self::Call => "call",
            Self::Workload => "workload",
            Self::User => "user",
            Self::Wake => "wake",
            Self::News => "news",
            Self::Operator => "operator",
            Self::Fate => "fate",
        }
    }
}

/// Nanoseconds, in the largest unit in which they are whole.
struct Moment(u64);

const UNITS: [(u64, &str); 4] = [(1_000_000_000, "s"), (1_000_000, "ms"), (1000, "us"), (1, "ns")];

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whole = UNITS.iter().find(|(unit, _)| self.0.is_multiple_of(*unit));
        let (unit, name) = whole.expect("a nanosecond is whole");
        write!(f, "{}{name}", self.0 / unit)
    }
}

impl FromStr for Moment {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let digits = text.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
        let (unit, _) = UNITS.iter().find(|(_, name)| text[digits.len()..] == **name).ok_or(())?;
        digits.parse::<u64>().ok().and_then(|count| count.checked_mul(*unit)).map(Self).ok_or(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_is_written_and_read_again() {
        let text = "schedule every step\n\
                    fault ShortIo at 1500ms for 10ms target 3\n\
                    fault WorkerKill at 1200000001ns for 0s target 65535\n\
                    absent 0 2\n\
                    absent 1 0\n\
                    schedule 3: 15\n\
                    net 5: 0*12 3 0 1\n";
        let script: Script = text.parse().unwrap();
        assert_eq!(script.to_string(), text);
        assert_eq!(script.faults[1].at, 1_200_000_001);
        assert_eq!(script.answers[&(Stream::Net, 5)].len(), 15);
        assert_eq!(script.decisions().count(), 3);
        assert_eq!(Script::default().to_string(), "", "the boring world is empty");
    }

    #[test]
    fn remarks_empty_lines_and_boredom_at_the_end_mean_nothing() {
        let script: Script = "# a remark\n\n  net 5: 1 0 0*4\nnet 6: 0\nuser 0:\n".parse().unwrap();
        assert_eq!(script.to_string(), "net 5: 1\n");
    }

    #[test]
    fn a_line_that_is_none_is_refused_with_its_words() {
        let rows = [
            "fault Rain at 1s for 0s target 0",
            "fault Reset at 1 for 0s target 0",
            "fault Reset at 1h for 0s target 0",
            "fault Reset at 99999999999999s for 0s target 0",
            "fault Reset at 1s",
            "absent one 2",
            "absent",
            "net: 1",
            "net 5 1",
            "rain 5: 1",
            "net 5: x",
            "net 5: 1*x",
            "net 5: 1*999999999",
            "net 5: 1*99999999999999999999999",
        ];
        for line in rows {
            let error = line.parse::<Script>().expect_err(line);
            assert!(
                error.to_string().starts_with(&format!("`{line}` is no line of a choice log")),
                "{error}"
            );
        }
        assert!("net 5: 1\nnet 5: 2".parse::<Script>().is_err(), "twice is a mistake");
    }

    #[test]
    fn one_decision_less_leaves_the_others_as_they_were() {
        let mut first = Choices::seeded(3);
        let ask = |choices: &mut Choices| {
            [(Stream::Net, 1), (Stream::Net, 2), (Stream::Call, 1), (Stream::Net, 1)]
                .map(|(stream, entity)| choices.choose(stream, entity, 1000))
        };
        let picked = ask(&mut first);
        let mut script = Script::of(&first, &[]);
        assert_eq!(ask(&mut Choices::scripted(3, &script)), picked);
        script.answers.remove(&(Stream::Net, 2));
        let [one, two, three, four] = ask(&mut Choices::scripted(3, &script));
        assert_eq!([one, two, three, four], [picked[0], 0, picked[2], picked[3]]);
        let mut longer = Choices::scripted(3, &script);
        ask(&mut longer);
        assert_eq!(longer.choose(Stream::Call, 1, 1000), 0, "it ends in boredom");
    }
}
