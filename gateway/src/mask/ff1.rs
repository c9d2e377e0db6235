//! FF1, the format-preserving encryption of NIST SP 800-38G section 5.1, over numerals of mixed radix.
//!
//! Every numeral has a radix of its own, so that digits become digits and letters letters in one permutation.
//! Where all are the same this is FF1 to the letter (the tests hold it to NIST's samples). Else a half counts
//! modulo the product of its radices, as in the generalised Feistel network of Black and Rogaway, *Ciphers
//! with Arbitrary Finite Domains* (CT-RSA 2002), and the tweak must name the radices.

use aws_lc_rs::cipher::{AES_128, AES_192, AES_256, EncryptingKey, UnboundCipherKey};

/// Most numerals that are encrypted at once.
pub(super) const NUMERALS_MAX: usize = 256;

/// Bytes of a block of AES.
const BLOCK_BYTES: usize = 16;

/// Rounds of the Feistel network: step 6.
const ROUNDS: u8 = 10;

/// More bits than a numeral has: `radix <= 36`.
const NUMERAL_BITS: usize = 6;

/// Words of the largest number: half of the numerals, and a word more for the sum.
const WORDS_MAX: usize = 25;

const _: () = assert!(NUMERALS_MAX / 2 * NUMERAL_BITS <= (WORDS_MAX - 1) * 32);

/// One place of a value: `value < radix <= 36`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Numeral {
    pub(super) value: u8,
    pub(super) radix: u8,
}

/// A key ready for use.
#[derive(Debug)]
pub(super) struct Ff1(EncryptingKey);

impl Ff1 {
    /// The cipher under a key of AES: 16, 24 or 32 bytes.
    pub(super) fn new(secret: &[u8]) -> Option<Self> {
        let algorithm = [&AES_128, &AES_192, &AES_256].into_iter().nth(match secret.len() {
            16 => 0,
            24 => 1,
            32 => 2,
            _ => return None,
        })?;
        let key = UnboundCipherKey::new(algorithm, secret).ok()?;
        EncryptingKey::ecb(key).ok().map(Self)
    }

    /// Algorithm 7, FF1.Encrypt: a permutation of all values that `numerals` can have, one for each tweak; the
    /// tweak is the concatenation of its parts.
    pub(super) fn encrypt(&self, tweak: &[&[u8]], numerals: &mut [Numeral]) {
        debug_assert!(numerals.len() <= NUMERALS_MAX);
        let number_bytes = number_bytes(numerals);
        let start = self.start(tweak, numerals, number_bytes);
        let half = numerals.len() / 2;
        for round in 0..ROUNDS {
            let (left, right) = numerals.split_at_mut(half);
            let (changed, read) = if round % 2 == 0 { (left, right) } else { (right, left) };
            let mut mac = start.clone();
            mac.update(&[round]);
            let mut words = [0; WORDS_MAX];
            let words = &mut words[..=number_bytes.div_ceil(4)];
            number(read, words);
            for index in (0..number_bytes).rev() {
                mac.update(&[words[index / 4].to_le_bytes()[index % 4]]);
            }
            self.expand(mac.state, words);
            add(changed, words);
        }
    }

