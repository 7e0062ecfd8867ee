//! Keys that their issuer gave a prefix.

use super::Input;

/// The characters of a key after its prefix.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Alphabet {
    /// Letters and digits.
    Alphanumeric,
    /// Letters, digits, `_`.
    Word,
    /// Letters, digits, `_`, `-`.
    Url,
    /// Letters, digits, `_`, `-`, `.`.
    Dotted,
    /// Upper-case letters and the digits 2 to 7.
    Base32,
    /// Lower-case hexadecimal.
    Hex,
}

impl Alphabet {
    /// How many there are.
    const COUNT: usize = Self::Hex as usize + 1;

    const fn has(self, byte: u8) -> bool {
        match self {
            Self::Alphanumeric => byte.is_ascii_alphanumeric(),
            Self::Word => byte.is_ascii_alphanumeric() || byte == b'_',
            Self::Url => byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'),
            Self::Dotted => byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.'),
            Self::Base32 => matches!(byte, b'A'..=b'Z' | b'2'..=b'7'),
            Self::Hex => matches!(byte, b'0'..=b'9' | b'a'..=b'f'),
        }
    }
}

/// What else must hold of the characters after the prefix.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Check {
    /// Nothing.
    None,
    /// The last six are the CRC-32 of the rest in base 62; else the key is reported all the same, since the
    /// scheme may change, but a run of letters alone is not.
    Crc32,
    /// A digit and a letter: names in code with the same prefix have no digits.
    Mixed,
}

/// One kind of key.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Key {
    pub(crate) prefix: &'static str,
    pub(crate) alphabet: Alphabet,
    /// Least and most characters after the prefix.
    pub(crate) len: (usize, usize),
    pub(crate) check: Check,
    pub(crate) confidence: i32,
}

pub(super) const fn key(
    prefix: &'static str,
    alphabet: Alphabet,
    min: usize,
    max: usize,
    check: Check,
) -> Key {
    Key { prefix, alphabet, len: (min, max), check, confidence: 99 }
}

