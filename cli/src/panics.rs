//! What is said when blit itself is broken: short, without colour in a pipe, without a backtrace
//! unless somebody at a terminal asks for one.

use std::io::IsTerminal;

/// Makes a panic say what a user can do about it.
pub(crate) fn install() {
    let wants_trace = std::io::stderr().is_terminal()
        && std::env::var_os("RUST_BACKTRACE").is_some_and(|value| value != "0");
    if wants_trace {
        let (hook, _) = color_eyre::config::HookBuilder::default()
            .display_env_section(false)
            .into_hooks();
        std::panic::set_hook(hook.into_panic_hook());
    } else {
        std::panic::set_hook(Box::new(report));
    }
}

fn report(info: &std::panic::PanicHookInfo<'_>) {
    use std::io::Write;
    let place = info.location().map(ToString::to_string).unwrap_or_default();
    let cause = info.payload_as_str().unwrap_or("unknown");
    let _ = writeln!(
        std::io::stderr(),
        "blit has a defect (internal.bug)\n  cause: {cause}, at {place}\n  \
         next: please report it with the output of: blit diagnostics dump"
    );
}