    /// What all rounds have in common of `P || Q`: steps 5 and 6.i.
    fn start(&self, tweak: &[&[u8]], numerals: &[Numeral], number_bytes: usize) -> Mac<'_> {
        let radix = numerals.iter().map(|numeral| numeral.radix).max().unwrap_or_default();
        let tweak_bytes: usize = tweak.iter().map(|part| part.len()).sum();
        let count = numerals.len() as u32;
        let mut mac = Mac { cipher: self, state: [0; BLOCK_BYTES], filled: 0 };
        mac.update(&[1, 2, 1, 0, 0, radix, ROUNDS, (count / 2) as u8]);
        mac.update(&count.to_be_bytes());
        mac.update(&(tweak_bytes as u32).to_be_bytes());
        tweak.iter().for_each(|part| mac.update(part));
        let unpadded = tweak_bytes + 1 + number_bytes;
        mac.update(&[0; BLOCK_BYTES][..unpadded.next_multiple_of(BLOCK_BYTES) - unpadded]);
        mac
    }

    /// The number of as many bytes as `words` has, out of one block: step 6.iii.
    fn expand(&self, block: [u8; BLOCK_BYTES], words: &mut [u32]) {
        for (counter, chunk) in (0_u32..).zip(words.rchunks_mut(BLOCK_BYTES / 4)) {
            let mut stream = block;
            if counter > 0 {
                let low = u32::from_be_bytes([block[12], block[13], block[14], block[15]]);
                stream[12..].copy_from_slice(&(low ^ counter).to_be_bytes());
                self.encrypt_block(&mut stream);
            }
            for (word, bytes) in chunk.iter_mut().rev().zip(stream.chunks_exact(4)) {
                *word = u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
            }
        }
    }

    fn encrypt_block(&self, block: &mut [u8; BLOCK_BYTES]) {
        self.0.encrypt(block).expect("one block is a multiple of the block size");
    }
}

/// CBC-MAC as step 6.ii uses it: Algorithm 6, PRF.
#[derive(Clone)]
struct Mac<'c> {
    cipher: &'c Ff1,
    state: [u8; BLOCK_BYTES],
    filled: usize,
}

impl Mac<'_> {
    fn update(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.state[self.filled] ^= byte;
            self.filled += 1;
            if self.filled == BLOCK_BYTES {
                self.cipher.encrypt_block(&mut self.state);
                self.filled = 0;
            }
        }
    }
}

/// Bytes of the largest number that a half can be: steps 1 to 3.
fn number_bytes(numerals: &[Numeral]) -> usize {
    let bytes = |half: &[Numeral]| {
        let mut largest = [Numeral::default(); NUMERALS_MAX];
        let largest = &mut largest[..half.len()];
        for (highest, numeral) in largest.iter_mut().zip(half) {
            *highest = Numeral { value: numeral.radix - 1, radix: numeral.radix };
        }
        let mut words = [0; WORDS_MAX];
        let words = &mut words[..=half.len() * NUMERAL_BITS / 32];
        number(largest, words);
        let bytes = words.iter().flat_map(|word| word.to_le_bytes());
        bytes.zip(1..).filter(|(byte, _)| *byte != 0).map(|(_, count)| count).last().unwrap_or(0)
    };
    let (left, right) = numerals.split_at(numerals.len() / 2);
    bytes(left).max(bytes(right))
}

/// The number that `numerals` write, highest place first, as words of which the lowest is first.
fn number(numerals: &[Numeral], words: &mut [u32]) {
    words.fill(0);
    for numeral in numerals {
        let mut carry = u64::from(numeral.value);
        for word in words.iter_mut() {
            let wide = u64::from(*word) * u64::from(numeral.radix) + carry;
            *word = wide as u32;
            carry = wide >> 32;
        }
    }
}

/// Adds the number in `words`, which is used up, to `numerals`, modulo the product of their radices.
fn add(numerals: &mut [Numeral], words: &mut [u32]) {
    let mut carry = 0;
    for numeral in numerals.iter_mut().rev() {
        let radix = u32::from(numeral.radix);
        let sum = u32::from(numeral.value) + divide(words, radix) + carry;
        numeral.value = (sum % radix) as u8;
        carry = sum / radix;
    }
}

/// Divides the number in `words` and returns the remainder. The radices of tokens are constants here, by which the
/// processor divides without its slow division.
fn divide(words: &mut [u32], by: u32) -> u32 {
    match by {
        10 => divide_with(words, |wide| (wide / 10, wide % 10)),
        26 => divide_with(words, |wide| (wide / 26, wide % 26)),
        by => divide_with(words, |wide| (wide / u64::from(by), wide % u64::from(by))),
    }
}

