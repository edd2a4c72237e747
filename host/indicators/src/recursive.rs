//! Indicators that depend on all points since the first.

/// Exponential moving averages from the `window`-th point on.
pub(crate) fn exponential_means(points: &[f64], window: usize) -> Vec<f64> {
    let Some((first, rest)) = points.split_first() else {
        return Vec::new();
    };
    let weight = 2.0 / (window as f64 + 1.0);
    let mut average = *first;
    let mut averages = vec![average];
    averages.extend(rest.iter().map(|point| {
        average = weight * point + (1.0 - weight) * average;
        average
    }));
    averages.drain(..averages.len().min(window - 1));
    averages
}

/// Wilder's relative strength index from the point number `window` + 1 on.
pub(crate) fn relative_strengths(points: &[f64], window: usize) -> Vec<f64> {
    let gains = differences(points).map(|change| change.max(0.0));
    let losses = differences(points).map(|change| (-change).max(0.0));
    smoothed(gains, window)
        .zip(smoothed(losses, window))
        .map(|(gain, loss)| {
            let both = gain + loss;
            if both == 0.0 {
                50.0
            } else {
                100.0 * gain / both
            }
        })
        .collect()
}

fn differences(points: &[f64]) -> impl Iterator<Item = f64> {
    points.windows(2).map(|pair| pair[1] - pair[0])
}

/// Wilder's moving average: it starts as the mean of the first `window` values
/// and moves towards each later one by 1/`window` of the distance.
fn smoothed(mut values: impl Iterator<Item = f64>, window: usize) -> impl Iterator<Item = f64> {
    let (seen, sum) = values
        .by_ref()
        .take(window)
        .fold((0, 0.0), |(seen, sum), value| (seen + 1, sum + value));
    let width = window as f64;
    let first = (seen == window).then_some(sum / width);
    let mut average = sum / width;
    first.into_iter().chain(values.map(move |value| {
        average = (average * (width - 1.0) + value) / width;
        average
    }))
}
