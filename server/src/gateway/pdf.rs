//! The text of a PDF, as far as it can be had without laying out its pages.
//!
//! Source: ISO 32000-2 (PDF 2.0), sections 7.3.4 (strings), 7.3.8 (streams), 7.4.4 (`FlateDecode`), 9.4 (operators that show
//! text), 9.10.3 (`ToUnicode`). Every stream that is plain or deflated is read, whatever object it belongs to, and so are the
//! strings outside of streams. Which font a string is in is not followed: each character map of the file is tried on every
//! string of the pages, so that a text is there once as its bytes and once by each map; that only adds text.
//!
//! *Window.* At most [`INFLATED_MAX`] bytes are inflated, [`MAPS_MAX`] maps read and [`TEXT_MAX`] bytes of text made; what has
//! more is not read at all. *Blind spots.* Encrypted files, other filters, images, text whose letters are placed one by one
//! with a move between them, fonts with neither map nor Latin encoding. So a PDF stays opaque, whatever is found in it.

use std::collections::HashMap;
use std::io::Read as _;

/// Bytes that all streams together may inflate to.
const INFLATED_MAX: u64 = 32 << 20;

/// Character maps.
const MAPS_MAX: usize = 12;

/// Bytes of text, by all maps together.
const TEXT_MAX: usize = 4 << 20;

/// How far before a stream its dictionary is looked for.
const DICTIONARY_MAX: usize = 4_096;

/// Codes of all maps of a file together, with the letters that they stand for.
const CODES_MAX: usize = 1 << 18;

/// Letters that one code may stand for: a ligature has four.
const LETTERS_MAX: usize = 16;

/// A move to the left of more thousandths of an em than this is a blank.
const BLANK: i32 = -180;

/// A character map: by code, one or two bytes wide.
#[derive(Debug, Default)]
struct Map {
    wide: bool,
    codes: HashMap<u16, String>,
}

/// What a page's stream shows.
#[derive(Debug, PartialEq, Eq)]
enum Shown {
    /// The bytes of a string, in the encoding of a font.
    Bytes(Vec<u8>),
    Blank,
    Line,
}

/// The text of a PDF. `None` where it cannot be read, or is too much.
pub(super) fn text_of(file: &[u8]) -> Option<String> {
    if memchr::memmem::find(file, b"/Encrypt").is_some() {
        return None;
    }
    let (mut shown, mut maps, mut inflated, mut from) = (Vec::new(), Vec::new(), 0, 0);
    let (mut outside, mut codes) = (Vec::new(), CODES_MAX);
    while let Some((before, data, after)) = next_stream(file, from) {
        outside.extend_from_slice(file.get(from..before).unwrap_or_default());
        let dictionary =
            file.get(before.saturating_sub(DICTIONARY_MAX).max(from)..before).unwrap_or_default();
        from = after;
        let Some(stream) = decoded(dictionary, data, &mut inflated)? else { continue };
        if memchr::memmem::find(&stream, b"begincmap").is_some() {
            maps.push(Map::read(&stream, &mut codes)?);
            if maps.len() > MAPS_MAX {
                return None;
            }
        } else {
            show(&stream, &mut shown);
            shown.push(Shown::Line);
        }
    }
    outside.extend_from_slice(file.get(from..).unwrap_or_default());
    // Titles, authors, notes, form fields.
    show(&outside, &mut shown);
    let mut text = String::new();
    write(&shown, None, &mut text)?;
    for map in maps.iter().filter(|map| !map.codes.is_empty()) {
        write(&shown, Some(map), &mut text)?;
    }
    Some(text)
}

/// The next stream from `from` on: where its keyword stands, its data, where it ends.
fn next_stream(file: &[u8], from: usize) -> Option<(usize, &[u8], usize)> {
    let mut at = from;
    loop {
        let keyword = at + memchr::memmem::find(file.get(at..)?, b"stream")?;
        at = keyword + b"stream".len();
        let start = match file.get(at..)? {
            [b'\r', b'\n', ..] => at + 2,
            [b'\n', ..] => at + 1,
            _ => continue,
        };
        if file.get(..keyword).is_some_and(|before| before.ends_with(b"end")) {
            continue;
        }
        let end = start + memchr::memmem::find(file.get(start..)?, b"endstream")?;
        return Some((keyword, file.get(start..end)?, end + b"endstream".len()));
    }
}

