//! Histograms from a `/metrics` page, and the difference of two scrapes.
#![expect(clippy::float_arithmetic, reason = "Prometheus speaks in floats, and these are measurements")]

use std::collections::BTreeMap;

/// Cumulative counts by upper bound, of every histogram on a page: summed over labels other than `le` and `stage`.
#[derive(Default, Debug, Clone, PartialEq)]
pub(super) struct Histograms(BTreeMap<String, Vec<(f64, f64)>>);

impl Histograms {
    /// Reads the text format's `_bucket` lines.
    pub(super) fn parse(page: &str) -> Self {
        let mut found: BTreeMap<String, Vec<(f64, f64)>> = BTreeMap::new();
        for line in page.lines().filter(|line| !line.starts_with('#')) {
            let Some((series, bound, count)) = bucket(line) else { continue };
            let buckets = found.entry(series).or_default();
            match buckets.iter_mut().find(|(known, _)| *known == bound) {
                Some((_, sum)) => *sum += count,
                None => buckets.push((bound, count)),
            }
        }
        for buckets in found.values_mut() {
            buckets.sort_by(|a, b| a.0.total_cmp(&b.0));
        }
        Self(found)
    }

    /// What was added since an earlier scrape.
    pub(super) fn since(mut self, earlier: &Self) -> Self {
        for (series, buckets) in &mut self.0 {
            let before = earlier.0.get(series);
            for (bound, count) in buckets {
                let old = before.and_then(|buckets| buckets.iter().find(|(known, _)| known == bound));
                *count -= old.map_or(0.0, |(_, old)| *old);
            }
        }
        self
    }

    /// The series whose metric has this name, with their stage where they have one.
    pub(super) fn series<'a>(&'a self, metric: &'a str) -> impl Iterator<Item = &'a str> {
        let of = move |series: &&str| {
            *series == metric || series.strip_prefix(metric).is_some_and(|s| s.starts_with('{'))
        };
        self.0.keys().map(String::as_str).filter(of)
    }

    /// A quantile in microseconds, interpolated within its bucket; nothing where nothing was counted.
    pub(super) fn quantile_micros(&self, series: &str, quantile: f64) -> Option<f64> {
        let buckets = self.0.get(series)?;
        let (_, total) = buckets.last()?;
        let wanted = total * quantile;
        let (mut lower, mut below) = (0.0, 0.0);
        for (bound, count) in buckets {
            if *count >= wanted && *count > below {
                let upper = if bound.is_finite() { *bound } else { lower };
                return Some((lower + (upper - lower) * (wanted - below) / (count - below)) * 1e6);
            }
            (lower, below) = (*bound, *count);
        }
        None
    }
}

/// `name_bucket{labels,le="x"} count` as series, bound, count.
fn bucket(line: &str) -> Option<(String, f64, f64)> {
    let (name, rest) = line.split_once('{')?;
    let (labels, count) = rest.rsplit_once("} ")?;
    let name = name.strip_suffix("_bucket")?;
    let label = |wanted: &str| {
        labels.split(',').find_map(|label| label.strip_prefix(wanted)?.strip_prefix("=\"")?.strip_suffix('"'))
    };
    let bound = match label("le")? {
        "+Inf" => f64::INFINITY,
        bound => bound.parse().ok()?,
    };
    let series = label("stage").map_or_else(|| name.to_owned(), |stage| format!("{name}{{{stage}}}"));
    Some((series, bound, count.trim().parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "# TYPE overhead histogram
overhead_bucket{route=\"a\",le=\"0.0001\"} 50
overhead_bucket{route=\"a\",le=\"0.0002\"} 100
overhead_bucket{route=\"a\",le=\"+Inf\"} 100
overhead_bucket{route=\"b\",le=\"0.0001\"} 0
overhead_bucket{route=\"b\",le=\"0.0002\"} 100
overhead_bucket{route=\"b\",le=\"+Inf\"} 100
overhead_bucket{stage=\"read\",le=\"0.001\"} 4
overhead_sum 1
";

    #[test]
    fn labels_are_summed_and_quantiles_interpolated() {
        let page = Histograms::parse(PAGE);
        assert_eq!(page.series("overhead").collect::<Vec<_>>(), ["overhead", "overhead{read}"]);
        let micros = |q| page.quantile_micros("overhead", q).map(|micros| micros.round());
        assert_eq!((micros(0.25), micros(0.5)), (Some(100.0), Some(133.0)));
        assert_eq!(page.quantile_micros("nothing", 0.5), None);
    }

    #[test]
    fn only_what_was_added_counts() {
        let page = Histograms::parse(PAGE);
        assert_eq!(page.clone().since(&page).quantile_micros("overhead", 0.5), None);
        assert_eq!(page.clone().since(&Histograms::default()), page);
    }
}
