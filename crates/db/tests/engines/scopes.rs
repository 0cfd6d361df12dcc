//! What a scope hides, denies and gives.

use sea_orm::{ActiveValue::Set, EntityTrait as _};
use souk_db::{Db, Denial, Error, Tenant, for_every_tenant, one, one_locked, scoped};
use souk_types::{
    Scope,
    access::Reach,
    id::{OrgId, UserId},
};

use super::all;

mod note {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "note")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: String,
        pub org_id: String,
        pub count: i64,
        pub body: String,
    }

    #[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
    pub(crate) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

impl Tenant for note::Entity {
    fn org_column() -> note::Column {
        note::Column::OrgId
    }
    fn org_of(model: &note::Model) -> &str {
        &model.org_id
    }
}

const ORGS: [OrgId; 3] = [OrgId::from_bits(1), OrgId::from_bits(2), OrgId::from_bits(3)];

/// A note for each org, named by its place.
async fn seed(db: &Db) {
    db.write("t.seed", |tx| async move {
        for (place, org) in ORGS.iter().enumerate() {
            let row = note::ActiveModel {
                id: Set(place.to_string()),
                org_id: Set(org.to_string()),
                count: Set(0),
                body: Set(String::new()),
            };
            note::Entity::insert(row).exec_without_returning(&tx).await?;
        }
        Ok::<_, Error>(())
    })
    .await
    .unwrap();
}

/// What each note is to the scope: `+` given, `-` denied, `.` missing; and how many a list shows.
async fn sight(db: &Db, scope: &Scope) -> (String, usize) {
    let mut told = String::new();
    for place in 0..=ORGS.len() {
        let read = one::<note::Entity>(db.read(), scope, place.to_string()).await;
        let locked = db.write("t.lock", |tx| async move {
            let found = one_locked::<note::Entity>(&tx, scope, place.to_string()).await;
            Ok::<_, Error>(found.map(|row| row.id))
        });
        let sign = |denial: &Denial| match denial {
            Denial::Missing => '.',
            Denial::Denied => '-',
            Denial::Failed(error) => panic!("{error}"),
        };
        let (read, locked) = (read.map(|row| row.id), locked.await.unwrap());
        let (read, locked) =
            (read.as_ref().map_or_else(sign, |_| '+'), locked.as_ref().map_or_else(sign, |_| '+'));
        assert_eq!(read, locked);
        told.push(read);
    }
    (told, scoped::<note::Entity>(scope).all(db.read()).await.unwrap().len())
}

#[tokio::test]
async fn outside_is_missing_and_without_the_permission_denied() {
    for db in all().await {
        seed(&db).await;
        let cases = [
            (Reach::Org(ORGS[1]), ".+..", 1),
            (Reach::Org(OrgId::from_bits(9)), "....", 0),
            (Reach::Readable(vec![(ORGS[0], true), (ORGS[2], false)]), "+.-.", 2),
            (Reach::Readable(vec![]), "....", 0),
            (Reach::Subject(UserId::from_bits(1)), "....", 0),
        ];
        for (reach, seen, listed) in cases {
            let what = format!("{} {reach:?}", db.engine);
            assert_eq!(sight(&db, &Scope::grant(reach)).await, (seen.to_owned(), listed), "{what}");
        }
        assert_eq!(sight(&db, &for_every_tenant()).await, ("+++.".to_owned(), 3), "{}", db.engine);
    }
}

#[test]
fn a_denial_is_said_in_the_services_words() {
    let say = |denial: Denial| -> Error {
        denial.say(|| Error::Target("gone".into()), || Error::Target("no".into()))
    };
    assert_eq!(say(Denial::Missing).to_string(), "gone");
    assert_eq!(say(Denial::Denied).to_string(), "no");
    assert!(matches!(say(Denial::Failed(Error::TransactionOver)), Error::TransactionOver));
}
