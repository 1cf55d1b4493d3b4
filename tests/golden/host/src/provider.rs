//! What the loader needs of the descriptions: reading them.

#[path = "../../../../host/src/provider/complaint.rs"]
pub mod complaint;
#[path = "../../../../host/src/provider/parse.rs"]
pub mod parse;
