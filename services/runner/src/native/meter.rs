//! What the models of a run have used, as it is known at each moment. It never goes back.

use std::collections::BTreeMap;

use crate::model::{Usage, tokens};

/// Bytes of a question to a token, at the most: what is told before the endpoint counted must hardly ever be
/// more than it counts, since it is not taken back.
const QUESTION: usize = 8;
/// Bytes of an answer to a token, at the most: endpoints put many tokens into one piece, and a budget that
/// counts pieces alone is never reached.
const ANSWER: usize = 16;

fn least(bytes: usize, each: usize) -> u64 {
    u64::try_from(bytes / each).unwrap_or(u64::MAX)
}

/// What each call of a run has used.
#[derive(Clone, Debug, Default)]
pub(super) struct Meter {
    calls: BTreeMap<usize, Call>,
}

#[derive(Clone, Debug, Default)]
struct Call {
    asked_bytes: usize,
    /// The most tokens that the flow lets the answer have.
    most: Option<u64>,
    /// What the question was measured at when the first piece came and nobody had counted it yet. It is
    /// told, so it stays: whoever leaves after that piece has had the question read.
    measured_input: u64,
    pieces: u64,
    answered_bytes: usize,
    /// What the endpoint itself said: input and output.
    reported: Option<(u64, u64)>,
    ended: bool,
}

impl Call {
    /// While an answer runs, its question counts from the first piece, and each piece is one token at least, as is
    /// each `ANSWER` of bytes; the endpoint's own count corrects both upwards. Where an endpoint never counts, texts
    /// are measured as those of a run without a model, the answer's by no more than the flow's bound on it: that
    /// measure guesses, and an answer that was cut at its bound often has more bytes a token. What was told before
    /// is no guess and stands: pieces beyond the bound come from an endpoint that does not keep it, and the
    /// budget must still cut those. A count of nothing is none: endpoints that do not count fill the form with zeros.
    fn used(&self) -> (u64, u64) {
        let counted = |count: u64| (count > 0).then_some(count);
        let (input, output) = self.reported.unwrap_or_default();
        let (own_input, own_output) = self.measured();
        (
            counted(input).map_or(own_input, |input| input.max(self.measured_input)),
            counted(output).map_or(own_output, |output| output.max(self.pieces)),
        )
    }

    /// What is taken as used where the endpoint counted nothing.
    fn measured(&self) -> (u64, u64) {
        if self.ended && self.pieces > 0 {
            let guess = tokens(self.answered_bytes).min(self.most.unwrap_or(u64::MAX));
            (tokens(self.asked_bytes), guess.max(self.told_output()))
        } else {
            (self.measured_input, self.told_output())
        }
    }

    /// What is told of an answer before anybody counted it.
    fn told_output(&self) -> u64 {
        least(self.answered_bytes, ANSWER).max(self.pieces)
    }
}

impl Meter {
    /// No model was called.
    pub(super) fn is_empty(&self) -> bool {
        self.calls.is_empty()
    }

    /// A node has asked so many bytes, and lets the answer have at most so many tokens.
    pub(super) fn asked(&mut self, at: usize, bytes: usize, most: Option<u64>) {
        let call = self.calls.entry(at).or_default();
        (call.asked_bytes, call.most) = (bytes, most);
    }

    /// A piece of its answer came.
    pub(super) fn piece(&mut self, at: usize, bytes: usize) {
        let call = self.calls.entry(at).or_default();
        if call.pieces == 0 && call.reported.is_none_or(|(input, _)| input == 0) {
            call.measured_input = least(call.asked_bytes, QUESTION);
        }
        call.pieces = call.pieces.saturating_add(1);
        call.answered_bytes = call.answered_bytes.saturating_add(bytes);
    }

    /// The endpoint said what was used; some say it more than once, and more each time.
    pub(super) fn reported(&mut self, at: usize, (input, output): (u64, u64)) {
        let call = self.calls.entry(at).or_default();
        let before = call.reported.unwrap_or_default();
        call.reported = Some((before.0.max(input), before.1.max(output)));
    }

    /// The answer is over, well or badly.
    pub(super) fn ended(&mut self, at: usize) {
        self.calls.entry(at).or_default().ended = true;
    }

    /// All answers are over.
    pub(super) fn all_ended(&mut self) {
        for call in self.calls.values_mut() {
            call.ended = true;
        }
    }

