//! CRC-32 of ISO/IEC 3309 (Ethernet, zip, gzip): polynomial 0x04C11DB7, reflected.

const TABLE: [u32; 256] = table();

/// The CRC-32 of `bytes`.
pub(super) fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc, byte| crc >> 8 ^ TABLE[usize::from(crc.to_le_bytes()[0] ^ byte)])
}

/// Whether `bytes` end with the CRC-32 of all before, as eight hexadecimal digits.
pub(super) fn ends_with_hex(bytes: &[u8]) -> bool {
    let Some((body, check)) = bytes.split_last_chunk::<8>() else { return false };
    let check = std::str::from_utf8(check).ok().and_then(|check| u32::from_str_radix(check, 16).ok());
    check == Some(crc32(body))
}

const fn table() -> [u32; 256] {
    let mut table = [0; 256];
    let mut index = 0;
    while index < table.len() {
        let mut crc = index as u32;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 };
            bit += 1;
        }
        table[index] = crc;
        index += 1;
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_check_value_of_the_catalogue_is_computed() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
        assert!(ends_with_hex(b"123456789cbf43926"));
        assert!(!ends_with_hex(b"123456788cbf43926"));
        assert!(!ends_with_hex(b"short"));
    }
}
