//! The command line: data on standard output, talk on standard error, hints on errors.

mod audit;
mod backup;
mod capabilities;
mod completions;
mod explain;
mod hints;
mod instances;
mod invitations;
mod keys;
mod login;
mod members;
mod mesh_token;
mod models;
mod offerings;
mod orders;
mod output;
mod projects;
mod remote;
mod runs;
mod server;
mod sessions;
mod shops;
mod teams;
mod wallet;
mod workspace;
mod yaml;

use std::{net::SocketAddr, path::PathBuf, process::ExitCode, sync::Arc};

use clap::{Args, Parser, Subcommand};
use souk_db::CommitObserver;
use souk_types::PartName;

pub(crate) use self::yaml::Manifest;
pub(crate) use self::{
    offerings::publish_manifest,
    output::Failure,
    remote::{OPERATOR, Remote, Saved},
};
use self::{output::Output, remote::Access};
use crate::process;

/// An agent store you can run.
#[derive(Parser)]
#[command(name = "souk", version, about, disable_help_subcommand = true)]
struct Cli {
    #[command(flatten)]
    shared: Shared,
    #[command(subcommand)]
    command: Command,
}

/// What every command takes.
#[derive(Args)]
struct Shared {
    /// The data directory.
    #[arg(long, global = true, default_value = ".souk", env = "SOUK_DATA", value_name = "DIR")]
    data: PathBuf,
    /// The gateway to call [default: the one of the data directory, else http://127.0.0.1:7400].
    #[arg(long, global = true, env = "SOUK_SERVER", value_name = "URL")]
    server: Option<String>,
    /// An API key or access token [default: the data directory's operator, else the saved login].
    #[arg(long, global = true, env = "SOUK_TOKEN", value_name = "TOKEN", hide_env_values = true)]
    token: Option<String>,
    /// Print JSON: one document, or a line each for watches.
    #[arg(long, global = true)]
    json: bool,
    /// What makes a repeat of a changing command the same command [default: a fresh one].
    #[arg(long, global = true, value_name = "ID")]
    request_id: Option<String>,
    /// Where saved logins lie.
    #[arg(long, global = true, env = "HOME", hide = true, hide_env_values = true)]
    home: Option<PathBuf>,
}

#[derive(Subcommand)]
enum Command {
    /// Run the whole platform in one process.
    Up(process::Up),
    /// Run some parts only; the others are reached at their addresses under [mesh], or by their sockets.
    Run(RunArgs),
    /// Make a one-time sign-in link, good for ten minutes.
    Login(login::Login),
    /// Tell who the caller is.
    Whoami,
    /// Make the caller's workspace, or show it.
    Workspace(workspace::Workspace),
    /// Offerings.
    #[command(subcommand)]
    Offerings(offerings::Offerings),
    /// What an offering version can ask for.
    #[command(subcommand)]
    Capabilities(capabilities::Capabilities),
    /// Instances.
    #[command(subcommand)]
    Instances(instances::Instances),
    /// Runs.
    #[command(subcommand)]
    Runs(runs::Runs),
    /// Show the wallet, or watch, adjust or freeze it.
    Wallet(wallet::Wallet),
    /// List the ledger, newest first.
    Ledger(wallet::Ledger),
    /// Receipts.
    #[command(subcommand)]
    Receipts(wallet::Receipts),
    /// Shops.
    #[command(subcommand)]
    Shop(shops::Shop),
    /// Orders.
    #[command(subcommand)]
    Orders(orders::Orders),
    /// API keys.
    #[command(subcommand)]
    Keys(keys::Keys),
    /// Model endpoints.
    #[command(subcommand)]
    Model(models::Model),
    /// Projects.
    #[command(subcommand)]
    Projects(projects::Projects),
    /// Members of an org.
    #[command(subcommand)]
    Members(members::Members),
    /// Invitations into an org.
    #[command(subcommand)]
    Invitations(invitations::Invitations),
    /// Teams of an org.
    #[command(subcommand)]
    Teams(teams::Teams),
    /// The caller's sessions.
    #[command(subcommand)]
    Sessions(sessions::Sessions),
    /// List what people changed in an org, newest first.
    Audit(audit::Audit),
    /// Sign a mesh token with the directory's keyring, for grpcurl on the mesh socket.
    MeshToken(mesh_token::MeshToken),
    /// Bring the schemas of every part up to date.
    Migrate(process::Migrate),
    /// Copy the whole platform as it stands at one moment, running or not.
    Backup(backup::Backup),
    /// Bring a backup back into an empty directory, and hold its ledger against the backup's.
    Restore(backup::Restore),
    /// Tell what became of a run, an instance or an order across all parts: the cause and the next step first.
    Explain(explain::Explain),
    /// Print a script that completes this command line in a shell.
    Completions(completions::Completions),
    /// Print the version.
    Version,
}

