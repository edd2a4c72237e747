//! Native tests of a strategy, without the sandbox.
