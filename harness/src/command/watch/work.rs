//! Work in the background: building, checking, drawing a timeline.
//!
//! Theory of operation: one task at a time, in a thread that sends what it has to tell. Its number goes with every message, so that what a task that was given
//! up still sends is known as such.

use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::thread;

use super::super::build::{self, Built};
use super::super::interrupt::Interrupt;
use super::super::progress::Progress;
use super::super::workspace::Workspace;
use super::super::{NoAnswer, run, timeline};
use super::Event;
use crate::manifest::LabFolder;
use crate::record::CheckRecord;

/// What a task tells.
pub enum Told {
    /// The programs are built; checking begins.
    Built,
    /// A lab does not compile; what the compiler says.
    DoesNotCompile(String, String),
    /// A check of a lab is done, and all before it.
    Record(Box<CheckRecord>),
    /// A timeline, drawn.
    Timeline(String),
    /// There is no answer.
    NoAnswer(NoAnswer),
    /// The task is done.
    Done,
}

/// What to do in the background.
pub enum Task {
    /// Build the labs of these places in the workspace, and do all of their checks under a seed.
    Check(Vec<usize>, u64),
    /// Draw the last run of a check of a lab under a seed, in so many columns.
    Timeline(usize, String, u64, usize),
}

/// A task under way.
pub struct Work {
    number: u64,
    interrupt: Interrupt,
}

impl Work {
    /// Begins a task.
    pub fn begin(number: u64, task: Task, workspace: &Arc<Workspace>, coloured: bool, sender: &Sender<Event>) -> Self {
        let interrupt = Interrupt::possible();
        let (workspace, sender, known) = (Arc::clone(workspace), sender.clone(), interrupt.clone());
        thread::spawn(move || {
            // The receiver is gone only when the command ends.
            let mut tell = |told| drop(sender.send(Event::Told(number, told)));
            match perform(&task, &workspace, coloured, &known, &mut tell) {
                Ok(()) => tell(Told::Done),
                Err(no_answer) => tell(Told::NoAnswer(no_answer)),
            }
        });
        Self { number, interrupt }
    }

    /// Whether messages with this number are this task's.
    pub fn is(&self, number: u64) -> bool {
        self.number == number
    }
}

/// Nobody wants to know any more: it ends.
impl Drop for Work {
    fn drop(&mut self) {
        self.interrupt.give_up();
    }
}

fn perform(task: &Task, workspace: &Workspace, coloured: bool, interrupt: &Interrupt, tell: &mut dyn FnMut(Told)) -> Result<(), NoAnswer> {
    let hidden = Progress::spinner("", false);
    let build = |labs: &[&LabFolder]| -> Result<(String, Built), NoAnswer> {
        let compiled = build::compile(workspace, labs, &hidden, interrupt, coloured)?;
        let diagnostics = compiled.diagnostics.clone();
        let built = compiled.built().map_err(|_| NoAnswer::bad_input(format!("cargo gave up before it compiled anything:\n{diagnostics}")))?;
        Ok((diagnostics, built))
    };
    match task {
        Task::Check(places, seed) => {
            let labs: Vec<&LabFolder> = places.iter().map(|place| &workspace.labs.0[*place]).collect();
            let (diagnostics, built) = build(&labs)?;
            tell(Told::Built);
            for lab in labs {
                let Some(executables) = built.get(&lab.name) else {
                    tell(Told::DoesNotCompile(lab.name.clone(), diagnostics.clone()));
                    continue;
                };
                let names: Vec<&str> = lab.manifest.checks.iter().map(|check| &*check.name).collect();
                let mut told = 0;
                let mut one = |record: &CheckRecord| {
                    told += 1;
                    tell(Told::Record(Box::new(record.clone())));
                };
                let records = run::run(lab, &names, executables, *seed, None, &mut one, interrupt);
                if interrupt.is_given_up() {
                    break;
                }
                // Those of which the executable has said nothing.
                records.into_iter().skip(told).for_each(|record| tell(Told::Record(Box::new(record))));
            }
        }
        Task::Timeline(place, check, seed, width) => {
            let lab = &workspace.labs.0[*place];
            let (_, built) = build(&[lab])?;
            let executables = built.get(&lab.name).ok_or_else(|| NoAnswer::bad_input(format!("the lab {} does not compile", lab.name)))?;
            tell(Told::Timeline(timeline::last_run(lab, check, executables, *seed, *width)?));
        }
    }
    Ok(())
}
