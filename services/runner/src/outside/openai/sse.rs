//! Server-sent events, read from bytes as they come: any line end, comments, fields of several lines,
//! characters cut in two.

/// The longest line, and the most data of one event, in bytes.
pub(super) const LIMIT: usize = 512 * 1024;

/// A line or an event is longer than `LIMIT`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TooLong;

/// Reads events.
#[derive(Debug, Default)]
pub(super) struct Reader {
    line: Vec<u8>,
    /// The data of the event that is being read; `None` before its first data line.
    data: Option<String>,
    /// The last line ended in a carriage return: a line feed that follows belongs to it.
    after_return: bool,
    /// Something was read: a byte order mark stands at the very beginning only.
    begun: bool,
}

impl Reader {
    /// Takes bytes and gives the data of every event that they complete.
    pub(super) fn push(&mut self, bytes: &[u8]) -> Result<Vec<String>, TooLong> {
        let mut events = Vec::new();
        for byte in bytes {
            let after_return = std::mem::replace(&mut self.after_return, *byte == b'\r');
            match byte {
                b'\n' if after_return => {}
                b'\n' | b'\r' => self.end_line(&mut events)?,
                _ if self.line.len() >= LIMIT => return Err(TooLong),
                _ => self.line.push(*byte),
            }
        }
        Ok(events)
    }

    /// The event that the end of the stream leaves open, if it has any data. Servers forget its last line end.
    pub(super) fn finish(mut self) -> Result<Option<String>, TooLong> {
        let mut events = Vec::new();
        if !self.line.is_empty() {
            self.end_line(&mut events)?;
        }
        Ok(self.data)
    }

    fn end_line(&mut self, events: &mut Vec<String>) -> Result<(), TooLong> {
        let bytes = std::mem::take(&mut self.line);
        let mut line = bytes.as_slice();
        if !std::mem::replace(&mut self.begun, true) {
            line = line.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(line);
        }
        if line.is_empty() {
            events.extend(self.data.take());
            return Ok(());
        }
        let (field, value) = match line.iter().position(|byte| *byte == b':') {
            Some(colon) => (line.get(..colon), line.get(colon + 1..)),
            None => (Some(line), None),
        };
        // A comment has an empty field; events, ids and retries mean nothing here.
        if field != Some(b"data") {
            return Ok(());
        }
        let value = value.unwrap_or_default();
        let text = String::from_utf8_lossy(value.strip_prefix(b" ").unwrap_or(value));
        let data = match self.data.take() {
            Some(mut data) => {
                data.push('\n');
                data.push_str(&text);
                data
            }
            None => text.into_owned(),
        };
        if data.len() > LIMIT {
            return Err(TooLong);
        }
        self.data = Some(data);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(chunks: &[&[u8]]) -> (Vec<String>, Option<String>) {
        let mut reader = Reader::default();
        let events = chunks.iter().flat_map(|chunk| reader.push(chunk).unwrap()).collect();
        (events, reader.finish().unwrap())
    }

    fn whole(text: &str) -> Vec<String> {
        read(&[text.as_bytes()]).0
    }

    #[test]
    fn every_line_end_is_one() {
        for end in ["\n", "\r\n", "\r"] {
            let text = ["data: a", "", ": ping", "", "data:b", "data:  c", "data", "id: 7", "", ""].join(end);
            assert_eq!(whole(&text), ["a", "b\n c\n"], "{end:?}");
        }
        assert_eq!(whole("\u{FEFF}data: a\r\n\r\ndata: b\n\r"), ["a", "b"]);
        assert_eq!(whole("\u{FEFF}data: a\n\n\u{FEFF}data: b\n\n"), ["a"]);
    }

    #[test]
    fn other_fields_and_empty_events_are_left_out() {
        assert_eq!(whole("event: x\n\n\n\nretry: 1\n\nDATA: x\n\n data: x\n\n"), Vec::<String>::new());
        assert_eq!(whole("data\n\n"), [""], "an empty line of data is data");
    }

    #[test]
    fn an_end_in_the_middle_leaves_its_data() {
        assert_eq!(read(&[b"data: a\n\ndata: [DONE]"]), (vec!["a".into()], Some("[DONE]".into())));
        assert_eq!(read(&[b"data: a\n"]).1, Some("a".into()));
        assert_eq!(read(&[b"data: a\n\n: bye"]).1, None);
        assert_eq!(read(&[]), (vec![], None));
    }

    #[test]
    fn wrong_bytes_are_replaced_and_long_lines_refused() {
        assert_eq!(whole("data: \u{e9}\n\n"), ["é"]);
        assert_eq!(read(&[b"data: \xff\xfe\n\n"]).0, ["\u{FFFD}\u{FFFD}"]);
        let mut reader = Reader::default();
        assert_eq!(reader.push(&vec![b'x'; LIMIT]), Ok(vec![]));
        assert_eq!(reader.push(b"x"), Err(TooLong));
        let mut reader = Reader::default();
        let line = [b"data: ", vec![b'x'; LIMIT / 2].as_slice(), b"\n"].concat();
        assert_eq!(reader.push(&line), Ok(vec![]));
        assert_eq!(reader.push(&line), Err(TooLong), "nor is an event of many lines endless");
    }

    proptest! {
        #[test]
        fn how_it_is_cut_changes_nothing(
            lines in prop::collection::vec("(data: ?|: |id: )?[a-zé€𝄞]{0,8}(\r\n|\n|\r){1,3}", 0..12),
            cuts in prop::collection::vec(0_usize..200, 0..20),
        ) {
            let text = lines.concat();
            let bytes = text.as_bytes();
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(bytes.len())).collect();
            cuts.sort_unstable();
            let mut chunks = Vec::new();
            let mut from = 0;
            for cut in cuts.into_iter().chain([bytes.len()]) {
                chunks.push(&bytes[from..cut]);
                from = cut;
            }
            prop_assert_eq!(read(&chunks), read(&[bytes]));
        }

        #[test]
        fn no_bytes_break_it(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            read(&[&bytes]);
        }
    }
}
