//! Amounts and markups as people write them. None passes through a float.

/// Reads an amount of dollars, `12.50` for example, without passing through a float.
///
/// # Errors
/// What is wrong with it, in words.
pub fn parse_usd(text: &str) -> Result<i64, String> {
    let shown: String = text.chars().take(40).collect();
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !digits(whole) || !digits(fraction) || fraction.len() > 9 {
        return Err(format!("`{shown}` is not an amount of US dollars: write it like 250 or 12.50"));
    }
    let nano = format!("{whole}{fraction:0<9}");
    nano.parse().map_err(|_| format!("`{shown}` is more US dollars than can be counted: at most 9223372036"))
}

/// Nano-dollars as dollars, without trailing zeros.
#[must_use]
pub fn format_usd(nano: i64) -> String {
    let sign = if nano < 0 { "-" } else { "" };
    let nano = nano.unsigned_abs();
    let text = format!("{sign}{}.{:09}", nano / 1_000_000_000, nano % 1_000_000_000);
    let short = text.trim_end_matches('0');
    short.strip_suffix('.').unwrap_or(short).to_owned()
}

/// Reads a markup in per cent, `7.5` or `-12.25`, as hundredths of a per cent.
///
/// # Errors
/// What is wrong with it, in words.
pub fn parse_markup(text: &str) -> Result<i32, String> {
    let shown: String = text.chars().take(40).collect();
    let wrong = || {
        format!(
            "`{shown}` is no markup in per cent: write it like 7.5 or -12.25, from -100 to 1000, two decimals"
        )
    };
    let (sign, digits) = text.strip_prefix('-').map_or((1, text), |rest| (-1, rest));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let plain = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !plain(whole) || !plain(fraction) || fraction.len() > 2 || whole.len() > 4 {
        return Err(wrong());
    }
    let hundredths: i32 = format!("{whole}{fraction:0<2}").parse().map_err(|_| wrong())?;
    let markup = sign * hundredths;
    if (-10_000..=100_000).contains(&markup) { Ok(markup) } else { Err(wrong()) }
}
