//! Proto files → descriptors, by protox: no protoc, no network.

use std::{
    fs,
    path::{Path, PathBuf},
};

use prost_reflect::DescriptorPool;
use protox::Compiler;

use crate::Error;

/// What the compiler made of `proto/`.
pub(crate) struct Compiled {
    /// The descriptor set as shipped: imports included, comments not, options as raw bytes.
    pub descriptor: Vec<u8>,
    /// The same with comments, for generated code.
    pub commented: prost_types::FileDescriptorSet,
    /// The same, to be asked.
    pub pool: DescriptorPool,
}

/// Compiles every `.proto` below `proto`.
pub(crate) fn compile(proto: &Path) -> Result<Compiled, Error> {
    // google/rpc is opened by name like everything else, since nothing imports it and yet error details
    // must be readable for whoever holds the descriptor set.
    let files = proto_files(proto)?;
    let plain = open(proto, &files, false)?;
    let commented = open(proto, &files, true)?;
    Ok(Compiled {
        // Never through `prost_types`, which would lose the extension options.
        descriptor: plain.encode_file_descriptor_set(),
        commented: commented.file_descriptor_set(),
        pool: plain.descriptor_pool(),
    })
}

fn open(proto: &Path, files: &[PathBuf], comments: bool) -> Result<Compiler, Error> {
    let mut compiler = Compiler::new([proto]).map_err(said)?;
    compiler.include_imports(true).include_source_info(comments).open_files(files).map_err(said)?;
    Ok(compiler)
}

fn said(error: protox::Error) -> Error {
    Error::Proto(format!("{error:?}"))
}

/// Every `.proto` below `proto`, sorted, so that the output never depends on the folder's order.
fn proto_files(proto: &Path) -> Result<Vec<PathBuf>, Error> {
    let (mut found, mut open) = (Vec::new(), vec![proto.to_owned()]);
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(&folder).map_err(Error::io(&folder))? {
            let path = entry.map_err(Error::io(&folder))?.path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|extension| extension == "proto") {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}
