//! Fargate's task sizes, and how AWS reads sizes that people write.

/// Memory in MiB that goes with `cpu` units on Fargate (ECS Developer Guide, task size).
pub(super) fn fargate_takes(cpu: i64, memory: i64) -> bool {
    let stepped = |least: i64, most: i64, step: i64| {
        (least..=most).contains(&memory) && (memory - least) % step == 0
    };
    match cpu {
        256 => [512, 1024, 2048].contains(&memory),
        512 => stepped(1024, 4096, 1024),
        1024 => stepped(2048, 8192, 1024),
        2048 => stepped(4096, 16384, 1024),
        4096 => stepped(8192, 30720, 1024),
        8192 => stepped(16384, 61440, 4096),
        16384 => stepped(32768, 122_880, 8192),
        32768 => [61440, 122_880, 249_856].contains(&memory),
        _ => false,
    }
}

/// A size as AWS stores it: `1 vCPU` and `1024` are 1024 units, `2 GB` and `2048` are 2048 MiB.
pub(super) fn size(text: &str) -> Option<i64> {
    let text = text.trim();
    if let Ok(number) = text.parse() {
        return Some(number);
    }
    let at = text.find(|c: char| c != '.' && !c.is_ascii_digit())?;
    let (number, unit) = text.split_at(at);
    let number: f64 = number.parse().ok()?;
    match unit.trim().to_ascii_lowercase().as_str() {
        "vcpu" | "gb" => {
            #[expect(clippy::cast_possible_truncation, reason = "sizes are small")]
            let whole = (number * 1024.0).round() as i64;
            Some(whole)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_in_units_and_in_words() {
        assert_eq!(size("256"), Some(256));
        assert_eq!(size("1 vCPU"), Some(1024));
        assert_eq!(size(".25 vcpu"), Some(256));
        assert_eq!(size("0.5GB"), Some(512));
        assert_eq!(size("1 elephant"), None);
        assert_eq!(size(""), None);
    }

    #[test]
    fn the_table_has_its_edges() {
        assert!(fargate_takes(256, 2048) && !fargate_takes(256, 3072));
        assert!(fargate_takes(512, 1024) && !fargate_takes(512, 512));
        assert!(fargate_takes(8192, 20480) && !fargate_takes(8192, 17408));
        assert!(fargate_takes(32768, 249_856) && !fargate_takes(32768, 249_857));
        assert!(!fargate_takes(300, 512));
    }
}
