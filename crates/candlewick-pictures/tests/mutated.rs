//! Files of tests/pillow, changed at random: none ends the process, hangs, or takes more memory than its size says. The long form,
//! by hand: `MUTATED=200000 cargo test -p candlewick-pictures --release --test mutated -- --ignored --nocapture`, and the same
//! with `RUSTFLAGS=-Zsanitizer=address cargo +nightly ... --target x86_64-unknown-linux-gnu`, so that what reads or writes
//! beside its memory is found too. `SEED` draws others.

use candlewick_pictures::decode;
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// Bytes that one picture may take: of the most pixels that are read, each of red, green, blue and alpha of sixteen bits, twice.
const MOST: usize = 16 * 178_956_970;

struct Counted;

thread_local! {
    static NOW: Cell<usize> = const { Cell::new(0) };
    static PEAK: Cell<usize> = const { Cell::new(0) };
}

fn grown(by: usize) {
    let _ = NOW.try_with(|now| {
        now.set(now.get() + by);
        let _ = PEAK.try_with(|peak| peak.set(peak.get().max(now.get())));
    });
}

fn shrunk(by: usize) {
    let _ = NOW.try_with(|now| now.set(now.get().saturating_sub(by)));
}

// SAFETY: the system's, with a count beside it.
unsafe impl GlobalAlloc for Counted {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        grown(layout.size());
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        grown(layout.size());
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        shrunk(layout.size());
        unsafe { System.dealloc(at, layout) }
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        grown(size);
        shrunk(layout.size());
        unsafe { System.realloc(at, layout, size) }
    }
}

#[global_allocator]
static COUNTED: Counted = Counted;

/// Random numbers, the same for a seed (splitmix64).
struct Draws(u64);

impl Draws {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % end.max(1) as u64) as usize
    }

    fn range(&mut self, len: usize) -> std::ops::Range<usize> {
        let start = self.below(len);
        start..start + 1 + self.below((len - start).min(64))
    }
}

/// Numbers at which sizes and counts go wrong.
const EDGES: [u32; 14] = [0, 1, 2, 7, 8, 0x7f, 0x80, 0xff, 0x100, 0x7fff, 0x8000, 0xffff, 0x7fff_ffff, 0xffff_ffff];

/// A few changes at places that are drawn: bytes, numbers, parts that are cut, doubled, or of another file.
fn mutated(file: &[u8], others: &[Vec<u8>], draws: &mut Draws) -> Vec<u8> {
    let mut bytes = file.to_vec();
    for _ in 0..1 + draws.below(8) {
        // Headers are short, and most that can go wrong stands in them.
        let reach = if draws.below(2) == 0 { bytes.len().min(64) } else { bytes.len() };
        let at = draws.below(reach);
        match draws.below(10) {
            0..=3 => bytes[at] = draws.below(256) as u8,
            4 => bytes[at] ^= 1 << draws.below(8),
            5 | 6 => {
                let edge = EDGES[draws.below(EDGES.len())];
                let number = if draws.below(2) == 0 { edge.to_be_bytes() } else { edge.to_le_bytes() };
                let width = 1 << draws.below(3);
                let part = if draws.below(2) == 0 { &number[..width] } else { &number[4 - width..] };
                bytes.iter_mut().skip(at).zip(part).for_each(|(to, from)| *to = *from);
            }
            7 => drop(bytes.drain(draws.range(bytes.len()))),
            8 => {
                let part = bytes[draws.range(bytes.len())].to_vec();
                bytes.splice(at..at, part);
            }
            _ => {
                let other = &others[draws.below(others.len())];
                let part = other[draws.range(other.len())].to_vec();
                bytes.splice(at..at, part);
            }
        }
        if bytes.len() < 2 {
            break;
        }
    }
    if draws.below(4) > 0 {
        mend_checksums(&mut bytes);
    }
    bytes
}

/// Of a PNG, whose decoder would look no further else.
fn mend_checksums(bytes: &mut [u8]) {
    let mut at = if bytes.starts_with(b"\x89PNG") { 8 } else { bytes.len() };
    while let Some(length) = bytes.get(at..at + 4) {
        let end = at + 8 + u32::from_be_bytes(length.try_into().unwrap()) as usize;
        if bytes.len() < end + 4 {
            return;
        }
        let mut sum = flate2::Crc::new();
        sum.update(&bytes[at + 4..end]);
        bytes[end..end + 4].copy_from_slice(&sum.sum().to_be_bytes());
        at = end + 4;
    }
}

/// Of the files of one format.
#[derive(Default, Debug)]
struct Found {
    files: usize,
    decoded: usize,
    slowest: Duration,
    largest: usize,
}

fn try_all(count: usize, seed: u64) -> BTreeMap<String, Found> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/pillow");
    let mut formats: BTreeMap<String, Vec<Vec<u8>>> = BTreeMap::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        let end = path.extension().unwrap().to_str().unwrap().to_owned();
        if ["jpg", "png", "webp", "bmp", "gif"].contains(&&*end) {
            formats.entry(end).or_default().push(std::fs::read(path).unwrap());
        }
    }
    formats.values_mut().for_each(|files| files.sort());
    let all = Mutex::new(BTreeMap::<String, Found>::new());
    std::thread::scope(|scope| {
        for thread in 0..2 {
            let (formats, all) = (&formats, &all);
            scope.spawn(move || {
                let mut draws = Draws(seed * 2 + thread);
                for number in 0..count / 2 {
                    let (format, files) = formats.iter().nth(number % formats.len()).unwrap();
                    let bytes = mutated(&files[draws.below(files.len())], files, &mut draws);
                    let (before, start) = (NOW.get(), Instant::now());
                    PEAK.set(before);
                    let decoded = decode(&bytes, [255; 3]).is_ok();
                    let (took, peak) = (start.elapsed(), PEAK.get() - before);
                    if took > Duration::from_secs(20) || peak > MOST {
                        let kept = std::env::temp_dir().join(format!("mutated-{thread}-{number}.{format}"));
                        std::fs::write(&kept, &bytes).unwrap();
                        panic!("{}: {took:?}, {peak} bytes", kept.display());
                    }
                    let mut all = all.lock().unwrap();
                    let found = all.entry(format.clone()).or_default();
                    *found = Found {
                        files: found.files + 1,
                        decoded: found.decoded + usize::from(decoded),
                        slowest: found.slowest.max(took),
                        largest: found.largest.max(peak),
                    };
                }
            });
        }
    });
    all.into_inner().unwrap()
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

#[test]
fn two_thousand_mutated_files_do_no_harm() {
    let found = try_all(2000, 1);
    assert!(found.len() == 5 && found.values().all(|found| found.decoded > 0), "{found:?}");
}

#[test]
#[ignore = "minutes"]
fn many_mutated_files_do_no_harm() {
    let (start, count) = (Instant::now(), number("MUTATED").unwrap_or(200_000));
    let found = try_all(count as usize, number("SEED").unwrap_or(2));
    println!("{count} files in {:?}", start.elapsed());
    for (format, Found { files, decoded, slowest, largest }) in found {
        println!("{format}: {files} files, {decoded} decoded, {slowest:?} at most, {} MB at most", largest / 1_000_000);
    }
}