/// What a stream says: nothing where it is no text; `None` where there is too much of it.
fn decoded(dictionary: &[u8], data: &[u8], inflated: &mut u64) -> Option<Option<Vec<u8>>> {
    // The dictionary of this stream, not of one before it.
    let own = memchr::memmem::rfind(dictionary, b" obj")
        .map_or(dictionary, |at| dictionary.get(at..).unwrap_or_default());
    let has = |name: &[u8]| memchr::memmem::find(own, name).is_some();
    let other = [
        &b"/DCTDecode"[..],
        b"/JPXDecode",
        b"/CCITTFax",
        b"/JBIG2",
        b"/ASCII85",
        b"/ASCIIHex",
        b"/LZW",
        b"/RunLength",
    ];
    let picture_or_font =
        [&b"/Image"[..], b"/Length1", b"/FontFile", b"/Type1C", b"/CIDFontType0C", b"/OpenType", b"/XRef"];
    if other.iter().chain(&picture_or_font).any(|name| has(name)) {
        return Some(None);
    }
    let left = INFLATED_MAX.checked_sub(*inflated)?;
    if !has(b"/FlateDecode") {
        *inflated += u64::try_from(data.len()).ok()?;
        return Some((!has(b"/Filter")).then(|| data.to_vec()));
    }
    let mut out = Vec::new();
    // What is broken at its end is read up to there.
    let _ = flate2::read::ZlibDecoder::new(data).take(left + 1).read_to_end(&mut out);
    *inflated += u64::try_from(out.len()).ok()?;
    (*inflated <= INFLATED_MAX).then_some(Some(out))
}

/// Reads the strings of a stream and what stands between them.
fn show(stream: &[u8], shown: &mut Vec<Shown>) {
    let (mut at, mut in_array) = (0, false);
    while let Some(byte) = stream.get(at) {
        match byte {
            b'(' => {
                let (bytes, end) = literal(stream, at + 1);
                shown.push(Shown::Bytes(bytes));
                at = end;
            }
            b'<' if stream.get(at + 1) != Some(&b'<') => {
                let (bytes, end) = hexadecimal(stream, at + 1);
                shown.push(Shown::Bytes(bytes));
                at = end;
            }
            b'<' | b'>' => at += 2,
            b'[' => (in_array, at) = (true, at + 1),
            b']' => (in_array, at) = (false, at + 1),
            b'%' => {
                let rest = stream.get(at..).unwrap_or_default();
                at += rest.iter().take_while(|b| !matches!(b, b'\n' | b'\r')).count().max(1);
            }
            b if b.is_ascii_whitespace() => at += 1,
            _ => {
                let of_word = |b: &&u8| !b.is_ascii_whitespace() && !b"()<>[]%".contains(b);
                let len = stream.get(at..).unwrap_or_default().iter().take_while(of_word).count().max(1);
                let word = stream.get(at..at + len).unwrap_or_default();
                at += len;
                if in_array {
                    let number = std::str::from_utf8(word)
                        .ok()
                        .and_then(|word| word.split('.').next()?.parse::<i32>().ok());
                    if number.is_some_and(|number| number <= BLANK) {
                        shown.push(Shown::Blank);
                    }
                } else if matches!(word, b"Td" | b"TD" | b"T*" | b"Tm" | b"ET" | b"'" | b"\"")
                    || word.starts_with(b"/")
                {
                    shown.push(Shown::Line);
                }
            }
        }
    }
}

/// A string in parentheses (7.3.4.2), from after the first one; and where it ends.
fn literal(stream: &[u8], from: usize) -> (Vec<u8>, usize) {
    let (mut out, mut at, mut depth) = (Vec::new(), from, 1);
    while let Some(byte) = stream.get(at) {
        at += 1;
        match byte {
            b'(' => depth += 1,
            b')' => {
                depth -= 1;
                if depth == 0 {
                    break;
                }
            }
            b'\\' => {
                let next = stream.get(at).copied().unwrap_or_default();
                at += 1;
                match next {
                    b'n' => out.push(b'\n'),
                    b'r' => out.push(b'\r'),
                    b't' => out.push(b'\t'),
                    b'b' | b'f' | b'\n' => {}
                    b'\r' => at += usize::from(stream.get(at) == Some(&b'\n')),
                    b'0'..=b'7' => {
                        let mut code = u32::from(next - b'0');
                        for _ in 0..2 {
                            let Some(digit @ b'0'..=b'7') = stream.get(at).copied() else { break };
                            code = code * 8 + u32::from(digit - b'0');
                            at += 1;
                        }
                        out.push(u8::try_from(code & 0xff).unwrap_or_default());
                    }
                    other => out.push(other),
                }
                continue;
            }
            _ => {}
        }
        out.push(*byte);
    }
    (out, at)
}