/// `souk run`: an instance, or, with --only, parts of the platform.
#[derive(Args)]
struct RunArgs {
    /// The instance to run: its id, or its offering's slug.
    #[arg(required_unless_present = "only", value_name = "INSTANCE")]
    instance: Option<String>,
    /// The input; `-` reads standard input.
    #[arg(required_unless_present = "only", value_name = "TEXT", allow_hyphen_values = true)]
    input: Option<String>,
    /// The project that a slug is looked for in: its id or its slug [default: the caller's only one].
    #[arg(long, default_value = "")]
    project: String,
    /// The conversation it belongs to.
    #[arg(long, value_name = "ID")]
    session: Option<String>,
    /// Run these parts of the platform here, separated by commas.
    #[arg(long, value_delimiter = ',', value_name = "PART", conflicts_with_all = ["instance", "input", "project", "session"])]
    only: Vec<PartName>,
    /// Where the gateway listens, when it is one of them.
    #[arg(long, default_value = "127.0.0.1:7400", conflicts_with = "instance", value_name = "ADDR:PORT")]
    listen: SocketAddr,
    /// Listen on a public address although sign-in links and keys would cross the network in clear.
    #[arg(long, conflicts_with = "instance")]
    insecure_public: bool,
    /// The configuration file [default: DIR/souk.toml].
    #[arg(long, conflicts_with = "instance", value_name = "FILE")]
    config: Option<PathBuf>,
}

/// Runs the command line.
pub(crate) fn main(observer: &Arc<dyn CommitObserver>) -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are no errors; whoever closed the pipe has seen enough.
            error.print().ok();
            return if error.use_stderr() { ExitCode::from(2) } else { ExitCode::SUCCESS };
        }
    };
    let output = Output::new(cli.shared.json);
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return output.fail(&Failure::broken(&error)),
    };
    match runtime.block_on(run(cli, &output, observer)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => output.fail(&failure),
    }
}

async fn run(cli: Cli, output: &Output, observer: &Arc<dyn CommitObserver>) -> Result<(), Failure> {
    let Cli { shared, command } = cli;
    match command {
        Command::Up(up) => return server::up(&shared.data, up, output, observer).await,
        Command::Migrate(migrate) => return server::migrate(&shared.data, migrate, output).await,
        Command::Backup(ask) => return backup::take(&shared.data, ask, output).await,
        Command::Restore(ask) => return backup::restore(&shared.data, ask, output).await,
        Command::Completions(ask) => return completions::run(&ask),
        Command::MeshToken(ask) => return mesh_token::run(&shared.data, &ask, output),
        Command::Version => return output.line("version", env!("CARGO_PKG_VERSION")),
        Command::Run(RunArgs { only: mut parts, listen, insecure_public, config, .. })
            if !parts.is_empty() =>
        {
            parts.sort_unstable();
            parts.dedup();
            let only = process::Only { parts, listen, insecure_public, config };
            return server::only(&shared.data, only, output, observer).await;
        }
        _ => {}
    }
    let data = shared.data.clone();
    let access = Access { data: shared.data, server: shared.server, token: shared.token, home: shared.home };
    let remote = Remote::connect(access, shared.request_id)?;
    match command {
        Command::Login(ask) => login::run(&remote, ask, output).await,
        Command::Whoami => login::whoami(&remote, output).await,
        Command::Workspace(ask) => workspace::run(&remote, ask, output).await,
        Command::Offerings(ask) => offerings::run(&remote, ask, output).await,
        Command::Capabilities(ask) => capabilities::run(&remote, ask, output).await,
        Command::Instances(ask) => instances::run(&remote, ask, output).await,
        Command::Runs(ask) => runs::run(&remote, ask, output).await,
        Command::Run(RunArgs { instance, input, project, session, .. }) => {
            let named = instances::Named { instance: instance.unwrap_or_default(), project };
            let ask = runs::Create { named, input, session };
            runs::create(&remote, ask, output).await
        }
        Command::Wallet(ask) => wallet::show(&remote, ask, output).await,
        Command::Ledger(ask) => wallet::ledger(&remote, ask, output).await,
        Command::Receipts(ask) => wallet::receipts(&remote, ask, output).await,
        Command::Shop(ask) => shops::run(&remote, ask, output).await,
        Command::Orders(ask) => orders::run(&remote, ask, output).await,
        Command::Explain(ask) => explain::run(&remote, &data, ask, output).await,
        Command::Keys(ask) => keys::run(&remote, ask, output).await,
        Command::Model(ask) => models::run(&remote, ask, output).await,
        Command::Projects(ask) => projects::run(&remote, ask, output).await,
        Command::Members(ask) => members::run(&remote, ask, output).await,
        Command::Invitations(ask) => invitations::run(&remote, ask, output).await,
        Command::Teams(ask) => teams::run(&remote, ask, output).await,
        Command::Sessions(ask) => sessions::run(&remote, ask, output).await,
        Command::Audit(ask) => audit::run(&remote, ask, output).await,
        Command::Up(_) | Command::Migrate(_) | Command::MeshToken(_) | Command::Version => Ok(()),
        Command::Backup(_) | Command::Restore(_) | Command::Completions(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn run_takes_an_instance_or_parts() {
        assert!(Cli::try_parse_from(["souk", "run", "ins_1", "hello"]).is_ok());
        assert!(Cli::try_parse_from(["souk", "run", "--only", "billing,runs"]).is_ok());
        assert!(Cli::try_parse_from(["souk", "run"]).is_err());
        assert!(Cli::try_parse_from(["souk", "run", "--only", "nobody"]).is_err());
        assert!(Cli::try_parse_from(["souk", "run", "ins_1", "hello", "--only", "billing"]).is_err());
        assert!(Cli::try_parse_from(["souk", "run", "ins_1", "hello", "--listen", "127.0.0.1:0"]).is_err());
        assert!(Cli::try_parse_from(["souk", "run", "--only", "gateway", "--listen", "127.0.0.1:0"]).is_ok());
    }
}
