//! What the watching command shows.
//!
//! Theory of operation: a screen is the lab's heading, what there is to say, a line on what goes on, and the keys, in this order, so that the keys stay in sight
//! when the text is longer than the terminal. It is cleared before. A plain screen is never cleared and no line of it is written twice: a screen
//! reader reads what is new. No meaning is in a colour alone: each verdict is a word.

use std::fmt::Write;

use super::super::layout::{BOLD, DIM, counted, hang, style_of};
use super::super::{NoAnswer, journal, layout, print, report};
use super::control;
use crate::check::printable::escaped;
use crate::manifest::LabFolder;
use crate::record::CheckRecord;
use crate::verdict::Word;

use super::super::journal::Journal;

/// The upper left corner, and nothing from there on.
const CLEAR: &str = "\x1b[H\x1b[2J";
/// The line that the cursor is in, empty again.
const CLEAR_LINE: &str = "\r\x1b[K";
/// The keys, with what they do.
const KEYS: &str = "h hint, e explain, t timeline, c checks, r run again, n next lab, l list of labs, a all labs, q quit";

/// What there is to say of a lab.
pub enum Body<'watch> {
    /// Nothing yet.
    Nothing,
    /// The compiler's messages.
    DoesNotCompile(&'watch str),
    /// The first check that is wrong, and the hints given so far.
    Wrong(&'watch CheckRecord, &'watch [String]),
    /// Everything passes; the next lab, if one is left.
    AllPass(&'watch [CheckRecord], Option<&'watch LabFolder>),
    /// There is no answer, and why.
    NoAnswer(&'watch str),
}

/// The terminal, to be written on.
pub struct Screen {
    plain: bool,
    /// How many checks there are under way, where a line is being redrawn that says how many are done.
    counting: Option<usize>,
    /// The lab of which it shows where it stands.
    shown: Option<String>,
    /// Whether a plain screen has said what is wrong, before the checks were done.
    told: bool,
}

impl Screen {
    /// A screen; a plain one is only written on.
    pub fn new(plain: bool) -> Self {
        Self { plain, counting: None, shown: None, told: false }
    }

    /// Whether there are colours.
    pub fn coloured(&self) -> bool {
        !self.plain && anstream::AutoStream::choice(&std::io::stdout()) != anstream::ColorChoice::Never
    }

    fn width(&self) -> Option<usize> {
        layout::width(self.plain)
    }

    /// Prints a text, which is below whatever is there.
    pub fn say(&mut self, text: &str) -> Result<(), NoAnswer> {
        if self.counting.take().is_some() && !self.plain {
            control(CLEAR_LINE)?;
        }
        print(text, self.plain)
    }

    fn clear(&mut self) -> Result<(), NoAnswer> {
        (self.counting, self.shown, self.told) = (None, None, false);
        if self.plain { control("\n") } else { control(CLEAR) }
    }

    /// A lab is being built and checked. What is there of it stays until there is something new.
    pub fn under_way(&mut self, lab: &LabFolder, journal: &Journal) -> Result<(), NoAnswer> {
        let is_there = self.shown.as_ref() == Some(&lab.name) && !self.plain;
        if !is_there {
            self.clear()?;
            self.say(&heading(lab, journal))?;
        }
        self.counting = Some(lab.manifest.checks.len());
        if self.plain { print("building and checking\n", true) } else { control(&format!("{CLEAR_LINE}building")) }
    }

    /// All labs are being built and checked.
    pub fn all_under_way(&mut self, labs: usize, checks: usize) -> Result<(), NoAnswer> {
        self.clear()?;
        self.say(&format!("building and checking {}; r goes back to this lab\n", counted(labs, "lab")))?;
        self.counting = Some(checks);
        Ok(())
    }

    /// One more check is done.
    pub fn step(&mut self, done: usize) -> Result<(), NoAnswer> {
        match self.counting {
            Some(all) if !self.plain => control(&format!("{CLEAR_LINE}checking: {done} of {all} done")),
            _ => Ok(()),
        }
    }

    /// Where a lab stands. While its checks are under way, that is what is wrong so far.
    pub fn show(&mut self, lab: &LabFolder, journal: &Journal, body: &Body<'_>, under_way: bool) -> Result<(), NoAnswer> {
        // A plain screen that has said it already adds what is new.
        let told = self.plain && std::mem::take(&mut self.told) && !under_way;
        let mut out = String::new();
        if !told {
            self.clear()?;
            out = heading(lab, journal);
            self.body(&mut out, lab, body);
        }
        if under_way && self.plain {
            self.told = true;
            return self.say(&out);
        }
        let passed = journal.passed(lab);
        let result = match body {
            Body::Wrong(..) if !under_way => format!("{passed} of {} pass. ", counted(lab.manifest.checks.len(), "check")),
            _ => String::new(),
        };
        let status = if under_way {
            "checking the rest".to_owned()
        } else {
            format!("{result}Watching labs/{}: save a file, and it is checked again", lab.folder)
        };
        let _ = writeln!(out, "\n{BOLD}{}{BOLD:#}", escaped(&status));
        hang(&mut out, "keys:", DIM, 6, KEYS, self.width());
        self.say(&out)?;
        self.shown = Some(lab.name.clone());
        self.counting = under_way.then_some(lab.manifest.checks.len());
        Ok(())
    }

    /// One more hint, below what is there, for a plain screen.
    pub fn hint(&mut self, step: usize, hint: &str) -> Result<(), NoAnswer> {
        self.say(&format!("hint {step}: {}\n", escaped(hint)))
    }

    /// Whether it is only written on.
    pub fn is_plain(&self) -> bool {
        self.plain
    }

    fn body(&self, out: &mut String, lab: &LabFolder, body: &Body<'_>) {
        let width = self.width();
        match body {
            Body::Nothing => {}
            Body::DoesNotCompile(diagnostics) => {
                let fail = style_of(Word::Fail);
                let _ = write!(out, "\n{diagnostics}");
                let _ = writeln!(out, "\n{fail}it does not compile{fail:#}: the compiler's message is above");
            }
            Body::NoAnswer(text) => hang(out, "\nerror:", style_of(Word::Broken), 8, text, width),
            Body::Wrong(record, hints) => {
                report::explanation(out, record, width);
                for (step, hint) in hints.iter().enumerate() {
                    hang(out, &format!("  hint {}", step + 1), BOLD, report::INDENT, hint, width);
                }
            }
            Body::AllPass(records, next) => {
                let pass = style_of(Word::Pass);
                let skipped = records.iter().filter(|record| record.verdict == Word::Skipped).count();
                let (points, most) = (records.iter().map(|record| record.points).sum::<u32>(), lab.manifest.points());
                let checks = counted(records.len() - skipped, "check");
                let _ = writeln!(out, "\n{pass}all pass{pass:#}: {checks}, {points} of {most} points. Well done.");
                if skipped > 0 {
                    let _ = writeln!(out, "{} cannot be done on this system; c says why.", counted(skipped, "check"));
                }
                match next {
                    Some(next) => {
                        let _ = writeln!(
                            out,
                            "n goes on to {}: {}. Its handout is labs/{}/README.md.",
                            next.folder,
                            escaped(&next.manifest.title),
                            next.folder
                        );
                    }
                    None => out.push_str("That was the last one: every lab is done. Thank you for working through all of them.\n"),
                }
            }
        }
    }

    /// A text of its own, until a key.
    pub fn page(&mut self, text: &str) -> Result<(), NoAnswer> {
        self.clear()?;
        self.say(&format!("{}\n\nEnter goes back; q quits\n", text.trim_end()))
    }

    /// A short word on a key.
    pub fn note(&mut self, text: &str) -> Result<(), NoAnswer> {
        self.say(&format!("{}\n", escaped(text)))
    }

    /// The labs, to choose one.
    pub fn choose(&mut self, labs: &[LabFolder], journal: &Journal, here: usize) -> Result<(), NoAnswer> {
        self.clear()?;
        let names = labs.iter().map(|lab| lab.folder.chars().count()).max().unwrap_or(0);
        let mut out = String::new();
        for (place, lab) in labs.iter().enumerate() {
            let state = match (journal.is_done(lab), place == here) {
                (true, true) => "done, here",
                (true, false) => "done",
                (false, true) => "here",
                (false, false) => "",
            };
            let checks = format!("{} of {}", journal.passed(lab), counted(lab.manifest.checks.len(), "check"));
            let _ = writeln!(out, "{:names$}  {checks:15}  {state:10}  {}", lab.folder, escaped(&lab.manifest.title));
        }
        out.push_str("\nType a lab's number and Enter; Enter alone goes back.\n");
        self.say(&out)?;
        self.prompt("")
    }

    /// What was typed so far.
    pub fn prompt(&mut self, typed: &str) -> Result<(), NoAnswer> {
        match (self.plain, typed) {
            (true, "") => Ok(()),
            (true, typed) => control(&typed[typed.len() - 1..]),
            (false, typed) => control(&format!("{CLEAR_LINE}lab {typed}")),
        }
    }
}

/// The lab's name, and how far the student is.
fn heading(lab: &LabFolder, journal: &Journal) -> String {
    let checks = counted(lab.manifest.checks.len(), "check");
    let passed = journal.passed(lab);
    let handout = format!("handout: labs/{}/README.md", lab.folder);
    format!("{BOLD}{}: {}{BOLD:#}\n{DIM}so far {passed} of {checks}; {handout}{DIM:#}\n", lab.folder, escaped(&lab.manifest.title))
}

/// The lab's checks, with their verdicts as far as they are there.
pub fn checks(lab: &LabFolder, records: &[CheckRecord]) -> String {
    let names = lab.manifest.checks.iter().map(|check| check.name.chars().count()).max().unwrap_or(0);
    let mut out = format!("{BOLD}{}{BOLD:#}\n", lab.folder);
    for check in &lab.manifest.checks {
        let record = records.iter().find(|record| record.check == check.name);
        let (word, style) = record.map_or(("not yet", DIM), |record| (record.verdict.as_str(), style_of(record.verdict)));
        let points = format!("{}/{}", record.map_or(0, |record| record.points), check.points);
        let reason = record.filter(|record| record.verdict == Word::Skipped).and_then(|record| record.reason.as_deref()).unwrap_or("");
        let _ = writeln!(out, "  {style}{word:<7}{style:#}  {:names$}  {points:>5}  {DIM}{}{DIM:#}", check.name, escaped(reason).replace('\n', " "));
    }
    out
}

/// All labs in a line each: the check that each is at.
pub fn everything(labs: &[LabFolder], all: &[(String, Option<CheckRecord>)], seed: u64) -> String {
    let names = labs.iter().map(|lab| lab.folder.chars().count()).max().unwrap_or(0);
    let mut out = format!("seed {seed}\n");
    let (mut earned, mut most) = (0, 0);
    for lab in labs {
        let records: Vec<&CheckRecord> = all.iter().filter(|(name, _)| *name == lab.name).filter_map(|(_, record)| record.as_ref()).collect();
        let points: u32 = records.iter().map(|record| record.points).sum();
        earned += points;
        most += lab.manifest.points();
        let wrong = records.iter().find(|record| matches!(record.verdict, Word::Fail | Word::Broken));
        let (style, state) = match wrong {
            _ if records.is_empty() => (style_of(Word::Fail), "does not compile".to_owned()),
            Some(record) => (style_of(record.verdict), format!("{}: {}", record.verdict.as_str(), record.check)),
            None => (style_of(Word::Pass), "all pass".to_owned()),
        };
        let _ = writeln!(out, "{:names$}  {:>7}  {style}{}{style:#}", lab.folder, format!("{points}/{}", lab.manifest.points()), escaped(&state));
    }
    let _ = writeln!(out, "{BOLD}{earned}/{most} points{BOLD:#}");
    out
}

/// The last words.
pub fn goodbye(labs: &[LabFolder], journal: &Journal, here: &LabFolder) -> String {
    let done = labs.iter().filter(|lab| journal.is_done(lab)).count();
    let so_far = format!("{done} of {} done", counted(labs.len(), "lab"));
    if done == labs.len() {
        return format!("\n{so_far}. What you have learnt is how every program on this machine talks to its neighbours.\n");
    }
    format!("\n{so_far}. Progress is kept in {}; `cargo lab` goes on with {}.\n", journal::FILE_NAME, here.folder)
}
