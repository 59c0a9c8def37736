//! The command line of a check executable.
//!
//! Theory of operation: `--seed`, `--programs` and `--program` are understood everywhere, `--timelines` beside `--lab-check`, `--failure` too, and `--timelines` beside
//! `--lab-run` is the folder of those files. `--lab-run` and `--lab-check` choose a mode of ours, whose command lines are
//! written by other programs and are read strictly. Anything else is libtest's and goes on to it untouched, errors included.

use std::ffi::OsString;
use std::num::NonZeroUsize;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;

use super::programs::Places;

/// What a check executable is asked to do.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Mode {
    /// libtest's command line, the executable's own name included.
    Libtest(Vec<OsString>),
    /// Run these checks (none named: all), so many at a time, and write the timeline of the run that a check failed in to the file of the check's name in this folder.
    Run { names: Vec<String>, jobs: Option<NonZeroUsize>, timelines: Option<PathBuf> },
    /// Do this check in this process, and write the timelines of its runs to the first file, that of the run that it fails in to the second, if they are named.
    One { name: String, timelines: Option<PathBuf>, failure: Option<PathBuf> },
}

/// The command line, taken apart.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Arguments {
    /// What to do.
    pub mode: Mode,
    /// `--seed`.
    pub seed: Option<u64>,
    /// `--programs` and `--program`.
    pub programs: Places,
}

impl Arguments {
    /// Takes `arguments` apart; the first is the executable's own name.
    ///
    /// # Errors
    /// An option without its value, a value that is no number, an option that a mode of ours does not have.
    pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Self, String> {
        let mut arguments = arguments.into_iter();
        let mut rest: Vec<OsString> = arguments.next().into_iter().collect();
        let (mut seed, mut programs, mut one, mut timelines, mut failure, mut run) = (None, Places::default(), None, None, None, false);
        while let Some(argument) = arguments.next() {
            let text = argument.to_string_lossy();
            let (option, mut value) = match text.split_once('=') {
                Some((option, value)) if text.starts_with("--") => (option.to_owned(), Some(OsString::from(value))),
                _ => (text.into_owned(), None),
            };
            let mut take =
                |what: &str| value.take().or_else(|| arguments.next()).ok_or(format!("{option} is without its value; expected {option} {what}"));
            match option.as_str() {
                "--seed" => seed = Some(number(&option, &take("N")?)?),
                "--programs" => programs.folder = Some(PathBuf::from(take("DIR")?)),
                "--program" => programs.files.extend([name_and_file(&take("NAME=FILE")?)?]),
                "--lab-check" => one = Some(take("NAME")?.to_string_lossy().into_owned()),
                "--timelines" => timelines = Some(PathBuf::from(take("FILE")?)),
                "--failure" => failure = Some(PathBuf::from(take("FILE")?)),
                "--lab-run" => run = true,
                _ => rest.push(argument),
            }
        }
        let mode = match one {
            Some(_) if run => return Err("--lab-run and --lab-check exclude each other".into()),
            None if failure.is_some() => return Err("--failure goes with --lab-check".into()),
            None if timelines.is_some() && !run => return Err("--timelines goes with --lab-check or --lab-run".into()),
            Some(_) if timelines.is_some() && failure.is_some() => return Err("--timelines and --failure exclude each other".into()),
            Some(name) if rest.len() < 2 => Mode::One { name, timelines, failure },
            Some(_) => return Err(format!("unexpected argument `{}` after --lab-check NAME", rest[1].to_string_lossy())),
            None if run => names_and_jobs(rest, timelines)?,
            None => Mode::Libtest(rest),
        };
        Ok(Self { mode, seed, programs })
    }
}

/// What stands beside `--lab-run`.
fn names_and_jobs(rest: Vec<OsString>, timelines: Option<PathBuf>) -> Result<Mode, String> {
    let (mut names, mut jobs) = (Vec::new(), None);
    let mut rest = rest.into_iter().skip(1);
    while let Some(argument) = rest.next() {
        let text = argument.to_string_lossy().into_owned();
        match text.split_once('=').unwrap_or((&text, "")) {
            ("--jobs", value) => {
                let value = if value.is_empty() { rest.next().ok_or("--jobs is without its value; expected --jobs N")? } else { value.into() };
                jobs = Some(number("--jobs", &value)?);
            }
            _ if text.starts_with('-') => {
                return Err(format!(
                    "unexpected option `{text}`; --lab-run has NAME…, --seed N, --programs DIR, --program NAME=FILE, --timelines DIR and --jobs N"
                ));
            }
            _ => names.push(text),
        }
    }
    Ok(Mode::Run { names, jobs, timelines })
}

/// `NAME=FILE`, where FILE may have any bytes.
fn name_and_file(value: &OsString) -> Result<(String, PathBuf), String> {
    let bytes = value.as_bytes();
    let parts = bytes.iter().position(|byte| *byte == b'=').map(|place| (&bytes[..place], &bytes[place + 1..]));
    let (name, file) = parts.ok_or_else(|| format!("--program `{}`: expected NAME=FILE", value.to_string_lossy()))?;
    Ok((String::from_utf8_lossy(name).into_owned(), PathBuf::from(OsString::from_vec(file.to_vec()))))
}

fn number<N: std::str::FromStr>(option: &str, value: &OsString) -> Result<N, String> {
    let text = value.to_string_lossy();
    text.parse().map_err(|_| format!("{option} `{text}` is not a number that {option} can have"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Arguments, String> {
        Arguments::parse(line.split(' ').map(OsString::from))
    }

    #[test]
    fn what_is_not_ours_goes_on_to_libtest() {
        let arguments = parse("checks --exact --seed 7 a_name --programs=/p --format=terse").unwrap();
        let rest = ["checks", "--exact", "a_name", "--format=terse"].map(OsString::from).to_vec();
        assert_eq!(arguments, Arguments { mode: Mode::Libtest(rest), seed: Some(7), programs: Places::folder("/p") });
    }

    #[test]
    fn a_run_has_names_and_jobs() {
        let arguments = parse("checks --lab-run a --jobs 3 b --seed=9 --timelines t").unwrap();
        let mode = Mode::Run { names: vec!["a".into(), "b".into()], jobs: NonZeroUsize::new(3), timelines: Some("t".into()) };
        assert_eq!(arguments, Arguments { mode, seed: Some(9), programs: Places::default() });
    }

    #[test]
    fn places_come_back_from_their_options() {
        let files = [("client".to_owned(), PathBuf::from("/a=b/c")), ("server".to_owned(), PathBuf::from(OsString::from_vec(b"/\xff".to_vec())))];
        let places = Places { folder: Some("/p".into()), files: files.into() };
        let line = [OsString::from("checks")].into_iter().chain(places.options());
        assert_eq!(Arguments::parse(line).unwrap().programs, places);
    }

    #[test]
    fn wrong_usage_is_an_error_that_names_the_argument() {
        let cases = [
            ("checks --seed", "--seed"),
            ("checks --seed x", "`x`"),
            ("checks --lab-run --jobs 0", "`0`"),
            ("checks --lab-run --exact", "`--exact`"),
            ("checks --lab-check a b", "`b`"),
            ("checks --lab-check a --lab-run", "--lab-run"),
            ("checks --timelines f", "--lab-check"),
            ("checks --lab-run --failure f", "--lab-check"),
            ("checks --lab-check a --failure f --timelines g", "--failure"),
            ("checks --program f", "NAME=FILE"),
        ];
        for (line, named) in cases {
            let error = parse(line).unwrap_err();
            assert!(error.contains(named), "{line}: {error}");
        }
    }
}
