//! With the real journal: what was in flight when the process ended is delivered by the next one.
