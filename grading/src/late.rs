//! The late policy: what a late submission costs, as data.
//!
//! Theory of operation: a policy is applied to records when the table of grades is written, and changes no record. It looks at the moment of submission that the record
//! holds and at nothing else, so that grading again, today or next year, makes nobody late; and a policy that is mended needs no grading at all. Where no moment
//! is known nothing is deducted, and that is said.
//!
//! A day late is every day begun after the due time. Days of grace cost nothing: those of the lab first, then those that a student has for the whole
//! course, spent in the order of the labs.

use std::collections::BTreeMap;
use std::path::Path;

use harness::manifest::{LabFolder, did_you_mean};
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use toml::value::Datetime;

use crate::failure::Failure;
use crate::run::record::{Record, Status};

/// The name that the policy of an output folder has there.
pub const FILE_NAME: &str = "late.toml";

const DAY: i64 = 24 * 60 * 60;

/// A policy.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    /// Days of grace that each student has for all labs together.
    #[serde(default)]
    grace_days_in_all: i64,
    /// For every lab.
    #[serde(default)]
    default: Rule,
    /// For one lab, by its folder, package or number: what is said here counts more.
    #[serde(default)]
    lab: BTreeMap<String, Rule>,
    /// For one student.
    #[serde(default)]
    extension: Vec<Extension>,
}

/// What counts for a lab.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Rule {
    due: Option<Datetime>,
    grace_minutes: Option<i64>,
    grace_days: Option<i64>,
    percent_per_day: Option<u32>,
    percent_at_most: Option<u32>,
    hard_stop_days: Option<i64>,
}

/// More time for one student.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Extension {
    student: String,
    lab: Option<String>,
    days: i64,
}

/// What a record says that a mark follows from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Earned {
    /// The student's name.
    pub student: String,
    /// The folder of the student's records, which is no other student's.
    pub record_name: String,
    /// What a platform knows the student by.
    pub ids: Vec<String>,
    /// The lab's folder.
    pub lab: String,
    /// Points of the record.
    pub points: u32,
    /// When it was handed in; none if nobody said.
    pub submitted: Option<String>,
    /// Whether the platform marked it as late.
    pub marked_late: bool,
    /// Whether anything was handed in.
    pub handed_in: bool,
}

/// What counts in the end.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Mark {
    /// Hundredths of a point.
    pub hundredths: u64,
    /// When it was due, extensions included; none if the policy does not say.
    pub due: Option<String>,
    /// Days begun after that.
    pub days_late: i64,
    /// How many of them cost nothing.
    pub grace_days: i64,
    /// What is deducted from the points, of a hundred.
    pub percent: u32,
    /// What there is to say: past the hard stop, or no time known.
    pub note: &'static str,
}

impl Policy {
    /// Reads a policy. `origin` is the path that errors name.
    ///
    /// # Errors
    /// Text that is no policy, a due time without an offset from UTC, a negative number, an unknown lab.
    pub fn parse(text: &str, origin: &Path, labs: &[LabFolder]) -> Result<Self, Failure> {
        let bad = |needle: &str, reason: String| {
            let line = text.lines().position(|line| !needle.is_empty() && line.contains(needle)).map_or(1, |line| line + 1);
            Failure::BadInput(format!("{}:{line}: {reason}", origin.display()))
        };
        let mut policy: Self = toml::from_str(text).map_err(|error| {
            let line = error.span().map_or(1, |span| text[..span.start.min(text.len())].matches('\n').count() + 1);
            Failure::BadInput(format!("{}:{line}: {}", origin.display(), error.message()))
        })?;
        let folder = |name: &str| {
            let number = |lab: &LabFolder| lab.folder.split('-').next().and_then(|number| number.parse::<u32>().ok());
            let is = |lab: &&LabFolder| lab.folder == name || lab.name == name || name.parse().is_ok_and(|wanted| number(lab) == Some(wanted));
            let names: Vec<&str> = labs.iter().map(|lab| &*lab.name).collect();
            let found = labs.iter().find(is).map(|lab| lab.folder.clone());
            found.ok_or_else(|| bad(name, format!("there is no lab `{}`{}", name.escape_debug(), did_you_mean(name, &names))))
        };
        policy.lab = policy.lab.into_iter().map(|(name, rule)| Ok((folder(&name)?, rule))).collect::<Result<_, Failure>>()?;
        for extension in &mut policy.extension {
            extension.lab = extension.lab.as_deref().map(folder).transpose()?;
        }
        for rule in policy.lab.values().chain([&policy.default]) {
            if let Some(due) = rule.due.filter(|due| moment(due).is_none()) {
                return Err(bad("due", format!("expected a time with its offset from UTC, such as 2026-10-05T23:59:00+02:00; observed {due}")));
            }
            let numbers = [("grace_minutes", rule.grace_minutes), ("grace_days", rule.grace_days), ("hard_stop_days", rule.hard_stop_days)];
            if let Some((key, number)) = numbers.into_iter().find_map(|(key, number)| Some((key, number.filter(|n| !(0..=36500).contains(n))?))) {
                return Err(bad(key, format!("expected {key} from 0 to 36500; observed {number}")));
            }
            for (key, percent) in [("percent_per_day", rule.percent_per_day), ("percent_at_most", rule.percent_at_most)] {
                if let Some(percent) = percent.filter(|percent| *percent > 100) {
                    return Err(bad(key, format!("expected {key} from 0 to 100; observed {percent}")));
                }
            }
        }
        let days = policy.extension.iter().map(|extension| ("days", extension.days)).chain([("grace_days_in_all", policy.grace_days_in_all)]);
        if let Some((key, number)) = days.into_iter().find(|(_, number)| !(0..=36500).contains(number)) {
            return Err(bad(key, format!("expected {key} from 0 to 36500; observed {number}")));
        }
        Ok(policy)
    }