/// A string in hexadecimal (7.3.4.3), from after its `<`; and where it ends.
fn hexadecimal(stream: &[u8], from: usize) -> (Vec<u8>, usize) {
    let len = stream.get(from..).unwrap_or_default().iter().take_while(|b| **b != b'>').count();
    let digits: Vec<u8> = stream
        .get(from..from + len)
        .unwrap_or_default()
        .iter()
        .filter_map(|b| char::from(*b).to_digit(16).and_then(|digit| u8::try_from(digit).ok()))
        .collect();
    let bytes = digits.chunks(2).map(|pair| match pair {
        [high, low] => high << 4 | low,
        [high] => high << 4,
        _ => 0,
    });
    (bytes.collect(), from + len + 1)
}

impl Map {
    /// Reads `bfchar` and `bfrange`. `None` where there are more codes than are left.
    fn read(stream: &[u8], left: &mut usize) -> Option<Self> {
        let mut map = Self::default();
        let text = String::from_utf8_lossy(stream);
        for (section, ranges) in [("bfchar", false), ("bfrange", true)] {
            for part in text.split(&format!("begin{section}")).skip(1) {
                let part = part.split(&format!("end{section}")).next().unwrap_or_default();
                for line in part.lines() {
                    map.line(line, ranges, left)?;
                }
            }
        }
        Some(map)
    }

    /// Reads one line; one without sense says nothing.
    fn line(&mut self, line: &str, range: bool, left: &mut usize) -> Option<()> {
        let mut strings =
            line.split('<').skip(1).map(|rest| rest.split('>').next().unwrap_or_default().trim());
        let (Some(first), Some(second)) = (strings.next(), strings.next()) else { return Some(()) };
        self.wide |= first.len() > 2;
        let Ok(from) = u16::from_str_radix(first, 16) else { return Some(()) };
        if !range {
            return self.insert(from, utf16(second), left);
        }
        let Ok(to) = u16::from_str_radix(second, 16) else { return Some(()) };
        let rest: Vec<&str> = strings.collect();
        match rest.as_slice() {
            [start] if !line.contains('[') => {
                let Ok(start) = u32::from_str_radix(start, 16) else { return Some(()) };
                for (code, unicode) in (from..=to).zip(start..) {
                    let letter = char::from_u32(unicode).map(String::from).unwrap_or_default();
                    self.insert(code, letter, left)?;
                }
            }
            each => {
                for (code, unicode) in (from..=to).zip(each) {
                    self.insert(code, utf16(unicode), left)?;
                }
            }
        }
        Some(())
    }

    fn insert(&mut self, code: u16, letters: String, left: &mut usize) -> Option<()> {
        *left = left.checked_sub(1)?;
        self.codes.insert(code, letters);
        Some(())
    }
}

/// Big-endian UTF-16 in hexadecimal.
fn utf16(hex: &str) -> String {
    let units: Vec<u16> = (0..hex.len())
        .step_by(4)
        .take(LETTERS_MAX)
        .filter_map(|at| u16::from_str_radix(hex.get(at..at + 4)?, 16).ok())
        .collect();
    String::from_utf16_lossy(&units)
}

