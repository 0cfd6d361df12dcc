//! The part as the mesh sees it.
