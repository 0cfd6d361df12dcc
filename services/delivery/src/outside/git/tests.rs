//! The repository against its own handles, foreign writers, and the `git` program.

mod kills;

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::Command,
};

use souk_types::id::{InstanceId, OrgId, ProjectId};
use tempfile::TempDir;

use super::*;
use crate::model::{Bundle, Deviation, Env, Folder, drift, replace};

struct Place {
    dir: TempDir,
}

impl Place {
    fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap() }
    }

    fn path(&self) -> PathBuf {
        self.dir.path().join("delivery/desired.git")
    }

    fn open(&self) -> Repository {
        Repository::open(&self.path()).unwrap()
    }

    fn open_kept(self) -> (Self, Repository) {
        let repository = self.open();
        (self, repository)
    }

    /// Commits as somebody else would: by the library, past our locks and our rules.
    fn foreign(&self, files: &[(&str, &str)]) -> CommitId {
        let repository = gix::open_opts(self.path(), options()).unwrap();
        let head = branch::head(&repository).unwrap();
        let tree = head.map_or_else(
            || repository.empty_tree().id,
            |head| repository.find_commit(head).unwrap().tree_id().unwrap().detach(),
        );
        let mut editor = repository.edit_tree(tree).unwrap();
        for (path, text) in files {
            let blob = repository.write_blob(text).unwrap().detach();
            editor.upsert(*path, gix::objs::tree::EntryKind::Blob, blob).unwrap();
        }
        let tree = editor.write().unwrap().detach();
        let who =
            gix::actor::SignatureRef { name: "mallory".into(), email: "m@invalid".into(), time: "1 +0000" };
        let commit = repository.commit_as(who, who, branch::BRANCH, "by hand", tree, head);
        commit_id(commit.unwrap().detach()).unwrap()
    }
}

fn at(seconds: i64) -> Time {
    Time::from_micros(seconds * 1_000_000)
}

fn put(path: &str, text: &str) -> Change {
    Change::Put { path: path.to_owned(), content: text.as_bytes().to_vec() }
}

fn remove(path: &str) -> Change {
    Change::Remove { path: path.to_owned() }
}

fn files(repository: &Repository, prefix: &str) -> Vec<(String, String)> {
    let found = repository.read(prefix).unwrap().files;
    found.iter().map(|(path, text)| (path.to_owned(), String::from_utf8_lossy(text).into_owned())).collect()
}

fn commit(repository: &Repository, changes: &[Change]) -> CommitId {
    match repository.commit(changes, "change", at(1)).unwrap() {
        Outcome::Committed(commit) => commit,
        Outcome::Unchanged(head) => panic!("nothing changed at {head:?}"),
    }
}

fn folder(number: u128) -> Folder {
    Folder {
        env: Env::new("local").unwrap(),
        org_id: OrgId::from_bits(number / 10),
        project_id: ProjectId::from_bits(number / 2),
        instance_id: InstanceId::from_bits(number),
    }
}

fn bundle(folder: &Folder, text: &str) -> Bundle {
    let mut bundle = Bundle::default();
    for name in ["a.yaml", "b.yaml", "c.yaml"] {
        bundle.insert(folder.file(name), format!("{name} {folder} {text}").into_bytes());
    }
    bundle
}

/// Every loose object there is.
fn loose(place: &Place) -> usize {
    let objects = place.path().join("objects");
    let folders = fs::read_dir(objects).unwrap().map(|entry| entry.unwrap().path());
    let folders = folders.filter(|path| path.file_name().is_some_and(|name| name.len() == 2));
    folders.map(|path| fs::read_dir(path).unwrap().count()).sum()
}

#[test]
fn what_a_commit_writes_and_a_look_reads_does_not_grow_with_the_instances() {
    let (place, repository) = Place::new().open_kept();
    let env = folder(1).env;
    let (mut written, mut read) = (Vec::new(), Vec::new());
    for (from, to) in [(0, 10), (10, 2000)] {
        let changes: Vec<_> =
            (from..to).flat_map(|n| replace(&folder(n), &bundle(&folder(n), "1"))).collect();
        commit(&repository, &changes);
        let (before, seen) = (loose(&place), repository.instances(&env).unwrap());
        commit(&repository, &replace(&folder(5), &bundle(&folder(5), &to.to_string())));
        written.push(loose(&place) - before);
        let look = repository.instances_after(&env, Some(&seen)).unwrap();
        assert_eq!(look.folders, repository.instances(&env).unwrap().folders, "as a look from nothing");
        read.push(look.read);
    }
    // Three files, their folder and the six above it, the commit; the root, the org and the project.
    assert_eq!((written, read), (vec![11, 11], vec![3, 3]));
}