/// The kinds, a longer prefix before a shorter one that it begins with.
pub(crate) const KEYS: &[Key] = &[
    // https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html
    key("AKIA", Alphabet::Base32, 16, 16, Check::None),
    key("ASIA", Alphabet::Base32, 16, 16, Check::None),
    key("ABIA", Alphabet::Base32, 16, 16, Check::None),
    key("ACCA", Alphabet::Base32, 16, 16, Check::None),
    // https://docs.aws.amazon.com/bedrock/latest/userguide/api-keys.html
    key("ABSK", Alphabet::Alphanumeric, 80, 200, Check::Mixed),
    // https://github.blog/engineering/platform-security/behind-githubs-new-authentication-token-formats/
    key("github_pat_", Alphabet::Word, 40, 255, Check::Mixed),
    key("ghp_", Alphabet::Alphanumeric, 36, 255, Check::Crc32),
    key("gho_", Alphabet::Alphanumeric, 36, 255, Check::Crc32),
    key("ghu_", Alphabet::Alphanumeric, 36, 255, Check::Crc32),
    key("ghs_", Alphabet::Alphanumeric, 36, 255, Check::Crc32),
    key("ghr_", Alphabet::Alphanumeric, 36, 255, Check::Crc32),
    // https://docs.gitlab.com/security/tokens/#token-prefixes
    key("glpat-", Alphabet::Dotted, 20, 300, Check::Mixed),
    key("gldt-", Alphabet::Url, 20, 64, Check::Mixed),
    key("glrt-", Alphabet::Dotted, 20, 300, Check::Mixed),
    // https://api.slack.com/authentication/token-types
    key("xoxb-", Alphabet::Url, 20, 255, Check::Mixed),
    key("xoxp-", Alphabet::Url, 20, 255, Check::Mixed),
    key("xoxa-", Alphabet::Url, 20, 255, Check::Mixed),
    key("xoxr-", Alphabet::Url, 20, 255, Check::Mixed),
    key("xoxs-", Alphabet::Url, 20, 255, Check::Mixed),
    key("xapp-", Alphabet::Url, 20, 255, Check::Mixed),
    // https://docs.stripe.com/keys
    key("sk_live_", Alphabet::Alphanumeric, 16, 255, Check::Mixed),
    key("sk_test_", Alphabet::Alphanumeric, 16, 255, Check::Mixed),
    key("rk_live_", Alphabet::Alphanumeric, 16, 255, Check::Mixed),
    key("rk_test_", Alphabet::Alphanumeric, 16, 255, Check::Mixed),
    key("whsec_", Alphabet::Alphanumeric, 24, 255, Check::Mixed),
    // https://docs.anthropic.com/en/api/overview
    key("sk-ant-", Alphabet::Url, 20, 255, Check::Mixed),
    // https://openrouter.ai/docs/api-reference/authentication
    key("sk-or-", Alphabet::Url, 20, 255, Check::Mixed),
    // https://platform.openai.com/docs/api-reference/authentication (sk-, sk-proj-, sk-svcacct-, sk-admin-;
    // DeepSeek and others use the first as well)
    key("sk-", Alphabet::Url, 20, 255, Check::Mixed),
    // https://cloud.google.com/docs/authentication/api-keys
    key("AIza", Alphabet::Url, 35, 35, Check::None),
    key("GOCSPX-", Alphabet::Url, 24, 40, Check::None),
    key("ya29.", Alphabet::Dotted, 30, 2048, Check::Mixed),
    // https://huggingface.co/docs/hub/security-tokens
    key("hf_", Alphabet::Alphanumeric, 30, 64, Check::None),
    // https://docs.npmjs.com/about-access-tokens
    key("npm_", Alphabet::Alphanumeric, 36, 36, Check::Crc32),
    // https://pypi.org/help/#apitoken
    key("pypi-AgE", Alphabet::Url, 50, 1024, Check::None),
    // https://docs.docker.com/security/access-tokens/
    key("dckr_pat_", Alphabet::Url, 20, 64, Check::Mixed),
    // https://docs.digitalocean.com/reference/api/create-personal-access-token/
    key("dop_v1_", Alphabet::Hex, 64, 64, Check::None),
    // https://www.twilio.com/docs/sendgrid/ui/account-and-settings/api-keys
    key("SG.", Alphabet::Dotted, 60, 80, Check::Mixed),
    // https://developer.hashicorp.com/vault/docs/concepts/tokens#token-prefixes
    key("hvs.", Alphabet::Url, 20, 255, Check::Mixed),
    // https://docs.databricks.com/aws/en/dev-tools/auth/pat
    key("dapi", Alphabet::Hex, 32, 32, Check::Mixed),
    // https://shopify.dev/docs/apps/build/authentication-authorization
    key("shpat_", Alphabet::Alphanumeric, 32, 32, Check::Mixed),
    // https://console.groq.com/docs/quickstart, https://docs.x.ai/docs/overview,
    // https://docs.api.nvidia.com/, https://replicate.com/docs/topics/security/api-tokens
    key("gsk_", Alphabet::Alphanumeric, 40, 64, Check::Mixed),
    key("xai-", Alphabet::Alphanumeric, 40, 128, Check::Mixed),
    key("nvapi-", Alphabet::Url, 40, 128, Check::Mixed),
    key("r8_", Alphabet::Alphanumeric, 37, 37, Check::Mixed),
    // https://github.com/FiloSottile/age: Bech32
    key("AGE-SECRET-KEY-1", Alphabet::Alphanumeric, 58, 58, Check::None),
    // Virtual keys of this gateway: bwk_<id>_<secret><crc>
    key("bwk_", Alphabet::Word, 24, 255, Check::Mixed),
    // Its service tokens: bwt_<id>_<secret>
    key("bwt_", Alphabet::Word, 24, 255, Check::Mixed),
];

/// How far the characters of each alphabet go on, from where they were last looked at to where they end: a text that is nothing
/// but prefixes of keys is looked at once all the same.
#[derive(Debug, Default)]
pub(crate) struct Runs([(usize, usize); Alphabet::COUNT]);

impl Runs {
    /// How many bytes from `at` on the alphabet has.
    fn len(&mut self, input: &Input<'_>, alphabet: Alphabet, at: usize) -> usize {
        let Some((from, end)) = self.0.get_mut(alphabet as usize) else { return 0 };
        if !(*from..*end).contains(&at) {
            (*from, *end) = (at, at + input.run(at, usize::MAX, |b| alphabet.has(b)));
        }
        *end - at
    }
}

/// Where the key that begins at `at` ends, if it is one.
pub(super) fn end(input: &Input<'_>, key: &Key, at: usize, runs: &mut Runs) -> Option<usize> {
    if !input.begins(at) {
        return None;
    }
    let start = at + key.prefix.len();
    let mut len = runs.len(input, key.alphabet, start).min(key.len.1 + 1);
    // Full stops and dashes at the end belong to the sentence.
    len -= input.run_back(start + len, len, |b| matches!(b, b'.' | b'-'));
    let end = start + len;
    if !(key.len.0..=key.len.1).contains(&len) || !input.ends(end) {
        return None;
    }
    let body = input.span(start, start + len);
    let digits = body.iter().any(u8::is_ascii_digit);
    let letters = body.iter().any(u8::is_ascii_alphabetic);
    let holds = match key.check {
        Check::None => true,
        Check::Mixed => digits && letters,
        Check::Crc32 => crc(body) || (digits && letters),
    };
    holds.then_some(end)
}

