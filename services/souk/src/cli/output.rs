//! What the command line prints: tables for people, JSON for programs, errors with a hint.

use std::{
    io::{self, Write as _},
    process::ExitCode,
    time::Duration,
};

use prost::Message;
use prost_reflect::{DescriptorPool, DynamicMessage, SerializeOptions};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use serde_json::{Value, json};
use souk_kit::Refusal;
use souk_proto::FILE_DESCRIPTOR_SET;
use souk_types::Reason;
use tonic::{Code, Status};

/// How often a watch looks whether it is still read.
const LOOK: Duration = Duration::from_millis(500);

/// Where data goes, and in which form.
pub(crate) struct Output {
    json: bool,
    pool: DescriptorPool,
}

/// Why a command ended badly, and what to do about it.
#[derive(Debug)]
pub(crate) struct Failure {
    message: String,
    hint: Option<String>,
    reason: Option<String>,
    fields: Vec<(String, String)>,
    exit: u8,
}

impl Failure {
    /// Something the user can mend.
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), hint: None, reason: None, fields: Vec::new(), exit: 1 }
    }

    /// Something that is broken here.
    pub(crate) fn broken(error: &dyn std::fmt::Display) -> Self {
        Self { exit: 70, ..Self::new(error.to_string()) }
    }

    /// Adds what to do about it.
    pub(crate) fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }

    /// Adds what to do about it, where nothing better was said.
    pub(crate) fn hint_if_none(self, hint: &str) -> Self {
        Self { hint: self.hint.or_else(|| Some(hint.to_owned())), ..self }
    }

    /// Adds a reason of the registry, and what mends it where nothing better was said.
    pub(crate) fn reason(self, reason: &str) -> Self {
        let hint = self.hint.or_else(|| super::hints::of_reason(reason));
        Self { hint, reason: (!reason.is_empty()).then(|| reason.to_owned()), ..self }
    }

    /// What the server refused.
    pub(crate) fn refused(status: &Status) -> Self {
        let mut refusal = Refusal::read("gateway", status);
        // The codec below every part refuses what is too large, and knows no reasons.
        if refusal.reason.is_empty() && refusal.code == Code::OutOfRange {
            Reason::MessageTooLarge.as_str().clone_into(&mut refusal.reason);
            Reason::MessageTooLarge.what().clone_into(&mut refusal.message);
        }
        let away = refusal.reason.is_empty() && matches!(refusal.code, Code::Unavailable | Code::Unknown);
        let details = tonic_types::StatusExt::get_details_bad_request(status);
        let violations = details.map(|details| details.field_violations).unwrap_or_default();
        let fields: Vec<_> = violations.into_iter().map(|wrong| (wrong.field, wrong.description)).collect();
        let known = Reason::ALL.iter().find(|reason| refusal.is(**reason));
        let mend = known.map(|reason| super::hints::hint(*reason, &fields, &refusal.metadata));
        let hint = if away { Some("is it running? souk up".to_owned()) } else { mend };
        let hint = match refusal.retry_after {
            Some(after) => Some(super::hints::again(hint.as_deref(), after)),
            None => hint,
        };
        let message = if away { "the server does not answer".to_owned() } else { refusal.message };
        let reason = (!refusal.reason.is_empty()).then_some(refusal.reason);
        let exit = if refusal.code == Code::Internal { 70 } else { 1 };
        Self { message, hint, reason, fields, exit }
    }
}

impl From<Status> for Failure {
    fn from(status: Status) -> Self {
        Self::refused(&status)
    }
}

impl Output {
    pub(crate) fn new(json: bool) -> Self {
        // The set is made with the binary; an unreadable one leaves JSON without messages, told on use.
        let pool = DescriptorPool::decode(FILE_DESCRIPTOR_SET).unwrap_or_default();
        Self { json, pool }
    }

    /// Whether a program reads.
    pub(crate) const fn is_json(&self) -> bool {
        self.json
    }

    /// Prints a message of the wire: for programs as ProtoJSON, for people as `text` says.
    pub(crate) fn message<M: Message>(
        &self,
        name: &str,
        message: &M,
        text: impl FnOnce(&M) -> String,
    ) -> Result<(), Failure> {
        if self.json { self.value(&self.proto_json(name, message)?) } else { self.text(&text(message)) }
    }

    /// A message as ProtoJSON, defaults included.
    pub(crate) fn proto_json<M: Message>(&self, name: &str, message: &M) -> Result<Value, Failure> {
        let unknown = || Failure::broken(&format!("no message is called {name}"));
        let descriptor = self.pool.get_message_by_name(name).ok_or_else(unknown)?;
        let dynamic = DynamicMessage::decode(descriptor, message.encode_to_vec().as_slice());
        let dynamic = dynamic.map_err(|error| Failure::broken(&error))?;
        let options = SerializeOptions::new().skip_default_fields(false);
        dynamic
            .serialize_with_options(serde_json::value::Serializer, &options)
            .map_err(|error| Failure::broken(&error))
    }