#[inline(always)]
fn divide_with(words: &mut [u32], divided: impl Fn(u64) -> (u64, u64)) -> u32 {
    words.iter_mut().rev().fold(0, |remainder, word| {
        let (quotient, remainder) = divided(u64::from(remainder) << 32 | u64::from(*word));
        *word = quotient as u32;
        remainder as u32
    })
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    const KEY: [u8; 32] = [
        0x2b, 0x7e, 0x15, 0x16, 0x28, 0xae, 0xd2, 0xa6, 0xab, 0xf7, 0x15, 0x88, 0x09, 0xcf, 0x4f, 0x3c, 0xef,
        0x43, 0x59, 0xd8, 0xd5, 0x80, 0xaa, 0x4f, 0x7f, 0x03, 0x6d, 0x6f, 0x04, 0xfc, 0x6a, 0x94,
    ];

    fn encrypt(key_bytes: usize, tweak: &[&[u8]], radix: u32, plain: &str) -> String {
        let cipher = Ff1::new(&KEY[..key_bytes]).expect("a key of AES");
        let numeral = |character: char| Numeral {
            value: character.to_digit(radix).expect("a numeral") as u8,
            radix: radix as u8,
        };
        let mut numerals: Vec<Numeral> = plain.chars().map(numeral).collect();
        cipher.encrypt(tweak, &mut numerals);
        let character =
            |numeral: &Numeral| char::from_digit(u32::from(numeral.value), radix).expect("a numeral");
        numerals.iter().map(character).collect()
    }

    /// <https://csrc.nist.gov/CSRC/media/Projects/Cryptographic-Standards-and-Guidelines/documents/examples/FF1samples.pdf>
    #[test]
    fn the_samples_of_nist_come_out() {
        let (none, digits, letters): (&[u8], &[u8], &[u8]) = (b"", b"9876543210", b"7777pqrs777");
        let (ten, nineteen) = ("0123456789", "0123456789abcdefghi");
        let table = [
            (16, none, 10, ten, "2433477484"),
            (16, digits, 10, ten, "6124200773"),
            (16, letters, 36, nineteen, "a9tv40mll9kdu509eum"),
            (24, none, 10, ten, "2830668132"),
            (24, digits, 10, ten, "2496655549"),
            (24, letters, 36, nineteen, "xbj3kv35jrawxv32ysr"),
            (32, none, 10, ten, "6657667009"),
            (32, digits, 10, ten, "1001623463"),
            (32, letters, 36, nineteen, "xs8a0azh2avyalyzuwd"),
        ];
        for (key_bytes, tweak, radix, plain, expected) in table {
            assert_eq!(encrypt(key_bytes, &[tweak], radix, plain), expected, "{key_bytes} bytes");
            let (first, second) = tweak.split_at(tweak.len() / 2);
            assert_eq!(encrypt(key_bytes, &[first, second], radix, plain), expected, "a tweak in two parts");
        }
    }

    #[test]
    fn values_of_mixed_radix_are_permuted() {
        let cipher = Ff1::new(&KEY).expect("a key of AES");
        let radices = [10, 26, 3, 10];
        let all =
            (0..10).flat_map(|a| (0..26).flat_map(move |b| (0..30).map(move |c| [a, b, c / 10, c % 10])));
        let mut images = HashSet::new();
        for values in all {
            let mut numerals: Vec<Numeral> =
                values.into_iter().zip(radices).map(|(value, radix)| Numeral { value, radix }).collect();
            cipher.encrypt(&[b"t"], &mut numerals);
            assert!(numerals.iter().all(|numeral| numeral.value < numeral.radix), "{numerals:?}");
            images.insert(numerals.iter().map(|numeral| numeral.value).collect::<Vec<_>>());
        }
        assert_eq!(images.len(), 10 * 26 * 3 * 10);
    }

    #[test]
    fn the_longest_value_fits() {
        let cipher = Ff1::new(&KEY).expect("a key of AES");
        let mut numerals = [Numeral { value: 35, radix: 36 }; NUMERALS_MAX];
        cipher.encrypt(&[], &mut numerals);
        assert_ne!(numerals, [Numeral { value: 35, radix: 36 }; NUMERALS_MAX]);
    }

    #[test]
    fn other_lengths_are_no_keys_of_aes() {
        assert!([0, 15, 17, 31].iter().all(|&bytes| Ff1::new(&KEY[..bytes]).is_none()));
    }
}