    /// The marks of all records, in their order. A student's records stand in the order of the labs.
    #[must_use]
    pub fn marks(&self, all: &[Earned]) -> Vec<Mark> {
        let mut spent: BTreeMap<&str, i64> = BTreeMap::new();
        all.iter().map(|earned| self.mark(earned, spent.entry(&earned.record_name).or_default())).collect()
    }

    /// The students of extensions whom nobody is.
    #[must_use]
    pub fn strangers(&self, all: &[Earned]) -> Vec<String> {
        let unknown = |extension: &&Extension| !all.iter().any(|earned| earned.is(&extension.student));
        self.extension.iter().filter(unknown).map(|extension| extension.student.clone()).collect()
    }

    fn mark(&self, earned: &Earned, spent: &mut i64) -> Mark {
        let whole = Mark { hundredths: u64::from(earned.points) * 100, ..Mark::default() };
        let own = self.lab.get(&earned.lab);
        let Some(due) = own.and_then(|rule| rule.due).or(self.default.due).as_ref().and_then(moment) else { return whole };
        let number = |of: fn(&Rule) -> Option<i64>| own.and_then(of).or_else(|| of(&self.default)).unwrap_or(0);
        let more = |extension: &&Extension| extension.lab.as_ref().is_none_or(|lab| *lab == earned.lab) && earned.is(&extension.student);
        let extended: i64 = self.extension.iter().filter(more).map(|extension| extension.days).sum();
        let due = due.saturating_add(SignedDuration::from_secs(extended * DAY)).unwrap_or(due);
        let whole = Mark { due: Some(due.to_string()), ..whole };
        if !earned.handed_in {
            return whole;
        }
        let Some(submitted) = earned.submitted.as_ref().and_then(|time| time.parse::<Timestamp>().ok()) else {
            let note = if earned.marked_late { "marked as late by the platform, but no time is known" } else { "no time is known" };
            return Mark { note, ..whole };
        };
        let late = submitted.duration_since(due);
        if late <= SignedDuration::from_mins(number(|rule| rule.grace_minutes)) {
            return whole;
        }
        // A day that has begun is a day: whole seconds and what is left of one.
        let seconds = late.as_secs() + i64::from(late.subsec_nanos() > 0);
        let days_late = (seconds + DAY - 1) / DAY;
        let stop = own.and_then(|rule| rule.hard_stop_days).or(self.default.hard_stop_days);
        if stop.is_some_and(|stop| days_late > stop) {
            return Mark { hundredths: 0, days_late, percent: 100, note: "past the hard stop", ..whole };
        }
        let of_lab = number(|rule| rule.grace_days).min(days_late);
        let of_course = (days_late - of_lab).min(self.grace_days_in_all - *spent).max(0);
        *spent += of_course;
        let grace_days = of_lab + of_course;
        let percent = |of: fn(&Rule) -> Option<u32>| own.and_then(of).or_else(|| of(&self.default));
        let per_day = i64::from(percent(|rule| rule.percent_per_day).unwrap_or(0));
        let at_most = i64::from(percent(|rule| rule.percent_at_most).unwrap_or(100));
        let percent = u32::try_from(((days_late - grace_days) * per_day).clamp(0, at_most)).unwrap_or(100);
        Mark { hundredths: u64::from(earned.points) * u64::from(100 - percent), days_late, grace_days, percent, ..whole }
    }
}

impl Earned {
    /// What the record in this folder says.
    #[must_use]
    pub fn of(record_name: &str, record: &Record) -> Self {
        Self {
            student: record.student.clone(),
            record_name: record_name.to_owned(),
            ids: record.ids.clone(),
            lab: record.lab.clone(),
            points: record.points,
            submitted: record.submitted.clone(),
            marked_late: record.marked_late,
            handed_in: record.outcome.status != Status::MissingFile,
        }
    }

    fn is(&self, name: &str) -> bool {
        self.student == name || self.record_name == name || self.ids.iter().any(|id| id == name)
    }
}

impl Mark {
    /// The mark as a decimal number, without zeros at the end.
    #[must_use]
    pub fn points(&self) -> String {
        decimal(self.hundredths)
    }
}

