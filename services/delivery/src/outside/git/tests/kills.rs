//! What a kill or a loss of power leaves behind, and that the next commit stands on firm ground all the same.

use super::*;

#[test]
fn a_kill_before_the_branch_is_moved_leaves_the_old_state() {
    let (place, repository) = Place::new().open_kept();
    let head = commit(&repository, &[put("a", "1")]);
    // What stands on disk at that moment is what a kill there leaves: a copy of it is opened.
    let copy = Place::new();
    fs::create_dir_all(copy.path().parent().unwrap()).unwrap();
    let moved = repository.commit_observed(&[put("a", "2")], "mine", at(1), &mut |_| {
        let run = Command::new("cp").arg("-a").arg(place.path()).arg(copy.path()).status().unwrap();
        assert!(run.success());
        // The commit is whole before anything names it.
        git_program(&copy, &["fsck", "--strict", "--full"]);
    });
    let later = copy.open();
    assert_eq!(later.head().unwrap(), Some(head));
    assert_eq!(files(&later, ""), [("a".into(), "1".into())]);
    let new = moved.unwrap().commit().cloned().unwrap();
    assert_eq!(later.read_at(&new, "a").unwrap().files.get("a"), Some(b"2".as_slice()));
    assert_eq!(later.commit(&[put("a", "2")], "mine", at(1)).unwrap(), Outcome::Committed(new));
}

#[test]
fn a_kill_at_any_step_of_moving_the_branch_is_mended() {
    let (place, repository) = Place::new().open_kept();
    let head = commit(&repository, &[put("a", "1")]);
    let git_dir = place.path();
    let (next, lock, main) =
        (git_dir.join("souk-next"), git_dir.join("refs/heads/main.lock"), git_dir.join("refs/heads/main"));
    // After the content was written; half of it.
    fs::write(&next, "123").unwrap();
    assert_eq!(place.open().head().unwrap(), Some(head.clone()));
    let second = commit(&place.open(), &[put("a", "2")]);
    // After the lock was made.
    fs::write(&next, format!("{head}\n")).unwrap();
    fs::hard_link(&next, &lock).unwrap();
    assert_eq!(place.open().head().unwrap(), Some(second));
    let third = commit(&place.open(), &[put("a", "3")]);
    // After the branch was moved: both names are one file, which must not be written again.
    fs::hard_link(&main, &next).unwrap();
    assert_eq!(place.open().head().unwrap(), Some(third.clone()));
    assert_eq!(place.open().commit(&[put("a", "3")], "x", at(1)).unwrap(), Outcome::Unchanged(Some(third)));
    commit(&place.open(), &[put("a", "4")]);
    assert!(!next.exists() && !lock.exists());
    assert_eq!(repository.log(10).unwrap().len(), 4);
    git_program(&place, &["fsck", "--strict"]);
}

#[test]
fn objects_that_a_kill_left_aside_do_no_harm() {
    let (place, repository) = Place::new().open_kept();
    commit(&repository, &[put("a", "1")]);
    let objects = place.path().join("objects");
    let aside = objects.join("tmp_objdir-souk/ab");
    fs::create_dir_all(&aside).unwrap();
    fs::write(aside.join("cd"), "half").unwrap();
    fs::write(objects.join("tmp_obj_half"), "half").unwrap();
    fs::set_permissions(aside.join("cd"), fs::Permissions::from_mode(0o444)).unwrap();
    commit(&place.open(), &[put("a", "2")]);
    assert_eq!(files(&repository, ""), [("a".into(), "2".into())]);
    assert!(!objects.join("tmp_objdir-souk").exists());
    git_program(&place, &["fsck", "--strict"]);
}

#[test]
fn an_object_that_never_reached_the_disk_is_written_again() {
    let (place, repository) = Place::new().open_kept();
    commit(&repository, &[put("a", "1")]);
    // A machine that lost power may keep an object's name without its content. Nothing names it yet.
    let blob = gix::objs::compute_hash(gix::hash::Kind::Sha1, gix::objs::Kind::Blob, b"2").unwrap();
    let hex = blob.to_hex().to_string();
    let path = place.path().join("objects").join(&hex[..2]).join(&hex[2..]);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, "").unwrap();
    commit(&place.open(), &[put("a", "2")]);
    assert_eq!(files(&place.open(), ""), [("a".into(), "2".into())]);
    git_program(&place, &["fsck", "--strict"]);
}

#[test]
fn a_repository_half_created_is_created_anew() {
    let place = Place::new();
    let half = place.path().with_extension("new");
    fs::create_dir_all(half.join("objects")).unwrap();
    fs::write(half.join("HEAD"), "ref: refs/he").unwrap();
    commit(&place.open(), &[put("a", "1")]);
    assert!(!half.exists());
}
