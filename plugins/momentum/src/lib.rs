//! Holds the strongest symbols of a list.
use alchemiser_sdk::{export_strategy, Files, Market, Requirement, Result, Session, Strategy, Weight};
pub struct Momentum;
impl Strategy for Momentum {
    type Parameters = serde::de::IgnoredAny;
    fn load(_p: Self::Parameters, _files: &Files) -> Result<Self> { Ok(Self) }
    fn requirements(&self) -> Vec<Requirement> { vec![] }
    fn evaluate(&mut self, market: &dyn Market, as_of: Session) -> Result<Vec<Weight>> { let s = market.find("AAPL")?; market.close(s, as_of)?; Ok(vec![]) }
}
export_strategy!(Momentum);
