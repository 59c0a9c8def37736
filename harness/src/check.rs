//! A lab's check executable: what stands behind [`checks!`](crate::checks).
//!
//! Theory of operation: every lab compiles its checks into one executable, and that executable is the only thing that `cargo test`, `cargo nextest`,
//! an editor, `cargo lab` and `cargo grade` have in common. It has three ways to be called:
//!
//! 1. with libtest's command line ([`libtest`]), for cargo, nextest and editors;
//! 2. `--lab-run [NAME…]` ([`lab_run`]), which prints one [`CheckRecord`](crate::record::CheckRecord) a line, for the course's own commands;
//! 3. `--lab-check NAME` ([`in_process`]), which does a single check and is what the other two start ([`isolation`]), so that every check has a
//!    process of its own: with one thread, which it may fork, and without what another check has left in it.
//!
//! The [`registry`] joins the functions with what `lab.toml` and the handout say about them; the [`session`] knows which checks have been done, so that
//! a check runs after its prerequisites and no prerequisite runs twice. Inputs come from a [`seed`], programs from where [`programs`] says.
//! Whatever goes wrong on the way to a verdict is `broken`, never a pass and never a failure of the student's.

mod arguments;
mod in_process;
mod isolation;
mod lab_run;
mod libtest;
pub mod printable;
pub mod programs;
mod registry;
pub mod seed;
mod session;

use std::process::ExitCode;

pub use in_process::SOURCES_VARIABLE;
pub(crate) use in_process::last_panic;
pub use programs::Programs;

use crate::lab::{Lab, Timelines};
use crate::verdict::Verdict;
use arguments::{Arguments, Mode};
use registry::Registry;
use session::Session;

/// The exit code for wrong usage and bad input.
pub(crate) const BAD_INPUT: u8 = 2;
/// The exit code for what is the harness's own fault.
pub(crate) const BROKEN: u8 = 3;

/// A check: it looks at the lab's programs and says what it found.
pub type CheckFn = fn(&Lab) -> Verdict;

/// What a check executable knows of its lab from the time when it was compiled.
#[derive(Debug, Clone, Copy)]
pub struct LabSource {
    /// The text of `lab.toml`.
    pub manifest: &'static str,
    /// The text of `README.md`.
    pub readme: &'static str,
    /// The lab's folder.
    pub folder: &'static str,
    /// The lab's package.
    pub package: &'static str,
    /// The text of `checks/hidden.rs`; empty where there are no hidden checks.
    pub hidden: &'static str,
}

/// Makes the `main` of a lab's check executable out of its checks.
///
/// ```ignore
/// harness::checks! { words_arrive, child_reaped }
/// ```
///
/// The lab is the package that it stands in. `checks! { from SOURCE; words_arrive }` takes another [`LabSource`].
#[macro_export]
macro_rules! checks {
    (from $source:expr; $($check:ident),+ $(,)?) => {
        /// The lab and its checks, for hidden checks that stand beside them.
        #[allow(dead_code)]
        pub(crate) const HANDED_OUT: ($crate::check::LabSource, &[(&str, $crate::check::CheckFn)]) =
            ($source, &[$((stringify!($check), $check as $crate::check::CheckFn)),+]);

        // Beside hidden checks this is a module, and its main nobody's.
        #[allow(dead_code)]
        fn main() -> ::std::process::ExitCode {
            $crate::check::main(HANDED_OUT.0, HANDED_OUT.1)
        }
    };
    ($($check:ident),+ $(,)?) => {
        $crate::checks! {
            from $crate::check::LabSource {
                manifest: include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/lab.toml")),
                readme: include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")),
                folder: env!("CARGO_MANIFEST_DIR"),
                package: env!("CARGO_PKG_NAME"),
                hidden: "",
            };
            $($check),+
        }
    };
}

/// Makes the `main` of a lab's check executable out of the checks in `checks.rs` and of hidden ones. It stands in `checks/hidden.rs`, which the lab's `Cargo.toml` names as
/// the source of its check executable, and which takes `checks.rs` in as a module:
///
/// ```ignore
/// #[path = "../checks.rs"]
/// mod checks;
///
/// harness::hidden_checks! { beside checks; another_input }
/// ```
///
/// Students get neither the file nor what `lab.toml` says of its checks; in their workspace `checks.rs` is the source of the check executable.
#[macro_export]
macro_rules! hidden_checks {
    (beside $handed_out:ident; $($check:ident),+ $(,)?) => {
        fn main() -> ::std::process::ExitCode {
            let hidden = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/checks/hidden.rs"));
            let (source, handed_out) = $handed_out::HANDED_OUT;
            let checks = [handed_out, &[$((stringify!($check), $check as $crate::check::CheckFn)),+]].concat();
            $crate::check::main($crate::check::LabSource { hidden, ..source }, &checks)
        }
    };
}

/// The `main` of a check executable: does what its command line asks for.
#[must_use]
pub fn main(source: LabSource, checks: &[(&'static str, CheckFn)]) -> ExitCode {
    match serve(source, checks) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {}", printable::escaped(&error));
            ExitCode::from(BAD_INPUT)
        }
    }
}

/// As [`main`]; an error is bad input.
fn serve(source: LabSource, checks: &[(&'static str, CheckFn)]) -> Result<ExitCode, String> {
    let arguments = Arguments::parse(std::env::args_os())?;
    let registry = Registry::new(source, checks)?;
    let seed = seed::choose(arguments.seed)?;
    match arguments.mode {
        Mode::One { name, timelines, failure } => {
            let index = registry.index_of(&name)?;
            let create = |path: std::path::PathBuf| std::fs::File::create(&path).map_err(|error| format!("{}: {error}", path.display()));
            let all = timelines.map(create).transpose()?.map(Timelines::All);
            let timelines = all.or(failure.map(create).transpose()?.map(Timelines::OfFailure));
            Ok(in_process::print(&registry, index, Programs::new(arguments.programs, source.package), seed, timelines))
        }
        Mode::Run { names, jobs, timelines } => {
            let asked_for = registry.indices_of(&names)?;
            Ok(lab_run::run(&Session::new(registry, seed, arguments.programs).with_timelines(timelines), &asked_for, jobs))
        }
        Mode::Libtest(rest) => Ok(libtest::run(rest, Session::new(registry, seed, arguments.programs))),
    }
}
