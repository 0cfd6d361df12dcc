//! Writes what the core decided: a statement a kind of row, however many rows there are.

use sea_orm::{
    ActiveModelBehavior, ActiveModelTrait, EntityTrait, IntoActiveModel, PrimaryKeyToColumn as _,
    sea_query::{IntoIden, OnConflict},
};
use souk_db::{Error, Tx};

use super::{
    convert,
    load::Known,
    tables::{accounts, entries, lots, receipts, reservations, wallets},
};
use crate::model::state::Rows;

/// Most rows of one statement: engines limit the values of one.
const CHUNK: usize = 500;

/// Writes the rows of a decision; facts are the outbox's.
pub(super) async fn write(tx: &Tx, rows: &Rows, known: &Known) -> Result<(), Error> {
    let (old, new) = split(rows.wallets.values().cloned().map(wallets::Model::from), |row| {
        known.wallets.contains(&row.wallet_id)
    });
    insert::<wallets::Entity>(tx, new).await?;
    replace::<wallets::Entity>(
        tx,
        old,
        [
            wallets::Column::State,
            wallets::Column::AvailableMicros,
            wallets::Column::ReservedMicros,
            wallets::Column::Version,
        ],
    )
    .await?;
    let (old, new) =
        split(rows.lots.values().cloned().map(lots::Model::from), |row| known.lots.contains(&row.lot_id));
    insert::<lots::Entity>(tx, new).await?;
    let changing = [
        lots::Column::AvailableMicros,
        lots::Column::ReservedMicros,
        lots::Column::ReversedMicros,
        lots::Column::PendingMicros,
        lots::Column::ReversalRef,
        lots::Column::Version,
    ];
    replace::<lots::Entity>(tx, old, changing).await?;
    let (old, new) = split(rows.accounts.values().cloned().map(accounts::Model::from), |row| {
        known.accounts.contains(&row.instance_id)
    });
    insert::<accounts::Entity>(tx, new).await?;
    let changing = [accounts::Column::ScheduleHash, accounts::Column::State, accounts::Column::Version];
    replace::<accounts::Entity>(tx, old, changing).await?;
    let held = rows.reservations.values().cloned().map(reservations::Model::try_from);
    let held: Vec<_> = held.collect::<Result<_, _>>()?;
    let (old, new) = split(held, |row| known.reservations.contains(&row.reservation_id));
    insert::<reservations::Entity>(tx, new).await?;
    let changing = [
        reservations::Column::BudgetMicros,
        reservations::Column::Allocations,
        reservations::Column::State,
        reservations::Column::ExpireTime,
        reservations::Column::CloseTime,
        reservations::Column::Version,
    ];
    replace::<reservations::Entity>(tx, old, changing).await?;
    insert::<entries::Entity>(tx, rows.entries.iter().flat_map(convert::lines).collect()).await?;
    let receipts = rows.receipts.iter().cloned().map(receipts::Model::try_from);
    insert::<receipts::Entity>(tx, receipts.collect::<Result<_, _>>()?).await
}

fn split<M>(rows: impl IntoIterator<Item = M>, known: impl Fn(&M) -> bool) -> (Vec<M>, Vec<M>) {
    rows.into_iter().partition(known)
}

/// New rows; one whose key is taken fails the write.
async fn insert<E: EntityTrait>(tx: &Tx, rows: Vec<E::Model>) -> Result<(), Error>
where
    E::Model: IntoActiveModel<E::ActiveModel> + Clone,
    E::ActiveModel: ActiveModelTrait<Entity = E> + ActiveModelBehavior + Send,
{
    for chunk in rows.chunks(CHUNK) {
        let rows = chunk.iter().cloned().map(IntoActiveModel::into_active_model);
        E::insert_many(rows).exec_without_returning(tx).await?;
    }
    Ok(())
}

/// Rows that are there and locked: the named columns change.
async fn replace<E: EntityTrait>(
    tx: &Tx,
    rows: Vec<E::Model>,
    changing: impl IntoIterator<Item = E::Column> + Clone,
) -> Result<(), Error>
where
    E::Model: IntoActiveModel<E::ActiveModel> + Clone,
    E::ActiveModel: ActiveModelTrait<Entity = E> + ActiveModelBehavior + Send,
{
    use sea_orm::Iterable as _;
    for chunk in rows.chunks(CHUNK) {
        let rows = chunk.iter().cloned().map(IntoActiveModel::into_active_model);
        let key = E::PrimaryKey::iter().map(|part| part.into_column().into_iden());
        let changes = OnConflict::columns(key).update_columns(changing.clone()).to_owned();
        E::insert_many(rows).on_conflict(changes).exec_without_returning(tx).await?;
    }
    Ok(())
}
