//! The notifier against a mail server of the test's own: one that takes, refuses, puts off, hangs, drops.

use std::{sync::Arc, time::Duration};

use souk_types::Secret;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader},
    net::{TcpListener, TcpStream},
    sync::Mutex,
};

use super::{Letter, Notifier};
use crate::{
    config::{Driver, Notify, Smtp, Tls},
    model::{Email, invitation::Delivery},
};

/// How the mail server behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Temper {
    Takes,
    /// Answers a command with this line.
    Says(&'static str, &'static str),
    /// Never answers it.
    Hangs(&'static str),
    /// Closes the connection at it.
    Drops(&'static str),
}

/// A mail server on loopback; what it took.
pub(crate) struct Post {
    pub(crate) port: u16,
    pub(crate) took: Arc<Mutex<Vec<String>>>,
}

impl Post {
    #[expect(clippy::disallowed_methods, reason = "the test's own server: no house tracks it")]
    pub(crate) async fn open(temper: Temper) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let took = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&took);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, temper, Arc::clone(&kept)));
            }
        });
        Self { port, took }
    }

    pub(crate) fn config(&self) -> Notify {
        let smtp = Smtp {
            host: "127.0.0.1".into(),
            port: self.port,
            tls: Tls::None,
            from: "souk <souk@example.org>".into(),
            timeout_seconds: 1,
            ..Smtp::default()
        };
        Notify { driver: Driver::Smtp, smtp, ..Notify::default() }
    }
}

async fn serve(stream: TcpStream, temper: Temper, took: Arc<Mutex<Vec<String>>>) -> Option<()> {
    let (read, mut write) = stream.into_split();
    let mut lines = BufReader::new(read).lines();
    let mut mail = String::new();
    let mut command = "HELLO".to_owned();
    loop {
        let body = command == "BODY";
        let answer = match temper {
            Temper::Says(at, line) if at == command => line,
            Temper::Hangs(at) if at == command => std::future::pending().await,
            Temper::Drops(at) if at == command => return None,
            _ => match command.as_str() {
                "HELLO" => "220 post",
                "DATA" => "354 go on",
                "QUIT" => "221 bye",
                _ => "250 fine",
            },
        };
        if body && answer.starts_with('2') {
            took.lock().await.push(std::mem::take(&mut mail));
        }
        write.write_all(format!("{answer}\r\n").as_bytes()).await.ok()?;
        if command == "DATA" && answer.starts_with('3') {
            loop {
                let line = lines.next_line().await.ok()??;
                if line == "." {
                    break;
                }
                mail.push_str(&line);
                mail.push('\n');
            }
            command = "BODY".to_owned();
            continue;
        }
        let line = lines.next_line().await.ok()??;
        command = line.split([' ', ':']).next().unwrap_or_default().to_ascii_uppercase();
    }
}

async fn carry(notify: &Notify) -> Delivery {
    let to: Email = "ann@example.org".parse().unwrap();
    let letter = Letter {
        to: &to,
        name: "inv_1".into(),
        subject: "You are invited",
        text: "Join \"Bäckerei\".".into(),
        link: Secret::new("https://souk.example/sign-in/souk_in_secret".into()),
    };
    Notifier::new(notify).unwrap().carry(&letter).await
}

#[tokio::test]
async fn a_mail_arrives_whole_with_its_link_and_its_own_name() {
    let post = Post::open(Temper::Takes).await;
    assert_eq!(carry(&post.config()).await, Delivery::Taken);
    let took = post.took.lock().await;
    assert_eq!(took.len(), 1);
    for wanted in ["Message-ID: <inv_1@example.org>", "To: ann@example.org", "Subject: You are invited"] {
        assert!(took[0].contains(wanted), "{wanted}: {}", took[0]);
    }
    let unfolded = took[0].replace("=\n", "").replace("=3D", "=");
    assert!(unfolded.contains("https://souk.example/sign-in/souk_in_secret"), "{unfolded}");
}

#[tokio::test]
async fn a_final_no_is_final_and_everything_else_may_pass() {
    for (temper, last) in [
        (Temper::Says("RCPT", "550 nobody of this name"), true),
        (Temper::Says("MAIL", "553 not from you"), true),
        (Temper::Says("BODY", "554 spam"), true),
        (Temper::Says("RCPT", "451 later"), false),
        (Temper::Says("HELLO", "421 too busy"), false),
        (Temper::Says("BODY", "452 full"), false),
        (Temper::Says("EHLO", "nonsense"), false),
        (Temper::Drops("HELLO"), false),
        (Temper::Drops("RCPT"), false),
        (Temper::Drops("BODY"), false),
        (Temper::Hangs("HELLO"), false),
        (Temper::Hangs("BODY"), false),
    ] {
        let post = Post::open(temper).await;
        let delivery = carry(&post.config()).await;
        let (seen, why) = match &delivery {
            Delivery::Never(why) => (true, why),
            Delivery::Later(why) => (false, why),
            Delivery::Taken | Delivery::Logged | Delivery::Needless => panic!("{temper:?}: {delivery:?}"),
        };
        assert_eq!(seen, last, "{temper:?}: {why}");
        assert!(!why.contains("souk_in_") && !why.is_empty(), "{why}");
        assert!(post.took.lock().await.is_empty(), "{temper:?}");
    }
}

#[tokio::test]
async fn without_a_server_a_mail_waits_and_tls_is_not_talked_away() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let post = Post::open(Temper::Takes).await;
    let gone = Smtp { port, ..post.config().smtp };
    let away = carry(&Notify { smtp: gone, ..post.config() }).await;
    assert!(matches!(away, Delivery::Later(_)), "{away:?}");
    for tls in [Tls::Starttls, Tls::Implicit] {
        let smtp = Smtp { tls, ..post.config().smtp };
        let clear =
            tokio::time::timeout(Duration::from_secs(30), carry(&Notify { smtp, ..post.config() })).await;
        assert!(!matches!(clear, Ok(Delivery::Taken)), "{tls:?}: {clear:?}");
    }
    assert!(post.took.lock().await.is_empty(), "nothing went in clear");
}
