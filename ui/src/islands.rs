//! The pieces that come alive in the browser. Each is drawn by the server first and makes sense as it stands there.

pub(crate) mod enhance;
pub(crate) mod live;
pub(crate) mod verify;
pub(crate) mod verify_file;
