//! What a measurement leaves: the median of its turns, and a file in `bench-harness/record`.

use anyhow::Result;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

/// Writes `text` into `folder`, which is made when it is missing, as `SCENARIO-SECONDS.txt`.
///
/// # Errors
///
/// When the folder or the file cannot be written.
pub fn keep(folder: &Path, scenario: &str, text: &str) -> Result<()> {
    std::fs::create_dir_all(folder)?;
    let date = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
    Ok(std::fs::write(folder.join(format!("{scenario}-{date}.txt")), text)?)
}

/// The middle one of some values; of an even number the larger one, and NaN of none.
pub fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_does_not_follow_one_odd_value() {
        assert_eq!(median([3.0, 900.0, 1.0, 2.0, 4.0]), 3.0);
        assert!(median([]).is_nan());
    }
}
