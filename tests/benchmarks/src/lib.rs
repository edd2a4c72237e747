//! What the benchmarks measure with: files, and two ways to evaluate them.

pub mod generator;
pub mod native;
pub mod sandboxed;
