//! Drives the real binary the way a user does, and looks at what it leaves
//! behind.
//!
//! Nothing of the program is linked here: what these tests know of it is its
//! command line, its JSON and the tables of its state directory.

#![allow(
    clippy::expect_used,
    clippy::missing_panics_doc,
    reason = "what only tests use fails by panicking"
)]

mod dev;
mod prices;
mod program;
mod project;
mod state;

pub use dev::{Dev, News};
pub use prices::Prices;
pub use program::{Alchemiser, Finished, plugins, workspace};
pub use project::{MANIFEST, Project, another_build};
pub use state::{Account, State};
