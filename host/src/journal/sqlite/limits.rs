//! The bounds of the embedded engine. What a configuration may set of them is the configuration's business.

/// Bounds of memory and of what is kept; the defaults suit one machine.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Requests that may wait for the writer; one more is answered `Busy`.
    pub queue: usize,
    /// Their bytes.
    pub queue_bytes: usize,
    /// Bytes of events kept in memory between commit and first claim; others are read again.
    pub cache_bytes: usize,
    /// Due deliveries of one destination that are kept in memory; the rest waits in the file.
    pub due: usize,
    /// Keys that are written behind as one sorted run; twice as many are held in memory.
    pub run: usize,
    /// Bytes of key filters held in memory; runs beyond it are looked up in the file.
    pub filter_bytes: usize,
    /// Rejections kept.
    pub rejections: u64,
    /// Their bytes.
    pub rejection_bytes: u64,
    /// Bytes of one rejection's body.
    pub rejection_body: usize,
    /// Rejections taken per second.
    pub rejection_rate: u32,
    /// Threads that answer queries.
    pub readers: usize,
    /// Pages of 4 KiB after which the write-ahead log is copied back.
    pub checkpoint_pages: i64,
    #[doc(hidden)]
    pub synced: Synced,
}

/// How a commit reaches the disk. Anything but `Full` loses acknowledged events when the power fails; the crash tests
/// turn it down to prove that they would see that.
#[doc(hidden)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Synced {
    /// Before it is acknowledged.
    Full,
    /// At checkpoints.
    Normal,
    /// Never.
    Off,
}

impl Synced {
    pub(super) fn pragma(self) -> &'static str {
        match self {
            Self::Full => "FULL",
            Self::Normal => "NORMAL",
            Self::Off => "OFF",
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            queue: 16_384,
            queue_bytes: 64 << 20,
            cache_bytes: 32 << 20,
            due: 65_536,
            run: 65_536,
            filter_bytes: 64 << 20,
            rejections: 10_000,
            rejection_bytes: 64 << 20,
            rejection_body: 64 << 10,
            rejection_rate: 1_000,
            readers: 2,
            checkpoint_pages: 1_000,
            synced: Synced::Full,
        }
    }
}
