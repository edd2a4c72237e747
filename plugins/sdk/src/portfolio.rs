//! The trait that a portfolio plugin implements.

use crate::error::Result;
use crate::planner::{RebalancePlan, Request};

/// Turns target weights into trades.
pub trait Portfolio: 'static {
    /// The plan that brings the account to the targets.
    fn plan(request: Request) -> Result<RebalancePlan>;
}

pub(crate) mod guest {
    use super::Portfolio;
    use crate::bindings::portfolio::exports::alchemiser::plugin::planner;
    use std::marker::PhantomData;

    /// Adapts a [`Portfolio`] to the generated `planner` interface.
    pub struct PortfolioGuest<P>(PhantomData<P>);

    impl<P: Portfolio> planner::Guest for PortfolioGuest<P> {
        fn plan(request: planner::Request) -> Result<planner::RebalancePlan, planner::Error> {
            crate::panic::report_panics!(portfolio);
            P::plan(request).map_err(Into::into)
        }
    }
}