/// Hundredths as a decimal number, without zeros at the end.
#[must_use]
pub fn decimal(hundredths: u64) -> String {
    let text = format!("{}.{:02}", hundredths / 100, hundredths % 100);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn moment(due: &Datetime) -> Option<Timestamp> {
    due.to_string().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(text: &str) -> Result<Policy, Failure> {
        let manifest = "title = \"t\"\nsummary = \"s\"\nlevel = 1\ncalls = []\n[[program]]\nname = \"p\"\nsource = \"p.rs\"\nusage = \"p\"\n[[check]]\nname = \"c\"\npoints = 1\nhints = [\"\", \"\", \"\"]\n";
        let lab = |folder: &str| LabFolder {
            path: folder.into(),
            folder: folder.into(),
            name: folder[3..].into(),
            manifest: harness::manifest::Manifest::parse(manifest, Path::new("lab.toml")).unwrap(),
        };
        Policy::parse(text, Path::new("late.toml"), &[lab("01-a"), lab("02-b"), lab("03-c")])
    }

    fn earned(lab: &str, submitted: &str) -> Earned {
        Earned {
            student: "Ann".into(),
            record_name: "ann".into(),
            ids: vec!["7".into()],
            lab: lab.into(),
            points: 9,
            submitted: (!submitted.is_empty()).then(|| submitted.into()),
            marked_late: false,
            handed_in: true,
        }
    }

    fn one(policy: &Policy, lab: &str, submitted: &str) -> (String, i64, u32) {
        let mark = policy.marks(&[earned(lab, submitted)]).remove(0);
        (mark.points(), mark.days_late, mark.percent)
    }

    const POLICY: &str = "[default]\ndue = 2026-10-05T23:59:00+02:00\ngrace_minutes = 10\npercent_per_day = 15\nhard_stop_days = 3\n[lab.b]\ngrace_days = 1\npercent_at_most = 20\n";

    #[test]
    fn every_day_begun_costs_up_to_the_hard_stop() {
        let policy = policy(POLICY).unwrap();
        for (submitted, expected) in [
            ("2026-10-05T21:59:00Z", ("9", 0, 0)),
            ("2026-10-05T22:09:00Z", ("9", 0, 0)),
            ("2026-10-05T22:09:00.001Z", ("7.65", 1, 15)),
            ("2026-10-06T21:59:00Z", ("7.65", 1, 15)),
            ("2026-10-06T21:59:00.5Z", ("6.3", 2, 30)),
            ("2026-10-08T21:59:00Z", ("4.95", 3, 45)),
            ("2026-10-08T21:59:01Z", ("0", 4, 100)),
        ] {
            assert_eq!(one(&policy, "01-a", submitted), (expected.0.to_owned(), expected.1, expected.2), "{submitted}");
        }
        assert_eq!(one(&policy, "02-b", "2026-10-06T12:00:00Z").0, "9", "one day of grace");
        assert_eq!(one(&policy, "02-b", "2026-10-08T12:00:00Z").0, "7.2", "at most 20 of a hundred");
    }

    #[test]
    fn where_no_time_is_known_nothing_is_deducted_and_that_is_said() {
        let policy = policy(POLICY).unwrap();
        let mark = policy.marks(&[earned("01-a", "")]).remove(0);
        assert_eq!((mark.points().as_str(), mark.note), ("9", "no time is known"));
    }

    #[test]
    fn days_of_the_whole_course_are_spent_in_the_order_of_the_labs() {
        let policy = policy(&format!("grace_days_in_all = 3\n{POLICY}")).unwrap();
        let marks =
            policy.marks(&[earned("01-a", "2026-10-07T12:00:00Z"), earned("02-b", "2026-10-07T12:00:00Z"), earned("03-c", "2026-10-07T12:00:00Z")]);
        assert_eq!(marks.iter().map(|mark| (mark.grace_days, mark.percent)).collect::<Vec<_>>(), [(2, 0), (2, 0), (0, 30)]);
    }

    #[test]
    fn an_extension_moves_the_due_time_of_one_student() {
        let policy =
            policy(&format!("{POLICY}[[extension]]\nstudent = \"7\"\nlab = \"a\"\ndays = 2\n[[extension]]\nstudent = \"nobody\"\ndays = 1\n"))
                .unwrap();
        assert_eq!(one(&policy, "01-a", "2026-10-07T12:00:00Z").0, "9");
        assert_eq!(one(&policy, "03-c", "2026-10-07T12:00:00Z").0, "6.3");
        assert_eq!(policy.strangers(&[earned("01-a", "")]), ["nobody"]);
    }

    #[test]
    fn a_policy_that_cannot_be_used_is_named_with_its_line() {
        for (text, expected) in [
            ("[default]\ndue = 2026-10-05T23:59:00\n", "late.toml:2: expected a time with its offset"),
            ("[default]\npercent_per_day = 101\n", "late.toml:2: expected percent_per_day from 0 to 100"),
            ("[default]\ngrace_days = -1\n", "late.toml:2: expected grace_days"),
            ("[lab.x]\n", "late.toml:1: there is no lab `x`"),
            ("[default]\nper_day = 1\n", "late.toml:2: unknown field `per_day`"),
            ("[default\n", "late.toml:1: "),
        ] {
            assert!(policy(text).is_err_and(|failure| failure.to_string().starts_with(expected)), "{text}: {:?}", policy(text));
        }
    }
}