#[test]
fn a_look_after_another_finds_what_came_went_and_strayed() {
    let (_place, repository) = Place::new().open_kept();
    let env = folder(1).env;
    let changes: Vec<_> = (0..40).flat_map(|n| replace(&folder(n), &bundle(&folder(n), "1"))).collect();
    commit(&repository, &changes);
    let mut seen = repository.instances(&env).unwrap();
    let root = env.instances();
    let stray = |name: &str| put(&format!("{root}/{name}"), "x");
    let org = folder(11).to_string();
    let org = org.rsplitn(3, '/').last().unwrap().to_owned();
    for changes in [
        vec![remove(&folder(3).to_string())],
        vec![stray("file"), stray("no-org/a/b/c"), put(&format!("{org}/no-project/x/y"), "x")],
        replace(&folder(50), &bundle(&folder(50), "1")),
        vec![put(&format!("{}/a.yaml", folder(11)), "other")],
        vec![remove(&org)],
        vec![remove(&format!("{root}/no-org")), remove(&format!("{root}/file"))],
        vec![remove(&root)],
    ] {
        commit(&repository, &changes);
        let (after, anew) =
            (repository.instances_after(&env, Some(&seen)).unwrap(), repository.instances(&env).unwrap());
        assert_eq!((&after.folders, &after.commit), (&anew.folders, &anew.commit), "{changes:?}");
        let sorted = |mut strays: Vec<String>| {
            strays.sort();
            strays
        };
        assert_eq!(sorted(after.strays.clone()), sorted(anew.strays), "{changes:?}");
        seen = after;
    }
}

/// Runs `git` on the repository; `None`, said loudly, where there is no such program.
fn git_program(place: &Place, arguments: &[&str]) -> Option<String> {
    let run = Command::new("git").arg("--git-dir").arg(place.path()).args(arguments).output();
    match run {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            println!("SKIPPED: no git program on this machine");
            None
        }
        run => {
            let run = run.unwrap();
            let (out, err) = (String::from_utf8_lossy(&run.stdout), String::from_utf8_lossy(&run.stderr));
            assert!(run.status.success(), "git {arguments:?}: {out}{err}");
            Some(format!("{out}{err}"))
        }
    }
}

#[test]
fn handles_may_go_to_other_threads() {
    fn both<T: Send + Sync>() {}
    both::<Repository>();
}

#[test]
fn an_empty_repository_is_empty_and_not_an_error() {
    let (_place, repository) = Place::new().open_kept();
    assert_eq!(repository.head().unwrap(), None);
    assert_eq!(repository.read("").unwrap(), Snapshot::default());
    assert_eq!(repository.log(5).unwrap(), []);
    assert_eq!(repository.instances(&Env::new("local").unwrap()).unwrap(), Instances::default());
    assert_eq!(repository.commit(&[], "none", at(1)).unwrap(), Outcome::Unchanged(None));
    assert_eq!(repository.commit(&[remove("a/b")], "none", at(1)).unwrap(), Outcome::Unchanged(None));
}

#[test]
fn a_commit_is_read_back_here_and_by_a_later_handle() {
    let (place, repository) = Place::new().open_kept();
    let first = commit(&repository, &[put("x/a", "1"), put("x/y/b", "2"), put("c", "3")]);
    let second = commit(&repository, &[put("x/a", "4"), remove("x/y")]);
    for handle in [&repository, &place.open()] {
        assert_eq!(handle.head().unwrap(), Some(second.clone()));
        assert_eq!(files(handle, ""), [("c".into(), "3".into()), ("x/a".into(), "4".into())]);
        assert_eq!(files(handle, "x"), [("x/a".into(), "4".into())]);
        assert_eq!(files(handle, "x/a"), [("x/a".into(), "4".into())]);
        assert_eq!(files(handle, "x/y"), []);
        assert_eq!(handle.read_at(&first, "x/y").unwrap().files.len(), 1);
    }
    assert_eq!(repository.read("").unwrap().commit, Some(second));
}

