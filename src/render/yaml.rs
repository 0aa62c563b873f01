//! YAML as helm and kubectl read it.

use serde::de::Deserialize;

/// Reads YAML of version 1.2 with the octal numbers of 1.1: helm and kubectl take `0440` for a file mode, as charts mean it.
pub fn from_yaml<'de, T: Deserialize<'de>>(text: &'de str) -> Result<T, serde_saphyr::Error> {
    serde_saphyr::from_str_with_options(text, serde_saphyr::options! { legacy_octal_numbers: true })
}
