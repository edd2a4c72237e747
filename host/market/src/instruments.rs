//! What is known of a symbol besides its prices.

/// What is known of a symbol besides its prices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Instrument {
    /// Whether it can be held; an index cannot.
    pub tradable: bool,
    /// Whether fractions of a share can be traded.
    pub fractionable: bool,
}

impl Default for Instrument {
    fn default() -> Self {
        Self {
            tradable: true,
            fractionable: true,
        }
    }
}
