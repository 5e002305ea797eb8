//! The catalogue of what can go wrong, provoked: each slug by the real binary in a real situation,
//! with its words for people and for programs compared with a golden text in `slugs/golden`.
//!
//! After a change that is meant, `SNAPSHOTS=overwrite cargo nextest run -p blit-cli slugs` writes the
//! texts anew, and the difference is read in review.

mod limits;
mod scene;
mod trees;
mod typed;
mod volumes;

use blit_cli::Slug;

use self::scene::Scene;

/// One test for each slug, and the list of those that have one.
macro_rules! provoked {
    ($($test:ident: $slug:ident by $scene:path,)*) => {
        /// What is provoked here.
        const HERE: &[Slug] = &[$(Slug::$slug),*];

        $(mod $test {
            use super::*;

            #[test]
            fn is_met_for_real_and_told_as_its_golden_text_has_it() {
                scene::meet(Slug::$slug, $scene);
            }
        })*
    };
}

provoked! {
    audit_broken: AuditBroken by typed::audit_log_of_other_lines,
    auth_invitation: AuthInvitation by typed::invitation_that_is_none,
    auth_peer: AuthPeer by typed::stranger_to_forget,
    auth_unpaired: AuthUnpaired by typed::unpaired,
    config_key: ConfigKey by typed::unknown_key,
    config_read: ConfigRead by typed::missing_settings,
    config_syntax: ConfigSyntax by typed::broken_settings,
    config_value: ConfigValue by typed::impossible_setting,
    data_changed_on_a_mount: DataChanged by volumes::longer_than_it_is,
    data_mismatch_on_a_mount: DataMismatch by volumes::rotten,
    data_vanished_on_a_mount: DataVanished by volumes::vanishing,
    delete_brake: DeleteBrake by trees::empty_source,
    delete_declined: DeleteDeclined by limits::no_to_deleting,
    delete_directory: DeleteDirectory by typed::directory_without_r,
    delete_root: DeleteRoot by typed::root,
    delete_unconfirmed: DeleteUnconfirmed by trees::nobody_to_ask,
    delete_withheld: DeleteWithheld by trees::unreadable_beside_extra,
    entry_busy_on_a_mount: EntryBusy by volumes::mounted_over,
    entry_conflict: EntryConflict by trees::directory_in_the_way,
    entry_failed_on_a_mount: EntryFailed by volumes::gone_at_the_target,
    entry_skipped: EntrySkipped by trees::fifo,
    entry_unsupported_on_a_mount: EntryUnsupported by volumes::without_fifos,
    filter_syntax: FilterSyntax by typed::pattern_that_is_none,
    internal_bug: InternalBug by limits::no_thread,
    io_source_on_a_mount: IoSource by volumes::unreadable,
    io_target_on_a_mount: IoTarget by volumes::unwritable,
    meta_unsupported_on_a_mount: MetaUnsupported by volumes::without_attributes,
    name_conflict_on_a_mount: NameConflict by volumes::folding,
    name_too_large_on_a_mount: NameTooLarge by volumes::link_too_long,
    net_unavailable: NetUnavailable by typed::two_sources_elsewhere,
    output_failed: OutputFailed by limits::full_output,
    path_hint: PathHint by limits::no_to_a_missing_slash,
    path_not_directory: PathNotDirectory by typed::contents_of_a_file,
    path_not_found: PathNotFound by typed::absent,
    path_overlap: PathOverlap by typed::into_itself,
    path_twice: PathTwice by typed::one_name_twice,
    permission_at_the_target: PermDest by trees::unwritable,
    perm_immutable: PermImmutable by trees::immutable,
    perm_readonly_on_a_mount: PermReadonly by volumes::read_only,
    perm_source: PermSource by trees::unreadable,
    run_failed: RunFailed by limits::no_descriptor,
    run_stalled_on_a_mount: RunStalled by volumes::stalled,
    run_stopped_on_a_mount: RunStopped by volumes::stopped,
    space_full_on_a_mount: SpaceFull by volumes::full,
    syntax_endpoint: SyntaxEndpoint by typed::no_endpoint,
    usage_flag: UsageFlag by typed::unknown_flag,
    usage_habit: UsageHabit by typed::habit,
    usage_topic: UsageTopic by typed::unknown_topic,
    usage_unavailable: UsageUnavailable by typed::not_yet,
    usage_verb: UsageVerb by typed::unknown_verb,
}

/// What needs a daemon, and the test there that compares the same golden text.
const AT_A_DAEMON: &[(Slug, &str)] = &[
    (
        Slug::AuthKeyChanged,
        "another_key_is_refused_with_both_fingerprints",
    ),
    (
        Slug::JobInterrupted,
        "a_job_of_a_killed_daemon_is_listed_as_resumable_and_the_same_command_goes_on_with_it",
    ),
    (
        Slug::JobLimit,
        "as_many_jobs_run_as_may_and_one_more_is_refused",
    ),
    (Slug::JobUnknown, "an_unknown_job_is_told_as_such"),
    (
        Slug::NetUnreachable,
        "a_machine_that_does_not_answer_is_unreachable",
    ),
    (
        Slug::NetRelayed,
        "that_all_data_passes_this_machine_is_said",
    ),
    (
        Slug::NetFallback,
        "where_lanes_are_swallowed_data_goes_over_the_control_connection_and_mount_namespaces_are_told",
    ),
    (
        Slug::SshDaemon,
        "a_machine_without_the_daemon_is_told_with_what_to_do",
    ),
    (Slug::SshMissing, "without_ssh_the_message_says_so"),
    (
        Slug::SshRefused,
        "a_refused_login_is_told_with_ssh_s_own_words",
    ),
    (Slug::SshVersion, "another_version_is_told_with_both"),
];

/// What no run can meet, why not, and the test that shows what would be said.
const NEVER_MET: &[(Slug, &str, &str)] = &[
    (
        Slug::InternalNothing,
        "the last line of defence against a defect: while each entry comes to an end, as a session \
         makes sure of, its condition cannot hold",
        "entries_that_never_came_to_an_end_are_an_error",
    ),
    (
        Slug::PluginFailed,
        "plugins are built in: that one is missing, or two claim to be one, is a fault of the build, \
         and its own tests would fail",
        "a_plugin_that_is_missing_is_told_as_such",
    ),
];

#[test]
fn every_slug_of_the_catalogue_is_provoked_in_one_place() {
    let at_a_daemon = AT_A_DAEMON.iter().map(|(slug, _)| slug);
    let never_met = NEVER_MET.iter().map(|(slug, ..)| slug);
    let mut known: Vec<Slug> = HERE
        .iter()
        .chain(at_a_daemon)
        .chain(never_met)
        .copied()
        .collect();
    known.sort();
    assert_eq!(known, Slug::ALL);
}

#[test]
fn what_is_shown_elsewhere_is_shown_there() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |file: &str| crate::bench::read(folder.join(file));
    let daemon = ["between", "jobs", "lanes", "refusals", "ssh"]
        .map(|file| read(&format!("../daemon/tests/remote/{file}.rs")));
    let daemon = daemon.concat();
    let ours = read("src/transfer/summary/tests.rs") + &read("src/errors.rs");
    let named = AT_A_DAEMON.iter().map(|(_, test)| (&daemon, test));
    let named = named.chain(NEVER_MET.iter().map(|(_, _, test)| (&ours, test)));
    for (text, test) in named {
        assert!(text.contains(&format!("fn {test}()")), "{test} is nowhere");
    }
}
