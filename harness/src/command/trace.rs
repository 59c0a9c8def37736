//! `lab trace`: the calls of any program, one line each, as the harness sees them.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::process::ExitCode;

use super::TraceArguments;
use crate::call::{Call, name_of};
use crate::kernel::seccomp::Stops;
use crate::trace::event::{Event, Exit};
use crate::trace::native;

/// The calls to stop at: all, those named, or those that the checks look at.
fn stops(all: bool, calls: &[String]) -> Result<Stops, String> {
    if all {
        return Ok(Stops::All);
    }
    if calls.is_empty() {
        return Ok(Stops::These(Call::named_numbers()));
    }
    let number =
        |name: &String| (0..1024).find(|number| name_of(u64::from(*number)) == *name).ok_or_else(|| format!("there is no system call `{name}`"));
    Ok(Stops::These(calls.iter().map(number).collect::<Result<_, _>>()?))
}

/// Runs a program and writes its calls where they are asked for.
///
/// # Errors
/// An unknown call, a file that cannot be written, a program that cannot be run.
pub fn perform(arguments: &TraceArguments) -> Result<ExitCode, String> {
    let stops = stops(arguments.all, &arguments.calls)?;
    let sink: Box<dyn Write> = match &arguments.output {
        Some(path) => Box::new(File::create(path).map_err(|error| format!("{}: {error}", path.display()))?),
        None => Box::new(io::stderr()),
    };
    let lines = std::rc::Rc::new(std::cell::RefCell::new(BufWriter::with_capacity(1 << 16, sink)));
    let writer = std::rc::Rc::clone(&lines);
    let on_event = Box::new(move |_: &crate::trace::event::Process, event: &Event| {
        // A full disk shows at the flush below.
        let _ = write_line(&mut *writer.borrow_mut(), event.task(), event);
    });
    let exit = native::trace(&arguments.command, &stops, false, on_event).map_err(|error| error.to_string())?;
    lines.borrow_mut().flush().map_err(|error| format!("failed to write the trace: {error}"))?;
    Ok(ExitCode::from(match exit {
        Exit::Status(status) => status as u8,
        Exit::Signal(signal) => 128 + signal as u8,
    }))
}

fn write_line(out: &mut impl Write, task: i32, event: &Event) -> io::Result<()> {
    write!(out, "{task} {}(", name_of(event.number))?;
    for (index, argument) in event.arguments.iter().enumerate() {
        write!(out, "{}{argument:#x}", if index > 0 { ", " } else { "" })?;
    }
    match event.result {
        Some(result) if (-4095..0).contains(&result) => writeln!(out, ") = -1 (errno {})", -result),
        Some(result) => writeln!(out, ") = {result:#x}"),
        None => writeln!(out, ") = ?"),
    }
}
