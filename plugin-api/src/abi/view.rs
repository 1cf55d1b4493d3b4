//! Views: what is borrowed for one call. A view never changes: its size is part of every plugin that was ever built.

// The derive writes an unsafe impl, and accessors of every field; the fields are documented.
#![allow(unsafe_code, missing_docs)]

use abi_stable::StableAbi;
use abi_stable::std_types::{RSlice, RStr};

/// Bytes that are borrowed for a call.
pub type Bytes<'a> = RSlice<'a, u8>;

/// What a view lacks and later versions say; see [`super::attribute`].
#[repr(C)]
#[derive(StableAbi, Clone, Copy)]
pub struct Attribute<'a> {
    pub key: u32,
    pub value: Bytes<'a>,
}

/// Attributes of a view.
pub type Attributes<'a> = RSlice<'a, Attribute<'a>>;

/// One header.
#[repr(C)]
#[derive(StableAbi, Clone, Copy)]
pub struct HeaderView<'a> {
    pub name: RStr<'a>,
    pub value: Bytes<'a>,
}

/// A verified request; the host vouches for the text in it.
#[repr(C)]
#[derive(StableAbi, Clone, Copy)]
pub struct RequestView<'a> {
    pub method: RStr<'a>,
    pub target: RStr<'a>,
    pub headers: RSlice<'a, HeaderView<'a>>,
    pub body: Bytes<'a>,
    pub document: RStr<'a>,
    pub declared_type: RStr<'a>,
    pub declared_subject: RStr<'a>,
    pub received_unix_ms: i64,
    pub has: u32,
    pub attributes: Attributes<'a>,
}

/// One call of an operation.
#[repr(C)]
#[derive(StableAbi, Clone, Copy)]
pub struct CallView<'a> {
    pub operation: RStr<'a>,
    pub input: RStr<'a>,
    pub settings: RStr<'a>,
    pub attributes: Attributes<'a>,
}

/// What became of one plan.
#[repr(C)]
#[derive(StableAbi, Clone, Copy)]
pub struct AnswerView<'a> {
    pub status: u32,
    pub has: u32,
    pub headers: RSlice<'a, HeaderView<'a>>,
    pub body: Bytes<'a>,
    pub error: RStr<'a>,
    pub attributes: Attributes<'a>,
}

/// The answers so far, in the order of the plans.
pub type AnswerViews<'a> = RSlice<'a, AnswerView<'a>>;

/// One event, on its way out.
#[repr(C)]
#[derive(StableAbi, Clone, Copy)]
pub struct EventView<'a> {
    pub has: u32,
    pub kind: Bytes<'a>,
    pub subject: Bytes<'a>,
    pub data: Bytes<'a>,
    pub warnings: RSlice<'a, Bytes<'a>>,
    pub attributes: Attributes<'a>,
}

/// One header of a plan, on its way out.
#[repr(C)]
#[derive(StableAbi, Clone, Copy)]
pub struct PlanHeader<'a> {
    pub name: Bytes<'a>,
    pub value: Bytes<'a>,
}

/// One HTTP request to make, on its way out.
#[repr(C)]
#[derive(StableAbi, Clone, Copy)]
pub struct PlanView<'a> {
    pub has: u32,
    pub timeout_s: u32,
    pub method: Bytes<'a>,
    pub url: Bytes<'a>,
    pub headers: RSlice<'a, PlanHeader<'a>>,
    pub body: Bytes<'a>,
    pub attributes: Attributes<'a>,
}
