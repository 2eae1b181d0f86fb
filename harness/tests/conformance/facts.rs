//! Does each observed fact of the kernel have a case?

use libtest_mimic::Failed;

/// How many facts there are: K1 to this one.
const FACTS: u32 = 27;
/// How many cases there must be, each of which runs on both kernels.
const CASES_MIN: usize = 150;

/// Facts without a case of their own name, and why.
const ELSEWHERE: &[(u32, &str)] = &[
    (4, "no signal of a host is a realtime signal, and the system does not know any"),
    (18, "about a listener that is on its way to another process: none is handed over yet"),
    (22, "about a disposition that a host inherits and sets right: `host-sys`, `kernel`"),
    (23, "about threads, of which a process that forks has one: `ForkError::Threads`"),
];

/// Demands a case for each fact: one whose name begins with `k7_` is of K7.
pub(crate) fn each_has_a_case(names: &mut dyn Iterator<Item = &str>) -> Result<(), Failed> {
    let names: Vec<_> = names.collect();
    if names.len() < CASES_MIN {
        return Err(format!("there are {} cases, wanted are {CASES_MIN}", names.len()).into());
    }
    let facts_of = |name: &str| -> Vec<u32> {
        name.split('_').map_while(|word| word.strip_prefix('k')?.parse().ok()).collect()
    };
    let covered: Vec<_> = names.iter().flat_map(|name| facts_of(name)).collect();
    for fact in 1..=FACTS {
        let elsewhere = ELSEWHERE.iter().any(|(other, _)| *other == fact);
        match (covered.contains(&fact), elsewhere) {
            (false, false) => return Err(format!("no case has the name of K{fact}").into()),
            (true, true) => {
                return Err(format!("K{fact} has a case, and is listed as one that has none").into());
            }
            (true, false) | (false, true) => {}
        }
    }
    let unknown = covered.iter().find(|fact| !(1..=FACTS).contains(*fact));
    unknown.map_or(Ok(()), |fact| Err(format!("a case is about K{fact}, which is no fact").into()))
}
