//! The export macro: one line that makes a crate a plugin. What it writes into the crate is declared here; what that means is
//! [`crate::abi`]'s. Names inside are long, because the author's paths are resolved among them.

/// Makes this crate a plugin.
///
/// The description comes first; every other item is optional, in this order. Paths are relative to the file that says so.
///
/// ```ignore
/// export_provider!(
///     "../provider.toml",
///     decode = notification,
///     op_build = build,
///     op_parse = parse,
///     canonicalize = signed_text,
///     samples = ["../fixtures/card-stopped.http"],
/// );
/// ```
#[macro_export]
macro_rules! export_provider {
    (
        $description:literal
        $(, decode = $decode:path)?
        $(, op_build = $op_build:path)?
        $(, op_parse = $op_parse:path)?
        $(, canonicalize = $canonicalize:path)?
        $(, samples = [$($sample:literal),* $(,)?])?
        $(,)?
    ) => {
        #[cfg(not(panic = "unwind"))]
        ::core::compile_error!(
            "a Hookport plugin must be built with panic = \"unwind\": with \"abort\" one panic would end the whole gateway"
        );

        const _: () = {
            const __HOOKPORT_ITEMS: &[$crate::note::Item<'static>] = &[
                $crate::note::Item { tag: $crate::identity::tag::SDK, name: "", bytes: $crate::abi::SDK.as_bytes() },
                $crate::note::Item { tag: $crate::identity::tag::RUSTC, name: "", bytes: $crate::abi::RUSTC.as_bytes() },
                $crate::note::Item { tag: $crate::identity::tag::TARGET, name: "", bytes: $crate::abi::TARGET.as_bytes() },
                $crate::note::Item {
                    tag: $crate::identity::tag::PACKAGE,
                    name: "",
                    bytes: ::core::concat!(::core::env!("CARGO_PKG_NAME"), " ", ::core::env!("CARGO_PKG_VERSION")).as_bytes(),
                },
                $crate::note::Item {
                    tag: $crate::identity::tag::DESCRIPTION,
                    name: "",
                    bytes: ::core::include_str!($description).as_bytes(),
                },
                $($($crate::note::Item {
                    tag: $crate::identity::tag::SAMPLE,
                    name: $sample,
                    bytes: ::core::include_bytes!($sample),
                },)*)?
            ];
            const __HOOKPORT_FLAGS: u16 = (if ::core::cfg!(panic = "unwind") { $crate::identity::flag::UNWIND } else { 0 })
                | (if ::core::cfg!(debug_assertions) { $crate::identity::flag::DEBUG } else { 0 })
                $(| $crate::__flag!($decode, DECODE))?
                $(| $crate::__flag!($op_build, OP_BUILD))?
                $(| $crate::__flag!($op_parse, OP_PARSE))?
                $(| $crate::__flag!($canonicalize, CANONICALIZE))?;

            #[used]
            #[unsafe(link_section = ".note.hookport")]
            #[unsafe(export_name = "HOOKPORT_IDENTITY")]
            static __HOOKPORT_IDENTITY: $crate::note::Note<{ $crate::note::note_len(__HOOKPORT_ITEMS) }> =
                $crate::note::Note::new(__HOOKPORT_FLAGS, __HOOKPORT_ITEMS);

            const __HOOKPORT_TABLE: &$crate::abi::Table = &$crate::abi::table($crate::abi::Plugin {
                init: $crate::abi::init,
                decode: $crate::__shim!(decode $($decode)?),
                op_build: $crate::__shim!(op_build $($op_build)?),
                op_parse: $crate::__shim!(op_parse $($op_parse)?),
                quiesce: $crate::abi::quiesce,
                canonicalize: $crate::__shim!(canonicalize $($canonicalize)?),
            });

            extern "C" fn __hookport_root() -> $crate::abi::RootModuleResult {
                $crate::abi::root(__HOOKPORT_TABLE)
            }

            #[unsafe(export_name = "_1as_0lib_1header_0root_bmodule_bloader")]
            static __HOOKPORT_HEADER: $crate::abi::LibHeader = $crate::abi::header(__hookport_root);
        };
    };
}

/// The flag of an item that is there.
#[doc(hidden)]
#[macro_export]
macro_rules! __flag {
    ($function:path, $flag:ident) => {
        $crate::identity::flag::$flag
    };
}

/// The function that the host calls: the author's behind the panic guard, or the answer that there is none.
#[doc(hidden)]
#[macro_export]
macro_rules! __shim {
    (decode) => {
        $crate::abi::no_decode
    };
    (decode $decode:path) => {{
        extern "C" fn __hookport_decode(
            request: &$crate::abi::RequestView<'_>,
            outlet: &$crate::abi::Outlet<'_>,
        ) -> u32 {
            $crate::abi::decode(request, outlet, $decode)
        }
        __hookport_decode
    }};
    (op_build) => {
        $crate::abi::no_op_build
    };
    (op_build $build:path) => {{
        extern "C" fn __hookport_op_build(call: &$crate::abi::CallView<'_>, outlet: &$crate::abi::Outlet<'_>) -> u32 {
            $crate::abi::op_build(call, outlet, $build)
        }
        __hookport_op_build
    }};
    (op_parse) => {
        $crate::abi::no_op_parse
    };
    (op_parse $parse:path) => {{
        extern "C" fn __hookport_op_parse(
            call: &$crate::abi::CallView<'_>,
            answers: &$crate::abi::AnswerViews<'_>,
            outlet: &$crate::abi::Outlet<'_>,
        ) -> u32 {
            $crate::abi::op_parse(call, answers, outlet, $parse)
        }
        __hookport_op_parse
    }};
    (canonicalize) => {
        $crate::abi::no_canonicalize
    };
    (canonicalize $canonicalize:path) => {{
        extern "C" fn __hookport_canonicalize(
            request: &$crate::abi::RequestView<'_>,
            outlet: &$crate::abi::Outlet<'_>,
        ) -> u32 {
            $crate::abi::canonicalize(request, outlet, $canonicalize)
        }
        __hookport_canonicalize
    }};
}
