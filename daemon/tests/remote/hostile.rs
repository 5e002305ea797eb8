//! Peers that hold a paired key and break the protocol: each of them by one rule, in each of its roles.
//!
//! Every script names the error that it ends in, so that one that never reached its rule is noticed. After
//! each the module is as it was, and so is everything around it.

pub(crate) mod attacker;
mod daemons;
mod requests;
mod script;
mod sources;
mod targets;
pub(crate) mod villain;

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Instant,
};

use blit_conform::{Options, Snapshot, assert_same, counted, is_long, scaled};
use blit_wire::{Role, Verb};
use futures_util::StreamExt;

use crate::bench::{Two, contents, there};
use attacker::Attacker;
use villain::Villain;

/// How many scripts are played at a time. A peer may have 16 sessions.
const AT_A_TIME: usize = 8;

/// What the daemon may hold at its peak, whoever talks to it.
const PEAK_KIB_MAX: u64 = 256 << 10;

/// Two machines, one of which is up to no good, and what must stay as it is.
struct Stage {
    two: Two,
    around: Vec<Snapshot>,
}

impl Stage {
    fn new() -> Self {
        let two = Two::new();
        let canary = two.scratch.directory("outside");
        std::fs::write(canary.join("canary"), "sings").unwrap();
        std::fs::write(two.scratch.path("ro/there"), "there").unwrap();
        let around = Self::look_around(&two);
        Self { two, around }
    }

    /// Everything around the module but what belongs to the two programs.
    fn look_around(two: &Two) -> Vec<Snapshot> {
        let watched = ["outside", "ro"].map(|name| two.scratch.path(name));
        watched.iter().map(|path| Snapshot::of(path)).collect()
    }

    /// A directory of the module in which one file is, and what it is called there.
    fn place(&self, number: usize) -> PathBuf {
        let name = PathBuf::from(format!("p{number}"));
        let directory = self.two.module().join(&name);
        std::fs::create_dir(&directory).unwrap();
        std::fs::write(directory.join("keep"), "kept").unwrap();
        name
    }

    /// How many seconds an honest push takes.
    fn honest_secs(&self) -> f64 {
        let source = self.two.scratch.directory("steady");
        let target = self.two.module().join("steady");
        let content = vec![7; scaled(4, 256) << 20];
        std::fs::write(source.join("f"), content).unwrap();
        let began = Instant::now();
        self.two
            .blit(&["copy", "steady/", &there("m/steady/")])
            .succeeds();
        let took = began.elapsed().as_secs_f64();
        assert_same(&source, &target);
        std::fs::remove_file(target.join("f")).unwrap();
        took
    }

    /// No file has come, and the one that was there is as it was.
    fn untouched(&self, place: &Path) -> bool {
        let directory = self.two.module().join(place);
        let entries = std::fs::read_dir(&directory).unwrap();
        let mut files = entries
            .map(|entry| entry.unwrap())
            .filter(|entry| entry.file_type().unwrap().is_file());
        files.all(|file| file.file_name() == "keep")
            && std::fs::read(directory.join("keep")).is_ok_and(|content| content == b"kept")
    }

    /// After all of them: nothing around has changed, the daemon is small, and an honest client is served.
    fn is_well(&self) {
        for (before, after) in self.around.iter().zip(Self::look_around(&self.two)) {
            let changed = before.differences(&after, Options::untouched());
            assert!(changed.is_empty(), "{changed:#?}");
        }
        let status = format!("/proc/{}/status", self.two.daemon.id());
        let status = std::fs::read_to_string(status).unwrap();
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let peak = peak.unwrap().trim().trim_end_matches(" kB");
        let peak: u64 = peak.parse().unwrap();
        assert!(peak <= PEAK_KIB_MAX, "the daemon took {peak} KiB");
        let source = self.two.scratch.directory("honest");
        std::fs::write(source.join("f"), "honest").unwrap();
        let words = ["copy".into(), contents(&source), there("m/honest/").into()];
        self.two.blit(&words).succeeds();
        assert_same(&source, &self.two.module().join("honest"));
    }
}

/// What comes before, and what breaks the rule, as one script.
fn whole(before: &str, breaks: &str) -> String {
    match breaks.strip_prefix("bare") {
        Some(rest) => format!("bare\n{before}{rest}"),
        None => format!("{before}\n{breaks}"),
    }
}