#[test]
fn an_equal_tree_is_no_commit() {
    let (_place, repository) = Place::new().open_kept();
    let own = folder(1);
    let head = commit(&repository, &replace(&own, &bundle(&own, "1")));
    let again = repository.commit(&replace(&own, &bundle(&own, "1")), "again", at(9)).unwrap();
    assert_eq!(again, Outcome::Unchanged(Some(head.clone())));
    let back_and_forth = [put("z", "1"), remove("z")];
    assert_eq!(repository.commit(&back_and_forth, "", at(9)).unwrap().commit(), Some(&head));
    assert_eq!(repository.log(9).unwrap().len(), 1);
}

#[test]
fn the_last_instance_leaves_an_empty_tree() {
    let (place, repository) = Place::new().open_kept();
    let own = folder(1);
    commit(&repository, &replace(&own, &bundle(&own, "1")));
    commit(&repository, &replace(&own, &Bundle::default()));
    assert_eq!(files(&repository, ""), []);
    commit(&repository, &[put("a", "1")]);
    git_program(&place, &["fsck", "--strict", "--full"]);
}

#[test]
fn a_commit_says_who_when_and_why() {
    let (_place, repository) = Place::new().open_kept();
    commit(&repository, &[put("a", "1")]);
    repository.commit(&[put("a", "2")], "second\0 line\n\nSouk-Revision: 2\n\n", at(1_763_700_000)).unwrap();
    let log = repository.log(10).unwrap();
    assert_eq!(log.len(), 2);
    assert_eq!(log[0].author, "souk <delivery@souk.invalid>");
    assert_eq!(log[0].time, at(1_763_700_000));
    assert_eq!(log[0].message, "second\u{fffd} line\n\nSouk-Revision: 2\n");
    assert_eq!(repository.log(1).unwrap(), log[..1]);
    // The same changes on the same head at the same time are the same commit: nothing of the machine enters.
    let (_other_place, other) = Place::new().open_kept();
    assert_eq!(commit(&other, &[put("a", "1")]), log[1].commit);
}

#[test]
fn hostile_paths_write_nothing() {
    let (_place, repository) = Place::new().open_kept();
    for path in ["../x", "/x", ".git/config", "a/.git/hooks", "a\0b", "a//b", "", "a/../../b"] {
        let changes = [put("good", "1"), put(path, "1")];
        let refused = repository.commit(&changes, "x", at(1));
        assert!(matches!(refused, Err(Error::PathRefused { .. })), "{path:?}: {refused:?}");
    }
    assert_eq!(repository.head().unwrap(), None);
}

#[test]
fn two_handles_at_once_lose_nothing() {
    let place = Place::new();
    let handles = [place.open(), place.open()];
    std::thread::scope(|threads| {
        for (name, handle) in ["left", "right"].iter().zip(&handles) {
            threads.spawn(move || {
                for number in 0..20 {
                    commit(
                        handle,
                        &[put(&format!("{name}/{number}"), "1"), put("both", &format!("{name}{number}"))],
                    );
                }
            });
        }
    });
    assert_eq!(handles[0].head().unwrap(), handles[1].head().unwrap());
    assert_eq!(files(&handles[0], "left").len() + files(&handles[1], "right").len(), 40);
    assert_eq!(handles[0].log(100).unwrap().len(), 40);
}

#[test]
fn a_lost_race_is_made_anew_on_the_new_head() {
    let (place, repository) = Place::new().open_kept();
    commit(&repository, &[put("a", "1")]);
    let mut attempts = 0;
    let outcome = repository.commit_observed(&[put("b", "2")], "mine", at(2), &mut |attempt| {
        attempts = attempt;
        if attempt <= 2 {
            place.foreign(&[("foreign", &attempt.to_string())]);
        }
    });
    assert!(matches!(outcome.unwrap(), Outcome::Committed(_)));
    assert_eq!(attempts, 3);
    let all = files(&repository, "");
    assert_eq!(all.iter().map(|(path, _)| path.as_str()).collect::<Vec<_>>(), ["a", "b", "foreign"]);
    assert_eq!(repository.log(10).unwrap().len(), 4);
}

