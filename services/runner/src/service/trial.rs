//! Asks a model endpoint one short question for the operator who wants to know whether it answers. It goes
//! the way of a run's questions: the same peer, secret, limits and redaction.

use std::time::Duration;

use tokio::sync::mpsc;

use super::Service;
use crate::{
    Error,
    native::{Said, trial},
    outside::openai::Say,
};

/// What is heard and not yet read; the answer is short.
const UNHEARD: usize = 16;
/// The most characters of a wrong name that are told.
const NAME: usize = 60;
/// The most characters of the answer that are told.
const TEXT: usize = 200;

/// What came of a question.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tried {
    /// Why there is no answer; `None`: there is one.
    pub(crate) failure: Option<Error>,
    /// How long it took in all.
    pub(crate) took: Duration,
    /// The model that answered, by the endpoint's word.
    pub(crate) model: String,
    /// Input and output tokens by the endpoint's count.
    pub(crate) used: (u64, u64),
    /// The answer's beginning.
    pub(crate) text: String,
}

impl Service {
    /// Asks the endpoint of this name; an empty model is its default. Whoever leaves breaks it off.
    ///
    /// # Errors
    /// No endpoint has the name, or too many runs are at work. What the endpoint says wrong is no error.
    pub(crate) async fn try_endpoint(&self, name: &str, model: &str) -> Result<Tried, Error> {
        let missing = || Error::EndpointMissing {
            component_id: String::new(),
            endpoint: name.escape_debug().take(NAME).collect(),
        };
        let question = trial(name, model).ok_or_else(missing)?;
        let _run = self.wait(&self.runs, self.most_runs).await?;
        let (ears, mut heard) = mpsc::channel(UNHEARD);
        let mut tried = Tried::default();
        let asked = async {
            let ears = ears;
            let mut say = Say::new(0, &ears);
            let outcome = self.asker.ask(question, &mut say).await;
            (outcome, say.model.unwrap_or_default())
        };
        let hearing = async {
            while let Some((_, said)) = heard.recv().await {
                match said {
                    Said::Text(text) => {
                        let room = TEXT.saturating_sub(tried.text.chars().count());
                        tried.text.extend(text.chars().take(room));
                    }
                    Said::Used(input, output) => {
                        tried.used = (tried.used.0.max(input), tried.used.1.max(output));
                    }
                    Said::Ended(_) => {}
                }
            }
        };
        let began = self.house.now();
        let ((outcome, model), ()) = tokio::join!(asked, hearing);
        let micros = self.house.now().micros().saturating_sub(began.micros());
        tried.took = Duration::from_micros(u64::try_from(micros).unwrap_or(0));
        tried.model = model;
        match outcome {
            Ok(()) => Ok(tried),
            Err(failure @ (Error::ModelRefused { .. } | Error::ModelAway { .. })) => {
                Ok(Tried { failure: Some(failure), ..tried })
            }
            Err(error) => Err(error),
        }
    }
}
