//! What the worker can do: a line in, a line out.

/// A job, as a line asks for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Job<'a> {
    /// `sum 1 2 3`
    Sum(Vec<i64>),
    /// `upper hello`
    Upper(&'a str),
}

/// Why a line is no job, or has no result.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JobError {
    /// There is nothing on it.
    #[error("an empty line; try: sum 1 2 3")]
    Empty,
    /// It has something in it that would make a mess of a terminal.
    #[error("a job has no control characters")]
    Control,
    /// Nobody can do that.
    #[error("no job is called `{0}`; there are: sum, upper")]
    Unknown(String),
    /// It says what to do and not with what.
    #[error("`{0}` needs something to work on; try: {1}")]
    Bare(&'static str, &'static str),
    /// Not a whole number of 64 bits.
    #[error("`{0}` is no whole number of 64 bits")]
    NotANumber(String),
    /// The result does not fit.
    #[error("the sum does not fit in 64 bits")]
    Overflow,
}

impl<'a> Job<'a> {
    /// Reads a job.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(line: &'a str) -> Result<Self, JobError> {
        let line = line.trim_matches(' ');
        if line.is_empty() {
            return Err(JobError::Empty);
        }
        if line.contains(char::is_control) {
            return Err(JobError::Control);
        }
        let (name, rest) = line.split_once(' ').unwrap_or((line, ""));
        let rest = rest.trim_matches(' ');
        match name {
            "sum" if rest.is_empty() => Err(JobError::Bare("sum", "sum 1 2 3")),
            "sum" => rest
                .split(' ')
                .filter(|word| !word.is_empty())
                .map(number)
                .collect::<Result<_, _>>()
                .map(Self::Sum),
            "upper" if rest.is_empty() => Err(JobError::Bare("upper", "upper hello")),
            "upper" => Ok(Self::Upper(rest)),
            _ => Err(JobError::Unknown(name.into())),
        }
    }

    /// Does it. The result is one line.
    ///
    /// # Errors
    /// Why there is no result.
    pub fn run(&self) -> Result<String, JobError> {
        match self {
            Self::Sum(numbers) => {
                // A sum of 64-bit numbers may leave the range on the way and come back.
                let sum: i128 = numbers.iter().map(|number| i128::from(*number)).sum();
                i64::try_from(sum).map(|sum| sum.to_string()).map_err(|_| JobError::Overflow)
            }
            Self::Upper(text) => Ok(text.to_uppercase()),
        }
    }
}

fn number(word: &str) -> Result<i64, JobError> {
    word.parse().map_err(|_| JobError::NotANumber(word.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_job_has_its_result_or_one_clear_error() {
        let rows = [
            ("sum 1 2 3", Ok("6")),
            ("  sum   -1   +1 ", Ok("0")),
            ("sum 9223372036854775807 1 -1", Ok("9223372036854775807")),
            ("upper hello", Ok("HELLO")),
            ("upper grüße  an", Ok("GRÜSSE  AN")),
            ("sum 9223372036854775807 1", Err("the sum does not fit in 64 bits")),
            ("sum 9223372036854775808", Err("`9223372036854775808` is no whole number of 64 bits")),
            ("sum 1 two", Err("`two` is no whole number of 64 bits")),
            ("sum 1.5", Err("`1.5` is no whole number of 64 bits")),
            ("sum", Err("`sum` needs something to work on; try: sum 1 2 3")),
            ("upper  ", Err("`upper` needs something to work on; try: upper hello")),
            ("", Err("an empty line; try: sum 1 2 3")),
            ("   ", Err("an empty line; try: sum 1 2 3")),
            ("SUM 1", Err("no job is called `SUM`; there are: sum, upper")),
            ("GET / HTTP/1.1", Err("no job is called `GET`; there are: sum, upper")),
            ("upper \u{1b}[2J", Err("a job has no control characters")),
            ("sum\t1", Err("a job has no control characters")),
        ];
        for (line, expected) in rows {
            let found = Job::parse(line).and_then(|job| job.run()).map_err(|error| error.to_string());
            assert_eq!(found.as_deref().map_err(|error| &**error), expected, "{line:?}");
        }
    }
}