#[test]
fn a_race_that_is_always_lost_ends() {
    let (place, repository) = Place::new().open_kept();
    let mut attempts = 0;
    let outcome = repository.commit_observed(&[put("b", "2")], "mine", at(2), &mut |attempt| {
        attempts = attempt;
        place.foreign(&[("foreign", &attempt.to_string())]);
    });
    assert!(matches!(outcome, Err(Error::DesiredStateConflict { attempts: ATTEMPTS })), "{outcome:?}");
    assert_eq!(attempts, ATTEMPTS);
    assert_eq!(files(&repository, ""), [("foreign".into(), "8".into())]);
}

#[test]
fn a_foreign_writers_lock_is_respected_and_never_removed() {
    let (place, repository) = Place::new().open_kept();
    let head = commit(&repository, &[put("a", "1")]);
    let lock = place.path().join("refs/heads/main.lock");
    fs::write(&lock, "").unwrap();
    let outcome = repository.commit(&[put("a", "2")], "x", at(1));
    assert!(matches!(outcome, Err(Error::DesiredStateConflict { .. })), "{outcome:?}");
    assert!(lock.exists());
    assert_eq!(repository.head().unwrap(), Some(head));
    fs::remove_file(&lock).unwrap();
    commit(&repository, &[put("a", "2")]);
}

#[test]
fn something_that_is_no_repository_is_not_overwritten() {
    let place = Place::new();
    fs::create_dir_all(place.path()).unwrap();
    fs::write(place.path().join("precious"), "x").unwrap();
    assert!(matches!(Repository::open(&place.path()), Err(Error::Repository { .. })));
    assert!(place.path().join("precious").exists());
}

#[test]
fn a_foreign_commit_is_drift_and_is_overwritten() {
    let (place, repository) = Place::new().open_kept();
    let (one, two) = (folder(1), folder(2));
    let (mut expected, root) = (bundle(&one, "1"), one.env.instances());
    expected.extend(bundle(&two, "1"));
    let mut changes = replace(&one, &bundle(&one, "1"));
    changes.extend(replace(&two, &bundle(&two, "1")));
    commit(&repository, &changes);
    assert_eq!(drift(&expected, &repository.read(&root).unwrap().files), []);

    let stray = format!("{root}/été.txt");
    let foreign = place.foreign(&[
        (&one.file("a.yaml"), "evil"),
        (&two.file("sub/more.yaml"), "x"),
        (&stray, "x"),
        ("doc", "x"),
    ]);
    let found = repository.read(&root).unwrap();
    assert_eq!(found.commit, Some(foreign));
    let mut seen: Vec<_> =
        drift(&expected, &found.files).into_iter().map(|drift| (drift.path, drift.deviation)).collect();
    seen.sort();
    let mut known = vec![
        (one.file("a.yaml"), Deviation::Changed),
        (two.file("sub/more.yaml"), Deviation::Foreign),
        (stray.clone(), Deviation::Foreign),
    ];
    known.sort();
    assert_eq!(seen, known);

    changes.push(remove(&stray));
    commit(&repository, &changes);
    assert_eq!(drift(&expected, &repository.read(&root).unwrap().files), []);
    assert_eq!(files(&repository, "doc").len(), 1, "what stands elsewhere is somebody else's");
}

#[test]
fn a_file_where_a_folder_belongs_gives_way() {
    let (place, repository) = Place::new().open_kept();
    let own = folder(1);
    place.foreign(&[(&format!("{}/{}", own.env.instances(), own.org_id), "a file")]);
    assert_eq!(repository.instances(&own.env).unwrap().folders.len(), 0);
    commit(&repository, &replace(&own, &bundle(&own, "1")));
    assert_eq!(repository.read(&own.env.instances()).unwrap().files, bundle(&own, "1"));
    git_program(&place, &["fsck", "--strict"]);
}