/// Whether the last six characters are the CRC-32 of the others in base 62.
fn crc(body: &[u8]) -> bool {
    let Some((payload, check)) = body.split_last_chunk::<6>() else { return false };
    let mut rest = crc32fast::hash(payload);
    let mut want = [b'0'; 6];
    for slot in want.iter_mut().rev() {
        let digit = u8::try_from(rest % 62).unwrap_or(0);
        *slot = match digit {
            0..10 => b'0' + digit,
            10..36 => b'A' + (digit - 10),
            _ => b'a' + (digit - 36),
        };
        rest /= 62;
    }
    want == *check
}

#[cfg(test)]
mod tests {
    use crate::EntityType::Credential;
    use crate::recognizers::table::{finds, finds_not};

    #[test]
    fn examples() {
        finds(
            Credential,
            &[
                ("[AKIAIOSFODNN7EXAMPLE]", 99),
                ("use [ghp_16C7e42F292c6912E7710c838347Ae178B4a].", 99),
                ("[glpat-a1B2c3D4e5F6g7H8i9J0]", 99),
                ("[xoxb-123456789012-abcdefghijkl]", 99),
                ("key=[sk_live_4eC39HqLyjWDarjtT1zdp7dc]", 99),
                ("[sk-proj-abcDEF123456abcDEF123456]", 99),
                ("\"[sk-ant-api03-abcDEF123456abcDEF_-x]\"", 99),
                ("[AIzaSyA-1234567890abcdefghijklmnopqrstu]", 99),
                ("[hf_abcdefghijklmnopqrstuvwxyzABCDEFGH]", 99),
                ("[bwk_support1_8f3kQz7LmN2pR5tV9wX4yB6c]", 99),
                ("token: [bwt_1gpMfhEqb0XD_dG9hv6f54aPzkZQ2zaSp20Zf7VfFQJgV8mwkFcxz9fL].", 99),
                ("\\n[sk-abcdefghijklmnopqrst1234567890]\\n", 99),
            ],
        );
    }

    #[test]
    fn counter_examples() {
        finds_not(
            Credential,
            &[
                "AKIAIOSFODNN7EXAMPL",
                "AKIAIOSFODNN7EXAMPLEX",
                "task-force-one-two-three-four",
                "ghp_short",
                "sk-learn is a library",
                "sk-this-is-a-css-class-name",
                "hf_hub_download",
                "npm_config_registry",
                "the SG. region",
                "risk-1234567890123456789012",
                "dapi",
                "bwk_",
                "bwt_config_path_of_the_server",
            ],
        );
    }

    #[test]
    fn every_key_is_found_and_a_shorter_one_is_not() {
        use super::{Alphabet, KEYS};
        for key in KEYS {
            let of = match key.alphabet {
                Alphabet::Base32 => "A2B3C4D5",
                Alphabet::Hex => "a1b2c3d4",
                _ => "a1B2c3D4",
            };
            let written = |len: usize| {
                let body: String = of.chars().cycle().take(len).collect();
                format!("{}{body}", key.prefix)
            };
            let found = |len: usize| {
                crate::recognizers::table::spans(&format!("so {}, yes", written(len)), Credential)
            };
            for len in [key.len.0, key.len.1] {
                assert_eq!(found(len), [written(len)], "{} {len}", key.prefix);
            }
            let within =
                KEYS.iter().any(|other| other.prefix != key.prefix && key.prefix.starts_with(other.prefix));
            assert!(within || found(key.len.0 - 1).is_empty(), "{}", key.prefix);
        }
    }

    #[test]
    fn crc_of_a_token() {
        let payload = b"0123456789012345678901234567zz";
        let crc = format!("{:06}", "");
        assert_eq!(crc.len(), 6);
        assert!(!super::crc(b"0123456789"));
        let mut body = payload.to_vec();
        let mut rest = crc32fast::hash(payload);
        let mut digits = Vec::new();
        for _ in 0..6 {
            digits.push(
                b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"[(rest % 62) as usize],
            );
            rest /= 62;
        }
        digits.reverse();
        body.extend(&digits);
        assert!(super::crc(&body));
        body[3] ^= 1;
        assert!(!super::crc(&body));
    }
}
