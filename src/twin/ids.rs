//! Identifiers: the twin's own supply of ids, the same for the same seed.

/// A deterministic sequence (splitmix64).
#[derive(Clone, Debug)]
pub struct Ids(u64);

impl Ids {
    /// A sequence of its own for each `seed`.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Nineteen digits, as after `ecs-svc/`.
    pub fn number(&mut self) -> String {
        format!("{:019}", self.next() % 10_000_000_000_000_000_000)
    }

    /// A UUID in looks: 8-4-4-4-12 hex digits.
    pub fn uuid(&mut self) -> String {
        let (a, b) = (self.next(), self.next());
        format!(
            "{:08x}-{:04x}-4{:03x}-a{:03x}-{:012x}",
            a >> 32,
            (a >> 16) & 0xffff,
            a & 0xfff,
            (b >> 48) & 0xfff,
            b & 0xffff_ffff_ffff
        )
    }
}
