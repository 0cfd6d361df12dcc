//! `souk completions`: what a shell needs to complete the command line.

use std::io::Write as _;

use clap::{Args, CommandFactory as _, ValueEnum};
use clap_complete::{Shell, generate};

use super::{Cli, output::Failure};

/// `souk completions`.
#[derive(Args)]
pub(crate) struct Completions {
    /// The shell.
    #[arg(value_enum)]
    shell: Kind,
}

/// The shells that are served.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Kind {
    Bash,
    Zsh,
    Fish,
}

pub(crate) fn run(ask: &Completions) -> Result<(), Failure> {
    // The whole script first: whoever closes the pipe early has seen enough.
    let script = script(ask.shell);
    match std::io::stdout().lock().write_all(&script) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(Failure::broken(&error)),
        _ => Ok(()),
    }
}

fn script(kind: Kind) -> Vec<u8> {
    let shell = match kind {
        Kind::Bash => Shell::Bash,
        Kind::Zsh => Shell::Zsh,
        Kind::Fish => Shell::Fish,
    };
    let mut script = Vec::new();
    generate(shell, &mut Cli::command(), "souk", &mut script);
    script
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shell_completes_the_newest_commands() {
        for kind in [Kind::Bash, Kind::Zsh, Kind::Fish] {
            let script = String::from_utf8(script(kind)).unwrap();
            for word in ["backup", "explain", "instances", "completions"] {
                assert!(script.contains(word), "{kind:?} {word}");
            }
        }
    }
}
