//! What the tables keep, on every engine.
