//! What the figures were measured on, and what the process takes of it.

use std::fs;
use std::path::Path;
use std::time::Duration;

use crate::Outcome;
use crate::floor::Floor;
use crate::samples::Samples;
use crate::workplace::Workplace;

/// Bytes of the write that stands for the machine.
const BYTES: usize = 256;

/// Cores, file system, and how long a durable write takes.
pub(crate) struct Machine {
    pub(crate) cores: usize,
    pub(crate) file_system: String,
    pub(crate) floor: Samples,
}

impl Machine {
    pub(crate) fn look(workplace: &Workplace) -> Outcome<Self> {
        let path = workplace.place("floor");
        let mut floor = Floor::new(&path, BYTES)?;
        let mut samples = Samples::default();
        for _ in 0..workplace.length.choose(300, 1000, 1000) {
            samples.push(floor.write()?);
        }
        fs::remove_file(path)?;
        Ok(Self {
            cores: std::thread::available_parallelism()?.get(),
            file_system: file_system(&workplace.root),
            floor: samples,
        })
    }

    pub(crate) fn print(&self) {
        println!(
            "{} cores, {}, a bare write + sync_data of {BYTES} bytes: p50 {:.0} us, p99 {:.0} us",
            self.cores,
            self.file_system,
            self.floor.p50(),
            self.floor.p99(),
        );
        if matches!(self.file_system.as_str(), "tmpfs" | "ramfs") {
            println!(
                "This file system is memory: its syncs cost nothing, and the ratios mean little."
            );
        }
    }
}

/// The type of the file system of a directory: that of the longest mount
/// point above it.
fn file_system(directory: &Path) -> String {
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let found = mounts.lines().filter_map(|line| {
        let (mount, system) = line.split_once(" - ")?;
        let point = mount.split(' ').nth(4)?;
        let system = system.split(' ').next()?;
        directory.starts_with(point).then_some((point, system))
    });
    let longest = found.max_by_key(|(point, _)| point.len());
    longest.map_or_else(|| "unknown".into(), |(_, system)| system.into())
}

/// Forgets the highest resident set so far, so that the next one is that of
/// what follows.
pub(crate) fn forget_peak() -> Outcome<()> {
    Ok(fs::write("/proc/self/clear_refs", "5")?)
}

/// The resident set of this process in bytes, now and at its highest.
pub(crate) fn resident() -> Outcome<(u64, u64)> {
    let status = fs::read_to_string("/proc/self/status")?;
    let bytes = |name: &str| -> Outcome<u64> {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        let number = line.and_then(|line| line.split_whitespace().next());
        Ok(number
            .ok_or("the system tells no resident set")?
            .parse::<u64>()?
            << 10)
    };
    Ok((bytes("VmRSS:")?, bytes("VmHWM:")?))
}

/// Linux tells processor times in hundredths of a second.
const TICK: Duration = Duration::from_millis(10);

/// What all threads of this process took of all cores so far.
pub(crate) fn processor_time() -> Outcome<Duration> {
    let status = fs::read_to_string("/proc/self/stat")?;
    // The name in brackets may hold anything.
    let (_, fields) = status.rsplit_once(')').ok_or("the system tells no times")?;
    let times = fields.split_whitespace().skip(11).take(2);
    let ticks = times.map(str::parse::<u32>).sum::<Result<u32, _>>()?;
    Ok(TICK * ticks)
}
