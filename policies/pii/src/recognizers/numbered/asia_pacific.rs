//! Australia, India, Japan, South Korea, Singapore, Israel.

use super::Row;
use super::checks::{Check, Order, Own, Rule, sum};
use crate::EntityType as E;

pub(crate) const ROWS: &[Row] = &[
    Row {
        entity: E::AuTfn,
        forms: &[("### ### ###", 0), ("#########", 0)],
        check: Check::All(&[Check::Varied, Check::Multiple(&[1, 4, 3, 7, 5, 8, 6, 9, 10], 11)]),
        worded: 94,
        words: &["tfn", "tax file"],
        source: "https://www.ato.gov.au/individuals-and-families/tax-file-number",
        examples: &["TFN [706 440 930]", "tax file number [382109200]"],
        others: &["TFN 706 440 931", "706 440 930"],
    },
    Row {
        entity: E::AuMedicare,
        forms: &[("#### ##### #", 58), ("##########", 0), ("###########", 20), ("#### ##### # #", 60)],
        check: Check::All(&[
            Check::At(0, b"23456"),
            Check::Weighted(&[1, 3, 7, 9, 1, 3, 7, 9], 10, Rule::Remainder),
        ]),
        worded: 94,
        words: &["medicare"],
        source: "https://www.servicesaustralia.gov.au/medicare-card",
        examples: &["Medicare [2950 73815 1]", "medicare: [2950738151]"],
        others: &["Medicare 2950 73825 1", "2950738151"],
    },
    Row {
        entity: E::AuAbn,
        forms: &[("## ### ### ###", 60), ("###########", 0)],
        check: Check::Own(Own("abn", |of| {
            let sum = sum(of, &[10, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19]);
            of.len() == 11 && of.first() != Some(&b'0') && (sum - 10).is_multiple_of(89)
        })),
        worded: 95,
        words: &["abn", "australian business"],
        source: "https://abr.business.gov.au/Help/AbnFormat",
        examples: &["ABN [26 699 300 547]", "abn [99287100239]"],
        others: &["ABN 26 699 300 548", "99287100239"],
    },
    Row {
        entity: E::InAadhaar,
        forms: &[("#### #### ####", 52), ("############", 0)],
        check: Check::All(&[Check::At(0, b"23456789"), Check::Varied, Check::Verhoeff]),
        worded: 94,
        words: &["aadhaar", "aadhar", "uidai", "आधार"],
        source: "https://uidai.gov.in/images/resource/aadhaar_validation_prevent_fraud.pdf",
        examples: &["Aadhaar [3992 2934 6629]", "aadhaar no [581539122190]"],
        others: &["3992 2934 6620", "581539122190", "1992 2934 6629", "2019 2020 2021 2022"],
    },
    Row {
        entity: E::InPan,
        forms: &[("@@@@@####@", 72)],
        check: Check::All(&[
            Check::At(3, b"ABCFGHLJPTK"),
            Check::Own(Own("pan", |of| of.get(5..9) != Some(b"0000"))),
        ]),
        worded: 95,
        words: &["pan", "permanent account", "income tax"],
        source: "https://www.incometax.gov.in/iec/foportal/help/how-to-apply-for-pan",
        examples: &["PAN [IGWPY6056S]", "[BIYPH6444X]"],
        others: &["IGWXY6056S", "igwpy6056s", "PAN IGWPY0000S"],
    },
    Row {
        entity: E::JpMyNumber,
        forms: &[("############", 0), ("#### #### ####", 0)],
        check: Check::All(&[
            Check::Varied,
            Check::Weighted(&[6, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2], 11, Rule::ComplementZero),
        ]),
        worded: 93,
        words: &["my number", "individual number", "マイナンバー", "個人番号"],
        source: "https://www.soumu.go.jp/kojinbango_card/",
        examples: &["My Number [1642 0743 7517]", "マイナンバー：[688384916971]"],
        others: &["My Number 1642 0743 7518", "164207437517"],
    },
    Row {
        entity: E::KrRrn,
        forms: &[("######-#######", 72), ("#############", 0)],
        // Since October 2020 numbers are issued without a check digit.
        check: Check::All(&[Check::Date(0, Order::Ymd, &[0], &[0]), Check::At(6, b"12345678")]),
        worded: 95,
        words: &["주민등록번호", "주민번호", "rrn", "resident registration"],
        source: "https://www.law.go.kr/LSW/eng/engLsSc.do?menuId=2&query=RESIDENT%20REGISTRATION%20ACT",
        examples: &["주민등록번호 [970615-1628948]", "RRN: [7903021023193]"],
        others: &["971315-1628948", "970615-9628948", "7903021023193"],
    },
    Row {
        entity: E::SgNric,
        forms: &[("@#######@", 85)],
        check: Check::Own(Own("nric", |of| {
            let (more, letters) = match of.first() {
                Some(b'S') => (0, b"JZIHGFEDCBA"),
                Some(b'T') => (4, b"JZIHGFEDCBA"),
                Some(b'F') => (0, b"XWUTRQPNMLK"),
                Some(b'G') => (4, b"XWUTRQPNMLK"),
                Some(b'M') => (3, b"XWUTRQPNJLK"),
                _ => return false,
            };
            let sum = (sum(of, &[0, 2, 7, 6, 5, 4, 3, 2]) + more) % 11;
            let want = letters.get(usize::try_from(sum).unwrap_or(99));
            want.is_some() && of.last() == want
        })),
        worded: 97,
        words: &["nric", "fin", "identity card", "singapore"],
        source: "https://www.ica.gov.sg/public-education/hi/hi-nric",
        examples: &["NRIC [S1234567D]", "[G5544332M],", "FIN [M1234567K]"],
        others: &["S1234567E", "s1234567d", "A1234567D"],
    },
    Row {
        entity: E::IlId,
        forms: &[("#########", 0), ("########-#", 0)],
        check: Check::All(&[Check::Luhn, Check::Varied]),
        worded: 92,
        words: &["teudat zehut", "teudat", "תעודת זהות", "ת.ז", "israeli id", "mispar zehut"],
        source: "https://www.gov.il/en/departments/population_and_immigration_authority",
        examples: &["Teudat Zehut [286677190]", "ת.ז. [089707947]"],
        others: &["Teudat Zehut 286677191", "286677190"],
    },
];
