//! Files in the format of libpcap: pcap-savefile(5).

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use harness::prelude::*;

use crate::segments::{IPV4, LINK};

/// Bytes of a frame that FILE keeps at least.
const LEAST_KEPT: usize = 128;
/// Seconds that a clock may be set right by meanwhile; a time zone is more.
const TOLERANCE: u64 = 1200;
/// How much a clock that goes by the kernel's ticks may be behind, and a little more.
const COARSE: Duration = Duration::from_millis(12);
const MAN: &str = "pcap-savefile(5), and the table in the handout";

fn wrong(expected: impl Into<String>, observed: impl Into<String>) -> Unpassed {
    Finding::new("capture", expected, observed, format!("see {MAN}")).into()
}

/// One record.
struct Record<'file> {
    seconds: u64,
    fraction: u64,
    length: usize,
    kept: &'file [u8],
}

/// A capture file, taken apart.
struct Capture<'file> {
    link_type: u32,
    nanoseconds: bool,
    snaplen: usize,
    records: Vec<Record<'file>>,
}

impl<'file> Capture<'file> {
    fn read(file: &'file [u8]) -> Result<Self, Unpassed> {
        let Some((header, mut rest)) = file.split_at_checked(24) else {
            return Err(wrong("FILE begins with a header of 24 bytes", format!("FILE has {} bytes", file.len())));
        };
        let (little, nanoseconds) = match header[..4] {
            [0xd4, 0xc3, 0xb2, 0xa1] => (true, false),
            [0xa1, 0xb2, 0xc3, 0xd4] => (false, false),
            [0x4d, 0x3c, 0xb2, 0xa1] => (true, true),
            [0xa1, 0xb2, 0x3c, 0x4d] => (false, true),
            _ => {
                return Err(wrong(
                    "FILE begins with the magic number a1b2c3d4 or a1b23c4d",
                    format!("it begins with the bytes {:02x?}", &header[..4]),
                ));
            }
        };
        let number = |bytes: &[u8]| {
            let digits: Vec<u8> = if little { bytes.iter().rev().copied().collect() } else { bytes.to_vec() };
            digits.iter().fold(0u64, |number, byte| number << 8 | u64::from(*byte))
        };
        let field = |at: usize| number(&header[at..at + 4]);
        let version = (number(&header[4..6]), number(&header[6..8]));
        if version != (2, 4) {
            return Err(wrong("the version of the format is 2.4", format!("the header says {}.{}", version.0, version.1)));
        }
        if (field(8), field(12)) != (0, 0) {
            return Err(wrong("bytes 8 to 15 of the header are 0", format!("they are {:02x?}", &header[8..16])));
        }
        let (snaplen, link_type) = (field(16) as usize, field(20) as u32);
        if !matches!(link_type, 1 | 101 | 228) {
            return Err(wrong("the link type is 1, 101 or 228", format!("the header says {link_type}")));
        }
        if snaplen < LEAST_KEPT {
            return Err(wrong(format!("the header's snaplen is at least {LEAST_KEPT}"), format!("it is {snaplen}")));
        }
        let mut records = Vec::new();
        while !rest.is_empty() {
            let whole = "FILE ends with a whole record";
            let Some((head, after)) = rest.split_at_checked(16) else {
                return Err(wrong(
                    whole,
                    format!("after {} records there are {} bytes left, less than a record's header", records.len(), rest.len()),
                ));
            };
            let kept = number(&head[8..12]) as usize;
            let Some((bytes, after)) = after.split_at_checked(kept) else {
                let observed = format!("record {} says that {kept} bytes follow, and {} are there", records.len() + 1, after.len());
                return Err(wrong(whole, observed));
            };
            let (seconds, fraction) = (number(&head[..4]), number(&head[4..8]));
            records.push(Record { seconds, fraction, length: number(&head[12..16]) as usize, kept: bytes });
            rest = after;
        }
        Ok(Self { link_type, nanoseconds, snaplen, records })
    }

    /// Whether the record is of an IPv4 frame; of others none is demanded and none forbidden.
    fn is_ipv4(&self, record: &Record<'_>) -> bool {
        self.link_type != 1 || record.kept.get(12..LINK) == Some(&IPV4.to_be_bytes())
    }

