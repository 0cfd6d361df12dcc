//! `gen/errors.md` from the registry of reasons, and the first draft of each reason's own page.
//!
//! A page that exists is never touched: people write more there than the registry knows.

use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

use souk_types::{Class, Reason};

use crate::Error;

const HEAD: &str = "# Every reason a call is refused or fails

Made from the registry in `crates/types/src/reason.rs` by `cargo run -p xtask -- gen`. Do not edit.

A reason is stable for ever and stands in `google.rpc.ErrorInfo.reason`; its `domain` is `<part>.souk`. The class says what a caller can do.

| reason | class | gRPC code | what happened | what to do |
|---|---|---|---|---|
";

/// The whole page.
pub(crate) fn table() -> String {
    Reason::ALL.iter().fold(HEAD.to_owned(), |mut text, reason| {
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "| [{name}](../docs/errors/{name}.md) | {:?} | {} | {} | {} |",
            reason.class(),
            code(reason.class()),
            reason.what(),
            reason.remedy(),
            name = reason.as_str(),
        );
        text
    })
}

/// Pages that ought to exist and do not.
pub(crate) fn missing_pages(root: &Path) -> Vec<PathBuf> {
    Reason::ALL.iter().map(|reason| page(*reason)).filter(|path| !root.join(path).exists()).collect()
}

/// Writes a first page for every reason that has none.
pub(crate) fn add_missing_pages(root: &Path) -> Result<(), Error> {
    for reason in Reason::ALL {
        let path = root.join(page(*reason));
        if path.exists() {
            continue;
        }
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(Error::io(folder))?;
        }
        fs::write(&path, draft(*reason)).map_err(Error::io(&path))?;
    }
    Ok(())
}

fn page(reason: Reason) -> PathBuf {
    format!("docs/errors/{}.md", reason.as_str()).into()
}

fn draft(reason: Reason) -> String {
    format!(
        "# {}\n\ngRPC code {}.\n\n## What happened\n\n{}.\n\n## What to do\n\n{}.\n",
        reason.as_str(),
        code(reason.class()),
        sentence(reason.what()),
        sentence(reason.remedy()),
    )
}

fn sentence(clause: &str) -> String {
    let mut letters = clause.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

const fn code(class: Class) -> &'static str {
    match class {
        Class::Invalid => "INVALID_ARGUMENT",
        Class::Unauthenticated => "UNAUTHENTICATED",
        Class::NotFound => "NOT_FOUND",
        Class::Denied => "PERMISSION_DENIED",
        Class::Precondition => "FAILED_PRECONDITION",
        Class::Aborted => "ABORTED",
        Class::Exists => "ALREADY_EXISTS",
        Class::Exhausted => "RESOURCE_EXHAUSTED",
        Class::Unavailable => "UNAVAILABLE",
        Class::Late => "DEADLINE_EXCEEDED",
        Class::Cancelled => "CANCELLED",
        Class::Unimplemented => "UNIMPLEMENTED",
        Class::Bug => "INTERNAL",
    }
}