    /// What the run has used so far; nothing while no model has given anything.
    pub(super) fn total(&self) -> Option<Usage> {
        let add =
            |sum: (u64, u64), own: (u64, u64)| (sum.0.saturating_add(own.0), sum.1.saturating_add(own.1));
        let (input_tokens, output_tokens) = self.calls.values().map(Call::used).fold((0, 0), add);
        (input_tokens > 0 || output_tokens > 0).then_some(Usage { runs: 1, input_tokens, output_tokens })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn used(meter: &Meter) -> Option<(u64, u64)> {
        meter.total().map(|usage| (usage.input_tokens, usage.output_tokens))
    }

    #[test]
    fn the_endpoints_count_corrects_upwards_only() {
        let mut meter = Meter::default();
        assert!(meter.is_empty() && used(&meter).is_none());
        meter.asked(1, 40, None);
        assert_eq!(used(&meter), None, "a refused question costs nothing");
        meter.piece(1, 3);
        meter.piece(1, 3);
        assert_eq!(used(&meter), Some((5, 2)), "the question counts from the first piece");
        meter.reported(1, (12, 9));
        meter.reported(1, (11, 1));
        meter.ended(1);
        assert_eq!(used(&meter), Some((12, 9)));
        meter.piece(2, 10);
        assert_eq!(used(&meter), Some((12, 10)), "calls add up");
        assert_eq!(meter.total().unwrap().runs, 1);
    }

    #[test]
    fn a_question_is_counted_once_and_never_less() {
        let mut meter = Meter::default();
        meter.asked(1, 80, None);
        meter.piece(1, 3);
        meter.reported(1, (7, 1));
        meter.ended(1);
        assert_eq!(used(&meter), Some((10, 1)), "what was told is not taken back, and not added to");
        let mut counted = Meter::default();
        counted.asked(1, 40, None);
        counted.reported(1, (7, 0));
        counted.piece(1, 3);
        assert_eq!(used(&counted), Some((7, 1)), "a count that comes first needs no measure");
    }

    #[test]
    fn large_pieces_are_more_than_one_token_each() {
        let mut meter = Meter::default();
        meter.piece(1, 8000);
        assert_eq!(used(&meter), Some((0, 500)), "or an answer of few pieces passes any budget");
        meter.reported(1, (3, 2000));
        assert_eq!(used(&meter), Some((3, 2000)));
    }

    #[test]
    fn an_answer_that_nobody_counted_is_measured() {
        let mut meter = Meter::default();
        meter.asked(1, 41, None);
        meter.piece(1, 17);
        meter.ended(1);
        assert_eq!(used(&meter), Some((11, 5)));
        meter.asked(2, 1000, None);
        meter.all_ended();
        assert_eq!(used(&meter), Some((11, 5)), "what was never answered is not counted");
    }

    #[test]
    fn a_count_of_nothing_is_no_count() {
        for before in [true, false] {
            let mut meter = Meter::default();
            meter.asked(1, 40, None);
            if before {
                meter.reported(1, (0, 0));
            }
            meter.piece(1, 8000);
            assert_eq!(used(&meter), Some((5, 500)));
            meter.reported(1, (0, 0));
            assert_eq!(used(&meter), Some((5, 500)), "what was told is not taken back");
            meter.ended(1);
            assert_eq!(used(&meter), Some((10, 2000)), "as one that nobody counted");
            meter.reported(1, (7, 0));
            assert_eq!(used(&meter), Some((7, 2000)), "each side has its own count");
        }
    }

    #[test]
    fn a_guess_is_bounded_by_the_flow_and_what_was_told_is_not() {
        // 450 bytes of English in 100 tokens: cut at its bound, the answer is not measured beyond it.
        let mut meter = Meter::default();
        meter.asked(1, 40, Some(100));
        for _ in 0..90 {
            meter.piece(1, 5);
        }
        assert_eq!(used(&meter), Some((5, 90)));
        meter.ended(1);
        assert_eq!(used(&meter), Some((10, 100)));
        // An endpoint that does not keep the bound is counted, or the budget would never cut it.
        for (pieces, bytes, told) in [(200, 5, 200), (1, 8000, 500)] {
            let mut meter = Meter::default();
            meter.asked(1, 0, Some(100));
            for _ in 0..pieces {
                meter.piece(1, bytes);
            }
            assert_eq!(used(&meter), Some((0, told)));
            meter.ended(1);
            assert_eq!(used(&meter), Some((0, told)), "nor is it taken back");
        }
        // What the endpoint counts is what the operator pays.
        meter.reported(1, (10, 130));
        assert_eq!(used(&meter), Some((10, 130)));
    }
}