/// Plays scripts, and collects those that ended otherwise than they say.
async fn play(stage: &Stage, role: Role, scripts: &[sources::Script]) {
    let attacker = Attacker::of(&stage.two).await;
    let playing = scripts.iter().enumerate().map(|(number, script)| {
        let (name, verb, before, breaks, expected) = *script;
        let place = stage.place(number);
        let attacker = &attacker;
        async move {
            let whole = whole(before, breaks);
            let ended = attacker.plays(role, verb, &place, &whole).await;
            let is_untouched = stage.untouched(&place);
            let is_right = ended.contains(expected) && is_untouched;
            (!is_right).then(|| {
                format!("who {name}:\n  {ended}\n  not: {expected}; untouched: {is_untouched}")
            })
        }
    });
    let playing = futures_util::stream::iter(playing).buffer_unordered(AT_A_TIME);
    let wrong: Vec<_> = playing.filter_map(std::future::ready).collect().await;
    assert!(
        wrong.is_empty(),
        "{}\n{} of {}",
        wrong.join("\n"),
        wrong.len(),
        scripts.len()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_breaks_a_rule_ends_alone_and_publishes_nothing() {
    let stage = Stage::new();
    play(&stage, Role::Target, sources::SCRIPTS).await;
    stage.is_well();
}

/// How fast the honest one is beside them is told and not judged: that is a matter of the machine.
#[tokio::test(flavor = "multi_thread")]
async fn while_scripts_are_played_without_end_an_honest_client_is_served() {
    let stage = Stage::new();
    let source = stage.two.scratch.directory("source");
    let alone = stage.honest_secs();
    let attacker = Arc::new(Attacker::of(&stage.two).await);
    let played = Arc::<AtomicUsize>::default();
    let mut playing = tokio::task::JoinSet::new();
    for number in 0..AT_A_TIME {
        let (attacker, played) = (Arc::clone(&attacker), Arc::clone(&played));
        let place = stage.place(number);
        playing.spawn(async move {
            for script in sources::SCRIPTS.iter().cycle().skip(number * 7) {
                let (_, verb, before, breaks, _) = *script;
                let whole = whole(before, breaks);
                attacker.plays(Role::Target, verb, &place, &whole).await;
                played.fetch_add(1, Ordering::Relaxed);
            }
        });
    }
    let words = ["copy".into(), contents(&source), there("m/served/").into()];
    let (times, target) = (scaled(5, 200), stage.two.module().join("served"));
    let mut rounds = 0;
    // For as long as it takes until many were played beside it.
    while rounds < times || played.load(Ordering::Relaxed) < times * AT_A_TIME {
        std::fs::write(source.join(format!("f{rounds}")), vec![7; 50_000]).unwrap();
        stage.two.blit(&words).succeeds();
        assert_same(&source, &target);
        rounds += 1;
    }
    let beside = stage.honest_secs();
    counted(&format!(
        "an honest push beside {AT_A_TIME} hostile peers (T8): {:.2} of its rate alone, {} scripts played, \
         seed none: each script in turn",
        alone / beside,
        played.load(Ordering::Relaxed)
    ));
    playing.shutdown().await;
    let places = (0..AT_A_TIME).map(|number| PathBuf::from(format!("p{number}")));
    assert!(places.into_iter().all(|place| stage.untouched(&place)));
    stage.is_well();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_that_breaks_a_rule_ends_alone_and_changes_nothing() {
    let stage = Stage::new();
    play(&stage, Role::Source, targets::SCRIPTS).await;
    stage.is_well();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_breaks_a_rule_is_refused_alone() {
    let stage = Stage::new();
    let place = stage.place(0);
    let attacker = Attacker::of(&stage.two).await;
    let mut wrong = Vec::new();
    for (name, says, expected) in requests::SCRIPTS {
        let ended = attacker.asks(says).await;
        if !ended.contains(expected) || !stage.untouched(&place) {
            wrong.push(format!("who {name}:\n  {ended}\n  not: {expected}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    stage.is_well();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_that_breaks_a_rule_gets_nothing_and_changes_nothing() {
    let slow = if is_long() { daemons::SLOW } else { &[] };
    let numbered = || daemons::SCRIPTS.iter().chain(slow).enumerate();
    let scripts = numbered().map(|(number, script)| (format!("s{number}"), script.2.to_owned()));
    let villain = Arc::new(Villain::with(scripts.collect()).await);
    let playing = numbered().map(|(number, script)| {
        let villain = Arc::clone(&villain);
        async move {
            let met = tokio::task::spawn_blocking(move || meet(&villain, number, script));
            met.await.unwrap()
        }
    });
    let playing = futures_util::stream::iter(playing).buffer_unordered(AT_A_TIME);
    let wrong: Vec<_> = playing.filter_map(std::future::ready).collect().await;
    assert!(
        wrong.is_empty(),
        "{}\n{} wrong",
        wrong.join("\n"),
        wrong.len()
    );
}

/// Lets the command line meet one daemon; answers what went otherwise than it should.
fn meet(villain: &Villain, number: usize, script: &daemons::Script) -> Option<String> {
    let (name, words, _, code, expected) = *script;
    let module = format!("s{number}");
    let place = villain.directory(&format!("around{number}"));
    std::fs::write(place.join("canary"), "sings").unwrap();
    let here = place.join("here");
    std::fs::create_dir(&here).unwrap();
    std::fs::write(here.join("keep"), "kept").unwrap();
    std::fs::write(here.join("secret"), "secret").unwrap();
    let before = Snapshot::of(&place);
    let ran = match villain.meets(words, &module, &here) {
        Ok(ran) => ran,
        Err(hangs) => return Some(format!("who {name}: {hangs}")),
    };
    let changed = before.differences(&Snapshot::of(&place), Options::untouched());
    let is_plain = !format!("{ran}").contains('\x1b');
    let is_right = ran.code == Some(code) && format!("{ran}").contains(expected);
    (!is_right || !changed.is_empty() || !is_plain)
        .then(|| format!("who {name}:\n{ran}\n  not: {code}, {expected}; changed: {changed:?}"))
}

/// The scripts are as many as were promised.
#[test]
fn there_are_as_many_scripts_as_there_should_be() {
    let all = [
        sources::SCRIPTS.len(),
        targets::SCRIPTS.len(),
        requests::SCRIPTS.len(),
        daemons::SCRIPTS.len(),
    ];
    assert!(all.iter().sum::<usize>() >= 150, "{all:?}");
    let verbs = sources::SCRIPTS.iter().map(|script| script.1);
    assert!(verbs.into_iter().any(|verb| verb == Verb::Mirror));
}