    fn holds_frame(&self, number: usize, record: &Record<'_>, frame: &[u8]) -> Result<(), Unpassed> {
        let expected = if self.link_type == 1 { frame } else { &frame[LINK..] };
        let name = format!("record {number}");
        if record.length != expected.len() {
            let observed = format!("it says that the frame had {} bytes", record.length);
            return Err(wrong(format!("{name} is of a frame of {} bytes (link type {})", expected.len(), self.link_type), observed));
        }
        let kept = record.kept.len();
        if kept > self.snaplen || kept > expected.len() || kept < expected.len().min(LEAST_KEPT) {
            let range = format!("from {} to {} bytes", expected.len().min(LEAST_KEPT), expected.len().min(self.snaplen));
            return Err(wrong(format!("{name} keeps {range}"), format!("it keeps {kept}")));
        }
        if record.kept != &expected[..kept] {
            return Err(difference(&format!("{name} of FILE"), &expected[..kept], record.kept).into());
        }
        let limit = if self.nanoseconds { 1_000_000_000 } else { 1_000_000 };
        if record.fraction >= limit {
            let observed = format!("it is {}", record.fraction);
            return Err(wrong(format!("the second number of the time of {name} is below {limit}, as the magic number says"), observed));
        }
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        if record.seconds.abs_diff(now) > TOLERANCE {
            let observed = format!("it is {} seconds away from now", record.seconds.abs_diff(now));
            return Err(wrong(format!("the time of {name} is that at which the frame came"), observed));
        }
        Ok(())
    }
}

/// Fails unless the file is whole.
pub fn is_whole(session: &Session, name: &str) -> Result<(), Unpassed> {
    Capture::read(&content(session, name)?).map(drop)
}

/// Fails unless the file holds exactly these frames.
pub fn holds(session: &Session, name: &str, frames: &[Vec<u8>]) -> Result<(), Unpassed> {
    let file = content(session, name)?;
    let capture = Capture::read(&file)?;
    let records: Vec<&Record<'_>> = capture.records.iter().filter(|record| capture.is_ipv4(record)).collect();
    for ((number, record), frame) in (1..).zip(&records).zip(frames) {
        capture.holds_frame(number, record, frame)?;
    }
    if records.len() != frames.len() {
        let expected = format!("FILE has a record for each of the {} IPv4 frames that have passed", frames.len());
        return Err(wrong(expected, format!("it has {} of IPv4 frames", records.len())));
    }
    Ok(())
}

/// What the clock of the machine shows, between two looks at one that nobody sets.
pub struct Clock {
    shows: SystemTime,
    between: (Instant, Instant),
}

impl Clock {
    pub fn look() -> Self {
        let first = Instant::now();
        Self { shows: SystemTime::now(), between: (first, Instant::now()) }
    }

    /// Whether it has gone otherwise than the other clock since then, by more than two looks can differ.
    pub fn was_set_since(&self, then: &Self) -> bool {
        let Ok(went) = self.shows.duration_since(then.shows) else { return true };
        let (least, most) = (self.between.0.duration_since(then.between.1), self.between.1.duration_since(then.between.0));
        went + COARSE < least || went > most + COARSE
    }
}

/// Fails unless the times of the first records lie between these looks at the clock: before the frame was sent, and when the program had it.
pub fn has_times(session: &Session, name: &str, spans: &[(Clock, Clock)]) -> Result<(), Unpassed> {
    let file = content(session, name)?;
    let capture = Capture::read(&file)?;
    let unit = if capture.nanoseconds { 1 } else { 1000 };
    let records = capture.records.iter().filter(|record| capture.is_ipv4(record));
    for (record, (before, after)) in records.zip(spans) {
        let time = UNIX_EPOCH + Duration::from_secs(record.seconds) + Duration::from_nanos(record.fraction * unit);
        if time + COARSE < before.shows || time > after.shows + COARSE {
            // Which record it is depends on the moment, and the message does not.
            let expected = "the time of each record, seconds and fraction, is that at which its frame came";
            let units = if capture.nanoseconds { "nanoseconds" } else { "microseconds" };
            let observed = format!(
                "with the fraction read as {units}, as the magic number says, a record's time is before its frame was sent or after it was read"
            );
            return Err(wrong(expected, observed));
        }
    }
    Ok(())
}

fn content(session: &Session, name: &str) -> Result<Vec<u8>, Unpassed> {
    std::fs::read(session.path(name)).map_err(|error| wrong("FILE can be read", format!("reading it failed: {}", error.kind())))
}