    /// Prints one JSON document on a line.
    pub(crate) fn value(&self, value: &Value) -> Result<(), Failure> {
        self.text(&value.to_string())
    }

    /// Prints one named word.
    pub(crate) fn line(&self, name: &str, word: &str) -> Result<(), Failure> {
        if self.json { self.value(&json!({ name: word })) } else { self.text(word) }
    }

    /// Prints text for people.
    pub(crate) fn text(&self, text: &str) -> Result<(), Failure> {
        let mut out = io::stdout().lock();
        let written = writeln!(out, "{}", text.trim_end_matches('\n')).and_then(|()| out.flush());
        match written {
            // Whoever closed the pipe has seen enough.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            Err(error) => Err(Failure::broken(&error)),
            Ok(()) => Ok(()),
        }
    }

    /// Says something beside the data.
    pub(crate) fn say(&self, text: &str) {
        writeln!(io::stderr(), "{text}").ok();
    }

    /// Says why it ended badly.
    pub(crate) fn fail(&self, failure: &Failure) -> ExitCode {
        if self.json {
            let field =
                |(field, description): &(String, String)| json!({"field": field, "description": description});
            let error = json!({"error": {
                "message": failure.message, "reason": failure.reason, "hint": failure.hint,
                "fields": failure.fields.iter().map(field).collect::<Vec<_>>(),
            }});
            self.say(&error.to_string());
        } else {
            let reason = failure.reason.as_ref().map(|reason| format!(" ({reason})")).unwrap_or_default();
            self.say(&format!("error: {}{reason}", failure.message));
            for (field, description) in &failure.fields {
                // A message that is about one field alone says all of it already.
                if !failure.message.contains(description) {
                    self.say(&format!("  {field}: {description}"));
                }
            }
            if let Some(hint) = &failure.hint {
                self.say(&format!("hint: {hint}"));
            }
        }
        ExitCode::from(failure.exit)
    }
}

/// Returns once nobody reads standard output any more: a watch would else wait for its next line to notice.
pub(crate) async fn unread() {
    let mut looks = tokio::time::interval(LOOK);
    loop {
        looks.tick().await;
        let out = io::stdout();
        let mut asked = [PollFd::new(&out, PollFlags::empty())];
        let gone = PollFlags::ERR | PollFlags::HUP;
        if poll(&mut asked, Some(&Timespec::default())).is_ok() && asked[0].revents().intersects(gone) {
            return;
        }
    }
}

/// Lines up cells in columns two blanks apart.
pub(crate) fn table(head: &[&str], rows: &[Vec<String>]) -> String {
    let mut widths: Vec<usize> = head.iter().map(|cell| cell.chars().count()).collect();
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let line = |cells: Vec<&str>| {
        let cells = cells.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    let mut lines = vec![line(head.to_vec())];
    lines.extend(rows.iter().map(|row| line(row.iter().map(String::as_str).collect())));
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use souk_proto::souk::billing::v1::{GetWalletResponse, Wallet};

    use super::*;

    #[test]
    fn messages_are_proto_json_with_defaults() {
        let output = Output::new(true);
        let wallet = Wallet { available_micros: 5, ..Wallet::default() };
        let json = output
            .proto_json("souk.billing.v1.GetWalletResponse", &GetWalletResponse { wallet: Some(wallet) });
        let json = json.unwrap();
        assert_eq!(json["wallet"]["availableMicros"], "5");
        assert_eq!(json["wallet"]["reservedMicros"], "0");
    }

    #[test]
    fn a_message_beyond_the_codec_has_its_reason() {
        let failure = Failure::refused(&Status::out_of_range("decoded message length too large"));
        assert_eq!(failure.reason.as_deref(), Some("MESSAGE_TOO_LARGE"));
        assert!(failure.hint.is_some() && failure.exit == 1);
    }

    #[test]
    fn a_reason_brings_its_hint() {
        let failure = Failure::new("the run failed").reason(Reason::InsufficientCredits.as_str());
        assert_eq!(failure.reason.as_deref(), Some("INSUFFICIENT_CREDITS"));
        assert!(failure.hint.is_some_and(|hint| hint.contains("souk wallet")));
        assert_eq!(Failure::new("x").reason("").reason, None);
    }

    #[test]
    fn columns_line_up() {
        let text = table(&["A", "LONG"], &[vec!["xyz".into(), "1".into()], vec!["é".into(), "2".into()]]);
        assert_eq!(text, "A    LONG\nxyz  1\né    2");
    }
}
