//! Unwinding a snapshot into return addresses, by the call frame information of the executables (framehop).

use std::ops::Range;
use std::path::PathBuf;

use framehop::{CacheNative, ExplicitModuleSectionInfo, MayAllocateDuringUnwind, Module, Unwinder, UnwinderNative};
use object::{Object, ObjectSection, ObjectSegment, SegmentFlags};

use super::{Mapping, Snapshot};
use crate::kernel::arch;

/// Most frames that are looked at: the caller is near.
const MOST_FRAMES: usize = 32;

/// The unit that mappings are aligned to; a larger page of another machine is a multiple of it.
const PAGE: u64 = 4096;

/// The executables of a process, ready to unwind.
pub struct Modules {
    unwinder: UnwinderNative<Vec<u8>, MayAllocateDuringUnwind>,
    /// Where each is mapped, its file, and what to take from an address to get the address that the file states.
    places: Vec<(Range<u64>, PathBuf, u64)>,
}

impl Modules {
    /// Reads the executables of these mappings; one that cannot be read is left out.
    pub fn load(maps: &[Mapping]) -> Self {
        let mut modules = Self { unwinder: UnwinderNative::new(), places: Vec::new() };
        for mapping in maps {
            let loaded = std::fs::read(&mapping.file).ok().and_then(|data| module(mapping, &data));
            if let Some((module, bias)) = loaded {
                modules.unwinder.add_module(module);
                modules.places.push((mapping.start..mapping.end, mapping.file.clone(), bias));
            }
        }
        modules
    }

    /// The file that an address lies in, and the address that the file states for it.
    pub fn find(&self, address: u64) -> Option<(&PathBuf, u64)> {
        self.places.iter().find(|(range, ..)| range.contains(&address)).map(|(_, file, bias)| (file, address.wrapping_sub(*bias)))
    }

    /// The instruction pointer and the return addresses above it, innermost first, each pointing into its call instruction.
    pub fn addresses(&self, snapshot: &Snapshot) -> Vec<u64> {
        let mut cache = CacheNative::<MayAllocateDuringUnwind>::new();
        let mut read = |address: u64| {
            let at = usize::try_from(address.wrapping_sub(snapshot.stack_pointer)).map_err(drop)?;
            let bytes = snapshot.stack.get(at..at.checked_add(8).ok_or(())?).ok_or(())?;
            bytes.try_into().map(u64::from_ne_bytes).map_err(drop)
        };
        let registers = arch::unwind_registers(snapshot);
        let mut frames = self.unwinder.iter_frames(snapshot.instruction, registers, &mut cache, &mut read);
        let mut addresses = Vec::new();
        while let Ok(Some(frame)) = frames.next() {
            addresses.push(frame.address_for_lookup());
            if addresses.len() == MOST_FRAMES {
                break;
            }
        }
        addresses
    }
}

fn module(mapping: &Mapping, data: &[u8]) -> Option<(Module<Vec<u8>>, u64)> {
    let file = object::File::parse(data).ok()?;
    // A mapping begins at the page in which its segment begins.
    let page = |value: u64| value & !(PAGE - 1);
    let executable = |flags: SegmentFlags| matches!(flags, SegmentFlags::Elf { p_flags } if p_flags & object::elf::PF_X != 0);
    let segment = file.segments().find(|segment| executable(segment.flags()) && page(segment.file_range().0) == mapping.offset)?;
    // Where the file's address 0 is in the process.
    let bias = mapping.start.wrapping_sub(page(segment.address()));
    let range = |name: &str| file.section_by_name(name).map(|section| section.address()..section.address() + section.size());
    let bytes = |name: &str| file.section_by_name(name).and_then(|section| section.data().ok().map(<[u8]>::to_vec));
    let sections = ExplicitModuleSectionInfo {
        base_svma: 0,
        text_svma: range(".text"),
        text: bytes(".text"),
        eh_frame_svma: range(".eh_frame"),
        eh_frame: bytes(".eh_frame"),
        eh_frame_hdr_svma: range(".eh_frame_hdr"),
        eh_frame_hdr: bytes(".eh_frame_hdr"),
        ..Default::default()
    };
    Some((Module::new(mapping.file.to_string_lossy().into_owned(), mapping.start..mapping.end, bias, sections), bias))
}
