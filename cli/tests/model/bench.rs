//! Many cases, each of a seed of its own: a failure is shrunk, and its seed replays it alone.

use proptest::strategy::Strategy;
use proptest::test_runner::{Config, RngAlgorithm, RngSeed, TestCaseError, TestError, TestRunner};

/// The first seed: from `BLIT_SEED`; fresh in the long run, which shall not repeat itself.
fn first_seed() -> u64 {
    match std::env::var_os("BLIT_SEED").is_some() || blit_conform::is_long() {
        true => blit_conform::seed(),
        false => 4_711,
    }
}

/// Checks `normal` cases, or `long` in the long run; answers how many, and from which seed on.
pub(crate) fn check<S: Strategy>(
    (normal, long): (usize, usize),
    strategy: impl Fn() -> S,
    mut test: impl FnMut(S::Value) -> Result<(), String>,
) -> (usize, u64)
where
    S::Value: std::fmt::Debug,
{
    let (first, count) = (first_seed(), blit_conform::cases(normal, long));
    assert!(count > 0, "no case at all proves nothing");
    for seed in first..first + count as u64 {
        let mut runner = runner(seed);
        let test = std::cell::RefCell::new(&mut test);
        let ended = runner.run(&strategy(), |case| {
            (*test.borrow_mut())(case).map_err(TestCaseError::fail)
        });
        match ended {
            Ok(()) => {}
            Err(TestError::Fail(reason, case)) => panic!(
                "replay with BLIT_SEED={seed} BLIT_CASES=1\n{reason}\n--- the smallest case\n{case:#?}"
            ),
            Err(error) => panic!("replay with BLIT_SEED={seed} BLIT_CASES=1\n{error}"),
        }
    }
    (count, first)
}

/// A runner for the one case of a seed.
pub(crate) fn runner(seed: u64) -> TestRunner {
    TestRunner::new(Config {
        cases: 1,
        failure_persistence: None,
        // Each is a story played again.
        max_shrink_iters: 200,
        rng_algorithm: RngAlgorithm::ChaCha,
        rng_seed: RngSeed::Fixed(seed),
        ..Config::default()
    })
}
