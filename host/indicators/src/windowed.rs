//! Statistics of a window of values, and of every window of a series.
//!
//! Every window is summed afresh from its oldest value to its newest, since a
//! running sum would drift. The functions for a series answer one value for
//! each window of `width` neighbours, in order; none if the series is shorter.
//! Their outer loop goes over the places within the window and the inner one
//! over all windows, so that the windows' sums are independent of each other
//! and the compiler can compute several at once; each one's order of additions
//! is that of the function for a single window, and so is the result, to the
//! last bit.

/// The arithmetic mean.
pub(crate) fn mean(values: impl ExactSizeIterator<Item = f64>) -> f64 {
    let count = values.len();
    values.fold(0.0, |sum, value| sum + value) / count as f64
}

/// The sample standard deviation (divisor n − 1), by the two-pass formula. There
/// are at least two values.
pub(crate) fn standard_deviation(values: impl ExactSizeIterator<Item = f64> + Clone) -> f64 {
    let count = values.len();
    let mean = mean(values.clone());
    let squares = values.fold(0.0, |sum, value| {
        let deviation = value - mean;
        sum + deviation * deviation
    });
    (squares / (count - 1) as f64).sqrt()
}

/// The largest fall below the highest point before, as a share of that point.
pub(crate) fn drawdown(points: impl Iterator<Item = f64>) -> f64 {
    let mut peak = f64::NEG_INFINITY;
    points.fold(0.0, |worst, point| {
        peak = peak.max(point);
        larger(worst, 1.0 - point / peak)
    })
}

/// The largest fall of an index that begins with 1 and grows by these returns.
pub(crate) fn drawdown_of_returns(returns: &[f64]) -> f64 {
    let mut level = 1.0;
    drawdown(std::iter::once(level).chain(returns.iter().map(|change| {
        level *= 1.0 + change;
        level
    })))
}

/// The product of 1 + r over the returns.
pub(crate) fn growth(returns: &[f64]) -> f64 {
    returns
        .iter()
        .fold(1.0, |product, change| product * (1.0 + change))
}

/// As [`mean`].
pub(crate) fn means(values: &[f64], width: usize) -> Vec<f64> {
    let mut sums = accumulators(values, width, 0.0);
    for place in 0..width.min(values.len()) {
        for (sum, value) in sums.iter_mut().zip(&values[place..]) {
            *sum += value;
        }
    }
    scale(&mut sums, |sum| sum / width as f64);
    sums
}

/// As [`standard_deviation`].
pub(crate) fn standard_deviations(values: &[f64], width: usize) -> Vec<f64> {
    let means = means(values, width);
    let mut squares = accumulators(values, width, 0.0);
    for place in 0..width.min(values.len()) {
        for ((square, mean), value) in squares.iter_mut().zip(&means).zip(&values[place..]) {
            let deviation = value - mean;
            *square += deviation * deviation;
        }
    }
    scale(&mut squares, |square| (square / (width - 1) as f64).sqrt());
    squares
}

/// As [`drawdown`].
pub(crate) fn drawdowns(points: &[f64], width: usize) -> Vec<f64> {
    let mut peaks = accumulators(points, width, f64::NEG_INFINITY);
    let mut worst = accumulators(points, width, 0.0);
    for place in 0..width.min(points.len()) {
        for ((worst, peak), point) in worst.iter_mut().zip(&mut peaks).zip(&points[place..]) {
            *peak = peak.max(*point);
            *worst = larger(*worst, 1.0 - point / *peak);
        }
    }
    worst
}

/// As [`drawdown_of_returns`].
pub(crate) fn drawdowns_of_returns(returns: &[f64], width: usize) -> Vec<f64> {
    let mut levels = accumulators(returns, width, 1.0);
    let mut peaks = levels.clone();
    let mut worst = accumulators(returns, width, 0.0);
    for place in 0..width.min(returns.len()) {
        let states = worst.iter_mut().zip(&mut levels).zip(&mut peaks);
        for (((worst, level), peak), change) in states.zip(&returns[place..]) {
            *level *= 1.0 + change;
            *peak = peak.max(*level);
            *worst = larger(*worst, 1.0 - *level / *peak);
        }
    }
    worst
}

/// As [`growth`].
pub(crate) fn growths(returns: &[f64], width: usize) -> Vec<f64> {
    let mut products = accumulators(returns, width, 1.0);
    for place in 0..width.min(returns.len()) {
        for (product, change) in products.iter_mut().zip(&returns[place..]) {
            *product *= 1.0 + change;
        }
    }
    products
}

/// Applies a function to every value in place.
pub(crate) fn scale(values: &mut [f64], function: impl Fn(f64) -> f64) {
    for value in values {
        *value = function(*value);
    }
}

/// One accumulator for each window.
fn accumulators(values: &[f64], width: usize, start: f64) -> Vec<f64> {
    vec![start; (values.len() + 1).saturating_sub(width)]
}

/// The larger of two numbers; unlike `f64::max`, not a number if either is not.
fn larger(left: f64, right: f64) -> f64 {
    if left >= right || left.is_nan() {
        left
    } else {
        right
    }
}
