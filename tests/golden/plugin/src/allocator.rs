//! A global allocator whose blocks no other allocator can free: what crosses the border and is freed on the other side ends the
//! process at once.

use std::alloc::{GlobalAlloc, Layout, System};

struct Shifted;

/// In front of every block; a multiple of every alignment that is asked for, or that alignment itself.
const fn shift(layout: Layout) -> usize {
    if layout.align() > 64 { layout.align() } else { 64 }
}

const MARK: u64 = 0x1bad_b10c_1bad_b10c;

#[global_allocator]
static SHIFTED: Shifted = Shifted;

// SAFETY: every block is one of the system's, given out at an offset that keeps its alignment and taken back from there.
unsafe impl GlobalAlloc for Shifted {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let Ok(whole) = Layout::from_size_align(layout.size() + shift(layout), layout.align()) else {
            return std::ptr::null_mut();
        };
        // SAFETY: the block has room for the mark and the shift in front of what is given out.
        unsafe {
            let block = System.alloc(whole);
            if block.is_null() {
                return block;
            }
            block.cast::<u64>().write_unaligned(MARK);
            block.add(shift(layout))
        }
    }

    unsafe fn dealloc(&self, given: *mut u8, layout: Layout) {
        // SAFETY: `given` came from `alloc` with this layout; if it did not, the mark is not there.
        unsafe {
            let block = given.sub(shift(layout));
            if block.cast::<u64>().read_unaligned() != MARK {
                std::process::abort();
            }
            block.cast::<u64>().write_unaligned(0);
            let whole = Layout::from_size_align_unchecked(layout.size() + shift(layout), layout.align());
            System.dealloc(block, whole);
        }
    }
}