/// Appends what is shown, by a map or as it stands. `None` where it is too much.
fn write(shown: &[Shown], map: Option<&Map>, out: &mut String) -> Option<()> {
    for one in shown {
        if out.len() > TEXT_MAX {
            return None;
        }
        let line_ends = out.ends_with('\n') || out.is_empty();
        match (one, map) {
            (Shown::Blank, _) => out.push(' '),
            (Shown::Line, _) if !line_ends => out.push('\n'),
            (Shown::Line, _) => {}
            (Shown::Bytes(bytes), None) => match bytes.as_slice() {
                // 7.9.2.2: a text string in UTF-16 says so.
                [0xfe, 0xff, rest @ ..] => {
                    let units: Vec<u16> = rest
                        .chunks_exact(2)
                        .map(|pair| {
                            u16::from_be_bytes([
                                pair.first().copied().unwrap_or(0),
                                pair.last().copied().unwrap_or(0),
                            ])
                        })
                        .collect();
                    out.push_str(&String::from_utf16_lossy(&units));
                }
                bytes => out.extend(bytes.iter().filter(|b| **b != 0).map(|b| char::from(*b))),
            },
            (Shown::Bytes(bytes), Some(map)) => {
                let codes: Vec<u16> = if map.wide {
                    bytes
                        .chunks(2)
                        .map(|pair| pair.iter().fold(0, |code, b| code << 8 | u16::from(*b)))
                        .collect()
                } else {
                    bytes.iter().map(|b| u16::from(*b)).collect()
                };
                for letters in codes.iter().filter_map(|code| map.codes.get(code)) {
                    if out.len() > TEXT_MAX {
                        return None;
                    }
                    out.push_str(letters);
                }
            }
        }
    }
    out.push('\n');
    Some(())
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn deflated(text: &str) -> Vec<u8> {
        let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(text.as_bytes()).unwrap();
        encoder.finish().unwrap()
    }

    fn pdf(streams: &[(&str, Vec<u8>)]) -> Vec<u8> {
        let mut file = b"%PDF-1.7\n".to_vec();
        for (at, (dictionary, data)) in streams.iter().enumerate() {
            file.extend_from_slice(
                format!("{at} 0 obj\n<< {dictionary} /Length {} >>\nstream\n", data.len()).as_bytes(),
            );
            file.extend_from_slice(data);
            file.extend_from_slice(b"\nendstream\nendobj\n");
        }
        file.extend_from_slice(
            b"9 0 obj\n<< /Author (Lena \\(Fink\\)) /Title <feff004700f6> >>\nendobj\ntrailer << >>\n",
        );
        file
    }

    #[test]
    fn text_of_plain_and_deflated_streams_and_of_strings_outside() {
        let page = "BT /F1 12 Tf 72 720 Td (Write to lena.fink) Tj (@kunde.example) Tj 0 -14 Td \
                    [(DE89 3704) -250 (0044)] TJ T* <343131> Tj (\\061\\\n) Tj ET";
        for (dictionary, data) in [("", page.as_bytes().to_vec()), ("/Filter /FlateDecode", deflated(page))] {
            let text = text_of(&pdf(&[(dictionary, data)])).unwrap();
            for part in
                ["Write to lena.fink@kunde.example\n", "DE89 3704 0044\n", "4111", "Lena (Fink)", "Gö"]
            {
                assert!(text.contains(part), "{part:?} is not in {text:?}");
            }
        }
    }

    #[test]
    fn codes_are_read_by_the_maps_of_the_file() {
        let map = "begincmap 2 beginbfchar\n<0003> <0020>\n<0004> <00DF>\nendbfchar\n1 beginbfrange\n<0010> <0012> <0061>\n\
                   <0020> <0021> [<0040> <00660069>]\nendbfrange endcmap";
        let page = "BT <00100011000300120020> Tj <00040021> Tj ET";
        let text = text_of(&pdf(&[
            ("/Filter /FlateDecode", deflated(page)),
            ("/Filter /FlateDecode", deflated(map)),
        ]));
        assert!(text.as_deref().unwrap().contains("ab c@ßfi"), "{text:?}");
    }

    #[test]
    fn what_cannot_be_read_is_not_half_read() {
        let bomb = deflated(&"0 ".repeat(1 << 24));
        let bombs = vec![("/Filter /FlateDecode", bomb); 3];
        assert_eq!(text_of(&pdf(&bombs)), None);
        // A map that says the same again and again, or makes much of little.
        let ranges =
            format!("begincmap beginbfrange\n{}endbfrange endcmap", "<0000> <ffff> <0061>\n".repeat(64));
        assert_eq!(text_of(&pdf(&[("/Filter /FlateDecode", deflated(&ranges))])), None);
        let long = format!("begincmap beginbfchar\n<01> <{}>\nendbfchar endcmap", "0061".repeat(1 << 16));
        let page = format!("<{}>", "01".repeat(1 << 20));
        let both = [("/Filter /FlateDecode", deflated(&long)), ("/Filter /FlateDecode", deflated(&page))];
        assert_eq!(text_of(&pdf(&both)), None);
        let mut encrypted = pdf(&[]);
        encrypted.extend_from_slice(b"<< /Encrypt 5 0 R >>");
        assert_eq!(text_of(&encrypted), None);
        // Pictures and fonts say nothing, and garbage is survived.
        let picture = pdf(&[("/Subtype /Image /Filter /DCTDecode", b"(anna@kunde.example)".to_vec())]);
        assert!(!text_of(&picture).unwrap().contains("anna"));
        for garbage in
            [&b"%PDF-stream\nendstream("[..], b"stream\n", b"<<<<>>>>((((\\", b"[[[ stream\r\n<<\nendstream"]
        {
            text_of(garbage);
        }
    }
}
