/// test: the rest of a line was lost when the socket had no room for all of it. Shrunk from seed 0; seen was:
///
/// assertion `left == right` failed: everybody is served left: [timed out (ETIMEDOUT), timed out (ETIMEDOUT), timed out (ETIMEDOUT), timed out (ETIMEDOUT)] right: []
#[test]
fn a_short_write_seed_0() {
    harness::replay_choices!(
        r#"
        fault ShortIo at 2600ms for 100ms target 0
        absent 0 3
        absent 0 4
        absent 0 5
        call 2: 0*2 1
        workload 3: 800 0 430 0 40 0 340 1
        "#,
        |sim| crate::services::a_short_write(sim, false)
    );
}
