//! Rounds that interleave, and the table that comes of them.

use crate::Cost;
use std::fmt;

/// One way to do it.
pub struct Arm<'a> {
    name: String,
    round: Box<dyn FnMut() -> Cost + 'a>,
}

impl<'a> Arm<'a> {
    /// A way called `name`, of which `round` measures some events.
    pub fn new(name: impl Into<String>, round: impl FnMut() -> Cost + 'a) -> Self {
        Self { name: name.into(), round: Box::new(round) }
    }
}

impl fmt::Debug for Arm<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Arm({})", self.name)
    }
}

/// What an arm cost, round by round.
#[derive(Clone, Debug)]
pub struct Measured {
    /// The arm's name.
    pub name: String,
    /// One a round.
    pub costs: Vec<Cost>,
}

impl Measured {
    /// The figure in the middle and the lowest, of one kind.
    fn spread(&self, each: impl Fn(&Cost) -> f64) -> Spread {
        Spread::of(self.costs.iter().map(each).collect())
    }

    /// How many times as much as `other`, of one kind, round by round.
    fn ratios(&self, other: &Self, each: impl Fn(&Cost) -> f64) -> Spread {
        Spread::of(
            self.costs.iter().zip(&other.costs).map(|(this, other)| each(this) / each(other)).collect(),
        )
    }
}

struct Spread {
    median: f64,
    best: f64,
}

impl Spread {
    fn of(mut figures: Vec<f64>) -> Self {
        figures.sort_unstable_by(f64::total_cmp);
        let nothing = f64::NAN;
        Self {
            median: figures.get(figures.len() / 2).copied().unwrap_or(nothing),
            best: figures.first().copied().unwrap_or(nothing),
        }
    }
}

/// What all arms cost.
#[derive(Clone, Debug)]
pub struct Table {
    /// What was measured.
    pub title: String,
    /// The arms; the ratios of all others are to the first.
    pub arms: Vec<Measured>,
}

/// Nanoseconds an event, then the ratio to the first arm: median and best of the rounds.
impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rounds = self.arms.first().map_or(0, |arm| arm.costs.len());
        writeln!(f, "{}: {rounds} rounds, ns an event and ratio to the first, median (best)", self.title)?;
        let Some(first) = self.arms.first() else { return Ok(()) };
        writeln!(f, "  {:<22} {:>19} {:>19} {:>15} {:>15}", "", "wall", "processor", "wall", "processor")?;
        for arm in &self.arms {
            write!(f, "  {:<22}", arm.name)?;
            for costs in [arm.spread(Cost::wall_each), arm.spread(Cost::cpu_each)] {
                write!(f, " {:>9.1} {:>9}", costs.median, format!("({:.1})", costs.best))?;
            }
            for ratios in [arm.ratios(first, Cost::wall_each), arm.ratios(first, Cost::cpu_each)] {
                write!(f, " {:>8.3} {:>6}", ratios.median, format!("({:.2})", ratios.best))?;
            }
            writeln!(f)?;
        }
        Ok(())
    }
}

/// Runs every arm once a round, prints what came of it, and gives it back.
pub fn compare(title: impl Into<String>, rounds: usize, mut arms: Vec<Arm<'_>>) -> Table {
    let measured = |arm: &Arm<'_>| Measured { name: arm.name.clone(), costs: Vec::with_capacity(rounds) };
    let mut table = Table { title: title.into(), arms: arms.iter().map(measured).collect() };
    for round in 0..rounds {
        for place in 0..arms.len() {
            // Whoever always came right after a costly arm would always find cold caches.
            let turn = (round + place) % arms.len();
            let cost = (arms[turn].round)();
            table.arms[turn].costs.push(cost);
        }
    }
    say(&table);
    table
}

/// Prints a line.
#[expect(clippy::print_stdout, reason = "a benchmark is run for what it prints")]
pub fn say(words: &dyn fmt::Display) {
    println!("{words}");
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;

    fn cost(wall: u64) -> Cost {
        Cost { events: 10, wall, cpu: wall / 2 }
    }

    #[test]
    fn arms_take_turns_at_going_first() {
        let order = RefCell::new(String::new());
        let arm = |name: &'static str| {
            let order = &order;
            Arm::new(name, move || {
                order.borrow_mut().push_str(name);
                cost(10)
            })
        };
        compare("order", 3, vec![arm("a"), arm("b"), arm("c")]);
        assert_eq!(*order.borrow(), "abcbcacab");
    }

    #[test]
    fn the_table_has_medians_and_bests_of_costs_and_of_ratios_within_a_round() {
        let mut walls = [100, 200, 400, 110, 100, 600].into_iter();
        let arms = [Arm::new("one", || cost(10))].into();
        let mut table = compare("costs", 1, arms);
        let rounds: Vec<_> = std::iter::from_fn(|| Some([walls.next()?, walls.next()?])).collect();
        table.arms = (0..2)
            .map(|arm| Measured {
                name: ["one", "two"][arm].into(),
                costs: rounds.iter().map(|round| cost(round[arm])).collect(),
            })
            .collect();
        let lines: Vec<_> = table.to_string().lines().skip(2).map(str::to_owned).collect();
        let words = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(
            words(&lines[0])[1..],
            ["10.0", "(10.0)", "5.0", "(5.0)", "1.000", "(1.00)", "1.000", "(1.00)"]
        );
        // The ratios are 2, 110/400 and 6: the middle one is no ratio of medians.
        assert_eq!(
            words(&lines[1])[1..],
            ["20.0", "(11.0)", "10.0", "(5.5)", "2.000", "(0.28)", "2.000", "(0.28)"]
        );
    }
}