#[test]
fn what_is_no_plain_file_never_passes_for_one() {
    let (place, repository) = Place::new().open_kept();
    let own = folder(1);
    let wanted = bundle(&own, "1");
    commit(&repository, &replace(&own, &wanted));
    let foreign = gix::open_opts(place.path(), options()).unwrap();
    let head = branch::head(&foreign).unwrap().unwrap();
    let mut editor = foreign.edit_tree(foreign.find_commit(head).unwrap().tree_id().unwrap()).unwrap();
    let kinds = [gix::objs::tree::EntryKind::BlobExecutable, gix::objs::tree::EntryKind::Link];
    for (name, kind) in ["a.yaml", "b.yaml"].into_iter().zip(kinds) {
        let same = foreign.write_blob(wanted.get(&own.file(name)).unwrap()).unwrap().detach();
        editor.upsert(own.file(name), kind, same).unwrap();
    }
    let tree = editor.write().unwrap().detach();
    let who = gix::actor::SignatureRef { name: "m".into(), email: "m".into(), time: "1 +0000" };
    foreign.commit_as(who, who, branch::BRANCH, "modes", tree, Some(head)).unwrap();

    let found = repository.read(&own.to_string()).unwrap().files;
    assert_eq!(drift(&wanted, &found).len(), 2);
    commit(&repository, &replace(&own, &wanted));
    assert_eq!(repository.read(&own.to_string()).unwrap().files, wanted);
}

#[test]
fn a_thousand_instances_stay_readable_and_one_changes_alone() {
    let (place, repository) = Place::new().open_kept();
    let env = Env::new("local").unwrap();
    let mut expected = Bundle::default();
    let mut changes = Vec::new();
    for number in 0..1000 {
        let files = bundle(&folder(number), "1");
        changes.extend(replace(&folder(number), &files));
        expected.extend(files);
    }
    commit(&repository, &changes);
    assert_eq!(repository.read(&env.instances()).unwrap().files, expected);
    let before = repository.instances(&env).unwrap();
    assert_eq!(before.folders.len(), 1000);

    let one = folder(500);
    commit(&repository, &replace(&one, &bundle(&one, "2")));
    let after = repository.instances(&env).unwrap();
    let changed: Vec<_> =
        after.folders.iter().filter(|(folder, name)| before.folders.get(folder) != Some(*name)).collect();
    assert_eq!(changed.len(), 1);
    assert_eq!(changed[0].0, &one);
    git_program(&place, &["fsck", "--strict"]);
}

#[test]
fn the_git_program_agrees() {
    let (place, repository) = Place::new().open_kept();
    let own = folder(1);
    for revision in 1..=5 {
        let changes = replace(&own, &bundle(&own, &revision.to_string()));
        repository.commit(&changes, &format!("revision {revision}"), at(1_763_700_000)).unwrap();
    }
    let Some(said) = git_program(&place, &["fsck", "--strict", "--full"]) else { return };
    assert!(!said.contains("error") && !said.contains("missing"), "{said}");
    let log = git_program(&place, &["log", "--format=%H %an <%ae> %at %s", "main"]).unwrap();
    let ours = repository.log(10).unwrap();
    for (line, entry) in log.lines().zip(&ours) {
        assert_eq!(
            line,
            format!("{} {} 1763700000 {}", entry.commit, entry.author, entry.message.trim_end())
        );
    }
    assert_eq!(log.lines().count(), ours.len());
    // Packed by the program, with the branch in packed-refs: read and written on as before, by the same handle.
    git_program(&place, &["gc", "--prune=now", "--quiet"]).unwrap();
    assert!(!place.path().join("refs/heads/main").exists());
    assert_eq!(repository.head().unwrap().as_ref(), Some(&ours[0].commit));
    commit(&repository, &[put("after", "gc")]);
    assert_eq!(repository.log(10).unwrap().len(), 6);
    git_program(&place, &["fsck", "--strict", "--full"]).unwrap();
}

#[test]
fn only_one_folder_is_needed() {
    let place = Place::new();
    drop(place.open());
    let mut names: Vec<_> = fs::read_dir(place.path().parent().unwrap())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(names, ["desired.git", "desired.lock"]);
    assert_eq!(
        fs::read_to_string(Path::new(&place.path()).join("HEAD")).unwrap().trim(),
        "ref: refs/heads/main"
    );
}
